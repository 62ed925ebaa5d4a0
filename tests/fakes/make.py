"""The fake Make: its switches, its API and its webhooks, as the developers' pages describe them."""

import asyncio
import json
from typing import Any, Protocol

from tests.fakes.make_hooks import answer_hook
from tests.fakes.make_scenario import FakeExecution, FakeScenario
from tests.fakes.wire import DROP, Received, Reply, json_reply, text_reply

_TOKEN = "12345678-1234-4234-8234-123456789abc"
_SCOPES = {
    "scenarios:read",
    "scenarios:write",
    "scenarios:run",
    "organizations:read",
    "teams:read",
    "hooks:read",
}
_NEEDED = {
    "scenarios": "scenarios:read",
    "scenarios-folders": "scenarios:read",
    "organizations": "organizations:read",
    "teams": "teams:read",
    "hooks": "hooks:read",
}
_LIMIT_TEXT = "Requests limit for organization exceeded, please try again later."


class Server(Protocol):
    url: str

    journal: list[Received]

    def calls(self, path: str = "", *, method: str = "") -> list[Received]: ...
    async def arrived(self, path: str, *, method: str = "") -> list[Received]: ...
    def call_soon(self, function: object) -> None: ...
    def post_later(self, url: str, body: object, seconds: float) -> None: ...


