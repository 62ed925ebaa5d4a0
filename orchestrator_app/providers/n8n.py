"""n8n: lists and previews workflows, starts them by their webhooks, and follows their executions."""

import asyncio
import time
from http import HTTPStatus
from typing import ClassVar

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import CredentialRefused, ProviderError, ProviderRefused
from orchestrator_app.providers.answers import raise_for_answer
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import send
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection, ConnectionCheck, CredentialField
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.n8n_answers import Memo, answer_of, failed_answer, look_of
from orchestrator_app.providers.n8n_api import PROVIDER, N8nApi, webhook_base_url
from orchestrator_app.providers.n8n_check import check_connection
from orchestrator_app.providers.n8n_execution import state_of
from orchestrator_app.providers.n8n_webhook import (
    EXECUTE,
    NO_ITEM,
    Target,
    failure_text,
    find_target,
    tells_failure,
    webhook_headers,
    webhook_output,
    why_refused,
    with_query,
)
from orchestrator_app.providers.n8n_workflow import keeps_successes, read_preview, read_workflow
from orchestrator_app.providers.remote_workflow import WorkflowPage, WorkflowPreview

_TARGET_SECONDS = 30.0
_MOST_TARGETS = 500
_REASON_SECONDS = 5.0
_REASON_PAUSES = (0.0, 0.25, 0.75)  # n8n answers a little before it has saved the execution
_CERTAIN_MISSES = 2
_ENDED_LISTS = ("",)
# Running first: what ends in between is then found in the second list.
_ALL_LISTS = ("running", "", "waiting")
_NOT_KEPT = (
    "n8n does not keep successful executions of this workflow, so its result cannot be read. Turn on saving of "
    "successful production executions in its settings, or choose the completion response or callback."
)
_NOT_SEEN = (
    "n8n does not list an execution of this call yet. It may be queued or waiting, or n8n may not save executions "
    "of this workflow."
)


class N8nProvider(Provider):
    """n8n, self-hosted or cloud, releases 1 and 2. Without a connection it calls plain webhook addresses."""

    key: ClassVar[str] = PROVIDER
    title: ClassVar[str] = "n8n"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField(
            "baseUrl",
            "Address of n8n",
            help="As you open it in the browser.",
            is_origin=True,
            placeholder="https://n8n.example.com",
        ),
        CredentialField(
            "apiKey",
            "API key",
            help="Made in n8n under Settings, n8n API. Needs the permissions to list and read workflows and "
            "executions, and to stop executions.",
            is_secret=True,
        ),
        CredentialField(
            "webhookBaseUrl",
            "Address of webhooks",
            help="Only if webhooks are reached at another address (n8n's WEBHOOK_URL).",
            is_origin=True,
            required=False,
        ),
        CredentialField(
            "webhookHeaderName",
            "Webhook header",
            help="Only for webhooks with header authentication: the header's name.",
            required=False,
        ),
        CredentialField(
            "webhookHeaderValue",
            "Webhook header value",
            help="And its value.",
            is_secret=True,
            required=False,
        ),
        CredentialField(
            "webhookUser", "Webhook user", help="Only for webhooks with basic authentication.", required=False
        ),
        CredentialField(
            "webhookPassword", "Webhook password", help="And its password.", is_secret=True, required=False
        ),
    )

    def __init__(self, client: HttpClient) -> None:
        super().__init__(client)
        self._targets: dict[tuple[str, str, str, str], tuple[float, Target]] = {}

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
        if refusal := await why_refused(api, call, target, answer):
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
            known.workflow, call.correlation_id, known.since, Capability.POLL.value, statuses=_ALL_LISTS
        )
        if found:
            return look_of(api.base, found, known)
        missed = Memo("", known.workflow, known.since, known.misses + 1)
        if missed.misses >= _CERTAIN_MISSES and known.workflow:
            raw = await api.workflow(known.workflow, Capability.POLL.value)
            if raw is not None and not keeps_successes(raw):
                return RemoteLook("unknown", message=_NOT_KEPT, is_certain=False, memo=missed.as_json())
        return RemoteLook("running", message=_NOT_SEEN, is_certain=False, memo=missed.as_json())

    async def cancel(self, connection: Connection | None, remote_id: str) -> str:
        """Stop the execution, if this release of n8n can."""
        if connection is None:
            raise self._needs_key(Capability.CANCEL)
        api = self._api(connection, Capability.CANCEL)
        if not remote_id:
            return "It is not known which execution to stop, so it goes on in n8n."
        answer = await api.stop(remote_id, Capability.CANCEL.value)
        if answer.status == HTTPStatus.CONFLICT:
            return f"Execution {remote_id} had ended in n8n already."
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
            if "Failed to find execution" in answer.text():
                return f"n8n does not know execution {remote_id} any more."
            return f"This release of n8n cannot be told to stop, so execution {remote_id} goes on there."
        api.raise_for(answer, Capability.CANCEL.value)
        return f"n8n stopped execution {remote_id}."

    def _api(self, connection: Connection, capability: Capability) -> N8nApi:
        api = N8nApi(self.client, connection)
        if not api.has_key:
            raise self._needs_key(capability)
        return api

    def _needs_key(self, capability: Capability) -> CredentialRefused:
        return CredentialRefused(
            "This needs a connection to n8n with its address and an API key.",
            hint="Choose the connection in the node, or make one on the page Connections.",
            provider=PROVIDER,
            operation=capability.value,
        )

    async def _target(self, connection: Connection | None, api: N8nApi | None, call: RemoteCall) -> Target:
        if call.url:
            return Target(call.url, call.method.upper())
        if connection is None or api is None:
            raise self._needs_key(Capability.EXECUTE)
        webhook_base = webhook_base_url(connection)
        place = (connection.id, webhook_base, call.workflow_id, call.method)
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
            message = f"n8n has no execution {known.execution} (any more). {_NOT_KEPT}"
            return RemoteLook(
                "unknown", remote_id=known.execution, message=message, is_certain=False, memo=known.as_json()
            )
        return look_of(api.base, found, known)
