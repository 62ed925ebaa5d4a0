"""Flowise: lists and previews flows, asks them or calls their webhooks, and follows their executions."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import (
    CredentialRefused,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    UnreadableAnswer,
)
from orchestrator_app.providers.answers import HttpAnswer, raise_for_answer
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import send
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection, ConnectionCheck, CredentialField
from orchestrator_app.providers.flowise_answers import Memo, Said, answer_of, failed_answer, read_said
from orchestrator_app.providers.flowise_api import PROVIDER, FlowiseApi, base_of, has_executions
from orchestrator_app.providers.flowise_call import (
    EXECUTE,
    Target,
    base_in,
    flow_id_of,
    own_chat_id,
    target_of,
)
from orchestrator_app.providers.flowise_check import check_connection
from orchestrator_app.providers.flowise_execution import (
    is_waiting,
    look_of,
    look_of_callback,
    newest_of,
    state_of,
)
from orchestrator_app.providers.flowise_flow import graph_of, is_agentflow, read_flow
from orchestrator_app.providers.flowise_refusals import is_no_webhook, webhook_method, why_refused
from orchestrator_app.providers.flowise_start import read_preview
from orchestrator_app.providers.remote_workflow import WorkflowPage, WorkflowPreview

_POLL = Capability.POLL.value
_CANCEL = Capability.CANCEL.value
_MOST_WEBHOOKS = 1000
_CERTAIN_MISSES = 2
_MOST_MISSES = 8  # Flowise lists an execution as soon as it has begun
_OPEN = frozenset({Capability.EXECUTE, Capability.RESPONSE, Capability.CALLBACK, Capability.CANCEL})
_NOT_SEEN = "Flowise does not list an execution of this call yet."
_NEVER_SEEN = "Flowise lists no execution of this call, so it is not known whether the call arrived."


class FlowiseProvider(Provider):
    """Flowise, self-hosted or cloud. Flows without a key of their own can be asked by address alone."""

    key: ClassVar[str] = PROVIDER
    title: ClassVar[str] = "Flowise"
    calls_back_itself: ClassVar[bool] = True
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.TEAMS}
    limits: ClassVar[Mapping[Capability, str]] = {
        Capability.LIST: "with an API key",
        Capability.PREVIEW: "with an API key",
        Capability.FORM: "with an API key",
        Capability.POLL: "agentflows, with an API key",
        Capability.CALLBACK: "webhook flows in asynchronous mode, or an HTTP step",
        Capability.CANCEL: "stops before the next step",
        Capability.LINK: "the flow itself, and the list of executions",
    }
    refusals: ClassVar[Mapping[Capability, str]] = {
        Capability.TEAMS: "Flowise has no teams to choose from: an API key belongs to one workspace and sees only that.",
    }
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField(
            "baseUrl",
            "Address of Flowise",
            help="As you open it in the browser.",
            is_origin=True,
            placeholder="https://flowise.example.com",
        ),
        CredentialField(
            "apiKey",
            "API key",
            help="Made in Flowise under API Keys, with the permissions chatflows:view, agentflows:view and "
            "executions:view. A flow with a key of its own takes only that one.",
            is_secret=True,
            required=False,
        ),
    )

    def __init__(self, client: HttpClient) -> None:
        super().__init__(client)
        # Methods of the flows that turned out to be started by their webhook, by address and id.
        self._webhooks: dict[tuple[str, str], str] = {}

    def capabilities_of(self, connection: Connection | None) -> frozenset[Capability]:
        """Without a key Flowise lets everybody ask open flows, and nothing more."""
        if connection is None:
            return _OPEN
        has_key = bool(connection.values.get("apiKey", "").strip())
        return self.capabilities if has_key else _OPEN | {Capability.TEST}

    async def test(self, connection: Connection) -> ConnectionCheck:
        """Reach the server, then see what the key may do."""
        return await check_connection(FlowiseApi(self.client, connection))

    async def workflows(self, connection: Connection, *, query: str = "", cursor: str = "") -> WorkflowPage:
        """One page of flows of all types."""
        api = self._api(connection, Capability.LIST)
        rows, following, total = await api.flow_page(query, cursor)
        return WorkflowPage(tuple(read_flow(row, api.base) for row in rows), following, total)

    async def preview(self, connection: Connection, workflow_id: str) -> WorkflowPreview:
        """The flow's graph, its form and how its end can be learned."""
        api = self._api(connection, Capability.PREVIEW)
        raw = await api.flow(workflow_id, Capability.PREVIEW.value)
        if raw is None:
            raise ProviderRefused(
                f"Flowise at {api.host} has no flow {workflow_id}.",
                hint="It may have been deleted. Refresh the list of flows.",
                provider=PROVIDER,
                operation=Capability.PREVIEW.value,
                remote_status=HTTPStatus.NOT_FOUND,
            )
        return read_preview(raw, api.base)

    async def execute(self, connection: Connection | None, call: RemoteCall) -> RemoteAnswer:
        """Ask the flow, or call its webhook. The chat id is our own, so that the execution can be found again."""
        target = target_of(connection, call)
        api = FlowiseApi(self.client, connection, target.base)
        if call.completion == "poll" and not api.has_key:
            raise self._needs_key(Capability.EXECUTE)
        place = (target.base, target.flow_id)
        if not target.is_webhook and place in self._webhooks:
            target = target.as_webhook(self._webhooks[place])
        try:
            answer, said = await self._sent(api, call, target)
            if not target.is_webhook and (method := webhook_method(said)):
                # Nothing has run: Flowise only says that this flow has to be started at its webhook.
                if len(self._webhooks) >= _MOST_WEBHOOKS:
                    self._webhooks.clear()
                self._webhooks[place] = method
                target = target.as_webhook(method)
                answer, said = await self._sent(api, call, target)
            elif is_no_webhook(said) and self._webhooks.pop(place, ""):
                # The flow was changed since. Nothing has run here either.
                target = target_of(connection, call)
                answer, said = await self._sent(api, call, target)
        except OutcomeUnknown as error:
            if call.completion == "response" or not api.has_key:
                raise
            memo = Memo.of_call(call, target, {}).as_json()
            return RemoteAnswer("running", status_code=0, message=error.message, memo=memo)
        if refusal := why_refused(target, answer, said):
            raise refusal
        is_own_error = answer.status in {HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR}
        if said.is_cancelled or (said.failure and is_own_error):
            return failed_answer(answer, said)
        raise_for_answer(answer, PROVIDER, EXECUTE)
        return answer_of(call, target, answer, said.output, can_poll=api.has_key)

    async def poll(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        """Look at the execution by its id, or search for it in the session of the call."""
        if connection is None:
            raise self._needs_key(Capability.POLL)
        api = self._api(connection, Capability.POLL)
        known = Memo.read(memo)
        try:
            found = await self._execution(api, call, known)
        except UnreadableAnswer:
            if has_executions(await api.version(_POLL)):
                raise
            return self._unknown(
                f"Flowise at {api.host} is a release before 3.0.0, which keeps no executions.", known
            )
        if found:
            return look_of(api.base, found, known, call)
        if known.execution:
            await api.ensure_there(_POLL)
            return self._unknown(f"Flowise has no execution {known.execution} (any more).", known)
        missed = Memo("", known.chat, known.session, known.misses + 1)
        if missed.misses >= _CERTAIN_MISSES and (why := await self._why_none(api, call)):
            return self._unknown(why, missed)
        if missed.misses >= _MOST_MISSES:
            return self._unknown(_NEVER_SEEN, missed)
        return RemoteLook("running", message=_NOT_SEEN, is_certain=False, memo=missed.as_json())

    async def called_back(
        self, connection: Connection | None, call: RemoteCall, memo: JsonObject, body: JsonValue
    ) -> RemoteLook:
        """What a callback says. A flow that has stopped for a person calls back again when it goes on."""
        own = base_of(connection.values.get("baseUrl", "")) if connection else ""
        return look_of_callback(base_in(call.url) or own, call, memo, body)

    async def cancel(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> str:
        """Stop what the chat has under way. Flowise takes this without saying whether there was anything."""
        target = target_of(connection, call)
        api = FlowiseApi(self.client, connection, target.base)
        known = Memo.read(memo)
        if api.has_key and (found := await self._seen(api, call, known)):
            if is_waiting(found):
                return (
                    "The flow waits for a person in Flowise, where nothing runs that could be stopped: it ends when "
                    "that person rejects it."
                )
            if state_of(found) != "running":
                return "The flow had ended in Flowise already."
        answer = await api.abort(target.flow_id, known.chat or own_chat_id(call), _CANCEL)
        if answer.status == HTTPStatus.NOT_FOUND or (answer.status == HTTPStatus.OK and not _is_json(answer)):
            return "This release of Flowise cannot be told to stop, so the flow goes on there."
        api.raise_for(answer, _CANCEL)
        return "Flowise was told to stop the flow, which ends before its next step."

    async def _sent(self, api: FlowiseApi, call: RemoteCall, target: Target) -> tuple[HttpAnswer, Said]:
        answer = await send(
            self.client,
            call,
            url=target.url,
            method=target.method,
            headers=api.key_header,
            content=target.content(call),
        )
        return answer, read_said(answer)

    async def _execution(self, api: FlowiseApi, call: RemoteCall, known: Memo) -> JsonObject | None:
        if known.execution:
            return await api.execution(known.execution, _POLL)
        session = known.session or known.chat or own_chat_id(call)
        return newest_of(await api.executions(flow_id_of(call), session, _POLL), call)

    async def _seen(self, api: FlowiseApi, call: RemoteCall, known: Memo) -> JsonObject | None:
        """The execution, if it can be seen; never an error."""
        try:
            return await self._execution(api, call, known)
        except ProviderError:
            return None

    async def _why_none(self, api: FlowiseApi, call: RemoteCall) -> str:
        """Why there will never be an execution; empty while there may be one."""
        version = await api.version(_POLL)
        if not has_executions(version):
            return (
                f"Flowise at {api.host} is release {version}, and releases before 3.0.0 keep no executions."
            )
        try:
            raw = await api.flow(flow_id_of(call), _POLL)
        except CredentialRefused:
            return ""
        if raw is None:
            await api.ensure_there(_POLL)
            return f"Flowise at {api.host} has no flow {flow_id_of(call)} (any more)."
        if (graph := graph_of(raw)) and not is_agentflow(graph):
            return "Flowise keeps no executions of chatflows, so it cannot be known how this call ended."
        return ""

    def _unknown(self, message: str, memo: Memo) -> RemoteLook:
        return RemoteLook(
            "unknown", remote_id=memo.execution, message=message, is_certain=False, memo=memo.as_json()
        )

    def _api(self, connection: Connection, capability: Capability) -> FlowiseApi:
        api = FlowiseApi(self.client, connection)
        if not api.has_key:
            raise self._needs_key(capability)
        return api

    def _needs_key(self, capability: Capability) -> CredentialRefused:
        return CredentialRefused(
            "This needs a connection to Flowise with its address and an API key.",
            hint="Choose the connection in the node, or make one on the page Connections.",
            provider=PROVIDER,
            operation=capability.value,
        )


def _is_json(answer: HttpAnswer) -> bool:
    return "json" in answer.headers.get("content-type", "").lower()
