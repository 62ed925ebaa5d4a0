"""A load balancer without stickiness: whoever connects is passed on to the next process that listens."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self

CHUNK_BYTES = 65_536


class Balancer:
    """One address before several processes, as a proxy is that balances by connection.

    Args:
        port: Where it listens on this machine.
        backends: Ports of the processes; each takes the next connection in turn, and one that refuses is left out.
    """

    def __init__(self, port: int, backends: list[int]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._backends = list(backends)
        self._preferred = 0
        self._open: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="balancer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._on_loop(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._on_loop(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def prefer(self, port: int) -> None:
        """From now on pass whoever connects on to this process, and to others only while it refuses."""
        self._preferred = port

    def cut(self) -> None:
        """Cut all connections, as a balancer that is started anew does."""
        self._on_loop(self._cut())

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)

    async def _close(self) -> None:
        self._server.close()
        await self._cut()

    async def _cut(self) -> None:
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._backends.append(self._backends.pop(0))
        for port in sorted(self._backends, key=lambda port: port != self._preferred):
            try:
                inner = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            self._open.add(task)
            with suppress(asyncio.CancelledError):
                await _pass_on(reader, inner[1], inner[0], writer)
            self._open.discard(task)
            return
        writer.close()


async def _pass_on(
    from_client: asyncio.StreamReader,
    to_backend: asyncio.StreamWriter,
    from_backend: asyncio.StreamReader,
    to_client: asyncio.StreamWriter,
) -> None:
    """Both ways until either end has left."""
    ways = [
        asyncio.create_task(_copy(from_client, to_backend)),
        asyncio.create_task(_copy(from_backend, to_client)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        for writer in (to_backend, to_client):
            writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await reader.read(CHUNK_BYTES):
            writer.write(content)
            await writer.drain()
