"""The simulated provider: workflows that need no account and no network, for the demo, for trying out and for tests."""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import ClassVar
from urllib.parse import urlsplit

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from orchestrator_app.providers.answers import raise_for_answer
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import CALLBACK_FIELD, as_json_bytes
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection, ConnectionCheck
from orchestrator_app.providers.json_reading import number_at, text_at
from orchestrator_app.providers.remote_workflow import RemoteWorkflow, WorkflowPage, WorkflowPreview
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
_CALLBACK_PAUSES = (1.0, 3.0)
_CALLBACK_SECONDS = 10.0

_CALLBACK_PATH = re.compile(r"(/[\w.-]+)*/api/v1/orchestrator/callback/[\w-]+")

_log = logging.getLogger(__name__)


class SimulatedProvider(Provider):
    """Deterministic workflows inside this process; every connection, and none, opens it.

    What polling needs travels in the memo, so a restart changes nothing. Forgotten at a restart are only the
    callbacks still to be made, and how often a flaky workflow has failed.
    """

    key: ClassVar[str] = "simulated"
    title: ClassVar[str] = "Simulated"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.CANCEL}

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
        self._callback_client = callback_client or client
        self._clock = clock
        self._failures: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

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
        return WorkflowPreview(
            workflow=_listed(workflow),
            nodes=workflow.nodes(),
            edges=workflow.edges(),
            completion=workflow.completion,
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
        await self._take_time(call, seconds_of(workflow, data))
        if workflow.id == FAILING:
            return RemoteAnswer(
                "failed", status_code=500, message=text_at(data, "message") or "This workflow always fails."
            )
        return RemoteAnswer(
            "running" if call.completion == "callback" else "completed", workflow.result(data)
        )

    async def poll(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        """Compare the time with that in the memo."""
        ends_at = int(number_at(memo, "endsAt"))
        if not ends_at:
            return RemoteLook(
                "unknown", message="Nothing is known about this simulated execution.", is_certain=False
            )
        remote_id = text_at(memo, "executionId")
        if self._now() < ends_at:
            return RemoteLook("running", remote_id=remote_id, memo=memo)
        if failure := text_at(memo, "failure"):
            return RemoteLook("failed", remote_id=remote_id, message=failure, memo=memo)
        return RemoteLook("completed", memo.get("output"), remote_id=remote_id, memo=memo)

    async def close(self) -> None:
        """Give up the callbacks still to be made."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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

    async def _take_time(self, call: RemoteCall, seconds: float) -> None:
        """Wait as a remote workflow would make us wait, and give up when the call's time is over."""
        if seconds <= call.timeout_seconds:
            await asyncio.sleep(seconds)
            return
        await asyncio.sleep(call.timeout_seconds)
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
        ends_at = self._now() + round(seconds_of(workflow, data) * 1000)
        remote_id = f"{workflow.id}-{ends_at}"
        output: JsonValue = {"message": "Workflow was started", "executionId": remote_id}
        memo: JsonObject = {"executionId": remote_id, "endsAt": ends_at, "output": workflow.result(data)}
        if failure := text_at(data, "failure"):
            memo |= {"failure": failure, "output": None}
        state = "completed" if call.completion == "response" else "running"
        return RemoteAnswer(state, output, remote_id=remote_id, memo=memo)

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
        body = as_json_bytes(workflow.result(without_callback(data)))
        task = asyncio.create_task(self._call_back(address, body, seconds_of(workflow, data)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        state = "running" if call.completion == "callback" else "completed"
        return RemoteAnswer(state, {"message": "Workflow was started"}, status_code=202)

    async def _call_back(self, address: str, body: bytes, seconds: float) -> None:
        # The guard keeps calls away from this program; its callback address alone is open to a workflow of its own.
        is_ours = _CALLBACK_PATH.fullmatch(urlsplit(address).path) and "/." not in urlsplit(address).path
        client = self._callback_client if is_ours else self.client
        for pause in (seconds, *_CALLBACK_PAUSES):
            await asyncio.sleep(pause)
            try:
                answer = await client.request(
                    "POST",
                    address,
                    headers={"Content-Type": "application/json"},
                    content=body,
                    timeout_seconds=_CALLBACK_SECONDS,
                    provider=self.key,
                    operation=Capability.CALLBACK.value,
                    is_safe_to_repeat=True,
                )
                raise_for_answer(answer, self.key, Capability.CALLBACK.value)
            except ProviderError as error:
                _log.warning("The simulated workflow could not call back: %s", error.message)
                if not error.retryable:
                    return
            else:
                return


def _listed(workflow: SimulatedWorkflow) -> RemoteWorkflow:
    return RemoteWorkflow(workflow.id, workflow.name, is_active=True, tags=workflow.tags)
