"""FakeServer: one real HTTP server on 127.0.0.1, in a thread of its own, for sync and async tests alike.

    with FakeServer() as fake:
        fake.url                              # http://127.0.0.1:<port>, no slash at the end
        fake.journal                          # every request received, oldest first: method, path, query, headers
                                              # (names in lower case), body, text, json, at (seconds since the epoch)
        fake.calls("/echo/a", method="POST")  # those with exactly this path (and method)
        fake.wait_for("/echo/a", count=2)     # blocks until so many came, and returns them; fails after 5 s
        await fake.arrived("/echo/a")         # the same for async tests
        fake.clear()                          # empties the journal
        fake.is_lost = True                   # 404 for everything of the platforms, as a proxy that lost them
        fake.lose_answers(times=1)            # does what the next call wants, and hangs up; looks (GET) are answered

    Or as the pytest fixture ``fake_server`` (tests/fakes/fixtures.py).

Plain addresses (tests/fakes/echo.py), each of them also with anything behind it (``/echo/a``):
    /echo                   the received JSON (else the text, else nothing)
    /slow?ms=300            the same, later
    /status/503?retry_after=2&message=text
    /empty  /text?text=hi  /html  /bad-json  /binary
    /drop                   takes the request and hangs up     /cut  hangs up in the middle of the answer
    /garbage                answers something that is no HTTP  /redirect?to=URL
    /flaky?fail=2&key=k     503 for the first calls of this key, then as /echo
    /job?looks=2&end=done   POST: 202 with its own address as Location; GET: {"status": "running"}, at the second look
                            {"status": "done", "result": …}
    /calls-back?ms=100      202 at once, later POSTs {"done": true, "input": …} to ``callbackUrl`` of the JSON body

n8n (tests/fakes/n8n.py): ``fake.n8n2`` at /n8n-2 answers as release 2.41.1 does, ``fake.n8n1`` at /n8n-1 as 1.123.81.
    n8n = fake.n8n2
    n8n.base, n8n.key                         # address and API key of a connection
    flow = n8n.add_workflow("Orders", path="orders", mode="lastNode")   # see FakeWorkflow for everything it can do
    flow.url, flow.id                         # its production webhook; trigger="form" or "chat": that of those
    flow.executions                           # what its calls started; execution.trigger is the received item
    n8n.add_workflow("Slow", mode="onReceived", seconds=None)           # runs until execution.finish()
    n8n.limit_rate(times=1, retry_after=1)  n8n.drop(times=1)  n8n.api_delay_seconds = 1.0  n8n.is_api_open = False
    n8n.add_key("few", scopes={"workflow:list"})

Make (tests/fakes/make.py): ``fake.make`` at /make: the API at /make/api/v2, webhooks at /make/hook/…
    make = fake.make
    make.base, make.token                     # zone and API token of a connection; its one team is 16
    scenario = make.add_scenario("Invoices", seconds=None)              # see FakeScenario; runs until finish()
    scenario.executions[0].finish()
    make.add_hook_scenario("Leads", calls_back=True), make.hook_url(scenario)
    make.limit_rate(times=1)  make.drop(times=1)  make.break_down(times=1)  make.add_token("few", scopes={"hooks:read"})

Flowise (tests/fakes/flowise.py): ``fake.flowise`` at /flowise.
    flow = fake.flowise.add_flow("Support", text=lambda question: "You said: " + question)
    flow.id, fake.flowise.base, fake.flowise.key
    fake.flowise.add_flow("Hook", start="webhook", webhook_mode="async", callback_url=…)   # see FakeFlow for all
    fake.flowise.executions                   # what its calls started; fake.flowise.finish(run), run.decide("proceed")
    fake.flowise.rate_limited_times = 1       # also dropped_times, html_times, down_times, release, is_there
    fake.flowise.add_key("few", may_list=False, may_look=False)

Zapier (tests/fakes/zapier.py): ``fake.zapier`` at /zapier, the API at /zapier/api, Catch Hooks at /zapier/hooks/catch/….
    zap = fake.zapier.add_zap("New lead", calls_back=True)              # see FakeZap for everything it can do
    zap.hook_url, zap.id, fake.zapier.api, fake.zapier.token
    fake.zapier.runs                          # what calls started; run.status = "success" ends one
    fake.zapier.refuse(429, hooks=True)  fake.zapier.add_token("few", "zap")
"""

import asyncio
import contextlib
import threading
import time
from typing import Self

import aiohttp
from aiohttp import web

from tests.fakes.echo import FakeEcho
from tests.fakes.flowise import FakeFlowise
from tests.fakes.make import FakeMake
from tests.fakes.n8n import FakeN8n
from tests.fakes.wire import DROP, Received, Reply, text_reply
from tests.fakes.zapier import FakeZapier

