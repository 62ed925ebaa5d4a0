"""The program at rest: how soon it takes work, what memory it holds, what it does while nobody wants anything."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure
from bench.load import Effort
from bench.processes import children, cpu_clock, memory_mb, new_program

REST_SECONDS = 5.0


def start(effort: Effort) -> Iterator[Figure]:
    """From the command to the first answer of /health/ready, with the pages built; then five seconds at rest."""
    first: list[float] = []
    again: list[float] = []
    memory: list[float] = []
    idle: list[float] = []
    for _ in range(effort.rounds):
        with TemporaryDirectory(prefix="orchestrator-bench-") as folder:
            program = new_program(Path(folder))
            for times in (first, again):
                begin = time.perf_counter()
                with program:
                    times.append(time.perf_counter() - begin)
                    if times is first:
                        continue
                    process_id = program.process.pid
                    cpu = cpu_clock(process_id)
                    before = cpu()
                    time.sleep(REST_SECONDS)
                    idle.append((cpu() - before) / REST_SECONDS * 100)
                    memory.append(sum(memory_mb(part) for part in (process_id, *children(process_id))))
    yield Figure("start", "start to ready, empty data folder", "s", first)
    yield Figure("start", "start to ready", "s", again, besides="to within 0.05 s")
    yield Figure("start", "memory at rest", "MB", memory, besides="with the processes that it started")
    yield Figure(
        "start", "CPU at rest", "% of a core", idle, besides=f"over {REST_SECONDS:.0f} s after the start"
    )
