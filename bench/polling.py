"""A thousand runs that wait for executions outside: what it costs to look at them all."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.request import urlopen

from bench.connection import Connection, post
from bench.definitions import polled
from bench.figures import Figure, number
from bench.load import Effort
from bench.processes import cpu_clock, echo_server, memory_mb, program
from tests.processes import Program

RUNS = 1_000
# A platform's limit holds for each address; so many addresses allow the looks that so many runs want.
SERVERS = 4
# Until the pauses between looks have grown to half a minute.
GROWING_SECONDS = 130.0
STRETCH_SECONDS = 60.0
_ACCEPTED = 202


def poll1000(effort: Effort) -> Iterator[Figure]:
    """A thousand runs, each of which polls a status address every 2 s at first and every 30 s in the end."""
    cpu: list[float] = []
    looks: list[float] = []
    memory: list[float] = []
    with ExitStack() as stack:
        servers = [stack.enter_context(echo_server()) for _ in range(SERVERS)]
        running = stack.enter_context(program())
        asyncio.run(_start(running, servers))
        time.sleep(GROWING_SECONDS)
        clock = cpu_clock(running.process.pid)
        for _ in range(effort.rounds):
            cpu_before, looks_before, begin = clock(), _answered(servers), time.perf_counter()
            time.sleep(STRETCH_SECONDS)
            seconds = time.perf_counter() - begin
            cpu.append((clock() - cpu_before) / seconds * 100)
            looks.append((_answered(servers) - looks_before) / seconds)
            memory.append(memory_mb(running.process.pid))
    besides = f"{number(looks[-1])} looks/s, {number(memory[-1])} MB"
    yield Figure("poll1000", f"{RUNS:,} polled runs", "% of a core", cpu, besides=besides)


async def _start(running: Program, servers: list[str]) -> None:
    """Begin all runs, a share of them for each server."""

    async def begin(address: str, count: int) -> None:
        connection = await Connection.open(address)
        for _ in range(count):
            status, answer = await connection.send(post(address, b"{}"))
            if status != _ACCEPTED:
                raise RuntimeError(f"A run did not start: {status} {answer[:2000].decode()}")
        connection.close()

    addresses: list[str] = []
    for server in servers:
        graph = polled(f"{server}/start", f"{server}/state")
        orchestrator_id = running.create("Polled", graph.nodes, graph.edges)
        addresses.append(f"{running.url}/api/v1/orchestrator/{orchestrator_id}/run")
    share = RUNS // len(servers)
    await asyncio.gather(*(begin(address, share) for address in addresses))


def _answered(servers: list[str]) -> int:
    """How many requests the servers have answered."""
    total = 0
    for server in servers:
        with urlopen(f"{server}/count") as answer:  # noqa: S310 - an address of our own server
            total += int(answer.read())
    return total
