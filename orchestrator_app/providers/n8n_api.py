"""Requests to n8n's public API with a connection's key, and what its refusals mean."""

import re
from http import HTTPStatus
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.errors import CredentialRefused, UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer, api_is_away, host_of, raise_for_answer, reason_of
from orchestrator_app.providers.calls import looks_like_html
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.json_reading import objects_at, text_at
from orchestrator_app.providers.n8n_connection import base_url
from orchestrator_app.providers.n8n_execution import started_at, was_started_by

PROVIDER = "n8n"
REQUEST_SECONDS = 15.0

_LIST_LIMITS = (
    100,
    20,
    4,
)  # rows are whole workflows; if a page is too large to read, a smaller one is asked for
# Running first: what ends in between is then found in the second list.
ALL_LISTS = ("running", "", "waiting")
_SEARCH_LIMITS = (20, 3)
_SEARCH_PAGES = 5
_EMPTY_PAGES = 20
_UNKNOWN_PARAMETER = re.compile(r"Unknown query parameter '(\w+)'")
PERMISSIONS = ("workflow:list", "workflow:read", "execution:list", "execution:read", "execution:stop")


class N8nApi:
    """The public API of one n8n, as one connection may use it."""

    def __init__(self, client: HttpClient, connection: Connection) -> None:
        self._client = client
        self._key = connection.values.get("apiKey", "").strip()
        self.base = base_url(connection)
        self.host = host_of(self.base)

    @property
    def has_key(self) -> bool:
        """Whether there is anything to ask with."""
        return bool(self._key and self.base)

    async def get(self, path: str, operation: str, params: dict[str, str] | None = None) -> HttpAnswer:
        """The complete answer of a GET, whatever its status."""
        return await self._request("GET", path, operation, params)

    async def health(self, operation: str) -> HttpAnswer:
        """What n8n says about itself to everybody; sent without the key."""
        return await self._client.request(
            "GET",
            f"{self.base}/healthz",
            timeout_seconds=REQUEST_SECONDS,
            provider=PROVIDER,
            operation=operation,
            is_safe_to_repeat=True,
        )

    async def workflow_page(self, query: str, cursor: str) -> tuple[list[JsonObject], str]:
        """Rows of one page: not archived, with ``query`` in the name. Then the next page's cursor, or empty.

        Archived rows cannot be left out by n8n itself, and older releases cannot search either: pages on which
        nothing is left are passed over.
        """
        wanted = query.strip().casefold()
        params = {"name": query.strip(), "excludePinnedData": "true"}
        params = {name: value for name, value in params.items() if value}
        for _ in range(_EMPTY_PAGES):
            if cursor:
                params["cursor"] = cursor
            page = await self._page("/workflows", params, _LIST_LIMITS, "list")
            rows = [
                row
                for row in objects_at(page, "data")
                if row.get("isArchived") is not True and wanted in text_at(row, "name").casefold()
            ]
            following = text_at(page, "nextCursor")
            following = "" if following == cursor else following  # a cursor that leads to itself never ends
            if rows or not following:
                return rows, following
            cursor = following
        return [], cursor

    async def ensure_there(self, operation: str) -> None:
        """Ask for what every n8n has: if that is there, then what it does not know is really not there.

        Raises:
            ProviderUnavailable: The API is switched off, or what stands before it is broken.
        """
        answer = await self.get("/workflows", operation, {"limit": "1"})
        if answer.status == HTTPStatus.NOT_FOUND:
            raise api_is_away("n8n", self.host, PROVIDER, operation)
        if (
            answer.status != HTTPStatus.FORBIDDEN
        ):  # a key without the permission is answered by n8n all the same
            self.raise_for(answer, operation)

    async def workflow(self, workflow_id: str, operation: str) -> JsonObject | None:
        """One workflow, or None when n8n does not know it."""
        return await self._one(f"/workflows/{quote(workflow_id, safe='')}", operation, "the workflow")

    async def execution(self, execution: str, operation: str, *, with_data: bool) -> JsonObject | None:
        """One execution, or None when n8n does not know it (any more)."""
        params = {"includeData": "true"} if with_data else None
        return await self._one(f"/executions/{quote(execution, safe='')}", operation, "the execution", params)

    async def find_execution(
        self,
        workflow_id: str,
        correlation_id: str,
        since: int | None,
        operation: str,
        *,
        statuses: tuple[str, ...],
    ) -> JsonObject | None:
        """The newest execution, with its data, that a call with this correlation id started.

        Args:
            workflow_id: Where to look; empty looks at all workflows.
            correlation_id: What the call carried.
            since: UTC epoch milliseconds by n8n's clock; older executions are not looked at. None: no bound.
            operation: For errors.
            statuses: Lists to look through, in this order; an empty one means the list without a filter, in which
                n8n leaves out what is running.
        """
        for status in statuses:
            found = await self._find_in(workflow_id, correlation_id, since, operation, status)
            if found:
                return found
        return None

    async def stop(self, execution: str, operation: str) -> HttpAnswer:
        """Ask n8n to stop an execution; the complete answer, whatever its status."""
        return await self._request("POST", f"/executions/{quote(execution, safe='')}/stop", operation)

    async def _find_in(
        self, workflow_id: str, correlation_id: str, since: int | None, operation: str, status: str
    ) -> JsonObject | None:
        params = {"workflowId": workflow_id, "status": status, "includeData": "true"}
        params = {name: value for name, value in params.items() if value}
        for _ in range(_SEARCH_PAGES):
            page = await self._page("/executions", params, _SEARCH_LIMITS, operation)
            for row in objects_at(page, "data"):
                begun = started_at(row)
                if since is not None and begun is not None and begun < since:
                    return None
                if was_started_by(row, correlation_id):
                    return row
            if not (cursor := text_at(page, "nextCursor")):
                return None
            params["cursor"] = cursor
        return None

    async def _page(
        self, path: str, params: dict[str, str], limits: tuple[int, ...], operation: str
    ) -> JsonObject:
        """A page of a list, the largest that can be read. Takes out of ``params`` what this release does not know."""
        for limit in limits[:-1]:
            params["limit"] = str(limit)
            try:
                return await self._object(path, params, operation)
            except UnreadableAnswer:
                if "cursor" in params:  # a cursor brings its own limit along
                    raise
        params["limit"] = str(limits[-1])
        return await self._object(path, params, operation)

    async def _object(self, path: str, params: dict[str, str], operation: str) -> JsonObject:
        while True:
            answer = await self.get(path, operation, params)
            unknown = (
                _UNKNOWN_PARAMETER.search(said(answer)) if answer.status == HTTPStatus.BAD_REQUEST else None
            )
            if not unknown or params.pop(unknown.group(1), None) is None:
                if answer.status == HTTPStatus.NOT_FOUND:  # every n8n has these lists
                    raise api_is_away("n8n", self.host, PROVIDER, operation)
                return self._accepted(answer, operation, "the list")

    async def _one(
        self, path: str, operation: str, what: str, params: dict[str, str] | None = None
    ) -> JsonObject | None:
        answer = await self.get(path, operation, params)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        return self._accepted(answer, operation, what)

    def _accepted(self, answer: HttpAnswer, operation: str, what: str) -> JsonObject:
        self.raise_for(answer, operation)
        body = answer.json()
        if isinstance(body, dict):
            return body
        raise UnreadableAnswer(
            f"{self.host} did not answer as n8n does: {what} is not a JSON object.",
            hint="Check the address of the connection.",
            provider=PROVIDER,
            operation=operation,
            remote_status=answer.status,
        )

    def raise_for(self, answer: HttpAnswer, operation: str) -> None:
        """Raise what a refusal of the API means for the user; accept the rest.

        Raises:
            CredentialRefused: The key is wrong, or lacks a permission.
        """
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise CredentialRefused(
                f"n8n at {self.host} does not accept the API key: {said(answer)}",
                hint="Create a new key in n8n under Settings, n8n API, and enter it in the connection.",
                provider=PROVIDER,
                operation=operation,
                remote_status=answer.status,
            )
        if answer.status == HTTPStatus.FORBIDDEN:
            raise CredentialRefused(
                f"n8n at {self.host} accepts the API key, but the key may not do this: {said(answer)}",
                hint=f"Give the key these permissions in n8n: {', '.join(PERMISSIONS)}.",
                provider=PROVIDER,
                operation=operation,
                remote_status=answer.status,
                lacks_permission=True,
            )
        raise_for_answer(answer, PROVIDER, operation)

    async def _request(
        self, method: str, path: str, operation: str, params: dict[str, str] | None = None
    ) -> HttpAnswer:
        return await self._client.request(
            method,
            f"{self.base}/api/v1{path}",
            headers={"X-N8N-API-KEY": self._key, "Accept": "application/json"},
            params=params,
            timeout_seconds=REQUEST_SECONDS,
            provider=PROVIDER,
            operation=operation,
            is_safe_to_repeat=True,
        )


def said(answer: HttpAnswer) -> str:
    """What n8n gave as its reason, quoted, fit for the end of a sentence."""
    is_json = "json" in answer.headers.get("content-type", "")
    text = answer.text().strip()
    words = reason_of(answer) if is_json else "" if looks_like_html(text) else text[:200]
    return f"“{words}”." if words else f"status {answer.status}."
