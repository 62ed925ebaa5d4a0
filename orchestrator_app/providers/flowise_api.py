"""Requests to one Flowise with a connection's key, and what its refusals mean."""

from http import HTTPStatus
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.errors import (
    AddressNotAllowed,
    CredentialRefused,
    ProviderError,
    UnreadableAnswer,
)
from orchestrator_app.providers.answers import HttpAnswer, api_is_away, host_of, raise_for_answer, reason_of
from orchestrator_app.providers.calls import origin_of
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.json_reading import objects_at, text_at

PROVIDER = "flowise"
REQUEST_SECONDS = 15.0
FIRST_WITH_EXECUTIONS = (3, 0, 0)

# Rows are whole flows; if a page is too large to read, a smaller one is asked for. Each divides the one before.
_LIST_LIMITS = (40, 8, 1)
_EMPTY_PAGES = 20
_EXECUTIONS = 3
_NEEDED = {
    "list": "chatflows:view and agentflows:view",
    "preview": "chatflows:view and agentflows:view",
    "poll": "executions:view",
}


class FlowiseApi:
    """The API of one Flowise, as one connection may use it. Without a connection only what is open to everybody."""

    def __init__(self, client: HttpClient, connection: Connection | None, base: str = "") -> None:
        """Make one.

        Args:
            client: The guarded client.
            connection: Whose key to use.
            base: Address of Flowise where it is not that of the connection.

        Raises:
            AddressNotAllowed: The key of the connection is meant for another address.
        """
        own = base_of(connection.values.get("baseUrl", "")) if connection else ""
        self._client = client
        self._key = connection.values.get("apiKey", "").strip() if connection else ""
        self.base = base or own
        self.host = host_of(self.base)
        if connection and self._key and origin_of(self.base) != origin_of(own):
            raise AddressNotAllowed(
                f"The connection “{connection.name}” keeps its key for {own}, but this call goes to {self.host}.",
                hint="Leave the address in the node empty, or choose no connection.",
                provider=PROVIDER,
                operation="execute",
            )

    @property
    def has_key(self) -> bool:
        """Whether flows and executions can be read."""
        return bool(self._key and self.base)

    @property
    def key_header(self) -> dict[str, str]:
        """The header with the key, or nothing."""
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    async def get(self, path: str, operation: str, params: dict[str, str] | None = None) -> HttpAnswer:
        """The complete answer of a GET, whatever its status."""
        return await self._request("GET", path, operation, params)

    async def ping(self, operation: str) -> HttpAnswer:
        """What Flowise says to everybody; sent without the key."""
        return await self._client.request(
            "GET",
            f"{self.base}/api/v1/ping",
            timeout_seconds=REQUEST_SECONDS,
            provider=PROVIDER,
            operation=operation,
            is_safe_to_repeat=True,
        )

    async def ensure_there(self, operation: str) -> None:
        """Ask for what every Flowise has: if that is there, then what it does not know is really not there.

        Raises:
            ProviderUnavailable: What answers is not Flowise.
        """
        answer = await self.ping(operation)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise api_is_away("Flowise", self.host, PROVIDER, operation)
        raise_for_answer(answer, PROVIDER, operation)

    async def version(self, operation: str) -> str:
        """The release, or empty when this one does not tell it."""
        try:
            answer = await self.get("/version", operation)
            return text_at(answer.json(), "version") if answer.status == HTTPStatus.OK else ""
        except ProviderError:
            return ""

    async def flow_page(self, query: str, cursor: str) -> tuple[list[JsonObject], str, int | None]:
        """Rows of one page, with ``query`` in the name. Then the next page's cursor, or empty, and how many there are.

        Flowise cannot search: pages on which nothing is left are passed over.
        """
        wanted = query.strip().casefold()
        offset = int(cursor) if cursor.isdecimal() else 0
        for _ in range(_EMPTY_PAGES):
            rows, following, total = await self._rows(offset)
            found = [row for row in rows if wanted in text_at(row, "name").casefold()]
            if found or not following:
                return found, str(following or ""), None if wanted else total
            offset = following
        return [], str(offset), None

    async def flow(self, flow_id: str, operation: str) -> JsonObject | None:
        """One flow, or None when Flowise does not know it."""
        return await self._one(f"/chatflows/{quote(flow_id, safe='')}", operation, "the flow")

    async def execution(self, execution_id: str, operation: str) -> JsonObject | None:
        """One execution, or None when Flowise does not know it (any more)."""
        return await self._one(f"/executions/{quote(execution_id, safe='')}", operation, "the execution")

    async def executions(self, flow_id: str, session: str, operation: str) -> list[JsonObject]:
        """The newest executions of a flow in one session; none at all where the release keeps none."""
        params = {"agentflowId": flow_id, "sessionId": session, "page": "1", "limit": str(_EXECUTIONS)}
        params = {name: value for name, value in params.items() if value}
        page = await self._one("/executions", operation, "the list of executions", params)
        return objects_at(page or {}, "data")

    async def abort(self, flow_id: str, chat_id: str, operation: str) -> HttpAnswer:
        """Tell Flowise to stop what a chat has under way; the complete answer, whatever its status."""
        path = f"/chatmessage/abort/{quote(flow_id, safe='')}/{quote(chat_id, safe='')}"
        return await self._request("PUT", path, operation)

    def raise_for(self, answer: HttpAnswer, operation: str) -> None:
        """Raise what a refusal of the API means for the user; accept the rest.

        Raises:
            CredentialRefused: The key is wrong, or lacks a permission.
        """
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise CredentialRefused(
                f"Flowise at {self.host} does not accept the API key.",
                hint="Make a new one in Flowise under API Keys, and enter it in the connection.",
                provider=PROVIDER,
                operation=operation,
                remote_status=answer.status,
            )
        if answer.status == HTTPStatus.FORBIDDEN:
            raise CredentialRefused(
                f"Flowise at {self.host} accepts the API key, but the key may not do this: “{reason_of(answer)}”.",
                hint=f"Give the key these permissions in Flowise: {_NEEDED.get(operation, 'those of flows')}.",
                provider=PROVIDER,
                operation=operation,
                remote_status=answer.status,
                lacks_permission=True,
            )
        raise_for_answer(answer, PROVIDER, operation)

    async def _rows(self, offset: int) -> tuple[list[JsonObject], int, int | None]:
        """Rows from here on, where the next page begins (0 at the end), and how many there are in all."""
        limits = [limit for limit in _LIST_LIMITS if offset % limit == 0]
        for limit in limits:
            params = {"page": str(offset // limit + 1), "limit": str(limit)}
            try:
                answer = await self.get("/chatflows", "list", params)
                self.raise_for(answer, "list")
                body = answer.json()
            except UnreadableAnswer:
                if limit == limits[-1]:
                    raise
                continue
            if isinstance(body, list):  # releases before 3.0.4 know no pages and give everything
                rows = objects_at({"rows": body}, "rows") if offset == 0 else []
                return rows, 0, len(rows) if offset == 0 else None
            if isinstance(body, dict) and isinstance(body.get("data"), list):
                rows = objects_at(body, "data")
                total = body.get("total")
                known = total if isinstance(total, int) and not isinstance(total, bool) else None
                following = offset + limit
                is_last = len(rows) < limit or (known is not None and following >= known)
                return rows, 0 if is_last else following, known
            raise self._unreadable("the list of flows", answer, "list")
        raise AssertionError("the smallest limit divides every offset")

    async def _one(
        self, path: str, operation: str, what: str, params: dict[str, str] | None = None
    ) -> JsonObject | None:
        answer = await self.get(path, operation, params)
        if _is_unknown(answer):
            return None
        self.raise_for(answer, operation)
        body = answer.json()
        if isinstance(body, dict):
            return body
        raise self._unreadable(what, answer, operation)

    def _unreadable(self, what: str, answer: HttpAnswer, operation: str) -> UnreadableAnswer:
        return UnreadableAnswer(
            f"{self.host} did not answer as Flowise does: {what} has another shape.",
            hint="Check the address of the connection.",
            provider=PROVIDER,
            operation=operation,
            remote_status=answer.status,
        )

    async def _request(
        self, method: str, path: str, operation: str, params: dict[str, str] | None = None
    ) -> HttpAnswer:
        return await self._client.request(
            method,
            f"{self.base}/api/v1{path}",
            headers={**self.key_header, "Accept": "application/json"},
            params=params,
            timeout_seconds=REQUEST_SECONDS,
            provider=PROVIDER,
            operation=operation,
            is_safe_to_repeat=True,
        )


def base_of(address: str) -> str:
    """Address of Flowise, without what is often pasted along with it."""
    return address.strip().rstrip("/").removesuffix("/api/v1").rstrip("/")


def inner_json(text: JsonValue) -> JsonValue:
    """The JSON within a text of Flowise's JSON, in which it keeps graphs and steps; None when there is none in it."""
    if not isinstance(text, str):
        return text
    try:
        return HttpAnswer(HTTPStatus.OK, {}, text.encode(errors="replace"), "").json()
    except UnreadableAnswer:
        return None


def has_executions(version: str) -> bool:
    """Whether this release keeps executions; an unknown one is trusted to."""
    numbers = version.partition("-")[0].split(".")
    if not all(number.isdecimal() for number in numbers):
        return True
    return tuple(int(number) for number in numbers) >= FIRST_WITH_EXECUTIONS


def _is_unknown(answer: HttpAnswer) -> bool:
    """Flowise says “not found” with 404, with 500 for executions, and with 400 for what cannot be an id."""
    if answer.status == HTTPStatus.NOT_FOUND:
        return True
    is_error = answer.status in {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_REQUEST}
    reason = reason_of(answer) if is_error else ""
    return "not found" in reason or "Invalid Chatflow ID" in reason
