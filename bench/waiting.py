"""Five thousand runs that wait, half for a callback and half for a time: what they hold, and how they outlive a kill."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from bench.connection import Connection, post
from bench.definitions import waiting
from bench.figures import Figure, number
from bench.load import Effort
from bench.processes import cpu_clock, echo_server, memory_mb, new_program
from tests.processes import Program

RUNS = 5_000
CALLERS = 16
# Long enough for all runs to have begun before the kill, and for the restart after it.
PATIENCE_SECONDS = 90.0
REST_SECONDS = 5.0
# Nobody is late by so much unless something is lost.
MOST_SECONDS = 120.0
_ACCEPTED = 202


def wait5000(effort: Effort) -> Iterator[Figure]:
    """Begin them all, kill the program, start it again, call half of them back; each must go on exactly once."""
    ready: list[float] = []
    memory: list[float] = []
    idle: list[float] = []
    resumed: list[float] = []
    empty_mb = before_mb = 0.0
    for _ in range(effort.rounds):
        with ExitStack() as stack:
            echo = stack.enter_context(echo_server())
            folder = stack.enter_context(TemporaryDirectory(prefix="orchestrator-bench-"))
            running = stack.enter_context(new_program(Path(folder)))
            empty_mb = memory_mb(running.process.pid)
            addresses = asyncio.run(_begin(running, echo))
            before_mb = memory_mb(running.process.pid)
            running.kill()
            begin = time.perf_counter()
            running.start()
            ready.append(time.perf_counter() - begin)
            idle.append(_idle(running))
            memory.append(memory_mb(running.process.pid))
            resumed.append(_resume(running, addresses))
            _check(running, echo)
    before = f"before the kill {number(before_mb)} MB, without runs {number(empty_mb)} MB"
    what = f"{RUNS:,} waiting runs"
    yield Figure("wait5000", f"kill -9 to ready, {what}", "s", ready, besides="to within 0.05 s")
    yield Figure("wait5000", f"memory with {what}", "MB", memory, besides=before)
    yield Figure("wait5000", f"CPU at rest, {what}", "% of a core", idle)
    yield Figure("wait5000", f"{RUNS // 2:,} callbacks, all accepted", "s", resumed)


async def _begin(running: Program, echo: str) -> list[str]:
    """Begin all runs, the timers first; the callback addresses of the others."""
    patience = waiting(f"{echo}/after", timeout_ms=int(PATIENCE_SECONDS * 1000))
    timers = running.create("Timers", patience.nodes, patience.edges)
    called = waiting(f"{echo}/after", timeout_ms=3_600_000)
    callbacks = running.create("Callbacks", called.nodes, called.edges)
    for orchestrator_id in (timers, callbacks):
        address = f"{running.url}/api/v1/orchestrator/{orchestrator_id}/run"
        await _send([post(address, b"{}")] * (RUNS // 2))
    _until_none(running, "PENDING,RUNNING")
    return await asyncio.to_thread(_addresses, running, callbacks)


def _addresses(running: Program, orchestrator_id: str) -> list[str]:
    """Where the runs of an orchestrator are called back."""
    found: list[str] = []
    query = f"/{orchestrator_id}/runs?limit=200"
    cursor = ""
    while True:
        page = running.ask("GET", f"{query}&cursor={cursor}" if cursor else query)
        for run in page["items"]:
            nodes = running.ask("GET", f"/runs/{run['id']}")["nodes"]
            found.append(next(node["callbackUrl"] for node in nodes if node["callbackUrl"]))
        cursor = page["nextCursor"]
        if not cursor:
            return found


def _idle(running: Program) -> float:
    """CPU time while nothing happens, in percent of a core."""
    cpu = cpu_clock(running.process.pid)
    before = cpu()
    time.sleep(REST_SECONDS)
    return (cpu() - before) / REST_SECONDS * 100


def _resume(running: Program, addresses: list[str]) -> float:
    """Call back, and return how long it took until all of that was accepted; then let everything end."""
    begin = time.perf_counter()
    asyncio.run(_send([post(address, b'{"done": true}') for address in addresses]))
    seconds = time.perf_counter() - begin
    _until_none(running, "PENDING,RUNNING,WAITING")
    return seconds


async def _send(requests: list[bytes]) -> None:
    """Send all requests over a few connections; each must be accepted."""

    async def send(share: list[bytes]) -> None:
        address = share[0].split(b"\r\nHost: ", 1)[1].split(b"\r\n", 1)[0].decode()
        connection = await Connection.open(f"http://{address}")
        for request in share:
            status, answer = await connection.send(request)
            if status != _ACCEPTED:
                raise RuntimeError(f"Not accepted: {status} {answer[:2000].decode()}")
        connection.close()

    await asyncio.gather(*(send(requests[first::CALLERS]) for first in range(CALLERS)))


def _until_none(running: Program, states: str) -> None:
    """Return when no run is in any of these states."""
    deadline = time.monotonic() + MOST_SECONDS
    while running.ask("GET", f"/runs?status={states}&limit=1")["items"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"Some runs are still {states}.")
        time.sleep(0.1)


def _check(running: Program, echo: str) -> None:
    """Each run has completed, and made its one call."""
    for run in running.ask("GET", "/runs?status=FAILED&limit=1")["items"]:
        raise RuntimeError(f"A run failed: {run['failure']}")
    with urlopen(f"{echo}/count") as answer:  # noqa: S310 - an address of our own server
        calls = int(answer.read())
    if calls != RUNS:
        raise RuntimeError(f"{RUNS} runs that waited made {calls} calls afterwards.")
