"""The command line: ``python -m bench [NAME …]`` measures and prints one table."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.answers import branch5, hook_floor
from bench.calls import fan_out, overhead, throughput
from bench.canvas import canvas200
from bench.comparison import compared, read
from bench.figures import Figure, lines
from bench.history import list1m
from bench.live import live
from bench.load import Effort
from bench.mapping import mapping
from bench.parallel import fanout400, http3
from bench.polling import poll1000
from bench.queue import hook_ceiling, sleep2000
from bench.start import start
from bench.steps import nodes, seq10, seq40
from bench.waiting import wait5000

SCENARIOS: dict[str, Callable[[Effort], Iterator[Figure]]] = {
    "throughput": throughput,
    "fan-out": fan_out,
    "start": start,
    "overhead": overhead,
    "seq40": seq40,
    "seq10": seq10,
    "nodes": nodes,
    "branch5": branch5,
    "http3": http3,
    "mapping": mapping,
    "hook-floor": hook_floor,
    "live": live,
    "canvas200": canvas200,
}
# These take minutes each, so that they are measured only when they are named.
LONG: dict[str, Callable[[Effort], Iterator[Figure]]] = {
    "fanout400": fanout400,
    "sleep2000": sleep2000,
    "hook-ceiling": hook_ceiling,
    "list1m": list1m,
    "poll1000": poll1000,
    "wait5000": wait5000,
}
_QUICK = Effort(rounds=1, seconds=0.5)
# With so much going on per core before anything is measured, the figures say more about the neighbours.
_BUSY = 0.4


def main() -> int:
    """Measure, print, and give the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure Orchestrator on this machine."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"only these: {', '.join(SCENARIOS)}; or those that are measured only by name, because they take minutes: "
        f"{', '.join(LONG)}",
    )
    parser.add_argument("--rounds", type=int, default=4, help="rounds, of which each figure is the median")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measured stretch")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file as well")
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="compare with the figures in a file that --json wrote"
    )
    parser.add_argument(
        "--from",
        type=Path,
        metavar="FILE",
        dest="after",
        help="measure nothing: take the figures from a file",
    )
    options = parser.parse_args()
    scenarios = SCENARIOS | LONG
    unknown = [name for name in options.names if name not in scenarios]
    if unknown:
        parser.error(f"There is no scenario {unknown[0]}. There are: {', '.join(scenarios)}.")
    if options.after and not options.against:
        parser.error("--from needs --against: the file to compare with.")
    try:
        before = read(options.against) if options.against else []
        after = read(options.after) if options.after else []
    except ValueError as error:
        parser.error(str(error))
    if options.after:
        print(*compared(before, after), sep="\n")
        return 0
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("There must be at least one round, and each stretch must take some time.")
    if sys.platform != "linux":
        parser.error("Memory and CPU time are read from /proc, which only Linux has.")
    effort = _QUICK if options.quick else Effort(options.rounds, options.seconds)
    load_before = os.getloadavg()[0]
    figures: list[Figure] = []
    try:
        for name in options.names or SCENARIOS:
            print(f"Measuring {name} …", file=sys.stderr, flush=True)
            figures.extend(scenarios[name](effort))
    finally:  # what was measured before a failure is worth seeing
        print(_machine(), _about(effort, load_before), "", *lines(figures), sep="\n")
    if options.json:
        document = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": _machine(),
            "loadBefore": load_before,
            "rounds": effort.rounds,
            "seconds": effort.seconds,
            "figures": [figure.as_json() for figure in figures],
        }
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.against:
        print("", *compared(before, [figure.as_json() for figure in figures]), sep="\n")
    return 0


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _about(effort: Effort, load: float) -> str:
    sentences = f"Rounds: {effort.rounds}, of {effort.seconds:g} s for each figure. Load before the start: {load:.1f}."
    if load > _BUSY * (os.cpu_count() or 1):
        sentences += " The machine was busy: trust the ratios, not the figures."
    return sentences


if __name__ == "__main__":
    sys.exit(main())
