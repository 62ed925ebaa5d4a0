"""The command line: ``python -m bench [NAME …]`` measures and prints one table."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.calls import fan_out, overhead, throughput
from bench.figures import Figure, lines
from bench.live import live
from bench.load import Effort
from bench.mapping import mapping
from bench.polling import poll1000
from bench.start import start
from bench.waiting import wait5000

SCENARIOS: dict[str, Callable[[Effort], Iterator[Figure]]] = {
    "overhead": overhead,
    "throughput": throughput,
    "fan-out": fan_out,
    "live": live,
    "start": start,
    "mapping": mapping,
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
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(SCENARIOS)}")
    parser.add_argument("--rounds", type=int, default=4, help="rounds, of which each figure is the median")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measured stretch")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file as well")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in SCENARIOS]
    if unknown:
        parser.error(f"There is no scenario {unknown[0]}. There are: {', '.join(SCENARIOS)}.")
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
            figures.extend(SCENARIOS[name](effort))
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
