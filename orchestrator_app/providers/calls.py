"""A remote call as an HTTP request, and a complete answer as JSON: the same for every provider."""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer, host_of
from orchestrator_app.providers.client import HttpClient

CORRELATION_HEADER = "X-Correlation-Id"
IDEMPOTENCY_HEADER = "Idempotency-Key"
TRACE_HEADER = "traceparent"
CALLBACK_FIELD = "callbackUrl"

_ACCEPT = "application/json, text/plain;q=0.9, */*;q=0.5"
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_KEPT_HEADERS = frozenset({"content-type", "date", "etag", "location", "retry-after", TRACE_HEADER})
_KEPT_LENGTH = 500
_KEPT_COUNT = 30
_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HTML_STARTS = ("<!doctype html", "<html", "<head", "<body")


def call_headers(call: RemoteCall) -> dict[str, str]:
    """All headers of the call: the user's, and those by which the call can be recognised on the other side.

    The user may set an own idempotency key or trace context. The correlation id is always ours: polling looks
    for it.
    """
    headers = {
        name: value for name, value in call.headers.items() if name.lower() != CORRELATION_HEADER.lower()
    }
    taken = {name.lower() for name in headers}
    ours = {
        CORRELATION_HEADER: call.correlation_id,
        IDEMPOTENCY_HEADER: call.idempotency_key,
        TRACE_HEADER: call.traceparent,
        "Accept": _ACCEPT,
    }
    headers.update({name: value for name, value in ours.items() if value and name.lower() not in taken})
    return headers


def call_body(call: RemoteCall) -> tuple[bytes | None, str]:
    """The request body and its content type; None for no body at all."""
    if call.text_body is not None:
        return call.text_body.encode(), _TEXT
    if call.body is None:
        return None, ""
    return as_json_bytes(call.body), _JSON


def as_json_bytes(value: JsonValue) -> bytes:
    """The value as a JSON document in UTF-8."""
    return _WRITER.encode(value).encode(errors="replace")


async def send(
    client: HttpClient,
    call: RemoteCall,
    *,
    url: str,
    method: str = "",
    headers: Mapping[str, str] | None = None,
    content: tuple[bytes | None, str] | None = None,
) -> HttpAnswer:
    """Send the call and return its complete answer, whatever the status.

    Args:
        client: The guarded client.
        call: What to send.
        url: The address, found by the provider.
        method: The method, if it is not the call's own.
        headers: Headers of the connection; they win over the user's of the same name.
        content: Body and content type, if they are not the call's own.
    """
    chosen = (method or call.method).upper()
    body, content_type = content or call_body(call)
    own = dict(headers or {})
    own_names = {name.lower() for name in own}
    merged = {
        name: value for name, value in call_headers(call).items() if name.lower() not in own_names
    } | own
    if body is not None and not any(name.lower() == "content-type" for name in merged):
        merged["Content-Type"] = content_type
    return await client.request(
        chosen,
        url,
        headers=merged,
        content=body,
        timeout_seconds=call.timeout_seconds,
        provider=call.provider,
        operation="execute",
        is_safe_to_repeat=call.is_idempotent,
        leave_by=call.leave_by,
    )


def read_output(answer: HttpAnswer, *, provider: str, operation: str = "execute") -> JsonValue:
    """The answer's content as JSON: JSON is parsed, text becomes a JSON string, nothing becomes null.

    Raises:
        UnreadableAnswer: A web page, broken JSON or binary data.
    """
    if not answer.content.strip():
        return None
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _JSON or media_type.endswith("+json"):
        return answer.json()
    if not _is_text(media_type):
        raise UnreadableAnswer(
            f"{host_of(answer.url)} answered with data of the type {media_type}, which is neither JSON nor text.",
            hint="Let it answer with JSON.",
            provider=provider,
            operation=operation,
            remote_status=answer.status,
        )
    text = answer.text()
    if looks_like_html(text):
        raise UnreadableAnswer(
            f"{host_of(answer.url)} answered with a web page (HTML) instead of data.",
            hint="Check the address: it may lead to a login page or to the user interface instead of the API.",
            provider=provider,
            operation=operation,
            remote_status=answer.status,
            context={"answer": text[:200]},
        )
    if media_type:
        return text
    try:
        return answer.json()
    except UnreadableAnswer:
        return text


def looks_like_html(text: str) -> bool:
    """Whether the text is a web page, whatever its content type says."""
    return text.lstrip("\ufeff \t\r\n")[:40].lower().startswith(_HTML_STARTS)


def kept_headers(answer: HttpAnswer) -> dict[str, str]:
    """The answer's headers that are worth showing: what it is, when it came, and the platform's own."""
    kept = [
        (name, value[:_KEPT_LENGTH])
        for name, value in answer.headers.items()
        if name in _KEPT_HEADERS or name.startswith("x-")
    ]
    return dict(kept[:_KEPT_COUNT])


def origin_of(url: str) -> str:
    """Scheme, host and port of an address in one spelling, or empty when it is no web address."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _is_text(media_type: str) -> bool:
    return (
        not media_type
        or media_type.startswith("text/")
        or media_type.endswith(
            ("+xml", "/xml", "/javascript", "/x-www-form-urlencoded", "/x-ndjson", "/yaml")
        )
    )