WAIT_SECONDS = 5.0
NOT_FOUND = text_reply(
    "<html><head><title>404 Not Found</title></head></html>", 404, content_type="text/html"
)


class _Response(web.Response):
    """A response that names no content type unless it is told one."""

    async def _prepare_headers(self) -> None:
        has_type = "Content-Type" in self.headers
        await super()._prepare_headers()
        if not has_type:
            self.headers.pop("Content-Type", None)


class FakeServer:
    """The server with all its parts; see the module's docstring."""

    def __init__(self) -> None:
        self.journal: list[Received] = []
        self.url = ""
        self.echo = FakeEcho(self)
        self.n8n2 = FakeN8n(self, release=2)
        self.n8n1 = FakeN8n(self, release=1)
        self.make = FakeMake(self)
        self.flowise = FakeFlowise(self)
        self.zapier = FakeZapier(self)
        self.is_lost = False
        self._answers_to_lose = 0
        self._arrival = threading.Condition()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="fake-server", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(WAIT_SECONDS):
            raise RuntimeError("The fake server did not start.")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT_SECONDS)

    # --- the journal ---

    def calls(self, path: str = "", *, method: str = "") -> list[Received]:
        """Requests with exactly this path and method; an empty one means any."""
        return [
            request
            for request in list(self.journal)
            if (not path or request.path == path) and (not method or request.method == method)
        ]

    def clear(self) -> None:
        self.journal.clear()

    def lose_answers(self, times: int = 1) -> None:
        """Do what the next calls want, and hang up instead of answering; looks (GET) are answered."""
        self._answers_to_lose = times

    def wait_for(
        self, path: str, *, method: str = "", count: int = 1, timeout_seconds: float = WAIT_SECONDS
    ) -> list[Received]:
        """Block until so many such requests came."""
        with self._arrival:
            came = self._arrival.wait_for(
                lambda: len(self.calls(path, method=method)) >= count, timeout_seconds
            )
        if not came:
            seen = [f"{request.method} {request.path}" for request in self.journal]
            raise AssertionError(
                f"{count} x {method} {path} did not come within {timeout_seconds} s. Came: {seen}"
            )
        return self.calls(path, method=method)

    async def arrived(
        self, path: str, *, method: str = "", count: int = 1, timeout_seconds: float = WAIT_SECONDS
    ) -> list[Received]:
        """The same for async tests."""
        return await asyncio.to_thread(
            self.wait_for, path, method=method, count=count, timeout_seconds=timeout_seconds
        )

    # --- for the parts ---

    def call_soon(self, function: "object") -> None:
        """Run a function without arguments in the server's own loop."""
        assert self._loop is not None
        assert callable(function)
        self._loop.call_soon_threadsafe(function)

    def post_later(self, url: str, body: object, seconds: float) -> None:
        """POST JSON to an address, later; must be called in the server's loop."""
        task = asyncio.create_task(self._post(url, body, seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- inside ---

    async def _post(self, url: str, body: object, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self._session is None:
            self._session = aiohttp.ClientSession()
        with contextlib.suppress(aiohttp.ClientError):
            async with self._session.post(url, json=body) as answer:
                await answer.read()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = web.Server(self._handle)  # pyright: ignore[reportArgumentType]
        listener = await self._loop.create_server(server, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        await server.shutdown(0.05)
        await listener.wait_closed()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.path_qs.partition("?")
        received = Received(
            method=request.method,
            path=path,
            query_string=query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.content.read(),
            at=time.time(),
        )
        with self._arrival:
            self.journal.append(received)
            self._arrival.notify_all()
        reply = await self._reply(received)
        if received.method != "GET" and self._answers_to_lose > 0:
            self._answers_to_lose -= 1
            reply = DROP
        return await self._send(request, reply)

    async def _reply(self, received: Received) -> Reply:
        for part in (self.n8n2, self.n8n1, self.make, self.flowise, self.zapier):
            if received.path == part.prefix or received.path.startswith(part.prefix + "/"):
                return NOT_FOUND if self.is_lost else await part.answer(received)
        return await self.echo.answer(received)

    async def _send(self, request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        transport = request.transport
        if reply.action == "answer":
            return _Response(status=reply.status, body=reply.body, headers=reply.headers)
        if transport is not None:
            if reply.action == "garbage":
                transport.write(b"\x00\x01 this is no HTTP\r\n\r\n")  # pyright: ignore[reportAttributeAccessIssue]
            elif reply.action == "cut":
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
                transport.write(head + b'{"half":')  # pyright: ignore[reportAttributeAccessIssue]
            transport.close()
        return web.Response()
