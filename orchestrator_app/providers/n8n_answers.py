"""What an answer of a webhook, or a look at an execution, says to the runner, and what polling remembers."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook, RemoteState
from orchestrator_app.errors import ProviderError
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.calls import kept_headers
from orchestrator_app.providers.json_reading import number_at, text_at
from orchestrator_app.providers.n8n_execution import (
    execution_id,
    failure_of,
    link_to,
    output_of,
    state_of,
    waiting_sentence,
)
from orchestrator_app.providers.n8n_webhook import execution_id_in, webhook_output

_MARGIN_MS = 15_000  # the clock shown may be that of a proxy before n8n
_CALLBACK_STATES: dict[str, RemoteState] = {
    "error": "failed",
    "failed": "failed",
    "crashed": "failed",
    "canceled": "cancelled",
    "cancelled": "cancelled",
}
_CLOCK_DIFFERENCE_MS = 60_000  # allowed between n8n and us where its clock is not known


@dataclass(frozen=True, slots=True)
class Memo:
    """What polling remembers between two looks.

    Attributes:
        execution: Id of the execution, once known.
        workflow: Id of its workflow, if known.
        since: When it began at the earliest, in UTC epoch milliseconds by n8n's clock.
        misses: Looks that found no execution.
    """

    execution: str = ""
    workflow: str = ""
    since: int | None = None
    misses: int = 0

    @classmethod
    def read(cls, raw: JsonObject, call: RemoteCall) -> "Memo":
        """What ``as_json`` made; an empty one for a call whose answer never came."""
        return cls(
            execution=text_at(raw, "executionId"),
            workflow=text_at(raw, "workflowId") or call.workflow_id,
            since=int(number_at(raw, "since")) or _earliest(call),
            misses=int(number_at(raw, "misses")),
        )

    @classmethod
    def of_call(cls, call: RemoteCall, answer: HttpAnswer, elapsed_seconds: float) -> "Memo":
        """The memo right after the call. The answer shows n8n's clock, which may differ from ours."""
        try:
            shown = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except ValueError:
            return cls(workflow=call.workflow_id, since=_earliest(call))
        return cls(workflow=call.workflow_id, since=round((shown - elapsed_seconds) * 1000) - _MARGIN_MS)

    def as_json(self) -> JsonObject:
        """The memo as it is stored."""
        return {
            "executionId": self.execution,
            "workflowId": self.workflow,
            "since": self.since,
            "misses": self.misses,
        }


def answer_of(base: str, call: RemoteCall, answer: HttpAnswer, output: JsonValue, memo: Memo) -> RemoteAnswer:
    """An accepted call: its result, or the beginning of a wait."""
    found = execution_id_in(answer, output)
    return RemoteAnswer(
        state="completed" if call.completion == "response" else "running",
        output=output,
        status_code=answer.status,
        headers=kept_headers(answer),
        remote_id=found,
        link=link_to(base, memo.workflow, found),
        memo=Memo(found, memo.workflow, memo.since).as_json(),
    )


def failed_answer(base: str, answer: HttpAnswer, execution: JsonObject | None, reason: str) -> RemoteAnswer:
    """A workflow that ran and failed; the execution, if it was found, knows the reason better."""
    found = execution_id(execution) if execution else ""
    workflow = text_at(execution, "workflowId")
    if execution and state_of(execution) in {"failed", "cancelled"}:
        reason = _reason(execution) or reason
    return RemoteAnswer(
        state="failed",
        output=_output_or_none(answer),
        status_code=answer.status,
        headers=kept_headers(answer),
        remote_id=found,
        link=link_to(base, workflow, found),
        message=reason,
    )


def look_of(base: str, execution: JsonObject, known: Memo) -> RemoteLook:
    """How an execution fares. An ended one has to come with its data."""
    found = execution_id(execution)
    workflow = text_at(execution, "workflowId") or known.workflow
    state = state_of(execution)
    return RemoteLook(
        state,
        output=output_of(execution) if state == "completed" else None,
        remote_id=found,
        link=link_to(base, workflow, found),
        message=_reason(execution) if state in {"failed", "cancelled"} else waiting_sentence(execution),
        is_certain=state != "unknown",
        memo=Memo(found, workflow, known.since).as_json(),
    )


def look_of_callback(base: str, known: Memo, body: JsonValue) -> RemoteLook:
    """What a callback says. A body that names an execution or an error may also say that it failed."""
    found = text_at(body, "executionId") or known.execution
    state: RemoteState = "completed"
    message = ""
    if isinstance(body, dict) and ("executionId" in body or "error" in body):
        state = _CALLBACK_STATES.get(text_at(body, "status").lower(), "completed")
    if state != "completed":
        words = text_at(body, "error", "message") or text_at(body, "error") or text_at(body, "message")
        message = words or f"n8n called back with the status “{text_at(body, 'status')}” and no reason."
    return RemoteLook(
        state,
        output=body if state == "completed" else None,
        remote_id=found,
        link=link_to(base, known.workflow, found),
        message=message,
        memo=Memo(found, known.workflow, known.since).as_json(),
    )


def _reason(execution: JsonObject) -> str:
    if state_of(execution) == "cancelled":
        return f"execution {execution_id(execution)} was stopped in n8n."
    return failure_of(execution)


def _earliest(call: RemoteCall) -> int | None:
    return call.started_at - _CLOCK_DIFFERENCE_MS if call.started_at else None


def _output_or_none(answer: HttpAnswer) -> JsonValue:
    try:
        return webhook_output(answer)
    except ProviderError:
        return None
