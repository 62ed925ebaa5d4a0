"""Requests to Zapier's Workflow API with an access token, and what its refusals mean."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.errors import CredentialRefused, UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer, api_is_away, host_of, raise_for_answer, reason_of
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.json_reading import number_at, object_at, objects_at, text_at

PROVIDER = "zapier"
API_ADDRESS = "https://api.zapier.com"
REQUEST_SECONDS = 15.0

_LIST_LIMIT = 100
_SAFE_LIMIT = 10  # what Zapier gives by itself; its documentation names no largest page
_RUNS_LIMIT = 20
_SEARCH_LENGTH = 150
_EXPAND = "steps.action,steps.action.app,steps.authentication"
_CURSOR = re.compile(r"(\d{1,4}):(\d{1,9})")
_SCOPES = {"/v1/profiles/me": "profile", "/v2/zaps": "zap", "/v2/zap-runs": "zap:runs"}


@dataclass(frozen=True, slots=True)
class ZapPage:
    """A page of Zaps: their rows, the cursor of the next page or empty, and how many there are, if it is said."""

    rows: list[JsonObject]
    following: str
    total: int | None


class ZapierApi:
    """The Workflow API, as one connection may use it."""

    def __init__(self, client: HttpClient, connection: Connection) -> None:
        self._client = client
        self._token = connection.values.get("accessToken", "").strip()
        self.base = api_base(connection)
        self.host = host_of(self.base)

    @property
    def has_token(self) -> bool:
        """Whether there is anything to ask with."""
        return bool(self._token)

    async def get(self, path: str, operation: str, params: dict[str, str] | None = None) -> HttpAnswer:
        """The complete answer of a GET, whatever its status."""
        return await self._client.request(
            "GET",
            f"{self.base}{path}",
            headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json"},
            params=params,
            timeout_seconds=REQUEST_SECONDS,
            provider=PROVIDER,
            operation=operation,
            is_safe_to_repeat=True,
        )

    async def zaps(self, cursor: str, operation: str) -> ZapPage:
        """One page of Zaps with their steps. Zapier can neither search nor filter them."""
        found = _CURSOR.fullmatch(cursor)
        limit, offset = (int(found[1]), int(found[2])) if found else (_LIST_LIMIT, 0)
        params = {"limit": str(limit), "offset": str(offset), "expand": _EXPAND}
        answer = await self.get("/v2/zaps", operation, params)
        if answer.status == HTTPStatus.BAD_REQUEST and limit > _SAFE_LIMIT:
            limit = _SAFE_LIMIT
            answer = await self.get("/v2/zaps", operation, params | {"limit": str(limit)})
        page = self._accepted(answer, "/v2/zaps", operation)
        rows = objects_at(page, "data")
        total = int(number_at(page, "meta", "count")) if object_at(page, "meta") else None
        end = offset + len(rows)  # Zapier may give less than was asked for
        is_more = bool(text_at(page, "links", "next")) or (total is not None and end < total)
        return ZapPage(rows, f"{limit}:{end}" if rows and is_more else "", total)

    async def ensure_there(self, operation: str) -> None:
        """Ask for what every token may ask: if that is there, then what Zapier does not know is really not there.

        Raises:
            ProviderUnavailable: What answers is not Zapier's API.
        """
        answer = await self.get("/v2/zaps", operation, {"limit": "1"})
        if answer.status == HTTPStatus.NOT_FOUND:
            raise api_is_away("Zapier", self.host, PROVIDER, operation)

    async def runs(self, search: str, since: int | None, zap: str, operation: str) -> list[JsonObject]:
        """Runs in whose data or title the text stands, of all Zaps or of the one with this number."""
        params = {"search": search[:_SEARCH_LENGTH], "zap_id": zap, "limit": str(_RUNS_LIMIT)}
        if since is not None:
            params["from_date"] = datetime.fromtimestamp(since / 1000, UTC).isoformat(timespec="seconds")
        wanted = {name: value for name, value in params.items() if value}
        answer = await self.get("/v2/zap-runs", operation, wanted)
        if answer.status == HTTPStatus.NOT_FOUND:
            await self.ensure_there(operation)
        return objects_at(self._accepted(answer, "/v2/zap-runs", operation), "data")

    def raise_for(self, answer: HttpAnswer, path: str, operation: str) -> None:
        """Raise what a refusal of the API means for the user; accept the rest.

        Raises:
            CredentialRefused: The token is wrong or expired, or lacks a scope.
        """
        if is_bad_token(answer):
            raise CredentialRefused(
                f"Zapier at {self.host} does not accept the access token: {said(answer)}",
                hint="It may have expired. Get a new one for your integration, and enter it in the connection.",
                provider=PROVIDER,
                operation=operation,
                remote_status=answer.status,
            )
        if answer.status == HTTPStatus.FORBIDDEN:
            raise CredentialRefused(
                f"Zapier at {self.host} accepts the access token, but it may not do this: {said(answer)}",
                hint=f"Get a token with the scope {_SCOPES[path]}, and enter it in the connection.",
                provider=PROVIDER,
                operation=operation,
                remote_status=answer.status,
                lacks_permission=True,
            )
        raise_for_answer(answer, PROVIDER, operation)

    def _accepted(self, answer: HttpAnswer, path: str, operation: str) -> JsonObject:
        self.raise_for(answer, path, operation)
        body = answer.json()
        if isinstance(body, dict) and isinstance(body.get("data"), list):
            return body
        raise UnreadableAnswer(
            f"{self.host} did not answer as Zapier does: there is no list in its answer.",
            hint="Check the address of the API in the connection, or leave it empty.",
            provider=PROVIDER,
            operation=operation,
            remote_status=answer.status,
        )


def api_base(connection: Connection) -> str:
    """Address of the API, without what is often pasted along with it."""
    address = connection.values.get("apiUrl", "").strip().rstrip("/")
    return address.removesuffix("/v2").removesuffix("/v1").rstrip("/") or API_ADDRESS


def is_bad_token(answer: HttpAnswer) -> bool:
    """Whether the token itself is refused: the older part of the API says so with the status of a missing scope."""
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return True
    return answer.status == HTTPStatus.FORBIDDEN and "invalid authentication" in reason_of(answer).lower()


def said(answer: HttpAnswer) -> str:
    """What Zapier gave as its reason, quoted, fit for the end of a sentence."""
    words = reason_of(answer)
    return f"“{words}”." if words else f"status {answer.status}."


def number_of(row: JsonObject) -> str:
    """The number of a Zap, by which its runs are listed: not its id, but the one in the address of its editor."""
    path = urlsplit(text_at(row, "links", "html_editor")).path
    found = re.search(r"/editor/(\d+)", path)
    if found:
        return found[1]
    zap_id = text_at(row, "id")
    return zap_id if zap_id.isdecimal() else ""
