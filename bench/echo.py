"""The other side of every measured call: a lean HTTP server in a process of its own, which sends the body back.

``/wait/300`` answers after 300 ms, ``/fibo/27`` once it has computed that number of Fibonacci's in the slowest way,
every other path at once, and ``/count`` with the number of requests before it. It ends when its standard input does.
"""

import asyncio
import re
import sys
from typing import cast

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_WAIT = re.compile(rb"\S+ /wait/(\d+)")
_FIBO = re.compile(rb"\S+ /fibo/(\d+)")
_COUNT = re.compile(rb"\S+ /count ")


class Echo(asyncio.Protocol):
    """One connection. ``answered`` counts the requests of all of them."""

    answered = 0

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while True:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            named = _LENGTH.search(head)
            length = int(named[1]) if named else 0
            if not end or len(rest) < length:
                return
            self._received = rest[length:]
            body = str(Echo.answered).encode() if _COUNT.match(head) else rest[:length]
            Echo.answered += 1
            answer = _ANSWER % (len(body), body)
            if asked := _FIBO.match(head):
                fibo(int(asked[1]))
            wait = _WAIT.match(head)
            if wait:
                asyncio.get_running_loop().call_later(int(wait[1]) / 1000, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)


def fibo(number: int) -> int:
    """One of Fibonacci's numbers: work for the processor, as other programs' benchmarks have it."""
    return number if number < 2 else fibo(number - 1) + fibo(number - 2)  # noqa: PLR2004 - the first two are given


async def serve() -> None:
    """Serve at a free port, and tell its address."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
