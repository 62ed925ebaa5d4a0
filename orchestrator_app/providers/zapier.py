"""Zapier: starts Zaps at their Catch Hook; an access token adds the list, the steps and the history of runs."""

import time
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import ClassVar

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook, RemoteState
from orchestrator_app.errors import CredentialRefused, NotSupported, ProviderRefused
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import kept_headers, origin_of, read_output, send
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import (
    MODE_FIELD,
    Choice,
    Connection,
    ConnectionCheck,
    CredentialField,
)
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.remote_workflow import WorkflowPage, WorkflowPreview
from orchestrator_app.providers.zapier_api import API_ADDRESS, PROVIDER, ZapierApi
from orchestrator_app.providers.zapier_check import check_hook, check_token
from orchestrator_app.providers.zapier_finder import ZapFinder
from orchestrator_app.providers.zapier_hook import (
    HOOK_ORIGIN,
    address_problem,
    checked_address,
    hook_request,
    raise_for_hook,
    without_address,
)
from orchestrator_app.providers.zapier_runs import Memo, link_to_history, look_at
from orchestrator_app.providers.zapier_zap import HOOK_ZAP, hook_preview, hook_zap, read_preview, read_zap

HOOK_MODE = "hook"
TOKEN_MODE = "token"  # noqa: S105 - the name of a kind of connection

_EMPTY_PAGES = 20
_WITHOUT_CONNECTION = frozenset({Capability.EXECUTE, Capability.CALLBACK})
_ONLY_WITH_TOKEN = frozenset({Capability.POLL})
_TELLS_NOTHING = (
    "Zapier tells about its Zaps and their runs to an access token of its API only, and there is none here."
)


