"""What an answer of a flow says to the runner: a result, a failure, or that the end is still to come."""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteState
from orchestrator_app.errors import UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer, host_of
from orchestrator_app.providers.calls import kept_headers, read_output
from orchestrator_app.providers.flowise_api import PROVIDER
from orchestrator_app.providers.flowise_call import EXECUTE, Target, own_chat_id
from orchestrator_app.providers.flowise_stream import EXECUTED, is_stream, read_stream
from orchestrator_app.providers.json_reading import number_at, object_at, objects_at, text_at

CANCELLED = "Flow execution was cancelled"

_REASON_PREFIX = re.compile(r"^Error: \w+\.\w+ - ")
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Memo:
    """What polling and cancelling remember. Chat and session are empty where they follow from the call itself.

    Attributes:
        execution: Id of the execution, once known.
        chat: Chat id that the node chose.
        session: Session that the node chose.
        misses: Looks that found no execution.
        is_guess: The execution was found by its time, among others of the same session.
    """

    execution: str = ""
    chat: str = ""
    session: str = ""
    misses: int = 0
    is_guess: bool = False

    @classmethod
    def read(cls, raw: JsonObject) -> "Memo":
        """What ``as_json`` made; an empty one for a call whose answer never came."""
        return cls(
            text_at(raw, "executionId"),
            text_at(raw, "chatId"),
            text_at(raw, "sessionId"),
            int(number_at(raw, "misses")),
            raw.get("isGuess") is True,
        )

    @classmethod
    def of_call(cls, call: RemoteCall, target: Target, output: JsonObject) -> "Memo":
        """The memo right after the call, or after it was cut: then there is no output. It never holds the token."""
        own = own_chat_id(call)
        chat, session = target.ids(call)
        chat, session = text_at(output, "chatId") or chat, text_at(output, "sessionId") or session
        return cls(
            text_at(output, "executionId"), "" if chat == own else chat, "" if session == own else session
        )

    def as_json(self) -> JsonObject:
        """The memo as it is stored."""
        named = {"executionId": self.execution, "chatId": self.chat, "sessionId": self.session}
        memo: JsonObject = {name: value for name, value in named.items() if value}
        counted: JsonObject = {"misses": self.misses} if self.misses else {}
        return memo | counted | ({"isGuess": True} if self.is_guess else {})


@dataclass(frozen=True, slots=True)
class Said:
    """What Flowise said to a call, in one piece or streamed.

    Attributes:
        output: Its answer.
        failure: Flowise's own words about what went wrong, or empty.
        is_cancelled: The flow was stopped there.
    """

    output: JsonObject = field(default_factory=dict[str, Any])
    failure: str = ""
    is_cancelled: bool = False


def read_said(answer: HttpAnswer) -> Said:
    """Read an answer of the prediction API or of a webhook. Errors that are not Flowise's own say nothing here.

    Raises:
        OutcomeUnknown: A stream broke off.
        UnreadableAnswer: A good status, but nothing that Flowise would send.
    """
    if answer.status >= HTTPStatus.BAD_REQUEST:
        try:
            failure = without_prefix(text_at(answer.json(), "message"))
        except UnreadableAnswer:
            failure = ""
        return Said(failure=failure, is_cancelled=failure == CANCELLED)
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        return Said()
    if is_stream(answer):
        streamed = read_stream(answer)
        failure = without_prefix(streamed.failure)
        return Said(streamed.output, failure, streamed.is_cancelled or failure == CANCELLED)
    output = read_output(answer, provider=PROVIDER)
    if isinstance(output, dict):
        return Said(output)
    raise UnreadableAnswer(
        f"{host_of(answer.url)} did not answer as Flowise does: the answer is not a JSON object.",
        hint="Check the address of Flowise.",
        provider=PROVIDER,
        operation=EXECUTE,
        remote_status=answer.status,
    )


def without_prefix(reason: str) -> str:
    """Flowise's own words, without the name of its inner function."""
    return _REASON_PREFIX.sub("", reason)


def failed_answer(answer: HttpAnswer, said: Said) -> RemoteAnswer:
    """A flow that ran and failed, or was stopped."""
    return RemoteAnswer(
        "cancelled" if said.is_cancelled else "failed",
        status_code=answer.status,
        headers=kept_headers(answer),
        remote_id=text_at(said.output, "executionId"),
        message="the flow was stopped in Flowise." if said.is_cancelled else said.failure,
    )


def answer_of(
    call: RemoteCall, target: Target, answer: HttpAnswer, output: JsonObject, *, can_poll: bool
) -> RemoteAnswer:
    """An accepted call: its result, or the beginning of a wait."""
    stopped = is_stopped(output)
    state: RemoteState = "completed"
    message = ""
    if stopped and can_poll:
        state, message = "running", waiting_sentence(output)
    elif stopped:
        state = "failed"
        message = f"the flow stopped{_at_node(output)} and waits for a person, who must answer in Flowise."
    elif call.completion == "callback" or (
        answer.status == HTTPStatus.ACCEPTED and (can_poll or call.completion == "poll")
    ):
        state = "running"
    found = text_at(output, "executionId")
    return RemoteAnswer(
        state,
        without_token(output, call),
        status_code=answer.status,
        headers=kept_headers(answer),
        remote_id=found,
        link=executions_link(target.base) if found else "",
        message=message,
        memo=Memo.of_call(call, target, output).as_json(),
    )


def is_stopped(output: JsonObject) -> bool:
    """Whether the flow has stopped to ask a person."""
    return _stopped_step(output) is not None or bool(object_at(output, "action"))


def waiting_sentence(output: JsonObject) -> str:
    """Who is waited for, and where."""
    return f"waits for a person{_at_node(output)} in Flowise"


def executions_link(base: str) -> str:
    """Where Flowise shows executions: it has no address for a single one that is not shared with everybody."""
    return f"{base}/executions"


def without_token(output: JsonValue, call: RemoteCall) -> JsonValue:
    """The output without the callback token, which Flowise gives back as chat id and inside of what it received."""
    token = call.callback_token if call.completion == "callback" else ""
    return _hidden(output, token) if token else output


def _hidden(value: JsonValue, token: str) -> JsonValue:
    if isinstance(value, str):
        return value.replace(token, _HIDDEN)
    if isinstance(value, list):
        return [_hidden(item, token) for item in value]
    if isinstance(value, dict):
        kept: JsonObject = {}
        for name, item in value.items():
            if item != token:
                kept[name] = _hidden(item, token)
        return kept
    return value


def _stopped_step(output: JsonObject) -> JsonObject | None:
    steps = objects_at(output, EXECUTED)
    return next((step for step in reversed(steps) if text_at(step, "status") == "STOPPED"), None)


def _at_node(output: JsonObject) -> str:
    node = text_at(_stopped_step(output), "nodeLabel") or text_at(output, "action", "data", "nodeLabel")
    return f" at “{node}”" if node else ""
