"""Runs as a caller sees them, from the request to the answer that tells their end; and the same calls without a run."""

import asyncio
from collections.abc import Callable

from bench.connection import Connection, post
from bench.definitions import Graph
from bench.load import CpuClock, Stretch, Work, measure
from bench.processes import cpu_clock
from tests.processes import Program

_OK = 200
_STATE = b'"status":"'  # the run's own stands before those of its nodes
_COMPLETED = b'"COMPLETED"'


class MeasuredRuns:
    """Runs of one orchestrator of a running program."""

    def __init__(self, program: Program, graph: Graph) -> None:
        self.orchestrator_id = program.create("Measured", graph.nodes, graph.edges)
        self._address = f"{program.url}/api/v1/orchestrator/{self.orchestrator_id}/run?wait=10"
        self._cpu = cpu_clock(program.process.pid)

    def measure(self, body: bytes, *, at_once: int, seconds: float) -> Stretch:
        """Run it again and again, from so many callers at once."""
        request = post(self._address, body)
        return _measured(self._address, at_once, seconds, self._cpu, lambda caller: _run(caller, request))


def measure_bare_calls(urls: list[str], body: bytes, *, at_once: int, seconds: float) -> Stretch:
    """The calls of a run, one after the other, on connections that cost next to nothing."""
    requests = [post(url, body) for url in urls]
    return _measured(urls[0], at_once, seconds, _no_cpu, lambda caller: _bare_calls(caller, requests))


def _run(connection: Connection, request: bytes) -> Work:
    async def work() -> None:
        status, answer = await connection.send(request)
        place = answer.find(_STATE) + len(_STATE) - 1
        if status != _OK or not answer.startswith(_COMPLETED, place):
            raise RuntimeError(f"A run did not complete: {status} {answer[:2000].decode()}")

    return work


def _bare_calls(connection: Connection, requests: list[bytes]) -> Work:
    async def work() -> None:
        for request in requests:
            status, _ = await connection.send(request)
            if status != _OK:
                raise RuntimeError(f"The echo server answered {status}.")

    return work


def _measured(
    host: str, at_once: int, seconds: float, cpu: CpuClock, worker: Callable[[Connection], Work]
) -> Stretch:
    async def main() -> Stretch:
        connections = [await Connection.open(host) for _ in range(at_once)]
        try:
            return await measure([worker(connection) for connection in connections], seconds, cpu)
        finally:
            for connection in connections:
                connection.close()

    return asyncio.run(main())


def _no_cpu() -> float:
    """Nobody asks what the measuring itself costs."""
    return 0.0
