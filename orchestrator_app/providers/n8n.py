"""n8n: lists and previews workflows, starts them by their webhooks, and follows their executions."""

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook, RemoteState
from orchestrator_app.errors import CredentialRefused, NotSupported, ProviderError, ProviderRefused
from orchestrator_app.providers.answers import raise_for_answer
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import send
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection, ConnectionCheck, CredentialField
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.n8n_answers import (
    Memo,
    answer_of,
    failed_answer,
    look_of,
    look_of_callback,
)
from orchestrator_app.providers.n8n_api import ALL_LISTS, PROVIDER, N8nApi
from orchestrator_app.providers.n8n_check import check_connection
from orchestrator_app.providers.n8n_completion import NOT_KEPT
from orchestrator_app.providers.n8n_connection import CREDENTIAL_FIELDS, base_url, webhook_base_url
from orchestrator_app.providers.n8n_execution import state_of
from orchestrator_app.providers.n8n_refusals import EXECUTE, refused, why_refused
from orchestrator_app.providers.n8n_stop import stop_execution
from orchestrator_app.providers.n8n_target import (
    Target,
    find_target,
    is_chat,
    is_form,
    webhook_headers,
    with_query,
)
from orchestrator_app.providers.n8n_triggers import keeps_successes
from orchestrator_app.providers.n8n_webhook import NO_ITEM, failure_text, tells_failure, webhook_output
from orchestrator_app.providers.n8n_workflow import read_preview, read_workflow
from orchestrator_app.providers.remote_workflow import WorkflowPage, WorkflowPreview

_TARGET_SECONDS = 30.0
_MOST_TARGETS = 500
_REASON_SECONDS = 5.0
_REASON_PAUSES = (0.0, 0.25, 0.75)  # n8n answers a little before it has saved the execution
_CERTAIN_MISSES = 2
_ENDED_LISTS = ("",)
_WITHOUT_KEY = frozenset({Capability.EXECUTE, Capability.RESPONSE, Capability.CALLBACK})
_CHOOSE_CONNECTION = "Choose the connection in the node, or make one on the page Connections."
_NOT_SEEN = (
    "n8n does not list an execution of this call yet. It may be queued or waiting, or n8n may not save executions "
    "of this workflow."
)


