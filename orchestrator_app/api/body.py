"""Reads request bodies: counted while they stream in, of the right content type, and JSON that is strictly JSON."""

from collections.abc import Callable, Coroutine
from email.message import Message
from functools import lru_cache
from typing import Annotated, Any, cast

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import BadRequest, TooLarge, UnsupportedMedia
from orchestrator_app.security.json_input import read_json

JSON = "application/json"
UTF8_NAMES = frozenset({"", "utf-8", "utf8", "us-ascii"})


class JsonRoute(APIRoute):
    """A route whose JSON body is read by the rules of this module before FastAPI checks it against its model."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI."""
        handle = super().get_route_handler()
        field = self.body_field
        if field is None:
            return handle
        is_required = field.field_info.is_required()

        async def read_then_handle(request: Request) -> Response:
            raw = await read_body(request)
            if not raw and not is_required:
                return await handle(_ReadRequest(request, raw, None))
            return await handle(_ReadRequest(request, raw, _json_of(request, raw)))

        return read_then_handle


class _ReadRequest(Request):
    """A request whose body has been read and parsed."""

    def __init__(self, request: Request, raw: bytes, value: JsonValue) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = raw
        self._value = value

    async def body(self) -> bytes:
        """The bytes."""
        return self._raw

    async def json(self) -> JsonValue:
        """The value."""
        return self._value


async def read_body(request: Request) -> bytes:
    """The body's bytes.

    Raises:
        TooLarge: There are more than the settings allow; the rest is not read.
        UnsupportedMedia: They are compressed.
    """
    most = max_body_bytes(request)
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise UnsupportedMedia(
            "Compressed bodies are not taken here.", hint="Send the body without Content-Encoding."
        )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > len(str(most)) or int(announced) > most):
        raise _too_large(most)
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise _too_large(most)
        pieces.append(piece)
    return b"".join(pieces)


async def json_body(request: Request) -> JsonValue:
    """The body as JSON of any kind.

    Raises:
        BadRequest: It is empty, or is not JSON.
        TooLarge: It has more bytes, depth or values than allowed.
        UnsupportedMedia: The content type is not JSON.
    """
    return _json_of(request, await read_body(request))


async def json_body_or_empty(request: Request) -> JsonValue:
    """The body as JSON of any kind; no body at all is an empty object. Raises as ``json_body`` does."""
    raw = await read_body(request)
    return _json_of(request, raw) if raw else {}


AnyJson = Annotated[JsonValue, Depends(json_body)]
AnyJsonOrEmpty = Annotated[JsonValue, Depends(json_body_or_empty)]


def content_type(request: Request) -> tuple[str, str]:
    """The body's media type and charset in lower case; both empty when none is named.

    Raises:
        BadRequest: There are several.
    """
    named = request.headers.getlist("content-type")
    if len(named) > 1:
        raise BadRequest("The header Content-Type is there more than once.", hint="Send it once.")
    return _media_type(named[0]) if named else ("", "")


@lru_cache(maxsize=64)
def _media_type(named: str) -> tuple[str, str]:
    message = Message()
    message["content-type"] = named
    return message.get_content_type(), str(message.get_param("charset", "")).lower()


def max_body_bytes(request: Request) -> int:
    """The largest body that the settings allow."""
    return cast("int", request.app.state.max_body_bytes)


def any_json_in_openapi(description: str, example: JsonValue, *, required: bool) -> dict[str, Any]:
    """How a body of any JSON is described, since no model does."""
    content = {JSON: {"schema": {"description": description}, "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def _json_of(request: Request, raw: bytes) -> JsonValue:
    kind, charset = content_type(request)
    if kind != JSON or charset not in UTF8_NAMES:
        raise UnsupportedMedia(
            "This address takes JSON in UTF-8 only.", hint=f"Send the header Content-Type: {JSON}."
        )
    return read_json(raw, max_bytes=max_body_bytes(request))


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is larger than {most:,} bytes.", hint="Send less at once.")
