"""Runs of many nodes in a row: what each node costs beyond the work that it does."""

import json
from collections.abc import Iterator, Sequence

from bench.definitions import chain, mappers, no_op
from bench.figures import Figure, median, number
from bench.load import Effort
from bench.mapping import measure_expressions
from bench.processes import echo_server, plain_caller, program
from bench.runs import MeasuredRuns

LIGHT = (40, 10)  # nodes, and the number of Fibonacci's that each call computes
HEAVY = (10, 27)
LENGTHS = (10, 30, 60)
CALLERS = 16
_EXPRESSION = "$sum([data.order.total, data.order.id]) * 2"
_INPUT = {"order": {"id": 7, "total": 129.5}}
_BODY = json.dumps(_INPUT).encode()


def seq40(effort: Effort) -> Iterator[Figure]:
    """Forty light steps: calls of a server that computes a little, and mappings by one expression."""
    yield from _computing_calls("seq40", *LIGHT, effort)
    nodes = LIGHT[0]
    with program() as running:
        measured = MeasuredRuns(running, mappers({_EXPRESSION: "sum"}, nodes))
        runs: list[float] = []
        plain: list[float] = []
        for _ in range(effort.rounds):
            plain.append(nodes * measure_expressions([_EXPRESSION], _INPUT, effort.seconds).median_ms)
            runs.append(measured.measure(_BODY, at_once=1, seconds=effort.seconds).median_ms)
        yield from _with_overhead("seq40", f"{nodes} mappings in a row", nodes, runs, plain)


def seq10(effort: Effort) -> Iterator[Figure]:
    """Ten calls of a server that computes for some time."""
    yield from _computing_calls("seq10", *HEAVY, effort)


def nodes(effort: Effort) -> Iterator[Figure]:
    """Nodes that do nothing, more and more of them in a run: whether each costs the same."""
    with program() as running:
        for length in LENGTHS:
            measured = MeasuredRuns(running, no_op(length))
            stretches = [
                measured.measure(_BODY, at_once=CALLERS, seconds=effort.seconds) for _ in range(effort.rounds)
            ]
            rates = [stretch.per_second * length for stretch in stretches]
            per_run = median([stretch.per_second for stretch in stretches]) or 0.0
            besides = f"{number(per_run)} runs/s, {CALLERS} at once"
            yield Figure(
                "nodes", f"runs of {length} nodes that do nothing", "nodes/s", rates, besides=besides
            )


def _computing_calls(scenario: str, length: int, argument: int, effort: Effort) -> Iterator[Figure]:
    with echo_server() as echo, plain_caller() as plain, program() as running:
        urls = [f"{echo}/fibo/{argument}"] * length
        measured = MeasuredRuns(running, chain(urls))
        runs: list[float] = []
        calls: list[float] = []
        for _ in range(effort.rounds):
            calls.append(plain.measure(urls, _INPUT, at_once=1, seconds=effort.seconds).median_ms)
            runs.append(measured.measure(_BODY, at_once=1, seconds=effort.seconds).median_ms)
        what = f"{length} calls in a row that compute fibo({argument})"
        yield from _with_overhead(scenario, what, length, runs, calls)


def _with_overhead(
    scenario: str, what: str, length: int, runs: Sequence[float], plain: Sequence[float]
) -> Iterator[Figure]:
    """The time of a run, and what each of its nodes adds to the work."""
    added = [(ours - other) / length for ours, other in zip(runs, plain, strict=True)]
    yield Figure(scenario, what, "ms", runs, plain)
    yield Figure(scenario, "added to each of them", "ms", added)
