"""Runs that call: what the program adds to each call, how many runs it does at once, and branches side by side."""

import json
import statistics
from collections.abc import Iterator, Sequence

from bench.definitions import branches, chain, no_op
from bench.figures import Figure, number
from bench.load import Effort, Stretch
from bench.processes import echo_server, plain_caller, program
from bench.runs import MeasuredRuns

CHAIN_LENGTH = 10
CALLS = 5
CONCURRENCIES = (1, 16, 64)
BRANCHES = 10
BRANCH_MS = (100, 300)
_INPUT = {"order": {"id": 7, "total": 129.5}}
_BODY = json.dumps(_INPUT).encode()


def overhead(effort: Effort) -> Iterator[Figure]:
    """A chain of ten calls as a run, less the same calls made plainly."""
    with echo_server() as echo, plain_caller() as plain, program() as running:
        urls = [f"{echo}/step/{step}" for step in range(CHAIN_LENGTH)]
        measured = MeasuredRuns(running, chain(urls))
        runs: list[float] = []
        calls: list[float] = []
        for _ in range(effort.rounds):
            calls.append(plain.measure(urls, _INPUT, at_once=1, seconds=effort.seconds).median_ms)
            runs.append(measured.measure(_BODY, at_once=1, seconds=effort.seconds).median_ms)
        added = [(ours - other) / CHAIN_LENGTH for ours, other in zip(runs, calls, strict=True)]
        yield Figure("overhead", f"a chain of {CHAIN_LENGTH} calls", "ms", runs, calls)
        yield Figure("overhead", "added to each of its calls", "ms", added)


def throughput(effort: Effort) -> Iterator[Figure]:
    """Runs of one node that does nothing, and of five calls in a row, for one caller and for many."""
    with echo_server() as echo, plain_caller() as plain, program() as running:
        measured = MeasuredRuns(running, no_op())
        for at_once in CONCURRENCIES:
            runs = [
                measured.measure(_BODY, at_once=at_once, seconds=effort.seconds) for _ in range(effort.rounds)
            ]
            yield _figure("no-op run", at_once, runs)
        urls = [f"{echo}/step/{step}" for step in range(CALLS)]
        measured = MeasuredRuns(running, chain(urls))
        for at_once in CONCURRENCIES:
            runs, calls, lean = list[Stretch](), list[Stretch](), list[Stretch]()
            for _ in range(effort.rounds):
                calls.append(plain.measure(urls, _INPUT, at_once=at_once, seconds=effort.seconds))
                lean.append(
                    plain.measure(urls, _INPUT, at_once=at_once, seconds=effort.seconds, client="aiohttp")
                )
                runs.append(measured.measure(_BODY, at_once=at_once, seconds=effort.seconds))
            yield _figure(f"{CALLS} calls in a row", at_once, runs, calls, lean)


def fan_out(effort: Effort) -> Iterator[Figure]:
    """Ten branches of slow calls, against one such call."""
    with echo_server() as echo, plain_caller() as plain, program() as running:
        for milliseconds in BRANCH_MS:
            url = f"{echo}/wait/{milliseconds}"
            measured = MeasuredRuns(running, branches([url] * BRANCHES))
            runs: list[float] = []
            calls: list[float] = []
            for _ in range(effort.rounds):
                calls.append(plain.measure([url], _INPUT, at_once=1, seconds=effort.seconds).median_ms)
                runs.append(measured.measure(_BODY, at_once=1, seconds=effort.seconds).median_ms)
            what = f"{BRANCHES} parallel calls of {milliseconds} ms"
            yield Figure("fan-out", what, "ms", runs, calls, besides="plain: one such call")


def _figure(
    what: str,
    at_once: int,
    runs: Sequence[Stretch],
    calls: Sequence[Stretch] = (),
    lean: Sequence[Stretch] = (),
) -> Figure:
    """How long a run takes when it is alone; how many are done in a second when there are more."""
    besides = f"CPU {_middle([run.cpu_ms for run in runs])} ms a run"
    if calls:
        besides += f" (plain {_middle([call.cpu_ms for call in calls])})"
    if at_once == 1:
        values = [[stretch.median_ms for stretch in stretches] for stretches in (runs, calls, lean)]
        unit = "ms"
    else:
        values = [[stretch.per_second for stretch in stretches] for stretches in (runs, calls, lean)]
        unit = "runs/s"
        besides += f", median {_middle([run.median_ms for run in runs])} ms"
    besides += f", p95 {_middle([run.p95_ms for run in runs])} ms"
    return Figure("throughput", f"{what}, {at_once} at once", unit, *values, besides=besides)


def _middle(values: Sequence[float]) -> str:
    return number(statistics.median(values))
