"""Keeps something busy for a while, and says how fast and how dear it was."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

# Does the measured thing once.
Work = Callable[[], Awaitable[None]]
# CPU time that has been used up to now, in seconds.
CpuClock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: each figure in so many rounds, and in each for so long."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was measured in one go; ``cpu_ms`` is per repetition."""

    per_second: float
    median_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which the share of all values lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


async def measure(workers: Sequence[Work], seconds: float, cpu: CpuClock) -> Stretch:
    """Repeat each worker's work, all workers side by side, until the time is over; at least once.

    Each does it once before that, so that connections and caches are warm.
    """
    times: list[float] = []
    await asyncio.gather(*(work() for work in workers))

    async def repeat(work: Work) -> None:
        while True:
            begin = time.perf_counter()
            await work()
            end = time.perf_counter()
            times.append((end - begin) * 1000)
            if end >= deadline:
                return

    cpu_before, start = cpu(), time.perf_counter()
    deadline = start + seconds
    await asyncio.gather(*(repeat(work) for work in workers))
    elapsed, cpu_used = time.perf_counter() - start, cpu() - cpu_before
    return Stretch(
        per_second=len(times) / elapsed,
        median_ms=percentile(times, 0.5),
        p95_ms=percentile(times, 0.95),
        p99_ms=percentile(times, 0.99),
        cpu_ms=cpu_used / len(times) * 1000,
    )
