"""The fake Zapier: Catch Hooks that take everything, and the Workflow API with its lists of Zaps and of runs."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tests.fakes.wire import DROP, Received, Reply, json_reply, text_reply
from tests.fakes.zapier_zap import FakeRun, FakeZap, received_data, run_row, zap_row

_APP = "<!DOCTYPE html><html><head><title>Zapier</title></head><body>Log in</body></html>"
_DEFAULT_LIMIT = 10
ALL_SCOPES = frozenset({"profile", "zap:all", "zap:runs"})


class Server(Protocol):
    url: str

    def post_later(self, url: str, body: object, seconds: float) -> None: ...


@dataclass
class FakeZapier:
    """Zapier below a path of its own, the API at ``api`` and the Catch Hooks at ``hooks``.

    Attributes:
        token: An access token that may do everything.
        scopes: What each token may do.
        zaps: The Zaps, in the order of the list.
        runs: What the calls started, oldest first.
        max_limit: The largest page; more is refused with 400, or cut to it if ``cuts_pages``.
        cuts_pages: A page asked for too large comes smaller instead of being refused.
        profile_is_list: The profile comes inside of a list, as the documentation draws it.
        hook_status: What Catch Hooks answer; Zapier always says ``success``.
        odd_list: What comes instead of the lists.
        has_runs: False: the experimental list of runs is not there.
        is_there: False: something else answers here, with web pages.
    """

    server: Server
    token: str = "token-of-zapier-0123456789"
    scopes: dict[str, frozenset[str]] = field(default_factory=dict)
    zaps: list[FakeZap] = field(default_factory=list)
    runs: list[FakeRun] = field(default_factory=list)
    max_limit: int = 100
    cuts_pages: bool = False
    profile_is_list: bool = False
    hook_status: str = "success"
    odd_list: object = None
    has_runs: bool = True
    is_there: bool = True
    prefix: str = "/zapier"

    def __post_init__(self) -> None:
        self.scopes = {self.token: ALL_SCOPES}
        self._api_refusals: list[Reply] = []
        self._hook_refusals: list[Reply] = []

    # --- for tests ---

    @property
    def api(self) -> str:
        return f"{self.server.url}{self.prefix}/api"

    @property
    def hooks(self) -> str:
        return f"{self.server.url}{self.prefix}/hooks/catch"

    def add_zap(self, title: str | None = "New lead to sheet", **settings: Any) -> FakeZap:
        """A Zap; see FakeZap for the settings."""
        zap = FakeZap(title, number=12_345 + len(self.zaps), **settings)
        zap.hook_url = f"{self.hooks}/{zap.path}/"
        self.zaps.append(zap)
        return zap

    def add_token(self, token: str, *scopes: str) -> str:
        self.scopes[token] = frozenset(scopes)
        return token

    def refuse(self, status: int = 429, *, times: int = 1, hooks: bool = False) -> None:
        """Answer the next requests to the API, or to Catch Hooks, with this status."""
        headers = {"Retry-After": "60", "X-RateLimit-Limit": "60"} if status == 429 else {}
        reply = _error(status, "throttled", "Request was throttled.", headers)
        (self._hook_refusals if hooks else self._api_refusals).extend([reply] * times)

    def drop(self, *, times: int = 1, hooks: bool = False) -> None:
        """Hang up on the next requests to the API, or to Catch Hooks."""
        (self._hook_refusals if hooks else self._api_refusals).extend([DROP] * times)

    # --- answering ---

    async def answer(self, received: Received) -> Reply:
        path = received.below(self.prefix)
        if not self.is_there:
            return text_reply(_APP, content_type="text/html; charset=utf-8")
        if path.startswith("/hooks/catch/"):
            return self._catch(received, path.removeprefix("/hooks/catch/").strip("/"))
        if path.startswith("/api/"):
            return self._answer_api(received, path.removeprefix("/api"))
        return text_reply(_APP, 404, content_type="text/html; charset=utf-8")

    def _catch(self, received: Received, path: str) -> Reply:
        """Whatever is sent is accepted, also where no Zap listens."""
        if self._hook_refusals:
            return self._hook_refusals.pop(0)
        is_silent = path.endswith("/silent")
        zap = next((zap for zap in self.zaps if zap.path == path.removesuffix("/silent")), None)
        if zap is not None and zap.is_enabled:
            for data in received_data(received, is_raw=zap.is_raw):
                self._start(zap, data)
        if is_silent:
            return Reply(200)
        request = str(uuid.uuid4())
        reply = {"attempt": request, "id": request, "request_id": request, "status": self.hook_status}
        return json_reply(reply)

    def _start(self, zap: FakeZap, data: dict[str, Any]) -> None:
        run = FakeRun(zap, data, looks_left=zap.looks_until_listed)
        self.runs.append(run)
        address = data.get("callback_url")
        if zap.calls_back and isinstance(address, str):
            body = {
                "token": data.get("correlation_token"),
                "status": "success",
                "result": run.data_out,
            }
            self.server.post_later(address, body, 0)

    def _answer_api(self, received: Received, path: str) -> Reply:
        if self._api_refusals:
            return self._api_refusals.pop(0)
        token = received.headers.get("authorization", "").removeprefix("Bearer ")
        scopes = self.scopes.get(token)
        match [received.method, path]:
            case ["GET", "/v1/profiles/me"]:
                return self._profile(scopes)
            case ["GET", "/v2/zaps"]:
                return _refusal(scopes, {"zap", "zap:all"}) or self._list_zaps(received)
            case ["GET", "/v2/zap-runs"] if self.has_runs:
                return _refusal(scopes, {"zap:runs"}) or self._list_runs(received)
            case _:
                return _error(404, "not_found", "Not found.")

    def _profile(self, scopes: frozenset[str] | None) -> Reply:
        if scopes is None:
            return json_reply({"detail": "Invalid authentication"}, 403)
        if "profile" not in scopes:
            return json_reply({"detail": "You do not have permission to perform this action."}, 403)
        profile = {
            "id": "7",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "full_name": "Ada Lovelace",
            "email": "ada@x.example",
            "email_confirmed": True,
            "timezone": "UTC",
        }
        return json_reply([profile] if self.profile_is_list else profile)

    def _list_zaps(self, received: Received) -> Reply:
        page = self._page(received, len(self.zaps))
        if isinstance(page, Reply):
            return page
        limit, offset = page
        expand = set(received.query.get("expand", "").split(","))
        rows = [zap_row(zap, expand) for zap in self.zaps[offset : offset + limit]]
        return self._list(received, rows, len(self.zaps), limit, offset)

    def _list_runs(self, received: Received) -> Reply:
        query = received.query
        if not query.get("zap_id", "0").isdecimal():
            return _error(400, "parse_error", "zap_id: A valid integer is required.")
        runs = [
            run
            for run in reversed(self.runs)
            if "zap_id" not in query or str(run.zap.number) == query["zap_id"]
        ]
        if "statuses" in query:
            runs = [run for run in runs if run.status in query["statuses"].split(",")]
        if "from_date" in query:
            since = datetime.fromisoformat(query["from_date"])
            runs = [run for run in runs if run.started_at >= since]
        runs = [run for run in runs if query.get("search", "") in run.text]
        listed = [run for run in runs if run.is_listed()]
        page = self._page(received, len(listed))
        if isinstance(page, Reply):
            return page
        limit, offset = page
        rows = [run_row(run) for run in listed[offset : offset + limit]]
        return self._list(received, rows, len(listed), limit, offset)

    def _page(self, received: Received, count: int) -> Reply | tuple[int, int]:
        limit = int(received.query.get("limit", _DEFAULT_LIMIT))
        offset = int(received.query.get("offset", 0))
        if limit > self.max_limit and not self.cuts_pages:
            return _error(400, "parse_error", f"limit: must be at most {self.max_limit}.")
        return min(limit, self.max_limit), min(offset, count)

    def _list(
        self, received: Received, rows: list[dict[str, Any]], count: int, limit: int, offset: int
    ) -> Reply:
        if self.odd_list is not None:
            return json_reply(self.odd_list)
        address = f"{self.server.url}{received.path}"
        more, before = offset + len(rows) < count, offset > 0
        return json_reply(
            {
                "links": {
                    "next": f"{address}?limit={limit}&offset={offset + len(rows)}" if more else None,
                    "prev": f"{address}?limit={limit}&offset={max(offset - limit, 0)}" if before else None,
                },
                "meta": {"count": count, "limit": limit, "offset": offset},
                "data": rows,
            }
        )


def _refusal(scopes: frozenset[str] | None, one_of: set[str]) -> Reply | None:
    if scopes is None:
        return _error(401, "not_authenticated", "Credentials were not provided.")
    return None if scopes & one_of else _error(403, "permission_denied", "The scope is missing.")


def _error(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Reply:
    error = {
        "status": status,
        "code": code,
        "title": code.title().replace("_", ""),
        "detail": detail,
        "source": None,
        "meta": {"source": "ZAPIER", "full_details": {}},
    }
    return json_reply({"errors": [error]}, status, headers)