class FakeMake:
    """One zone of Make below a path of its own, with one organization and one team to begin with.

    Attributes:
        token: An API token that may do everything.
        tokens: Tokens and their scopes.
        organizations: Numbers and names.
        teams: Numbers, names and organizations.
        folders: Numbers, names and teams.
        is_there: False: something else answers here, with web pages.
        api_delay_seconds: How long the API thinks before it answers.
        most_rows: It never gives more scenarios at once.
        responsive_seconds: How long a responsive run is waited for.
        timeout_tells_id: The answer to a run that takes longer names it.
        closed: Parts of the API that refuse this token whatever its scopes.
        queues_while_inactive: Webhooks of an inactive scenario take data all the same.
        is_queue_full: Webhooks take no more.
        hook_limited_times: So many calls of webhooks are refused for their rate.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.prefix = "/make"
        self.token = _TOKEN
        self.tokens: dict[str, set[str]] = {self.token: _SCOPES}
        self.organizations: dict[int, str] = {5: "Acme"}
        self.teams: dict[int, tuple[str, int]] = {16: ("Ops", 5)}
        self.folders: dict[int, tuple[str, int]] = {}
        self.scenarios: dict[int, FakeScenario] = {}
        self.is_there = True
        self.api_delay_seconds = 0.0
        self.most_rows = 10_000
        self.responsive_seconds = 40.0
        self.timeout_tells_id = False
        self.closed: set[str] = set()
        self.queues_while_inactive = False
        self.is_queue_full = False
        self.hook_limited_times = 0
        self._refusals: list[Reply] = []

    @property
    def base(self) -> str:
        return self.server.url + self.prefix

    @property
    def api(self) -> str:
        """The path of the API, as the journal shows it."""
        return self.prefix + "/api/v2"

    # --- for tests ---

    def add_scenario(self, name: str = "Scenario", **settings: Any) -> FakeScenario:
        """A scenario; see FakeScenario for the settings."""
        settings = {"id": 925 + len(self.scenarios), "team": 16} | settings
        scenario = FakeScenario(name, **settings)
        self.scenarios[scenario.id] = scenario
        return scenario

    def add_hook_scenario(self, name: str = "Hooked", **settings: Any) -> FakeScenario:
        """A scenario that starts with a custom webhook."""
        return self.add_scenario(
            name, **{"hook_type": "gateway-webhook", "scheduling": "immediately"} | settings
        )

    def hook_url(self, scenario: FakeScenario) -> str:
        return f"{self.base}/hook/{scenario.udid}"

    def add_token(self, token: str, scopes: set[str] | None = None) -> str:
        """A token with these scopes, or with all."""
        self.tokens[token] = _SCOPES if scopes is None else scopes
        return token

    def add_team(self, number: int, name: str, organization: int = 5) -> int:
        self.teams[number] = (name, organization)
        return number

    def limit_rate(self, times: int = 1, retry_after: str = "") -> None:
        """Answer the next requests to the API with 429; runs are spared, as the limit does not count them."""
        headers = {"Retry-After": retry_after} if retry_after else {}
        self._refusals += [_error(429, "SC429", _LIMIT_TEXT, headers=headers)] * times

    def drop(self, times: int = 1) -> None:
        """Hang up on the next requests to the API."""
        self._refusals += [DROP] * times

    def break_down(self, times: int = 1) -> None:
        """Answer the next requests to the API with 503."""
        self._refusals += [_error(503, "SC503", "Service unavailable")] * times

    # --- answering ---

    async def answer(self, received: Received) -> Reply:
        path = received.below(self.prefix)
        if not self.is_there:
            page = "<!DOCTYPE html><html><body>Sign in</body></html>"
            return text_reply(page, content_type="text/html; charset=utf-8")
        if path.startswith("/hook/"):
            return await answer_hook(self, received, path.removeprefix("/hook/"))
        if path.startswith("/api/v2/"):
            return await self._answer_api(received, path.removeprefix("/api/v2"))
        return _error(404, "SC404", "Not found")

    async def _answer_api(self, received: Received, path: str) -> Reply:
        await asyncio.sleep(self.api_delay_seconds)
        parts = path.strip("/").split("/")
        is_run = received.method == "POST" and parts[-1] == "run"
        if self._refusals and not is_run:
            return self._refusals.pop(0)
        if refusal := self._check_token(received, parts, is_run=is_run):
            return refusal
        if is_run:
            return await self._with_scenario(parts[1], received, self._run)
        return await self._route(received, parts)

    def _check_token(self, received: Received, parts: list[str], *, is_run: bool) -> Reply | None:
        scheme, _, token = received.headers.get("authorization", "").partition(" ")
        if token not in self.tokens or (scheme == "Token") != (token.count("-") == 4):
            return _error(401, "SC401", "Unauthorized", detail="Access denied.")
        needed = "scenarios:run" if is_run else _NEEDED.get(parts[0], "")
        if (
            (needed and needed not in self.tokens[token])
            or parts[0] in self.closed
            or parts[-1] in self.closed
        ):
            return _error(403, "SC403", "Permission denied", detail="Access denied.")
        return None

    async def _route(self, received: Received, parts: list[str]) -> Reply:  # noqa: PLR0911 - one for each address
        query = received.query
        token = received.headers["authorization"].partition(" ")[2]
        match [received.method, *parts]:
            case ["GET", "users", "me", "current-authorization"]:
                scopes = sorted(self.tokens[token])
                return json_reply({"authorization": {"authUsed": "token", "scope": scopes}})
            case ["GET", "organizations"]:
                rows = [{"id": number, "name": name} for number, name in self.organizations.items()]
                return _listed("organizations", rows)
            case ["GET", "organizations", number] if int(number) in self.organizations:
                name = self.organizations[int(number)]
                return json_reply(
                    {"organization": {"id": int(number), "name": name, "license": {"apiLimit": 60}}}
                )
            case ["GET", "teams"]:
                wanted = query["organizationId"]
                rows = [self._team(number) for number in self.teams if str(self.teams[number][1]) == wanted]
                return _listed("teams", rows)
            case ["GET", "teams", number] if int(number) in self.teams:
                return json_reply({"team": self._team(int(number))})
            case ["GET", "scenarios-folders"]:
                return self._list_folders(query["teamId"])
            case ["GET", "scenarios"]:
                return self._list_scenarios(query)
            case ["GET", "scenarios", number, *rest]:
                return await self._with_scenario(
                    number, received, lambda scenario, _: self._get(scenario, rest, query)
                )
            case ["GET", "hooks", number, *rest]:
                return self._get_hook(number, rest, query)
            case _:
                return _error(404, "SC404", "Not found")

    def _team(self, number: int) -> dict[str, Any]:
        name, organization = self.teams[number]
        return {"id": number, "name": name, "organizationId": organization}

    def _list_folders(self, team: str) -> Reply:
        folders = [
            {"id": number, "name": name, "parentId": None, "scenariosTotal": 4, "hasChildren": False}
            for number, (name, owner) in self.folders.items()
            if str(owner) == team
        ]
        return json_reply({"scenariosFolders": folders})

    def _list_scenarios(self, query: dict[str, str]) -> Reply:
        if "teamId" in query and "organizationId" in query:
            return _error(400, "SC400", "teamId and organizationId cannot be used together")
        if "teamId" not in query and "organizationId" not in query:
            return _error(400, "SC400", "Missing required parameter teamId or organizationId")
        rows = [
            scenario
            for scenario in self.scenarios.values()
            if query.get("teamId") == str(scenario.team)
            or query.get("organizationId") == str(self.teams[scenario.team][1])
        ]
        rows.sort(key=lambda scenario: scenario.id, reverse=query.get("pg[sortDir]", "desc") == "desc")
        limit = min(int(query.get("pg[limit]", "50")), self.most_rows)
        offset = int(query.get("pg[offset]", "0"))
        page = {"sortBy": query.get("pg[sortBy]", "proprietal"), "limit": limit, "offset": offset}
        return json_reply({"scenarios": [row.row() for row in rows[offset : offset + limit]], "pg": page})

    async def _with_scenario(self, number: str, received: Received, action: Any) -> Reply:
        scenario = self.scenarios.get(int(number)) if number.isdecimal() else None
        if scenario is None:
            return _error(404, "IM404", "Scenario not found")
        reply = action(scenario, received)
        return await reply if asyncio.iscoroutine(reply) else reply

    def _get(  # noqa: PLR0911 - one for each address
        self, scenario: FakeScenario, rest: list[str], query: dict[str, str]
    ) -> Reply:
        match rest:
            case []:
                return json_reply({"scenario": scenario.row()})
            case ["blueprint"]:
                return json_reply(scenario.blueprint())
            case ["interface"]:
                return json_reply({"interface": {"input": scenario.inputs or None, "output": None}})
            case ["executions", execution_id]:
                return self._get_execution(scenario, execution_id)
            case ["logs"]:
                return self._list_logs(scenario, query)
            case ["logs", execution_id]:
                found = [run for run in scenario.executions if run.id == execution_id]
                return (
                    json_reply({"scenarioLog": found[0].as_log()})
                    if found
                    else _error(404, "SC404", "No log")
                )
            case _:
                return _error(404, "SC404", "Not found")

    def _get_execution(self, scenario: FakeScenario, execution_id: str) -> Reply:
        run = next((run for run in scenario.executions if run.id == execution_id), None)
        if run is None:
            return _error(404, "SC404", "Execution not found")
        run.looks += 1
        return (
            _error(404, "SC404", "Execution not found")
            if run.looks <= scenario.hidden_looks
            else json_reply(run.as_row())
        )

    def _list_logs(self, scenario: FakeScenario, query: dict[str, str]) -> Reply:
        rows = [run.as_log() for run in scenario.executions if run.started_at >= int(query.get("from", "0"))]
        # Newer servers list edits too.
        rows.append({"imtId": f"{scenario.edited_at}_scenario.{scenario.id}.edit", "eventType": "edit"})
        rows.sort(key=lambda row: row["imtId"], reverse=True)
        if last := query.get("pg[last]"):
            rows = [row for row in rows if row["imtId"] < last]
        page = rows[: int(query.get("pg[limit]", "50"))]
        return json_reply({"scenarioLogs": page, "pg": {"last": page[-1]["imtId"] if page else None}})

    def _get_hook(self, number: str, rest: list[str], query: dict[str, str]) -> Reply:
        found = next((each for each in self.scenarios.values() if str(each.hook_id) == number), None)
        if found is None:
            return _error(404, "SC404", "No hook")
        match rest:
            case []:
                return json_reply({"hook": found.hook(self.base)})
            case ["logs"]:
                calls = [call for call in found.hook_calls if call.logged_at >= int(query.get("from", "0"))]
                calls = calls[::-1][: int(query.get("pg[limit]", "50"))]
                return json_reply({"hookLogs": [call.as_log(found.udid, with_data=False) for call in calls]})
            case ["logs", wanted]:
                call = next((call for call in found.hook_calls if call.id == wanted), None)
                if call is not None:
                    return json_reply({"hookLog": call.as_log(found.udid, with_data=True)})
        return _error(404, "SC404", "Not found")

    # --- executions ---

    async def _run(self, scenario: FakeScenario, received: Received) -> Reply:
        body = json.loads(received.body or b"{}")
        data = body.get("data") or {}
        if refusal := self._refuse_run(scenario, data):
            return refusal
        run = self.start(scenario, FakeExecution(scenario, data, callback_url=body.get("callbackUrl", "")))
        if body.get("responsive") is not True:
            return json_reply({"executionId": run.id})
        try:
            async with asyncio.timeout(self.responsive_seconds):
                await run.ended.wait()
        except TimeoutError:
            reply = {"message": "The scenario execution timed out", "code": "SC408"}
            return json_reply(reply | ({"executionId": run.id} if self.timeout_tells_id else {}), 408)
        return json_reply({"executionId": run.id, "status": run.number, **run.outputs()})

    def _refuse_run(self, scenario: FakeScenario, data: dict[str, Any]) -> Reply | None:
        if not scenario.is_active:
            return _error(422, "IM325", "Scenario is not activated")
        if data and scenario.inputs and scenario.scheduling != "on-demand":
            return _error(422, "IM016", "Inputs need on-demand scheduling")
        if missing := scenario.missing_inputs(data):
            suberrors = [{"message": f"Missing value of required parameter '{name}'."} for name in missing]
            return _error(400, "IM005", "Validation failed for 1 parameter(s).", suberrors=suberrors)
        if scenario.executions and not scenario.executions[-1].has_ended:
            return _error(400, "IM003", "Scenario is already being executed.")
        return None

    def start(self, scenario: FakeScenario, run: FakeExecution) -> FakeExecution:
        """Begin an execution, as a run or a call of a webhook does."""
        run.finish = lambda: self._finish(run)
        scenario.executions.append(run)
        if scenario.seconds is not None:
            asyncio.get_running_loop().call_later(scenario.seconds, self._end, run)
        return run

    def _finish(self, run: FakeExecution) -> None:
        run.has_ended = True
        self.server.call_soon(lambda: self._end(run))

    def _end(self, run: FakeExecution) -> None:
        run.has_ended = True
        is_awaited = not run.ended.is_set()
        run.ended.set()
        if run.callback_url and is_awaited:
            where = f"https://elsewhere.invalid/api/v2/scenarios/{run.scenario.id}/executions/{run.id}"
            self.server.post_later(run.callback_url, {"executionId": run.id, "statusUrl": where}, 0)
        if run.scenario.calls_back and run.data.get("callbackUrl"):
            self.server.post_later(run.data["callbackUrl"], run.outputs().get("outputs"), 0)


def _listed(name: str, rows: list[dict[str, Any]]) -> Reply:
    return json_reply({name: rows, "pg": {"sortBy": "name", "sortDir": "asc", "limit": 10000, "offset": 0}})


def _error(
    status: int, code: str, message: str, *, headers: dict[str, str] | None = None, **more: Any
) -> Reply:
    return json_reply({**more, "message": message, "code": code}, status, headers)
