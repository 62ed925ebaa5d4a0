"""A TCP server for tests that answers exactly what the test says, also what no web server would."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

USUAL_TRUST = ssl.create_default_context()  # reading all authorities takes a while, so once for all tests


class RawServer:
    """Runs a script for each connection; notes connections and complete requests.

    Args:
        script: What to do with a connection, or what to answer to every request.
        host: Where to listen.
        tls: For https.
        instead: Answers to requests in which the key stands.
    """

    def __init__(
        self,
        script: Script | bytes,
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        instead: Mapping[bytes, bytes] | None = None,
    ) -> None:
        self._script = script
        self._instead = dict(instead or {})
        self._host = host
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self._host}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop_listening(self) -> None:
        """From now on nobody can connect; open connections stay."""
        self._server.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if isinstance(self._script, bytes):
                while request := await self.read_request(reader):
                    found = [reply for mark, reply in self._instead.items() if mark in request]
                    writer.write(found[0] if found else self._script)
                    await writer.drain()
            else:
                await self._script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as some tests want it to
        finally:
            writer.close()

    async def read_request(self, reader: asyncio.StreamReader) -> bytes:
        """The next complete request, or nothing when the client closed the connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request


def answer(
    body: bytes = b"{}", *, status: str = "200 OK", headers: str = "Content-Type: application/json\r\n"
) -> bytes:
    """A complete HTTP answer."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


class OpenGuard:
    """Lets everything through; the real guard has tests of its own."""

    def check_url(self, url: str) -> None:
        """Nothing is refused."""

    def check_address(self, ip: str, port: int, host: str) -> None:
        """Nothing is refused."""