class ZapierProvider(Provider):
    """Zaps with the trigger Catch Hook. Without a connection it calls their plain addresses."""

    key: ClassVar[str] = PROVIDER
    title: ClassVar[str] = "Zapier"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.TEST,
            Capability.LIST,
            Capability.PREVIEW,
            Capability.EXECUTE,
            Capability.POLL,
            Capability.CALLBACK,
            Capability.LINK,
        }
    )
    limits: ClassVar[Mapping[Capability, str]] = {
        Capability.TEST: "with a Catch Hook address only its shape is checked",
        Capability.LIST: "token mode; a Catch Hook address stands for one Zap",
        Capability.PREVIEW: "the steps in a row in token mode, a single card otherwise",
        Capability.POLL: "token mode, experimental at Zapier",
        Capability.LINK: "the list of Zaps for a Catch Hook address",
    }
    refusals: ClassVar[Mapping[Capability, str]] = {
        Capability.TEAMS: "Zapier has no teams to choose from: an access token and a Catch Hook address belong to one "
        "account.",
        Capability.FORM: "Zapier does not tell which fields a Zap reads: it learns them from the first call.",
        Capability.RESPONSE: "Zapier answers every call at once and alike, before the Zap has run, so its answer never "
        "holds a result. Choose callback, or with an access token poll.",
        Capability.CANCEL: "Zapier offers no way to stop a run from outside, so it goes on there. Stop it in the Zap "
        "history.",
    }
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField(
            MODE_FIELD,
            "Kind of connection",
            help="A Catch Hook address is all that is needed to start a Zap. An access token also lists Zaps, shows "
            "their steps and finds their runs; it exists only for the owner of a public integration at Zapier.",
            required=False,
            options=(
                Choice(HOOK_MODE, "Catch Hook address"),
                Choice(TOKEN_MODE, "Access token of the Zapier API"),
            ),
        ),
        CredentialField(
            "accessToken",
            "Access token",
            help="Zapier has no personal API keys. The token is that of a user who signed in to your public "
            "integration by OAuth, with the scopes profile, zap:all and zap:runs.",
            is_secret=True,
            modes=(TOKEN_MODE,),
        ),
        CredentialField(
            "hookUrl",
            "Catch Hook address",
            help="Shown in Zapier in the trigger of the Zap: Webhooks by Zapier, Catch Hook. Whoever knows it can "
            "start the Zap. With an access token it may be left empty and entered in the node, for Zapier tells it to "
            "nobody.",
            is_secret=True,
            required=False,
            placeholder="https://hooks.zapier.com/hooks/catch/…",
        ),
        CredentialField(
            "apiUrl",
            "Address of the API",
            help="Leave empty. Only for a proxy in front of Zapier, or for trying out.",
            is_origin=True,
            required=False,
            placeholder=API_ADDRESS,
        ),
    )
    # Zapier allows 60 requests in a minute for an address; half of them are left for lists and tests.
    looks_per_minute: ClassVar[int] = 30

    def __init__(self, client: HttpClient) -> None:
        super().__init__(client)
        self._finder = ZapFinder()

    def capabilities_of(self, connection: Connection | None) -> frozenset[Capability]:
        """With a Catch Hook address nothing can be asked; without a connection it can only be called."""
        if connection is None:
            return _WITHOUT_CONNECTION
        return self.capabilities if _has_token(connection) else self.capabilities - _ONLY_WITH_TOKEN

    def bound_origins(self, connection: Connection) -> frozenset[str]:
        """Zapier's own origins, and that of the proxy, if there is one."""
        return super().bound_origins(connection) | {HOOK_ORIGIN, origin_of(API_ADDRESS)}

    def problems(self, values: Mapping[str, str]) -> dict[str, str]:
        """A Catch Hook address has to be one, and the kind of connection that lives by it cannot do without."""
        address = values.get("hookUrl", "").strip()
        if not address:
            is_needed = values.get(MODE_FIELD, "") != TOKEN_MODE
            return {"hookUrl": "Catch Hook address is missing."} if is_needed else {}
        problem = address_problem(address, values.get("apiUrl", ""))
        return {"hookUrl": problem} if problem else {}

    async def test(self, connection: Connection) -> ConnectionCheck:
        """Try the token, or judge the address by its shape; a Zap is never started."""
        address, api_url = _addresses(connection)
        problem = address_problem(address, api_url) if address else ""
        if _is_token_mode(connection):
            return await check_token(ZapierApi(self.client, connection), address, problem)
        return check_hook(address, problem)

    async def workflows(self, connection: Connection, *, query: str = "", cursor: str = "") -> WorkflowPage:
        """One page of Zaps; for a Catch Hook address the one Zap behind it."""
        wanted = query.strip().casefold()
        if not _is_token_mode(connection):
            zap = hook_zap(connection)
            return WorkflowPage((zap,) if wanted in zap.name.casefold() else (), total=1)
        api = self._api(connection, Capability.LIST)
        for _ in range(_EMPTY_PAGES):
            page = await api.zaps(cursor, Capability.LIST.value)
            self._finder.remember(connection.id, cursor, page.rows)
            zaps = tuple(zap for row in page.rows if wanted in (zap := read_zap(row)).name.casefold())
            if zaps or not page.following:
                return WorkflowPage(zaps, page.following, None if wanted else page.total)
            cursor = page.following
        return WorkflowPage((), cursor)

    async def preview(self, connection: Connection, workflow_id: str) -> WorkflowPreview:
        """The steps of a Zap in a row; for a Catch Hook address a single card."""
        has_address = bool(_addresses(connection)[0])
        if workflow_id == HOOK_ZAP and (has_address or not _is_token_mode(connection)):
            return hook_preview(connection)
        api = self._api(connection, Capability.PREVIEW)
        row = await self._finder.find(api, connection.id, workflow_id, Capability.PREVIEW.value)
        if row is None:
            raise ProviderRefused(
                f"Zapier at {api.host} has no Zap {workflow_id} that this access token may see.",
                hint="It may have been deleted. Refresh the list of workflows.",
                provider=PROVIDER,
                operation=Capability.PREVIEW.value,
                remote_status=HTTPStatus.NOT_FOUND,
            )
        return read_preview(row, has_address=has_address)

    async def execute(self, connection: Connection | None, call: RemoteCall) -> RemoteAnswer:
        """Call the Catch Hook. Zapier says only that it got the call, never how the Zap fares."""
        if call.completion == "poll" and (connection is None or not _has_token(connection)):
            raise self._needs_token(Capability.POLL)
        hook, api_url = _addresses(connection)
        address = call.url.strip() or hook
        if not address:
            raise ProviderRefused(
                "The Catch Hook address of the Zap is not known: Zapier tells it to nobody.",
                hint="Copy it from the trigger of the Zap, and enter it in the node or in the connection.",
                provider=PROVIDER,
                operation=Capability.EXECUTE.value,
            )
        address = checked_address(address, api_url)
        has_history = connection is not None and _has_token(connection)
        request = hook_request(call, address, has_history=has_history)
        began = time.monotonic()
        answer = await send(
            self.client, call, url=request.url, method=request.method, content=request.content
        )
        memo = Memo.of_call(call, answer, time.monotonic() - began)
        answer = without_address(answer, address)
        raise_for_hook(answer)
        output = read_output(answer, provider=PROVIDER)
        state: RemoteState = "running"
        message = ""
        status = text_at(output, "status") if text_at(output, "attempt") else "success"
        if status != "success":
            state, message = "failed", f"Zapier did not take the call: it answers “{status}”."
        elif call.completion == "response":
            state, message = "completed", "Zapier took the call. It does not say whether the Zap ran, or how."
        number = self._finder.seen_number(connection.id, call.workflow_id) if connection else None
        return RemoteAnswer(
            state=state,
            output=output,
            status_code=answer.status,
            headers=kept_headers(answer),
            link=link_to_history(number or ""),
            message=message,
            memo=memo.as_json(),
        )

    async def poll(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        """Search the history of runs for the one that got our correlation id."""
        operation = Capability.POLL
        if connection is None:
            raise self._needs_token(operation)
        api = self._api(connection, operation)
        known = Memo.read(memo, call)
        try:
            if known.zap is None:
                known = replace(known, zap=await self._number(api, connection, call))
            rows = await api.runs(call.correlation_id, known.since, known.narrow_zap, operation.value)
        except CredentialRefused as error:
            if call.completion != "callback" or not error.lacks_permission:
                raise
            # The callback is still to come; that the token may not read the history does not end the wait for it.
            return RemoteLook("running", message=error.message, is_certain=False, memo=known.as_json())
        return look_at(rows, call.correlation_id, known)

    async def _number(self, api: ZapierApi, connection: Connection, call: RemoteCall) -> str:
        if call.workflow_id in {"", HOOK_ZAP}:
            return ""
        return await self._finder.number(api, connection.id, call.workflow_id, Capability.POLL.value)

    def _api(self, connection: Connection, capability: Capability) -> ZapierApi:
        api = ZapierApi(self.client, connection)
        if not _has_token(connection):
            raise self._needs_token(capability)
        return api

    def _needs_token(self, capability: Capability) -> NotSupported:
        return NotSupported(
            _TELLS_NOTHING,
            hint="Use a connection with an access token of the Zapier API; for the end of a Zap, the completion "
            "callback works without one.",
            provider=PROVIDER,
            operation=capability.value,
        )


def _is_token_mode(connection: Connection) -> bool:
    return connection.values.get(MODE_FIELD, "") == TOKEN_MODE


def _has_token(connection: Connection) -> bool:
    return _is_token_mode(connection) and bool(connection.values.get("accessToken", "").strip())


def _addresses(connection: Connection | None) -> tuple[str, str]:
    """The Catch Hook address and the own address of the API; empty where there is none."""
    if connection is None:
        return "", ""
    return connection.values.get("hookUrl", "").strip(), connection.values.get("apiUrl", "").strip()
