"""The fake n8n: its switches and its public API, as release 2.41.1 or 1.123.81 answer."""

import asyncio
import base64
import json
import re
import secrets
import string
import uuid
from collections.abc import Callable
from typing import Any, Protocol

from tests.fakes.n8n_flow import FakeExecution, FakeWorkflow, now
from tests.fakes.n8n_hooks import FakeWebhooks
from tests.fakes.n8n_rows import execution_data, execution_row, iso, workflow_data, workflow_row
from tests.fakes.wire import DROP, Received, Reply, json_reply

_LETTERS = string.ascii_letters + string.digits
_MOST = 250
_PARAMETERS = {
    "/workflows": {"active", "tags", "name", "projectId", "excludePinnedData", "limit", "cursor"},
    "/executions": {"status", "workflowId", "projectId", "includeData", "limit", "cursor"},
}
_NEWER_PARAMETERS = {"startedAfter", "startedBefore", "offset", "redactExecutionData"}
_STATUSES = {
    1: ("canceled", "error", "running", "success", "waiting"),
    2: ("canceled", "crashed", "error", "new", "running", "success", "unknown", "waiting"),
}
_ALL_SCOPES = {
    "workflow:list",
    "workflow:read",
    "execution:list",
    "execution:read",
    "execution:stop",
    "tag:list",
}
_SCOPES = {"workflows": "workflow", "executions": "execution"}


class Server(Protocol):
    url: str

    journal: list[Received]

    def calls(self, path: str = "", *, method: str = "") -> list[Received]: ...
    def clear(self) -> None: ...
    def call_soon(self, function: object) -> None: ...
    def post_later(self, url: str, body: object, seconds: float) -> None: ...


