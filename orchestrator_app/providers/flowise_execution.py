"""Reading an execution of an agentflow, and what Flowise posts when a webhook's flow has ended."""

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteCall, RemoteLook, RemoteState
from orchestrator_app.providers.flowise_answers import (
    CANCELLED,
    Memo,
    executions_link,
    waiting_sentence,
    without_prefix,
    without_token,
)
from orchestrator_app.providers.flowise_api import inner_json
from orchestrator_app.providers.flowise_stream import EXECUTED
from orchestrator_app.providers.json_reading import object_at, objects_at, text_at, time_at

_CLOCK_DIFFERENCE_MS = 60_000  # allowed between Flowise and us
_STATES: dict[str, RemoteState] = {
    "INPROGRESS": "running",
    "STOPPED": "running",
    "FINISHED": "completed",
    "ERROR": "failed",
    "TIMEOUT": "failed",
    "TERMINATED": "cancelled",
}
_TOLD = frozenset({"SUCCESS", "STOPPED", "ERROR"})


def state_of(execution: JsonObject) -> RemoteState:
    """How the execution fares."""
    return _STATES.get(text_at(execution, "state"), "unknown")


def is_waiting(execution: JsonObject) -> bool:
    """Whether it has stopped to ask a person."""
    return text_at(execution, "state") == "STOPPED"


def newest_of(executions: list[JsonObject], call: RemoteCall) -> JsonObject | None:
    """The newest execution that the call can have started: a session may have older ones."""
    earliest = call.started_at - _CLOCK_DIFFERENCE_MS if call.started_at else 0
    later = [row for row in executions if (time_at(row, "createdDate") or earliest) >= earliest]
    return max(later, key=lambda row: time_at(row, "createdDate") or 0, default=None)


def look_of(base: str, execution: JsonObject, known: Memo, call: RemoteCall) -> RemoteLook:
    """How an execution fares, for the runner. In a session of the node's own making it is a guess by time."""
    state = state_of(execution)
    found = text_at(execution, "id")
    is_guess = known.is_guess or (not known.execution and bool(known.session))
    output = _output(execution)
    message = waiting_sentence(output) if is_waiting(execution) else ""
    if state in {"failed", "cancelled"}:
        message = _failure(execution, output)
    elif state == "unknown":
        message = f"Flowise calls the state of execution {found} “{text_at(execution, 'state')}”."
    return RemoteLook(
        state,
        without_token(output, call) if state == "completed" else None,
        remote_id=found,
        link=executions_link(base),
        message=message,
        is_certain=state != "unknown" and not is_guess,
        memo=Memo(found, known.chat, known.session, is_guess=is_guess).as_json(),
    )


def look_of_callback(base: str, call: RemoteCall, memo: JsonObject, body: JsonValue) -> RemoteLook:
    """What a callback says: Flowise's own of an asynchronous webhook, or whatever a step of the flow posts."""
    status = text_at(body, "status")
    if status not in _TOLD or not text_at(body, "chatId"):
        return RemoteLook("completed", without_token(body, call), memo=memo)
    data = object_at(body, "data")
    found = text_at(data, "executionId")
    known = Memo.read(memo)
    kept = Memo(found or known.execution, known.chat, known.session).as_json()
    link = executions_link(base) if base else ""
    if status == "STOPPED":
        return RemoteLook("running", remote_id=found, link=link, message=waiting_sentence(data), memo=kept)
    if status == "ERROR":
        reason = without_prefix(text_at(body, "error")) or "Flowise does not say why."
        is_cancelled = reason == CANCELLED
        return RemoteLook(
            "cancelled" if is_cancelled else "failed",
            remote_id=found or known.execution,
            link=link,
            message="the flow was stopped in Flowise." if is_cancelled else reason,
            memo=kept,
        )
    return RemoteLook("completed", without_token(data, call), remote_id=found, link=link, memo=kept)


def _output(execution: JsonObject) -> JsonObject:
    """The execution in the shape of the prediction API's answer."""
    steps = _steps(execution)
    last = steps[-1] if steps else {}
    output: JsonObject = {"text": text_at(last, "data", "output", "content") or " "}
    asked = object_at(steps[0] if steps else {}, "data", "input")
    if "question" in asked:
        output["question"] = asked["question"]
    output["executionId"] = text_at(execution, "id")
    output[EXECUTED] = list[JsonValue](steps)
    output["sessionId"] = text_at(execution, "sessionId")
    return output


def _steps(execution: JsonObject) -> list[JsonObject]:
    """The steps so far: Flowise gives them as JSON within a text."""
    return objects_at({"steps": inner_json(execution.get("executionData"))}, "steps")


def _failure(execution: JsonObject, output: JsonObject) -> str:
    """Why it ended badly, in Flowise's own words and with the step."""
    state = text_at(execution, "state")
    if state == "TERMINATED":
        return "the flow was stopped in Flowise."
    steps = objects_at(output, EXECUTED)
    step = next((step for step in reversed(steps) if text_at(step, "data", "error")), None)
    if step is not None:
        label = text_at(step, "nodeLabel")
        return text_at(step, "data", "error") + (f" (step “{label}”)" if label else "")
    if state == "TIMEOUT":
        return "Flowise stopped the flow because it took too long."
    return "Flowise does not say why."
