"""A flow's answer that was streamed, put together from its events."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.errors import OutcomeUnknown
from orchestrator_app.providers.answers import HttpAnswer, host_of
from orchestrator_app.providers.flowise_api import PROVIDER
from orchestrator_app.providers.json_reading import list_at, object_at, text_at

EXECUTED = "agentFlowExecutedData"

_DATA = "data:"
# Each of these holds everything from the start again.
_EXECUTED_START = f'{{"event":"{EXECUTED}"'
_TAKEN_OVER = frozenset(
    {EXECUTED, "sourceDocuments", "usedTools", "calledTools", "fileAnnotations", "artifacts", "agentReasoning",
     "action", "usageMetadata"}
)  # fmt: skip


@dataclass(slots=True)
class Streamed:
    """What a stream said.

    Attributes:
        output: The answer as the prediction API gives it in one piece; the stream does not name the execution.
        failure: Why the flow failed, or empty.
        is_cancelled: It was stopped there.
    """

    output: JsonObject = field(default_factory=dict[str, Any])
    failure: str = ""
    is_cancelled: bool = False


def is_stream(answer: HttpAnswer) -> bool:
    """Whether the answer is a stream of events: a flow that cannot stream answers in one piece."""
    return answer.headers.get("content-type", "").lower().startswith("text/event-stream")


def read_stream(answer: HttpAnswer) -> Streamed:
    """Put the events together.

    Raises:
        OutcomeUnknown: The stream broke off before the flow had ended.
        UnreadableAnswer: It is no stream of Flowise.
    """
    said = Streamed()
    tokens: list[str] = []
    has_ended = False
    for event in _events(answer):
        name, data = text_at(event, "event"), event.get("data")
        if name == "token":
            tokens.append(data if isinstance(data, str) else "")
        elif name == "metadata":
            said.output |= object_at(event, "data")
        elif name in _TAKEN_OVER:
            said.output[name] = data
        elif name == "error":
            said.failure = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        elif name == "abort" or (name == "agentFlowEvent" and data == "TERMINATED"):
            said.is_cancelled = True
        elif name == "end":
            has_ended = True
    if not has_ended and not said.failure:
        raise OutcomeUnknown(
            f"The stream from {host_of(answer.url)} broke off before the flow had ended.",
            hint="Look in Flowise what became of it before you send it again.",
            provider=PROVIDER,
            operation=answer.operation,
            remote_status=answer.status,
        )
    steps = list_at(said.output, EXECUTED)
    text = "".join(tokens) or (text_at(steps[-1], "data", "output", "content") if steps else "")
    said.output = {"text": text, **said.output}
    return said


def _events(answer: HttpAnswer) -> list[JsonObject]:
    """Every event. The line before its data names none of them, and lines with a colon in front are heartbeats."""
    frames: list[str] = []
    executed = -1
    for block in answer.text().replace("\r\n", "\n").split("\n\n"):
        lines = [line[len(_DATA) :].strip() for line in block.split("\n") if line.startswith(_DATA)]
        frame = "".join(lines)
        if not frame:
            continue
        if frame.startswith(_EXECUTED_START):
            if executed >= 0:
                frames[executed] = "null"
            executed = len(frames)
        frames.append(frame)
    values: JsonValue = replace(answer, content=f"[{','.join(frames)}]".encode()).json()
    return [value for value in list_at({"events": values}, "events") if isinstance(value, dict)]
