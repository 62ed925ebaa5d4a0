"""The simulated provider: workflows that need no account and no network, for the demo, for trying out and for tests."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import ClassVar

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import CALLBACK_FIELD, as_json_bytes
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection, ConnectionCheck
from orchestrator_app.providers.json_reading import number_at, text_at
from orchestrator_app.providers.remote_workflow import (
    RemoteWorkflow,
    WorkflowPage,
    WorkflowPreview,
    best_completion,
)
from orchestrator_app.providers.simulated_executions import (
    CALLBACK_PAUSES,
    CANCELLED,
    CallbackSender,
    Execution,
    Executions,
)
from orchestrator_app.providers.simulated_results import without_callback
from orchestrator_app.providers.simulated_workflows import (
    CALLING_BACK,
    FAILING,
    FLAKY,
    POLLING,
    WORKFLOWS,
    SimulatedWorkflow,
    seconds_of,
)

_FAILURES = 2
_MOST_KEYS = 1_000
_DOES_NOT_CALL = "The simulated workflow has answered and does not call back: something else has to."
_NOT_KNOWN = "No simulated execution of this call is known; a restart of Orchestrator forgets them."


class SimulatedProvider(Provider):
    """Deterministic workflows inside this process; every connection, and none, opens it.

    What polling needs travels in the memo, so a restart changes nothing. Forgotten at a restart are only the
    callbacks still to be made, what was cancelled, how often a flaky workflow has failed, and the executions of calls
    whose answer was lost.
    """

    key: ClassVar[str] = "simulated"
    title: ClassVar[str] = "Simulated"
    calls_back_itself: ClassVar[bool] = True
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {
        Capability.TEAMS,
        Capability.LINK,
    }
    refusals: ClassVar[Mapping[Capability, str]] = {
        Capability.TEAMS: "Simulated workflows belong to no organization and no team.",
        Capability.LINK: "Simulated workflows run inside Orchestrator, so there is no page of theirs to open.",
    }

    def __init__(
        self,
        client: HttpClient,
        *,
        callback_client: HttpClient | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make the provider.

        Args:
            client: The guarded client.
            callback_client: A client that may reach this program itself; used for its callback address alone.
            clock: Seconds since the epoch.
        """
        super().__init__(client)
        self._clock = clock
        self._callbacks = CallbackSender(client, callback_client or client, self.key)
        self._executions = Executions(self._now)
        self._failures: dict[str, int] = {}

    async def test(self, connection: Connection) -> ConnectionCheck:
        """Always works."""
        return ConnectionCheck(
            "connected", "The simulated workflows run inside Orchestrator and are always there."
        )

    async def workflows(self, connection: Connection, *, query: str = "", cursor: str = "") -> WorkflowPage:
        """All workflows whose name contains ``query``, on one page."""
        wanted = query.strip().casefold()
        return WorkflowPage(
            tuple(_listed(workflow) for workflow in WORKFLOWS.values() if wanted in workflow.name.casefold())
        )

    async def preview(self, connection: Connection, workflow_id: str) -> WorkflowPreview:
        """The steps of the workflow."""
        workflow = self._workflow(workflow_id, Capability.PREVIEW)
        completions = workflow.completions()
        return WorkflowPreview(
            workflow=_listed(workflow),
            nodes=workflow.nodes(),
            edges=workflow.edges(),
            completion=best_completion(completions),
            completions=completions,
            form=workflow.form,
            entry=workflow.summary,
            facts={"seconds": workflow.seconds},
        )

    async def execute(self, connection: Connection | None, call: RemoteCall) -> RemoteAnswer:
        """Do what the workflow's summary says."""
        workflow = self._workflow(call.workflow_id, Capability.EXECUTE)
        data: JsonValue = call.text_body if call.text_body is not None else call.body
        if workflow.id == POLLING:
            return self._start(workflow, call, data)
        if workflow.id == CALLING_BACK:
            return self._start_calling_back(workflow, call, data)
        if workflow.id == FLAKY:
            self._maybe_fail(call, data)
        failure = text_at(data, "message") or "This workflow always fails." if workflow.id == FAILING else ""
        output = None if failure else workflow.result(data)
        execution = self._begin(workflow, call, seconds_of(workflow, data), output, failure)
        if not await self._take_time(execution, call):
            return RemoteAnswer("cancelled", message=CANCELLED)
        if failure:
            return RemoteAnswer("failed", status_code=500, message=failure)
        if call.completion == "callback":
            return RemoteAnswer("running", output, memo={"executionId": execution.id})
        return RemoteAnswer("completed", output)

    async def poll(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        """Compare the time with that in the memo, or search by correlation id for what a lost answer would have told."""
        if not memo:
            found = self._executions.find(call.correlation_id)
            if found is None:
                state = "running" if call.completion == "callback" else "unknown"
                return RemoteLook(state, message=_NOT_KNOWN, is_certain=False)
            memo = self._memo(found)
            if call.completion == "callback" and call.workflow_id not in {POLLING, CALLING_BACK}:
                memo = {"executionId": found.id}
        ends_at = int(number_at(memo, "endsAt"))
        remote_id = text_at(memo, "executionId")
        if not ends_at:
            return RemoteLook("running", remote_id=remote_id, message=_DOES_NOT_CALL, memo=memo)
        if self._executions.is_cancelled(remote_id):
            return RemoteLook("cancelled", remote_id=remote_id, message=CANCELLED, memo=memo)
        if self._now() < ends_at:
            return RemoteLook("running", remote_id=remote_id, memo=memo)
        if failure := text_at(memo, "failure"):
            return RemoteLook("failed", remote_id=remote_id, message=failure, memo=memo)
        return RemoteLook("completed", memo.get("output"), remote_id=remote_id, memo=memo)

    async def cancel(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> str:
        """End the execution, and its callback if that is still to come."""
        return self._executions.cancel(
            text_at(memo, "executionId"), int(number_at(memo, "endsAt")), call.correlation_id
        )

    async def close(self) -> None:
        """Give up the callbacks still to be made."""
        await self._executions.close()

    def _now(self) -> int:
        return round(self._clock() * 1000)

    def _workflow(self, workflow_id: str, capability: Capability) -> SimulatedWorkflow:
        if workflow := WORKFLOWS.get(workflow_id):
            return workflow
        named = (
            f"There is no simulated workflow “{workflow_id}”." if workflow_id else "No workflow is chosen."
        )
        raise ProviderRefused(
            named,
            hint=f"Choose one of {', '.join(WORKFLOWS)}.",
            provider=self.key,
            operation=capability.value,
            remote_status=404,
        )

    def _begin(
        self,
        workflow: SimulatedWorkflow,
        call: RemoteCall,
        seconds: float,
        output: JsonValue,
        failure: str = "",
    ) -> Execution:
        ends_at = self._now() + round(seconds * 1000)
        return self._executions.begin(
            workflow.id, call.correlation_id, ends_at, output=output, failure=failure
        )

    async def _take_time(self, execution: Execution, call: RemoteCall) -> bool:
        """Wait as a remote workflow would make us wait, and give up when the call's time is over.

        Whoever gives up leaves the execution going on. False when the execution was cancelled meanwhile.
        """
        seconds = (execution.ends_at - self._now()) / 1000
        try:
            await asyncio.wait_for(execution.stopped.wait(), min(seconds, call.timeout_seconds))
        except TimeoutError:
            pass
        else:
            return False
        if seconds <= call.timeout_seconds:
            self._executions.answer(execution)
            return True
        kind = ProviderUnavailable if call.is_idempotent else OutcomeUnknown
        raise kind(
            f"The simulated workflow did not answer within {call.timeout_seconds:g} s.",
            hint="Allow more time, or choose a shorter one in the field seconds.",
            provider=self.key,
            operation=Capability.EXECUTE.value,
        )

    def _maybe_fail(self, call: RemoteCall, data: JsonValue) -> None:
        is_set = isinstance(data, dict) and "failures" in data
        most = int(number_at(data, "failures")) if is_set else _FAILURES
        key = call.idempotency_key or call.correlation_id
        failed = self._failures.get(key, 0)
        if failed >= most:
            self._failures.pop(key, None)
            return
        if len(self._failures) >= _MOST_KEYS:
            self._failures.clear()
        self._failures[key] = failed + 1
        raise ProviderUnavailable(
            f"The simulated service is down for the moment (failure {failed + 1} of {most}).",
            hint="It works after a few more tries.",
            provider=self.key,
            operation=Capability.EXECUTE.value,
            remote_status=503,
        )

    def _start(self, workflow: SimulatedWorkflow, call: RemoteCall, data: JsonValue) -> RemoteAnswer:
        failure = text_at(data, "failure")
        result = None if failure else workflow.result(data)
        execution = self._begin(workflow, call, seconds_of(workflow, data), result, failure)
        output: JsonValue = {"message": "Workflow was started", "executionId": execution.id}
        state = "completed" if call.completion == "response" else "running"
        return RemoteAnswer(state, output, remote_id=execution.id, memo=self._memo(execution))

    def _memo(self, execution: Execution) -> JsonObject:
        memo: JsonObject = {
            "executionId": execution.id,
            "endsAt": execution.ends_at,
            "output": execution.output,
        }
        return memo | {"failure": execution.failure} if execution.failure else memo

    def _start_calling_back(
        self, workflow: SimulatedWorkflow, call: RemoteCall, data: JsonValue
    ) -> RemoteAnswer:
        placed = text_at(data, CALLBACK_FIELD)
        address = call.callback_url if call.completion == "callback" else placed or call.callback_url
        if not address:
            raise ProviderRefused(
                "This workflow calls back, but the call says no callback address.",
                hint="Choose the completion callback, or put {{run.callbackUrl}} into the field callbackUrl.",
                provider=self.key,
                operation=Capability.EXECUTE.value,
                remote_status=400,
            )
        result, seconds = workflow.result(without_callback(data)), seconds_of(workflow, data)
        # Polling may find the result too, but only when all tries to call back are over.
        execution = self._begin(workflow, call, seconds + sum(CALLBACK_PAUSES), result)
        execution.callback = asyncio.create_task(
            self._callbacks.send(address, as_json_bytes(result), seconds)
        )
        state = "running" if call.completion == "callback" else "completed"
        return RemoteAnswer(
            state,
            {"message": "Workflow was started"},
            status_code=202,
            remote_id=execution.id,
            memo=self._memo(execution),
        )


def _listed(workflow: SimulatedWorkflow) -> RemoteWorkflow:
    return RemoteWorkflow(
        workflow.id,
        workflow.name,
        is_active=True,
        tags=workflow.tags,
        folder=workflow.folder,
        content_hash=workflow.content_hash(),
    )
