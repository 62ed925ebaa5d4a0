"""Runs as a caller sees them: from the request to the answer that tells their end."""

import asyncio
import time

from bench.connection import Connection, post
from bench.definitions import Graph
from bench.load import Stretch, Work, measure
from bench.processes import cpu_clock
from tests.processes import Program

_OK = 200
_STATE = b'"status":"'  # the run's own stands before those of its nodes
_COMPLETED = b'"COMPLETED"'
# Nobody is late by so much unless something is lost.
_MOST_SECONDS = 300.0


def run_address(program: Program, graph: Graph) -> str:
    """Where runs of a new orchestrator are started."""
    orchestrator_id = program.create("Measured", graph.nodes, graph.edges)
    return f"{program.url}/api/v1/orchestrator/{orchestrator_id}/run"


def assert_completed(status: int, answer: bytes) -> None:
    """The answer must tell of a run that did all it had to."""
    place = answer.find(_STATE) + len(_STATE) - 1
    if status != _OK or not answer.startswith(_COMPLETED, place):
        raise RuntimeError(f"A run did not complete: {status} {answer[:2000].decode()}")


def until_all_ended(program: Program) -> None:
    """Return when no run is open, each of which must have completed."""
    deadline = time.monotonic() + _MOST_SECONDS
    while program.ask("GET", "/runs?status=PENDING,RUNNING,WAITING&limit=1")["items"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"Some runs have not ended after {_MOST_SECONDS:.0f} s.")
        time.sleep(0.02)
    for run in program.ask("GET", "/runs?status=FAILED,CANCELLED&limit=1")["items"]:
        raise RuntimeError(f"A run did not complete: {run}")


class MeasuredRuns:
    """Runs of one orchestrator of a running program."""

    def __init__(self, program: Program, graph: Graph) -> None:
        self.orchestrator_id = program.create("Measured", graph.nodes, graph.edges)
        self._address = f"{program.url}/api/v1/orchestrator/{self.orchestrator_id}/run?wait=10"
        self._cpu = cpu_clock(program.process.pid)

    def measure(self, body: bytes, *, at_once: int, seconds: float) -> Stretch:
        """Run it again and again, from so many callers at once."""
        return asyncio.run(self._measure(post(self._address, body), at_once, seconds))

    async def _measure(self, request: bytes, at_once: int, seconds: float) -> Stretch:
        connections = [await Connection.open(self._address) for _ in range(at_once)]
        try:
            return await measure([_run(caller, request) for caller in connections], seconds, self._cpu)
        finally:
            for connection in connections:
                connection.close()


def _run(connection: Connection, request: bytes) -> Work:
    async def work() -> None:
        assert_completed(*await connection.send(request))

    return work
