"""What the answer of an n8n webhook means: its data, an execution id in it, a failure of the workflow."""

import json
import re
from http import HTTPStatus
from typing import cast

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.errors import UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.calls import looks_like_html, read_output
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.n8n_api import PROVIDER
from orchestrator_app.providers.n8n_refusals import message_of

NO_ITEM = "No item to return was found"

_ID_NAMES = ("executionId", "execution_id", "executionID")
_ID_HEADERS = ("x-execution-id", "x-n8n-execution-id", "execution-id", "executionid")
_FORM_PAGE = re.compile(r"/form-waiting/(\d+)(?:[/?]|$)")
_STREAM_START = b'{"type":"begin"'


def webhook_output(answer: HttpAnswer) -> JsonValue:
    """The answer as JSON. n8n sends texts, also those that are JSON, as HTML, and streams as lines of JSON.

    Raises:
        UnreadableAnswer: It is a web page that no workflow made, or not text at all.
    """
    if pieces := _pieces(answer):
        return {
            "output": "".join(text_at(piece, "content") for piece in pieces if piece.get("type") == "item")
        }
    if not answer.headers.get("content-type", "").lower().startswith("text/html"):
        return read_output(answer, provider=PROVIDER)
    text = answer.text()
    if looks_like_html(text):
        return text if is_from_workflow(answer) else read_output(answer, provider=PROVIDER)
    try:
        return answer.json()
    except UnreadableAnswer:
        return text or None


def execution_id_in(answer: HttpAnswer, output: JsonValue) -> str:
    """The id of the execution, where the workflow's author put it into the answer; else empty."""
    found = [answer.headers.get(name, "") for name in _ID_HEADERS]
    first = output[0] if isinstance(output, list) and output else output
    found += [text_at(first, name) for name in _ID_NAMES]
    if page := _FORM_PAGE.search(text_at(first, "formWaitingUrl")):
        found.append(page.group(1))
    if answer.headers.get("content-type", "").startswith("text/") and isinstance(first, int | str):
        found.append(text_at({"at": first}, "at"))
    return next((value for value in found if value.isdecimal() and int(value) > 0), "")


def is_from_workflow(answer: HttpAnswer) -> bool:
    """Whether the workflow itself made this answer: n8n puts those, and only those, into a sandbox."""
    return answer.headers.get("content-security-policy", "").startswith("sandbox")


def tells_failure(answer: HttpAnswer) -> bool:
    """Whether n8n says that it took the call and the workflow failed, so that repeating is no remedy."""
    if any(piece.get("type") == "error" for piece in _pieces(answer)):
        return True
    if is_from_workflow(answer):
        return answer.status >= HTTPStatus.BAD_REQUEST
    return answer.status == HTTPStatus.INTERNAL_SERVER_ERROR and bool(message_of(answer))


def failure_text(answer: HttpAnswer) -> str:
    """The reason that such an answer gives, for when the execution itself cannot be asked."""
    broken = [text_at(piece, "content") for piece in _pieces(answer) if piece.get("type") == "error"]
    if broken:
        return f"n8n says “{broken[-1]}”." if broken[-1] else "its stream broke off with an error."
    words = message_of(answer)
    if is_from_workflow(answer):
        return f"it answered with status {answer.status}" + (f": {words}" if words else ".")
    if words == NO_ITEM:
        return f"n8n says “{words}”. Turn on “Always Output Data” at the last node of the workflow."
    return f"n8n says “{words}”."


def _pieces(answer: HttpAnswer) -> list[JsonObject]:
    """The pieces of a streamed answer, one JSON object in each line; empty for any other answer."""
    if not answer.content.lstrip().startswith(_STREAM_START):
        return []
    pieces: list[JsonObject] = []
    for line in answer.text().splitlines():
        try:
            piece = cast("JsonValue", json.loads(line)) if line.strip() else {}
        except ValueError:
            return []
        if isinstance(piece, dict) and piece:
            pieces.append(piece)
    return pieces
