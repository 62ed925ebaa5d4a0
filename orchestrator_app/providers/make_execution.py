"""Following executions of Make: by the id of a run, or by a guess in the logs for what a webhook started."""

from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteCall, RemoteLook, RemoteState
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.json_reading import (
    list_at,
    number_at,
    object_at,
    objects_at,
    text_at,
    time_at,
)
from orchestrator_app.providers.make_api import MakeApi, scenario_path

_OPERATION = Capability.POLL.value
_STATES: dict[str, RemoteState] = {
    "RUNNING": "running",
    "PENDING": "running",
    "QUEUED": "running",
    "SUCCESS": "completed",
    "WARNING": "completed",
    "ERROR": "failed",
}
_LOG_STATES: dict[int, RemoteState] = {1: "completed", 2: "completed", 3: "failed"}
_MISSES = 6  # looks in a row at which Make may not know yet what it has just started
_LOG_MISSES = 2  # then the log is asked how it ended, although it knows no result
_LOG_ONLY = "Make's log tells only how the execution ended."
_LOG_PAGES = 4
_LOG_LIMIT = 50
_MOST_CHECKED = 200
_MARGIN_MS = 1_000  # dates in answers have whole seconds
_LONGEST_REASON = 500
_GUESS = "Make gives no id to what a webhook starts, so this is a guess: the first execution in the log since the call."
_NOT_LOGGED = "The log of Make shows no execution since the call of the webhook yet."


@dataclass(frozen=True, slots=True)
class Memo:
    """What polling remembers between two looks.

    Attributes:
        scenario: Id of the scenario.
        team: Id of its team, for links.
        execution: Id of the execution, once known.
        since: When it began at the earliest, in UTC epoch milliseconds by Make's clock.
        is_guess: A webhook started it, so that its id is guessed.
        misses: Looks in a row at which Make did not know the execution.
        hook: Id of the webhook that starts the scenario, while a call is searched whose answer never came.
        checked: Ids of what was looked into then and does not carry the id of the call.
    """

    scenario: str = ""
    team: str = ""
    execution: str = ""
    since: int = 0
    is_guess: bool = False
    misses: int = 0
    hook: str = ""
    checked: tuple[str, ...] = ()

    @classmethod
    def read(cls, raw: JsonObject, call: RemoteCall) -> "Memo":
        """What ``as_json`` made; of a call whose answer never came only the scenario is known."""
        return cls(
            scenario=text_at(raw, "scenarioId") or call.workflow_id,
            team=text_at(raw, "teamId"),
            execution=text_at(raw, "executionId"),
            since=int(number_at(raw, "since")),
            is_guess=raw.get("isGuess") is True,
            misses=int(number_at(raw, "misses")),
            hook=text_at(raw, "hookId"),
            checked=tuple(text_at({"id": item}, "id") for item in list_at(raw, "checked")),
        )

    def with_checked(self, number: str) -> "Memo":
        """The memo with one more id in ``checked``; of too many the oldest is dropped."""
        return replace(self, checked=(*self.checked, number)[-_MOST_CHECKED:])

    def as_json(self) -> JsonObject:
        """The memo as it is stored."""
        kept: JsonObject = {
            "scenarioId": self.scenario,
            "teamId": self.team,
            "executionId": self.execution,
            "since": self.since,
            "isGuess": self.is_guess,
            "misses": self.misses,
        }
        if self.hook:
            kept["hookId"] = self.hook
        if self.checked:
            kept["checked"] = list(self.checked)
        return kept


def begun_at(call: RemoteCall, answer: HttpAnswer, elapsed_seconds: float) -> int:
    """When the call left, in UTC epoch milliseconds by Make's clock, which the answer shows and may differ from ours."""
    try:
        shown = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return call.started_at
    return round((shown - elapsed_seconds) * 1000) - _MARGIN_MS


def link_to(web: str, memo: Memo) -> str:
    """Where a person sees the execution in Make, or else the log of the scenario; empty when neither is known."""
    if not (web and memo.team and memo.scenario):
        return ""
    team, scenario, execution = (quote(part, safe="") for part in (memo.team, memo.scenario, memo.execution))
    return f"{web}/{team}/scenarios/{scenario}/logs/{execution}".rstrip("/")


def execution_path(scenario: str, execution: str) -> str:
    """Where the API keeps an execution."""
    return f"{scenario_path(scenario)}/executions/{quote(execution, safe='')}"


