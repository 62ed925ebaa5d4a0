"""Runs that are started and not waited for: how soon they are taken, and how well a limit on their number is used."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial

from bench.connection import Connection, post
from bench.definitions import chain, no_op
from bench.figures import Figure
from bench.load import Effort, Stretch, measure
from bench.processes import cpu_clock, echo_server, program
from bench.runs import run_address, until_all_ended
from tests.processes import Program

JOBS = 2_000
JOB_MS = 100
LIMITS = (10, 50, 100)
STARTERS = 8
CONNECTIONS = (5, 250)
BODY_BYTES = 1_000
_ACCEPTED = 202


def sleep2000(effort: Effort) -> Iterator[Figure]:
    """Two thousand runs of one call of 100 ms, under several limits of runs at once."""
    for limit in LIMITS:
        ideal = limit / JOB_MS * 1000
        with echo_server() as echo, program(ORCHESTRATOR_RUN_CONCURRENCY=str(limit)) as running:
            address = run_address(running, chain([f"{echo}/wait/{JOB_MS}"]))
            rates = [_jobs_per_second(running, address) for _ in range(effort.rounds)]
        what = f"{JOBS:,} runs of {JOB_MS} ms, {limit} at once"
        besides = "plain: that many calls without a pause"
        yield Figure("sleep2000", what, "runs/s", rates, [ideal] * len(rates), besides=besides)


def hook_ceiling(effort: Effort) -> Iterator[Figure]:
    """Starts of a run that does nothing, as fast as they are taken; then the time until all of them have ended."""
    body = b'{"text": "' + b"x" * (BODY_BYTES - 12) + b'"}'
    for callers in CONNECTIONS:
        stretches: list[Stretch] = []
        refused: list[float] = []
        ended: list[float] = []
        with program() as running:
            address = run_address(running, no_op())
            for _ in range(effort.rounds):
                stretch, errors = asyncio.run(_started(running, address, body, callers, effort.seconds))
                begin = time.perf_counter()
                until_all_ended(running)
                ended.append(time.perf_counter() - begin)
                stretches.append(stretch)
                refused.append(errors * 100)
        what = f"starts of 1 KB, {callers} connections"
        yield Figure("hook-ceiling", what, "starts/s", [stretch.per_second for stretch in stretches])
        yield Figure("hook-ceiling", "the same: p99", "ms", [stretch.p99_ms for stretch in stretches])
        yield Figure("hook-ceiling", "the same: not accepted", "%", refused)
        yield Figure("hook-ceiling", "the same: last start to last end", "s", ended)


def _jobs_per_second(running: Program, address: str) -> float:
    """Start them all over some connections; the rate from the first start to the last end."""
    begin = time.perf_counter()
    asyncio.run(_start(address, JOBS))
    until_all_ended(running)
    return JOBS / (time.perf_counter() - begin)


async def _start(address: str, count: int) -> None:
    request = post(address, b"{}")

    async def start(share: int) -> None:
        connection = await Connection.open(address)
        for _ in range(share):
            status, answer = await connection.send(request)
            if status != _ACCEPTED:
                raise RuntimeError(f"A run did not start: {status} {answer[:2000].decode()}")
        connection.close()

    await asyncio.gather(*(start(count // STARTERS) for _ in range(STARTERS)))


async def _started(
    running: Program, address: str, body: bytes, callers: int, seconds: float
) -> tuple[Stretch, float]:
    """What starting took, and the share of starts that were not accepted."""
    request = post(address, body)
    answers = {True: 0, False: 0}

    async def start(connection: Connection) -> None:
        status, _ = await connection.send(request)
        answers[status == _ACCEPTED] += 1

    connections = [await Connection.open(address) for _ in range(callers)]
    works = [partial(start, connection) for connection in connections]
    stretch = await measure(works, seconds, cpu_clock(running.process.pid))
    for connection in connections:
        connection.close()
    return stretch, answers[False] / sum(answers.values())
