"""The public route on which platforms report back to a waiting run."""

# ruff: noqa: FAST003 - addresses are in camelCase; ids.py says which name stands for which parameter

from typing import Any, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from orchestrator_app.api.auth import AnyCaller
from orchestrator_app.api.body import JSON, UTF8_NAMES, content_type, max_body_bytes, read_body
from orchestrator_app.api.ids import is_ours
from orchestrator_app.api.openapi import PREFIX, Answers, operation_id, problems
from orchestrator_app.api.run_schemas import CallbackAnswer
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.errors import BadRequest, UnsupportedMedia
from orchestrator_app.security.json_input import check_json, read_json
from orchestrator_app.security.signatures import Message
from orchestrator_app.services.callbacks import CHAT_KEY, TOKEN_KEY

FORM = "application/x-www-form-urlencoded"
BEARER = "bearer "
MAX_FORM_FIELDS = 1_000
NO_RUN = "-"

router = APIRouter(prefix=PREFIX, tags=["Callbacks"], generate_unique_id_function=operation_id)

_ANSWERS: Answers = {
    200: {"model": CallbackAnswer, "description": "It came before and is stored already: duplicate"},
    202: {"model": CallbackAnswer, "description": "It is stored, and the run goes on: accepted"},
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "description": "What the waiting node gets as its output. No body is an empty object.",
        "content": {
            JSON: {"schema": {"description": "Any JSON."}, "example": {"approved": True}},
            FORM: {"schema": {"type": "object", "additionalProperties": True}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}
_TOKENS: list[dict[str, Any]] = [
    {"name": "token", "in": "query", "required": False, "schema": {"type": "string"}},
    {"name": "X-Correlation-Token", "in": "header", "required": False, "schema": {"type": "string"}},
]


@router.post(
    "/callback",
    status_code=202,
    response_model=None,
    summary="Report back by the token alone",
    responses=_ANSWERS | problems(400, 404, 413, 415, 422),
    openapi_extra=_BODY | {"parameters": _TOKENS},
)
async def receive_callback_by_token(caller: AnyCaller, request: Request) -> Response:
    """The fixed address for platforms whose callback address is set once, such as the webhook trigger of Flowise.

    It does the same as the address that names the run. The token is taken from the same places, else from the field
    `chatId` of the body, and tells which run it belongs to. A token that is wrong, used for something else or expired
    gets the same 404.
    """
    raw = await read_body(request)
    body = _body(request, raw)
    token = _token(request, body) or _in_body(body, CHAT_KEY)
    return _answer(await caller.services.callbacks.receive(None, token, body, _message(request, raw)))


@router.post(
    "/callback/{runId}",
    status_code=202,
    response_model=None,
    summary="Report back to a waiting run",
    responses=_ANSWERS | problems(400, 404, 413, 415, 422),
    openapi_extra=_BODY
    | {
        "parameters": [
            {"name": "runId", "in": "path", "required": True, "schema": {"type": "string"}},
            *_TOKENS,
        ]
    },
)
async def receive_callback(caller: AnyCaller, request: Request) -> Response:
    """Stores what arrived and wakes the run; the answer comes once it is on disk.

    The token is taken from `Authorization: Bearer`, else `X-Correlation-Token`, else `?token=`, else the field
    `correlationToken` of the body. A token that is wrong, used for something else or expired gets the same 404.

    Where the orchestrator has a signing secret, `webhook-id`, `webhook-timestamp` and `webhook-signature` must be
    there too, as Standard Webhooks describes them; otherwise the answer is that 404 as well.
    """
    raw = await read_body(request)
    body = _body(request, raw)
    run_id = request.path_params["runId"]
    outcome = await caller.services.callbacks.receive(
        # A name that cannot be a run's is looked for like any other, so that both answers take the same time.
        run_id if is_ours(run_id) else NO_RUN,
        _token(request, body),
        body,
        _message(request, raw),
    )
    return _answer(outcome)


def _answer(outcome: Literal["accepted", "duplicate"]) -> Response:
    answer = CallbackAnswer(status=outcome)
    return Response(answer.model_dump_json(), 202 if outcome == "accepted" else 200, media_type=JSON)


def _token(request: Request, body: JsonValue) -> str:
    authorization = request.headers.get("authorization", "")
    bearer = authorization[len(BEARER) :].strip() if authorization.lower().startswith(BEARER) else ""
    return (
        bearer
        or request.headers.get("x-correlation-token", "").strip()
        or request.query_params.get("token", "").strip()
        or _in_body(body, TOKEN_KEY)
    )


def _in_body(body: JsonValue, key: str) -> str:
    found = body.get(key) if isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


def _message(request: Request, raw: bytes) -> Message:
    headers = request.headers
    return Message(
        headers.get("webhook-id", ""),
        headers.get("webhook-timestamp", ""),
        headers.get("webhook-signature", ""),
        raw,
    )


def _body(request: Request, raw: bytes) -> JsonValue:
    """What the platform sent: JSON as it is, a form as an object, a text as a text.

    Raises:
        BadRequest: It is not what its content type says.
        TooLarge: It has too many levels or values.
        UnsupportedMedia: It is something else.
    """
    if not raw:
        return {}
    kind, charset = content_type(request)
    if charset not in UTF8_NAMES:
        raise UnsupportedMedia("A callback must be in UTF-8.", hint="Send JSON in UTF-8.")
    if not kind or kind == JSON or kind.endswith("+json"):
        return read_json(raw, max_bytes=max_body_bytes(request))
    if kind != FORM and not kind.startswith("text/"):
        raise UnsupportedMedia(
            "A callback takes JSON, a form or a text.", hint="Send the header Content-Type: application/json."
        )
    text = _text(raw)
    # Many a client sends JSON as a form when it is told nothing else; a real form has no bare brace.
    if kind == FORM and text.lstrip().startswith(("{", "[")):
        return read_json(raw, max_bytes=max_body_bytes(request))
    return check_json(_form(text) if kind == FORM else text)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The body is not UTF-8.", hint="Send the body in the encoding UTF-8.") from error


def _form(text: str) -> JsonObject:
    """A form as an object; a field that is there several times becomes a list."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except ValueError as error:
        raise BadRequest("The form in the body cannot be read.", hint="Send JSON instead.") from error
    found: dict[str, list[JsonValue]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}
