"""Serves an application from this one process: listening socket, start, clean stop.

One process, because then a crash ends everything at once, nothing is left that holds the port or the database, and
half the memory is enough. Granian's own command line would start a supervisor and a worker.
"""

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NoReturn

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server as EmbeddedGranian
from uvloop import run as run_loop

from orchestrator_app.errors import Unavailable

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

OPEN_REQUESTS_GRACE_SECONDS = 3.0
LAST_TASKS_GRACE_SECONDS = 1.0
_HEADER_READ_TIMEOUT_MS = 10_000
_BACKLOG = 1024
_MOST_CONNECTIONS = 4096  # every open tab holds one

# Granian's messages go where the program's own go.
_LOGGING: dict[str, Any] = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}


def listen(host: str, port: int) -> socket.socket:
    """Take the port, so that a second server on it is refused at once.

    Granian's own socket could be shared by two servers, which would then get every other request each.

    Raises:
        Unavailable: The port is taken, or not to be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"Port {port} of {host} is taken by another program.",
                hint="Stop that program, or set ORCHESTRATOR_PORT to a free port.",
            ) from error
        raise Unavailable(
            f"Port {port} of {host} cannot be listened on: {error.strerror}.",
            hint="Set ORCHESTRATOR_HOST and ORCHESTRATOR_PORT to an address of this machine.",
        ) from error
    listener.setblocking(False)  # noqa: FBT003 - the standard library takes no name
    return listener


def run(app: AsgiApp, listener: socket.socket, *, on_ready: Callable[[], None]) -> NoReturn:
    """Serve until asked to stop, and end the process.

    Raises:
        Exception: Whatever keeps the application from starting, as it is.
    """
    run_loop(_serve_and_leave(app, listener, on_ready))
    raise AssertionError  # pragma: no cover - the process has ended


async def _serve_and_leave(app: AsgiApp, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    was_asked = await serve(app, listener, on_ready=on_ready)
    # What is left belongs to connections whose other end is gone. asyncio itself would wait for it without end.
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=LAST_TASKS_GRACE_SECONDS)
    # Everything has ended in order but Granian's own threads. Python's way out would now and then pull the rug from
    # under them, and they would abort the process.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if was_asked else 1)


async def serve(app: AsgiApp, listener: socket.socket, *, on_ready: Callable[[], None]) -> bool:
    """Serve until asked to stop by SIGINT or SIGTERM; asked a second time, the process ends at once.

    To stop, websockets are closed, streams are ended, other requests get a moment to be answered, and then the
    application ends its own work.

    Returns:
        Whether it ended because it was asked to.
    """
    stop_asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _ask_to_stop, number, stop_asked)
    lifespan = _Lifespan(app)
    await lifespan.start()
    requests = _Requests(app)
    server = _Server(requests, listener)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop_asked.wait())
    on_ready()
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    requests.end_streams()
    await asyncio.wait({serving}, timeout=OPEN_REQUESTS_GRACE_SECONDS)
    requests.cancel()
    await lifespan.stop()
    await serving
    return stop_asked.is_set()


def _ask_to_stop(number: signal.Signals, stop_asked: asyncio.Event) -> None:
    if stop_asked.is_set():
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    stop_asked.set()


class _Requests:
    """The application as the server calls it. It knows the open requests, so that they can be ended."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._open: set[asyncio.Task[Any]] = set()
        self._stream_end = asyncio.Event()
        self._cancelled = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass one request on to the application."""
        task = asyncio.current_task()
        if scope["type"] != "http" or task is None:
            await self._keep_open(scope, receive, send)
            return
        messages = _RequestMessages(receive, self._stream_end)
        self._open.add(task)
        try:
            await self._app(scope, messages.receive, send)
        except asyncio.CancelledError:
            if not self._cancelled:  # otherwise the server would report it as the application's failure
                raise
        finally:
            self._open.discard(task)
            messages.close()

    async def _keep_open(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass on a websocket; that it is closed while the server stops is no failure of the application."""
        try:
            await self._app(scope, receive, send)
        except (Exception, asyncio.CancelledError):
            if not self._stream_end.is_set():
                raise

    def end_streams(self) -> None:
        """Tell every stream that its reader has left."""
        self._stream_end.set()

    def cancel(self) -> None:
        """End the requests that are still open."""
        self._cancelled = True
        for task in self._open:
            task.cancel()


class _RequestMessages:
    """What a request's client sends; once the body is read, that it has left."""

    def __init__(self, receive: Receive, stream_end: asyncio.Event) -> None:
        self._receive = receive
        self._stream_end = stream_end
        self._body_is_read = False
        self._leaving: asyncio.Future[Message] | None = None

    async def receive(self) -> Message:
        """The next message."""
        if not self._body_is_read:
            message = await self._receive()
            self._body_is_read = not message.get("more_body", False)
            return message
        # Kept between calls: an application that asks whether the client has left gives this hardly any time.
        self._leaving = self._leaving or asyncio.ensure_future(self._receive())
        if not self._leaving.done():
            ending = asyncio.ensure_future(self._stream_end.wait())
            try:
                await asyncio.wait({self._leaving, ending}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ending.cancel()
        return self._leaving.result() if self._leaving.done() else {"type": "http.disconnect"}

    def close(self) -> None:
        """Wait no longer."""
        if self._leaving is not None:
            self._leaving.cancel()


class _Server(EmbeddedGranian):
    """Granian on a socket that is already listening; the socket is its own from then on."""

    def __init__(self, app: AsgiApp, listener: socket.socket) -> None:
        self._listener = listener
        super().__init__(
            app,
            # Its lifespan support would wait without end for open requests before the application may stop.
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=_HEADER_READ_TIMEOUT_MS),
            backlog=_BACKLOG,
            backpressure=_MOST_CONNECTIONS,
            log_level=LogLevels.error,
            log_dictconfig=_LOGGING,
            log_access=False,
        )

    def _init_shared_socket(self) -> None:
        is_unix_socket = False
        # The types that Granian ships know no arguments.
        self._shd = SocketHolder(self._listener.detach(), is_unix_socket, _BACKLOG)  # pyright: ignore[reportCallIssue]


class _Lifespan:
    """Starts and stops an application by the lifespan protocol of ASGI."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._requests: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the application; whatever stops its start is raised as it is."""
        scope: Message = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._running = asyncio.ensure_future(self._app(scope, self._requests.get, self._answers.put))
        await self._ask("lifespan.startup")

    async def stop(self) -> None:
        """Let the application end its work; whatever goes wrong meanwhile is raised as it is."""
        await self._ask("lifespan.shutdown")

    async def _ask(self, request: str) -> None:
        if self._running is None or self._running.done():
            return
        self._requests.put_nowait({"type": request})
        answering = asyncio.ensure_future(self._answers.get())
        await asyncio.wait({answering, self._running}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done() or answering.result()["type"] != f"{request}.complete":
            answering.cancel()
            await self._running