class N8nProvider(Provider):
    """n8n, self-hosted or cloud, releases 1 and 2. Without a connection it calls plain webhook addresses."""

    key: ClassVar[str] = PROVIDER
    title: ClassVar[str] = "n8n"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.TEAMS}
    limits: ClassVar[Mapping[Capability, str]] = {
        Capability.FORM: "form and chat triggers",
        Capability.POLL: "if n8n saves the executions",
        Capability.CALLBACK: "with a node that posts to callbackUrl",
        Capability.CANCEL: "from release 2 on",
    }
    refusals: ClassVar[Mapping[Capability, str]] = {
        Capability.TEAMS: "n8n knows no organizations or teams to choose: an API key sees what its user may see.",
    }
    credential_fields: ClassVar[tuple[CredentialField, ...]] = CREDENTIAL_FIELDS

    def __init__(self, client: HttpClient) -> None:
        super().__init__(client)
        self._targets: dict[tuple[str, ...], tuple[float, Target]] = {}

    def capabilities_of(self, connection: Connection | None) -> frozenset[Capability]:
        """Without an API key webhooks can be called, and nothing can be asked."""
        has_key = connection is not None and N8nApi(self.client, connection).has_key
        return self.capabilities if has_key else _WITHOUT_KEY

    def refusal(self, capability: Capability) -> NotSupported:
        """What n8n can do at all, it can do with a key."""
        if capability not in self.capabilities:
            return super().refusal(capability)
        return NotSupported(
            "n8n can do this only with a connection that has its address and an API key.",
            hint=_CHOOSE_CONNECTION,
            provider=PROVIDER,
            operation=capability.value,
        )

    async def test(self, connection: Connection) -> ConnectionCheck:
        """Ask for one workflow and one execution; where that fails, find out what is wrong."""
        return await check_connection(N8nApi(self.client, connection))

    async def workflows(self, connection: Connection, *, query: str = "", cursor: str = "") -> WorkflowPage:
        """One page of workflows that are not archived."""
        api = self._api(connection, Capability.LIST)
        rows, following = await api.workflow_page(query, cursor)
        return WorkflowPage(tuple(read_workflow(row, api.base) for row in rows), following)

    async def preview(self, connection: Connection, workflow_id: str) -> WorkflowPreview:
        """The published version's graph, or the draft's if none is published."""
        api = self._api(connection, Capability.PREVIEW)
        raw = await api.workflow(workflow_id, Capability.PREVIEW.value)
        if raw is None:
            raise ProviderRefused(
                f"n8n at {api.host} has no workflow {workflow_id}.",
                hint="It may have been deleted. Refresh the list of workflows.",
                provider=PROVIDER,
                operation=Capability.PREVIEW.value,
                remote_status=HTTPStatus.NOT_FOUND,
            )
        return read_preview(raw, api.base, webhook_base_url(connection))

    async def execute(self, connection: Connection | None, call: RemoteCall) -> RemoteAnswer:
        """Call the production webhook. What n8n says after the workflow ran is a result, never to be repeated."""
        api = N8nApi(self.client, connection) if connection else None
        api = api if api and api.has_key else None
        if call.completion == "poll" and api is None:
            raise self._needs_key(Capability.EXECUTE)
        target = await self._target(connection, api, call)
        headers = webhook_headers(connection, target.url)
        began = time.monotonic()
        answer = await send(
            self.client,
            call,
            url=target.url,
            method=target.method,
            headers=headers,
            content=target.content(call),
        )
        memo = Memo.of_call(call, answer, time.monotonic() - began)
        base = api.base if api else ""
        if tells_failure(answer):
            reason = failure_text(answer)
            if NO_ITEM in reason and call.completion != "response":
                return answer_of(base, call, answer, None, memo)
            execution = await self._ended_execution(api, call, memo, _REASON_PAUSES)
            return failed_answer(base, answer, execution, reason)
        if answer.status == HTTPStatus.NOT_FOUND:
            self._targets.clear()  # the workflow may have been changed since it was looked up
        if refusal := await why_refused(api, call, answer, is_form=target.kind == "form"):
            raise refusal
        raise_for_answer(answer, PROVIDER, EXECUTE)
        output = webhook_output(answer)
        if output is None and call.completion == "response":
            # Older releases answer 200 with nothing in it when a workflow fails before its Respond node.
            execution = await self._ended_execution(api, call, memo, _REASON_PAUSES[:2])
            if execution and state_of(execution) == "failed":
                return failed_answer(base, answer, execution, "n8n does not say why.")
        return answer_of(base, call, answer, output, memo)

    async def poll(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        """Look at the execution by its id, or search for the one that got our correlation id."""
        if connection is None:
            raise self._needs_key(Capability.POLL)
        api = self._api(connection, Capability.POLL)
        known = Memo.read(memo, call)
        if known.execution and (look := await self._look_by_id(api, call, known)):
            return look
        found = await api.find_execution(
            known.workflow, call.correlation_id, known.since, Capability.POLL.value, statuses=ALL_LISTS
        )
        if found:
            return look_of(api.base, found, known)
        missed = Memo("", known.workflow, known.since, known.misses + 1)
        if missed.misses >= _CERTAIN_MISSES and known.workflow:
            raw = await api.workflow(known.workflow, Capability.POLL.value)
            if raw is not None and not keeps_successes(raw):
                return RemoteLook(_unsure(call), message=NOT_KEPT, is_certain=False, memo=missed.as_json())
        return RemoteLook("running", message=_NOT_SEEN, is_certain=False, memo=missed.as_json())

    async def called_back(
        self, connection: Connection | None, call: RemoteCall, memo: JsonObject, body: JsonValue
    ) -> RemoteLook:
        """The body is the result, unless it says that the execution failed."""
        return look_of_callback(base_url(connection) if connection else "", Memo.read(memo, call), body)

    async def cancel(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> str:
        """Stop the execution: by its id, else the one that got our correlation id."""
        if connection is None:
            raise self._needs_key(Capability.CANCEL)
        return await stop_execution(self._api(connection, Capability.CANCEL), call, Memo.read(memo, call))

    def _api(self, connection: Connection, capability: Capability) -> N8nApi:
        api = N8nApi(self.client, connection)
        if not api.has_key:
            raise self._needs_key(capability)
        return api

    def _needs_key(self, capability: Capability) -> CredentialRefused:
        return CredentialRefused(
            "This needs a connection to n8n with its address and an API key.",
            hint=_CHOOSE_CONNECTION,
            provider=PROVIDER,
            operation=capability.value,
        )

    async def _target(self, connection: Connection | None, api: N8nApi | None, call: RemoteCall) -> Target:
        has_own_shape = is_form(call.url) or is_chat(call.url)
        if call.url and not (has_own_shape and call.workflow_id and api):
            if is_form(call.url) and call.text_body is None:
                raise refused(
                    "This is the address of a form, and what the form asks for is not known.",
                    "Choose the connection and the workflow in the node.",
                )
            return Target(call.url, call.method.upper())
        if connection is None or api is None:
            raise self._needs_key(Capability.EXECUTE)
        webhook_base = webhook_base_url(connection)
        place = (connection.id, webhook_base, call.workflow_id, call.url, call.method)
        kept = self._targets.get(place)
        if kept is None or kept[0] < time.monotonic():
            if len(self._targets) >= _MOST_TARGETS:
                self._targets.clear()
            kept = (time.monotonic() + _TARGET_SECONDS, await find_target(api, call, webhook_base))
            self._targets[place] = kept
        return with_query(kept[1], call)

    async def _ended_execution(
        self, api: N8nApi | None, call: RemoteCall, memo: Memo, pauses: tuple[float, ...]
    ) -> JsonObject | None:
        """The execution of a call that n8n has answered, if it can be found in a short time; never an error."""
        if api is None:
            return None
        try:
            async with asyncio.timeout(_REASON_SECONDS):
                for pause in pauses:
                    await asyncio.sleep(pause)
                    found = await api.find_execution(
                        memo.workflow, call.correlation_id, memo.since, EXECUTE, statuses=_ENDED_LISTS
                    )
                    if found:
                        return found
        except (ProviderError, TimeoutError):
            return None
        return None

    async def _look_by_id(self, api: N8nApi, call: RemoteCall, known: Memo) -> RemoteLook | None:
        """The execution with this id, or None when the id turns out to be another workflow's."""
        operation = Capability.POLL.value
        found = await api.execution(known.execution, operation, with_data=False)
        if found is not None and call.workflow_id and text_at(found, "workflowId") != call.workflow_id:
            return None
        if found is not None and state_of(found) in {"completed", "failed"}:
            found = await api.execution(known.execution, operation, with_data=True)
        if found is None:
            await api.ensure_there(operation)
            message = f"n8n has no execution {known.execution} (any more). {NOT_KEPT}"
            return RemoteLook(
                _unsure(call),
                remote_id=known.execution,
                message=message,
                is_certain=False,
                memo=known.as_json(),
            )
        return look_of(api.base, found, known)


def _unsure(call: RemoteCall) -> RemoteState:
    """What an execution is that n8n does not show: gone, unless its callback can still tell of it."""
    return "running" if call.completion == "callback" else "unknown"
