"""Finding what a call of Make started whose answer never came: only what carries the id of the call is believed."""

from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteCall, RemoteLook, RemoteState
from orchestrator_app.errors import UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.correlation import carries
from orchestrator_app.providers.json_reading import number_at, object_at, objects_at, text_at, time_at
from orchestrator_app.providers.make_api import MakeApi
from orchestrator_app.providers.make_execution import (
    Memo,
    execution_path,
    executions_since,
    link_to,
    look_at_run,
)
from orchestrator_app.providers.make_target import hook_id_of

_OPERATION = Capability.POLL.value
_CLOCK_DIFFERENCE_MS = 60_000  # allowed between Make and us
_LOG_LIMIT = 50
_LONGEST_REASON = 200
_MOST_DETAILS = 5  # in one look: the smallest plan allows 60 requests in a minute
_NO_SCENARIO = "The node names no scenario whose log could be searched."


async def look_for_call(api: MakeApi, call: RemoteCall, known: Memo) -> RemoteLook:
    """What became of a call whose answer never came.

    A webhook's log shows every request with its headers, so it tells whether the call arrived, and what was answered.
    The log of a scenario shows no inputs; an execution is believed to be that of the call if its name or its outputs
    carry the id of the call.
    """
    if not known.scenario:
        return RemoteLook("unknown", message=_NO_SCENARIO, is_certain=False)
    if not known.team:
        row = await api.scenario(known.scenario, _OPERATION)
        known = replace(known, team=text_at(row, "teamId"), hook=await hook_id_of(api, row, _OPERATION))
    known = replace(known, since=max(call.started_at - _CLOCK_DIFFERENCE_MS, 0))
    if not known.hook:
        return await _look_in_executions(api, call, known, "")
    entry, known = await _logged_request(api, call, known)
    if entry is None:
        return _not_found(api, known, "Make's webhook log does not show the call.")
    return await _look_at_request(api, call, known, entry)


async def _look_at_request(api: MakeApi, call: RemoteCall, known: Memo, entry: JsonObject) -> RemoteLook:
    """What follows from a request that the webhook's log shows: it arrived."""
    arrived = f"Make's webhook log shows that the call arrived ({text_at(entry, 'loggedAt')})"
    response = object_at(entry, "data", "response")
    if refusal := _refusal_in(response):
        return _found(api, known, "failed", message=f"{arrived}, and that the answer was {refusal}")
    if call.completion == "callback":
        return _found(api, replace(known, is_guess=True), "running", message=f"{arrived}.")
    if call.completion == "poll":
        return await _look_in_executions(api, call, known, f"{arrived}. ")
    if response:
        return _found(api, known, "completed", _body_of(response), f"{arrived}, and what was answered.")
    return _not_found(api, known, f"{arrived}, but no answer to it.")


async def _look_in_executions(api: MakeApi, call: RemoteCall, known: Memo, arrived: str) -> RemoteLook:
    """The execution whose name or outputs carry the id. That there is none says nothing: they need not carry it."""
    rows = await executions_since(api, known)
    found = {text_at(row, "id") for row in rows if carries(row, call.correlation_id)}
    ended = [row for row in rows if number_at(row, "status") > 0 and text_at(row, "id") not in found]
    for execution in _unchecked(ended, "timestamp", call, known):
        answer = await api.get(execution_path(known.scenario, execution), _OPERATION)
        if answer.status == HTTPStatus.NOT_FOUND:
            continue
        if carries(api.accepted(answer, _OPERATION), call.correlation_id):
            found.add(execution)
        else:
            known = known.with_checked(execution)
    if len(found) == 1:
        return await look_at_run(api, Memo(known.scenario, known.team, found.pop()))
    if found:
        told = f"{len(found)} executions carry the id of the call, so it is not known which one is its own."
    elif rows:
        are = "1 execution" if len(rows) == 1 else f"{len(rows)} executions"
        told = f"Make's log shows {are} since the call, and none that carries the id of the call."
    else:
        told = "Make's log shows no execution since the call."
    look = _not_found(api, known, arrived + told)
    return replace(look, state="unknown") if call.completion == "callback" else look


async def _logged_request(api: MakeApi, call: RemoteCall, known: Memo) -> tuple[JsonObject | None, Memo]:
    """The newest entry of the webhook's log that carries the id of the call."""
    path = f"/hooks/{quote(known.hook, safe='')}/logs"
    page = await api.object(path, _OPERATION, {"from": str(known.since), "pg[limit]": str(_LOG_LIMIT)})
    found: list[JsonObject] = []
    for number in _unchecked(objects_at(page, "hookLogs"), "loggedAt", call, known):
        body = await api.object(f"{path}/{quote(number, safe='')}", _OPERATION)
        entry = object_at(body, "hookLog")
        if carries(entry.get("data"), call.correlation_id):
            found.append(entry)
        else:
            known = known.with_checked(number)
    # An earlier attempt of the node has the same id.
    return max(found, key=lambda entry: time_at(entry, "loggedAt") or 0, default=None), known


def _unchecked(rows: Iterable[JsonObject], time: str, call: RemoteCall, known: Memo) -> list[str]:
    """Ids of the rows to look into now, those nearest to the call first."""
    rows = [row for row in rows if (time_at(row, time) or known.since) >= known.since]
    rows.sort(key=lambda row: abs((time_at(row, time) or 0) - call.started_at))
    ids = [text_at(row, "id") for row in rows]
    return [number for number in ids if number and number not in known.checked][:_MOST_DETAILS]


def _refusal_in(response: JsonObject) -> str:
    """What the webhook answered, as a sentence, when it did not take the call or its scenario failed; else empty."""
    status = text_at(response, "status")
    if not status.isdecimal() or int(status) < HTTPStatus.BAD_REQUEST:
        return ""
    words = text_at(response, "body").strip().rstrip(".")[:_LONGEST_REASON]
    return f"“{words}” (status {status})." if words else f"status {status}."


def _body_of(response: JsonObject) -> JsonValue:
    """The body of an answer as the call would have got it: JSON is parsed, other text stays text."""
    body = response.get("body")
    if not isinstance(body, str):
        return body
    try:
        parsed = HttpAnswer(HTTPStatus.OK, {}, body.encode(errors="replace"), "").json()
    except UnreadableAnswer:
        return body or None
    return parsed if isinstance(parsed, dict | list) else body


def _found(
    api: MakeApi, known: Memo, state: RemoteState, output: JsonValue = None, message: str = ""
) -> RemoteLook:
    return RemoteLook(state, output, link=link_to(api.web, known), message=message, memo=known.as_json())


def _not_found(api: MakeApi, known: Memo, told: str) -> RemoteLook:
    link = link_to(api.web, known)
    message = f"{told} See {link}" if link else told
    return RemoteLook("running", link=link, message=message, is_certain=False, memo=known.as_json())
