import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread

import aiohttp
import httpx
import pytest

from orchestrator_app import server
from orchestrator_app.errors import Unavailable
from orchestrator_app.frontend import PROJECT_ROOT

# A program as small as possible with everything that a stop must respect. It prints what happens to it.
APP = """
import asyncio, contextlib, sys
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from orchestrator_app import server
from orchestrator_app.errors import ConfigurationError

def note(text):
    print(text, flush=True)

async def hello(request):
    return PlainTextResponse(f"hello {(await request.body()).decode()}")

async def slow(request):
    note("slow began")
    await asyncio.sleep(float(request.query_params["seconds"]))
    note("slow ended")
    return PlainTextResponse("at last")

async def stream(request):
    async def events():
        try:
            while True:
                yield "data: 1\\n\\n"
                await asyncio.sleep(0.01)
        finally:
            note("stream ended")
    return StreamingResponse(events(), media_type="text/event-stream")

async def watched(request):
    note("watched began")
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    note("watched ended")
    return PlainTextResponse("")

async def echo(websocket):
    await websocket.accept()
    with contextlib.suppress(Exception):
        while True:
            await websocket.send_text(await websocket.receive_text())
    note("websocket ended")

@contextlib.asynccontextmanager
async def lifespan(app):
    if "refuse" in sys.argv:
        raise ConfigurationError(["no data folder"])
    note("started")
    yield
    if "hang" in sys.argv:
        note("hanging")
        await asyncio.sleep(600)
    note("stopped")

routes = [Route("/hello", hello, methods=["GET", "POST"]), Route("/slow", slow), Route("/stream", stream),
          Route("/watched", watched), WebSocketRoute("/echo", echo)]
app = Starlette(routes=routes, lifespan=lifespan)
listener = server.listen("127.0.0.1", int(sys.argv[1]))
server.OPEN_REQUESTS_GRACE_SECONDS = 0.5
server._HEADER_READ_TIMEOUT_MS = 500
try:
    server.run(app, listener, on_ready=lambda: note("ready"))
except ConfigurationError as error:
    sys.exit(str(error))
"""


class Program:
    """The small program, running as a process of its own."""

    def __init__(self, path: Path, *arguments: str) -> None:
        with closing(server.listen("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, str(path), str(self.port), *arguments],
            env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.is_asked_to_stop = False
        self._lines: Queue[str] = Queue()
        self.log: list[str] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with self.process:
            for line in self.process.stdout or ():
                self._lines.put(line.rstrip())

    def wait_for(self, line: str) -> None:
        while line not in self.log:
            self.log.append(self._lines.get(timeout=20))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.is_asked_to_stop = True
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait until it has ended by itself, and give its exit status."""
        self._reader.join(20)
        while not self._lines.empty():
            self.log.append(self._lines.get())
        return self.process.wait(20)


@contextmanager
def running(path: Path, *arguments: str) -> Generator[Program]:
    program = Program(path, *arguments)
    try:
        yield program
        if not program.is_asked_to_stop:
            program.stop()
        program.end()
    finally:
        program.process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_text(APP)
    return file


@pytest.fixture
def program(path: Path) -> Iterator[Program]:
    with running(path) as program:
        program.wait_for("ready")
        yield program


def test_requests_are_answered(program: Program):
    assert httpx.post(f"{program.url}/hello", content=b"you").text == "hello you"


def test_the_application_has_started_before_the_server_says_so(program: Program):
    assert program.log == ["started", "ready"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_asked_to_stop_lets_the_application_end(program: Program, number: signal.Signals):
    program.stop(number)
    program.wait_for("stopped")
    assert program.end() == 0
    assert program.log == ["started", "ready", "stopped"]


async def test_a_request_that_is_being_worked_on_is_still_answered(program: Program):
    async with httpx.AsyncClient() as client:
        answer = asyncio.create_task(client.get(f"{program.url}/slow?seconds=0.2"))
        await asyncio.to_thread(program.wait_for, "slow began")
        program.stop()
        assert (await answer).text == "at last"
    await asyncio.to_thread(program.wait_for, "stopped")
    assert program.log[2:5] == ["slow began", "slow ended", "stopped"]


async def test_a_request_that_takes_too_long_does_not_hold_up_the_stop(program: Program):
    async with httpx.AsyncClient() as client:
        answer = asyncio.create_task(client.get(f"{program.url}/slow?seconds=600"))
        await asyncio.to_thread(program.wait_for, "slow began")
        program.stop()
        assert (await answer).status_code == 500
    await asyncio.to_thread(program.wait_for, "stopped")
    assert program.log[2:] == ["slow began", "stopped"]


async def test_open_streams_end_at_once(program: Program):
    async with httpx.AsyncClient() as client, client.stream("GET", f"{program.url}/stream") as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "data: 1"
        program.stop()
        with pytest.raises(httpx.RemoteProtocolError):
            async for _line in lines:
                pass
    await asyncio.to_thread(program.wait_for, "stopped")
    assert program.log[2:4] == ["stream ended", "stopped"]


async def test_a_handler_that_asks_learns_that_its_client_has_left(program: Program):
    async with httpx.AsyncClient() as client:
        asking = asyncio.create_task(client.get(f"{program.url}/watched"))
        await asyncio.to_thread(program.wait_for, "watched began")
        asking.cancel()
        await asyncio.to_thread(program.wait_for, "watched ended")


async def test_open_websockets_are_closed(program: Program):
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{program.url}/echo") as websocket:
        await websocket.send_str("hello")
        assert await websocket.receive_str() == "hello"
        program.stop()
        assert (await websocket.receive()).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
    await asyncio.to_thread(program.wait_for, "stopped")


def test_a_second_request_to_stop_ends_the_process_at_once(path: Path):
    with running(path, "hang") as program:
        program.wait_for("ready")
        program.stop()
        program.wait_for("hanging")
        program.stop()
        assert program.end() == -signal.SIGTERM


def test_what_hinders_the_start_is_told_as_it_is(path: Path):
    with running(path, "refuse") as program:
        program.wait_for("no data folder")
        assert program.end() == 1


def test_a_client_that_never_ends_its_headers_is_cut_off(program: Program):
    with socket.create_connection(("127.0.0.1", program.port), timeout=20) as client:
        client.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n")
        assert client.recv(1024) == b""


def test_one_process_serves(program: Program):
    children = subprocess.run(
        ["pgrep", "-P", str(program.process.pid)], capture_output=True, text=True, check=False
    )
    assert children.stdout.split() == []


def test_a_taken_port_is_refused_with_a_sentence(program: Program):
    with pytest.raises(Unavailable, match=f"Port {program.port} of 127.0.0.1 is taken") as caught:
        server.listen("127.0.0.1", program.port)
    assert "ORCHESTRATOR_PORT" in caught.value.hint


def test_an_address_of_another_machine_is_refused_with_a_sentence():
    with pytest.raises(Unavailable, match="cannot be listened on"):
        server.listen("192.0.2.1", 0)