class FakeN8n:
    """One n8n below a path of its own.

    Attributes:
        key: An API key that may do everything.
        is_api_open: False: the public API is switched off.
        is_there: False: something else answers here, with web pages.
        api_delay_seconds: How long the API thinks before it answers.
        unknown_parameters: Query parameters that this release does not know, besides its own.
        next_id: Id of the next execution.
    """

    def __init__(self, server: Server, release: int) -> None:
        self.server = server
        self.release = release
        self.prefix = f"/n8n-{release}"
        self.key = f"key-of-n8n-{release}"
        self.keys: dict[str, set[str] | None] = {self.key: None}
        self.workflows: dict[str, FakeWorkflow] = {}
        self.executions: dict[int, FakeExecution] = {}
        self.is_api_open = True
        self.is_there = True
        self.api_delay_seconds = 0.0
        self.unknown_parameters: set[str] = set()
        self.next_id = 1
        self._refusals: list[Reply] = []
        self._webhooks = FakeWebhooks(self)

    @property
    def base(self) -> str:
        return self.server.url + self.prefix

    # --- for tests ---

    def add_workflow(self, name: str = "Workflow", **settings: Any) -> FakeWorkflow:
        """A workflow; see FakeWorkflow for the settings."""
        # Release 2 gives every Webhook node an id when it is created.
        settings.setdefault("webhook_id", str(uuid.uuid4()))
        if self.release >= 2 and not settings["webhook_id"]:
            settings["webhook_id"] = str(uuid.uuid4())
        settings.setdefault("id", "".join(secrets.choice(_LETTERS) for _ in range(16)))
        settings.setdefault("path", re.sub(r"\W+", "-", name.lower()))
        flow = FakeWorkflow(name=name, base=self.base, **settings)
        self.workflows[flow.id] = flow
        return flow

    def add_key(self, key: str, scopes: set[str]) -> str:
        """A key that may do only this; release 1 does not look at it."""
        self.keys[key] = scopes
        return key

    def limit_rate(self, times: int = 1, retry_after: str = "1") -> None:
        """Answer the next requests to the API with 429."""
        headers = {"Retry-After": retry_after}
        self._refusals += [json_reply({"message": "Too many requests"}, 429, headers)] * times

    def drop(self, times: int = 1) -> None:
        """Hang up on the next requests to the API."""
        self._refusals += [DROP] * times

    def start(self, flow: FakeWorkflow, trigger: dict[str, Any], **settings: Any) -> FakeExecution:
        """Begin an execution, as a call does."""
        run = FakeExecution(id=self.next_id, flow=flow, trigger=trigger, **settings)
        self.next_id += 1
        run.finish = lambda: self._finish(run)
        self.executions[run.id] = run
        flow.executions.append(run)
        return run

    # --- answering ---

    async def answer(self, received: Received) -> Reply:
        path = received.below(self.prefix)
        if not self.is_there:
            return Reply(
                404, b"<!DOCTYPE html><html><body>Nothing here</body></html>", {"Content-Type": "text/html"}
            )
        if path in {"/healthz", "/healthz/readiness"}:
            return json_reply({"status": "ok"})
        if path.startswith("/api/v1/"):
            return await self._answer_api(received, path.removeprefix("/api/v1"))
        return await self._webhooks.answer(received, path)

    async def _answer_api(self, received: Received, path: str) -> Reply:
        await asyncio.sleep(self.api_delay_seconds)
        if self._refusals:
            return self._refusals.pop(0)
        if not self.is_api_open:
            return json_reply({"message": "not found"}, 404)
        return (
            self._check_key(received, path) or self._discover(received, path) or self._route(received, path)
        )

    def _check_key(self, received: Received, path: str) -> Reply | None:
        key = received.headers.get("x-n8n-api-key")
        if key is None and self.release == 1:
            return _message(401, "'X-N8N-API-KEY' header required")
        if key not in self.keys:
            return _message(401, "Unauthorized" if self.release >= 2 else "unauthorized")
        scopes = self.keys[key]
        if scopes is None or self.release == 1 or path == "/discover":
            return None
        collection, *rest = path.strip("/").split("/")
        verb = rest[1] if len(rest) > 1 else "read" if rest else "list"
        return None if f"{_SCOPES.get(collection, '')}:{verb}" in scopes else _message(403, "Forbidden")

    def _discover(self, received: Received, path: str) -> Reply | None:
        """What the key may do; only the newer release tells."""
        if path != "/discover" or self.release == 1:
            return None
        scopes = self.keys[received.headers["x-n8n-api-key"]]
        return json_reply({"data": {"scopes": sorted(_ALL_SCOPES if scopes is None else scopes)}})

    def _route(self, received: Received, path: str) -> Reply:  # noqa: PLR0911 - one line for each address
        match [received.method, *path.strip("/").split("/")]:
            case ["GET", "workflows"]:
                return self._list_workflows(received)
            case ["GET", "workflows", workflow_id]:
                return self._get_workflow(workflow_id, received)
            case ["POST", "workflows", _, "execute" | "run"]:
                return _message(405, "POST method not allowed")
            case ["GET", "executions"]:
                return self._list_executions(received)
            case ["POST", "executions", "stop"]:
                return self._stop_many(received)
            case ["POST", "executions", execution_id, "stop"]:
                return self._with_execution(execution_id, self._stop, "Failed to find execution to stop")
            case ["POST", "executions", execution_id, "retry"]:
                return self._with_execution(execution_id, self._retry, "Not Found")
            case ["DELETE", "executions", execution_id]:
                return self._with_execution(execution_id, self._delete, "Not Found")
            case ["GET", "executions", execution_id]:
                with_data = received.query.get("includeData") == "true"
                return self._with_execution(
                    execution_id, lambda run: self._get(run, with_data=with_data), "Not Found"
                )
            case _:
                return _message(404, "not found")

    # --- workflows ---

    def _list_workflows(self, received: Received) -> Reply:
        query = received.query
        if refusal := self._check_query("/workflows", query):
            return refusal
        limit, offset = self._limit(query), 0
        if "cursor" in query:
            try:
                cursor = _read_cursor(query["cursor"])
                limit, offset = int(cursor["limit"]), int(cursor["offset"])
            except (ValueError, KeyError, TypeError):
                return _message(400, "An invalid cursor was provided")
        rows = [
            flow for flow in self.workflows.values() if query.get("name", "").lower() in flow.name.lower()
        ]
        if "active" in query:
            rows = [flow for flow in rows if flow.is_active == (query["active"] == "true")]
        if "tags" in query:
            rows = [flow for flow in rows if set(query["tags"].split(",")) <= set(flow.tags)]
        if limit or self.release >= 2:  # else they come as they were made
            rows.sort(key=lambda flow: flow.id)
        page = rows[offset : offset + limit] if limit else rows
        more = offset + limit < len(rows) or not limit  # limit 0: everything, and a cursor that never ends
        return json_reply(
            {
                "data": [
                    workflow_row(
                        flow, self.release, is_single=False, with_pins="excludePinnedData" not in query
                    )
                    for flow in page
                ],
                "nextCursor": _write_cursor({"limit": limit, "offset": offset + limit}) if more else None,
            }
        )

    def _get_workflow(self, workflow_id: str, received: Received) -> Reply:
        flow = self.workflows.get(workflow_id)
        if flow is None:
            return _message(404, "Not Found")
        with_pins = "excludePinnedData" not in received.query
        return json_reply(workflow_row(flow, self.release, is_single=True, with_pins=with_pins))

    # --- executions ---

    def _list_executions(self, received: Received) -> Reply:
        query = received.query
        if refusal := self._check_query("/executions", query):
            return refusal
        status = query.get("status", "")
        if status and status not in _STATUSES[self.release]:
            return _message(400, "request/query/status " + self._bad_status(status))
        limit, last = self._limit(query), 0
        if "cursor" in query:
            try:
                cursor = _read_cursor(query["cursor"])
                limit, last = int(cursor["limit"]), int(cursor["lastId"])
            except (ValueError, KeyError, TypeError):
                return _message(400, "An invalid cursor was provided")
        runs = [run for run in reversed(self._kept().values()) if self._is_listed(run, status)]
        if "workflowId" in query:
            runs = [run for run in runs if run.flow.id == query["workflowId"]]
        if last:
            runs = [run for run in runs if run.id < last]
        page = runs[:limit]
        with_data = query.get("includeData") == "true"
        more = len(runs) > len(page)
        return json_reply(
            {
                "data": [
                    execution_row(run, self.release, is_single=False, with_data=with_data) for run in page
                ],
                "nextCursor": _write_cursor({"lastId": str(page[-1].id), "limit": limit}) if more else None,
            }
        )

    def _kept(self) -> dict[int, FakeExecution]:
        """What is saved: a good execution of some workflows vanishes when it ends."""
        return {
            number: run
            for number, run in self.executions.items()
            if run.flow.keeps_successes or run.status != "success"
        }

    def _is_listed(self, run: FakeExecution, status: str) -> bool:
        """What is under way stands only in the list of its own status, and release 1 never lists what waits."""
        state = run.status
        if state == "waiting" and self.release == 1:
            return False
        return state == status if status else state not in {"new", "running", "waiting"}

    def _with_execution(self, text: str, action: Callable[[FakeExecution], Reply], unknown: str) -> Reply:
        if not text.isdecimal():
            rule = "executionId must be a positive integer" if self.release >= 2 else "id must be number"
            return _message(400, f"request/params/{rule}")
        run = self._kept().get(int(text))
        if self.release == 1 and action == self._stop:
            return _message(404, "not found")
        return _message(404, unknown) if run is None else action(run)

    def _get(self, run: FakeExecution, *, with_data: bool) -> Reply:
        return json_reply(execution_row(run, self.release, is_single=True, with_data=with_data))

    def _delete(self, run: FakeExecution) -> Reply:
        del self.executions[run.id]
        return json_reply(execution_row(run, self.release, is_single=True, with_data=False) | {"id": run.id})

    def _stop(self, run: FakeExecution) -> Reply:
        if run.status not in {"running", "waiting"}:
            text = f"Only running or waiting executions can be stopped and {run.id} is currently {run.status}"
            return _message(409, text)
        run.cancelled_at = now()
        run.ended.set()
        return json_reply(
            {
                "mode": run.mode,
                "startedAt": iso(run.started_at),
                "stoppedAt": iso(run.cancelled_at),
                "finished": False,
                "status": "canceled",
            }
        )

    def _stop_many(self, received: Received) -> Reply:
        if self.release == 1:
            return _message(405, "POST method not allowed")
        wanted = received.json
        runs = [
            run
            for run in self.executions.values()
            if run.status in wanted["status"] and wanted.get("workflowId") in {None, run.flow.id}
        ]
        for run in runs:
            self._stop(run)
        return json_reply({"stopped": len(runs)})

    def _retry(self, run: FakeExecution) -> Reply:
        if run.status == "success":
            status = 409 if self.release >= 2 else 400
            return _message(status, "The execution succeeded, so it cannot be retried.")
        again = self.start(run.flow, run.trigger, mode="retry", retry_of=run.id)
        flow = run.flow
        more = {"active": flow.is_active, "activeVersionId": flow.version_id} if self.release >= 2 else {}
        return json_reply(
            {
                "id": str(again.id),
                "mode": "retry",
                "startedAt": iso(again.started_at),
                "workflowId": flow.id,
                "finished": False,
                "retryOf": str(run.id) if self.release >= 2 else run.id,
                "status": again.status,
                "data": execution_data(again, self.release),
                "workflowData": workflow_data(again, self.release) | more,
                "customData": {},
                **({"storedAt": "db"} if self.release >= 2 else {}),
            }
        )

    def _finish(self, run: FakeExecution) -> None:
        run.ran_at = now()
        self.server.call_soon(run.ended.set)

    # --- rules of the query ---

    def _check_query(self, path: str, query: dict[str, str]) -> Reply | None:
        known = _PARAMETERS[path] | (_NEWER_PARAMETERS if self.release >= 2 else set())
        for name in query:
            if name not in known or name in self.unknown_parameters:
                return _message(400, f"Unknown query parameter '{name}'")
        if self.release == 1 and int(query.get("limit", "0")) > _MOST:
            return _message(400, f"request/query/limit must be <= {_MOST}")
        return None

    def _limit(self, query: dict[str, str]) -> int:
        return min(int(query.get("limit", "100")), _MOST)

    def _bad_status(self, status: str) -> str:
        allowed = _STATUSES[self.release]
        if self.release == 1:
            return "must be equal to one of the allowed values: " + ", ".join(allowed)
        return (
            f"Invalid enum value. Expected {' | '.join(repr(name) for name in allowed)}, received {status!r}"
        )


def _message(status: int, text: str) -> Reply:
    return json_reply({"message": text}, status)


def _write_cursor(value: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()


def _read_cursor(text: str) -> dict[str, Any]:
    return json.loads(base64.b64decode(text, validate=True))
