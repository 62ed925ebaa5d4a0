"""A kept-alive HTTP connection that costs next to nothing, so that making the load does not slow what is loaded."""

import asyncio
import re
from typing import Self, cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = slice(9, 12)  # of "HTTP/1.1 200 OK"


def post(url: str, body: bytes) -> bytes:
    """The bytes of a request that brings JSON."""
    lines = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return _head("POST", url, lines) + body


def get(url: str) -> bytes:
    """The bytes of a request that only reads."""
    return _head("GET", url)


def _head(method: str, url: str, lines: str = "") -> bytes:
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{lines}\r\n".encode()


class Connection(asyncio.Protocol):
    """One connection; it takes one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._received = bytearray()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect to the host of an address."""
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f"{url} does not name a host and a port.")
        _, connection = await asyncio.get_running_loop().create_connection(cls, parts.hostname, parts.port)
        return connection

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("The server has closed the connection.")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("The server hung up before it had answered."))

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._received += data
        start = self._received.find(b"\r\n\r\n") + 4
        if start < 4 or self._answer is None:  # noqa: PLR2004 - not found: -1 + 4
            return
        named = _LENGTH.search(self._received, 0, start)
        if named is None:
            self._answer.set_exception(ConnectionError("The answer does not say how long it is."))
            return
        if len(self._received) >= start + int(named[1]):
            answer = int(self._received[_STATUS]), bytes(self._received[start:])
            self._received.clear()
            self._answer.set_result(answer)
