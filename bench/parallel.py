"""Calls side by side: how much more than the slowest they take, and how well a limit on their number is used."""

import json
from collections.abc import Iterator

from bench.definitions import branches, merged
from bench.figures import Figure
from bench.load import Effort
from bench.processes import echo_server, plain_caller, program
from bench.runs import MeasuredRuns

BRANCHES = 400
# As many as the program allows the nodes of one run by default.
AT_ONCE = 10
BRANCH_MS = (0, 50)
MERGED_MS = (0, 50, 500)
_INPUT = {"order": {"id": 7, "total": 129.5}}
_BODY = json.dumps(_INPUT).encode()


def fanout400(effort: Effort) -> Iterator[Figure]:
    """Four hundred branches of one call each, ten of them at once."""
    with echo_server() as echo, plain_caller() as plain, program() as running:
        for milliseconds in BRANCH_MS:
            url = f"{echo}/wait/{milliseconds}" if milliseconds else f"{echo}/now"
            measured = MeasuredRuns(running, branches([url] * BRANCHES))
            runs: list[float] = []
            calls: list[float] = []
            for _ in range(effort.rounds):
                rate = plain.measure([url], _INPUT, at_once=AT_ONCE, seconds=effort.seconds).per_second
                calls.append(BRANCHES / rate * 1000)
                runs.append(measured.measure(_BODY, at_once=1, seconds=effort.seconds).median_ms)
            what = f"{BRANCHES} parallel calls of {milliseconds} ms, {AT_ONCE} at once"
            besides = f"plain: as many by {AT_ONCE} callers"
            yield Figure("fanout400", what, "ms", runs, calls, besides=besides)
            if milliseconds:
                ideal = BRANCHES / AT_ONCE * milliseconds
                used = [ideal / run * 100 for run in runs]
                yield Figure("fanout400", f"the same: use of the {AT_ONCE} slots", "%", used)


def http3(effort: Effort) -> Iterator[Figure]:
    """Three calls of different length, whose answers are merged and mapped."""
    with echo_server() as echo, plain_caller() as plain, program() as running:
        urls = [f"{echo}/wait/{milliseconds}" for milliseconds in MERGED_MS]
        measured = MeasuredRuns(running, merged(urls, {"data.order.total": "total"}))
        runs: list[float] = []
        calls: list[float] = []
        for _ in range(effort.rounds):
            calls.append(plain.measure(urls[-1:], _INPUT, at_once=1, seconds=effort.seconds).median_ms)
            runs.append(measured.measure(_BODY, at_once=1, seconds=effort.seconds).median_ms)
        what = f"calls of {', '.join(map(str, MERGED_MS))} ms, merged and mapped"
        yield Figure("http3", what, "ms", runs, calls, besides="plain: the slowest of them")
        added = [ours - other for ours, other in zip(runs, calls, strict=True)]
        yield Figure("http3", "added to the slowest", "ms", added)