async def look_at_run(api: MakeApi, memo: Memo) -> RemoteLook:
    """How the execution with the id of the memo fares."""
    answer = await api.get(execution_path(memo.scenario, memo.execution), _OPERATION)
    if answer.status == HTTPStatus.NOT_FOUND:
        return await _missed(api, memo)
    body = api.accepted(answer, _OPERATION)
    status = text_at(body, "status").upper()
    state = _STATES.get(status, "unknown")
    message = reason_of_execution(body) if state != "running" else ""
    if state == "unknown":
        message = f"Make says the execution is “{status}”, which Orchestrator does not know."
    output = body.get("outputs") if state == "completed" else None
    return _look(api, replace(memo, misses=0), state, output, message)


async def look_at_log(api: MakeApi, memo: Memo) -> RemoteLook:
    """How an execution fares that a webhook started: the first one in the log since the call."""
    if not memo.execution:
        memo = replace(memo, execution=text_at(await _first_since(api, memo), "id"))
    if not memo.execution:
        return RemoteLook("running", message=f"{_NOT_LOGGED} {_GUESS}", is_certain=False, memo=memo.as_json())
    look = await look_at_run(api, memo)
    if int(number_at(look.memo, "misses")) < _LOG_MISSES:
        return look
    logged = await api.known(
        f"{scenario_path(memo.scenario)}/logs/{quote(memo.execution, safe='')}", _OPERATION
    )
    state = _LOG_STATES.get(int(number_at(logged, "scenarioLog", "status")))
    return _look(api, memo, state, None, _LOG_ONLY) if state else look


def reason_of_execution(body: JsonObject) -> str:
    """Why an execution failed, or what it warns of: Make's own words and the module; empty when it says nothing."""
    error = object_at(body, "error")
    words = text_at(error, "message") or text_at(error, "name")
    cause = object_at(error, "causeModule")
    module = ":".join(part for part in (text_at(cause, "appName"), text_at(cause, "name")) if part)
    words = f"module {module}: {words}" if module and words else words
    return words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}…"


def _look(api: MakeApi, memo: Memo, state: RemoteState, output: JsonValue, message: str) -> RemoteLook:
    return RemoteLook(
        state,
        output,
        remote_id=memo.execution,
        link=link_to(api.web, memo),
        message=f"{message} {_GUESS}".strip() if memo.is_guess else message,
        is_certain=not memo.is_guess and state != "unknown",
        memo=memo.as_json(),
    )


async def _missed(api: MakeApi, memo: Memo) -> RemoteLook:
    """Right after the start Make may not know the execution yet; later it never will."""
    await api.ensure_there(_OPERATION)
    memo = replace(memo, misses=memo.misses + 1)
    if memo.misses < _MISSES:
        return _look(api, memo, "running", None, "Make does not show this execution yet.")
    message = (
        f"Make has no execution {memo.execution} of scenario {memo.scenario}. It may have been deleted, or the API "
        "token may not see it."
    )
    return _look(api, memo, "unknown", None, message)


async def executions_since(api: MakeApi, memo: Memo) -> list[JsonObject]:
    """The entries of executions in the scenario's log since the time in the memo."""
    params = {"from": str(memo.since), "pg[limit]": str(_LOG_LIMIT)}
    found: list[JsonObject] = []
    for _ in range(_LOG_PAGES):
        body = await api.object(f"{scenario_path(memo.scenario)}/logs", _OPERATION, params)
        rows = objects_at(body, "scenarioLogs")
        # Newer servers mix in rows about edits, starts and stops of the scenario: those have no status.
        found += [row for row in rows if text_at(row, "id") and isinstance(row.get("status"), int)]
        last = text_at(rows[-1], "imtId") if rows else ""
        if not last or len(rows) < _LOG_LIMIT or params.get("pg[last]") == last:
            break
        params |= {"pg[last]": last, "pg[showLast]": "false"}
    return [row for row in found if (time_at(row, "timestamp") or 0) >= memo.since]


async def _first_since(api: MakeApi, memo: Memo) -> JsonObject | None:
    """The oldest log entry of an execution since the call, those that began at once by an event first."""
    found = await executions_since(api, memo)
    found.sort(key=lambda row: (row.get("instant") is not True, time_at(row, "timestamp") or 0))
    return found[0] if found else None
