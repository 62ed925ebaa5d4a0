"""Runs that are waited for by whoever starts them: how long the answer takes, also of many and at a steady pace."""

import asyncio
import json
import time
from collections.abc import Iterator

from bench.connection import Connection, post
from bench.definitions import conditions, no_op
from bench.figures import Figure, number
from bench.load import Effort, percentile
from bench.mapping import measure_expressions
from bench.processes import program
from bench.runs import MeasuredRuns, assert_completed, run_address

CONNECTIONS = (1, 2, 4, 8)
RUNS_PER_MINUTE = 500
# Fewer runs than that say nothing about the slowest of them.
FEWEST_RUNS = 30
CONDITIONS = [f"data.order.total > {limit}" for limit in (10, 20, 40, 80, 100)]
_INPUT = {"order": {"id": 7, "total": 129.5}}
_BODY = json.dumps(_INPUT).encode()


def hook_floor(effort: Effort) -> Iterator[Figure]:
    """A run that does nothing, answered when it has ended, over few connections."""
    with program() as running:
        measured = MeasuredRuns(running, no_op())
        for callers in CONNECTIONS:
            stretches = [
                measured.measure(_BODY, at_once=callers, seconds=effort.seconds) for _ in range(effort.rounds)
            ]
            what = f"no-op run, {callers} connections" if callers > 1 else "no-op run, 1 connection"
            rate = number(percentile([stretch.per_second for stretch in stretches], 0.5))
            medians = [stretch.median_ms for stretch in stretches]
            yield Figure("hook-floor", f"{what}: p50", "ms", medians, besides=f"{rate} runs/s")
            yield Figure("hook-floor", f"{what}: p95", "ms", [stretch.p95_ms for stretch in stretches])
            yield Figure("hook-floor", f"{what}: p99", "ms", [stretch.p99_ms for stretch in stretches])


def branch5(effort: Effort) -> Iterator[Figure]:
    """Five decisions in a row, at a steady pace that does not wait for the answers."""
    medians: list[float] = []
    p95s: list[float] = []
    plain: list[float] = []
    with program() as running:
        address = run_address(running, conditions(CONDITIONS)) + "?wait=60"
        for _ in range(effort.rounds):
            plain.append(measure_expressions(CONDITIONS, _INPUT, effort.seconds).median_ms)
            times = asyncio.run(_at_pace(address, RUNS_PER_MINUTE / 60, effort.seconds))
            medians.append(percentile(times, 0.5))
            p95s.append(percentile(times, 0.95))
    what = f"{len(CONDITIONS)} conditions in a row, {RUNS_PER_MINUTE} runs a minute"
    yield Figure("branch5", f"{what}: p50", "ms", medians, plain, besides="plain: the expressions alone")
    yield Figure("branch5", f"{what}: p95", "ms", p95s)


async def _at_pace(address: str, per_second: float, seconds: float) -> list[float]:
    """How long each answer took, in milliseconds, from the moment at which its start was due."""
    request = post(address, _BODY)
    idle: list[Connection] = []

    async def run(due: float) -> float:
        await asyncio.sleep(due - time.perf_counter())
        connection = idle.pop() if idle else await Connection.open(address)
        assert_completed(*await connection.send(request))
        idle.append(connection)
        return (time.perf_counter() - due) * 1000

    await run(time.perf_counter())  # the first run warms everything up
    count = max(FEWEST_RUNS, round(seconds * per_second))
    begin = time.perf_counter()
    times = await asyncio.gather(*(run(begin + number / per_second) for number in range(count)))
    for connection in idle:
        connection.close()
    return times
