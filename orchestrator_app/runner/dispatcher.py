"""The local dispatcher: hands runs to ``advance`` inside this process and wakes them when their time comes."""

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Awaitable, Callable
from uuid import uuid4

from orchestrator_app.domain.ports import CheckpointStore, ClaimedRun, Clock
from orchestrator_app.domain.runs import RunState
from orchestrator_app.errors import Unavailable
from orchestrator_app.runner.bell import Nudge

log = logging.getLogger(__name__)

# The heap tells when to wake; the database is asked this often as well, so that a jump of the clock or a lost
# entry delays a wake-up but never loses it.
SWEEP_SECONDS = 30.0
RETRY_SECONDS = 1.0

Advance = Callable[[str, ClaimedRun | None], Awaitable[None]]


class LocalDispatcher:
    """``domain.ports.Dispatcher`` for one process: no service needed.

    Args:
        store: Asked for open runs at the start and for due ones now and then.
        clock: For due times.
        concurrency: How many runs are advanced at once.
    """

    def __init__(self, store: CheckpointStore, clock: Clock, *, concurrency: int) -> None:
        self._store = store
        self._clock = clock
        self.owner = uuid4().hex
        self._slots = asyncio.Semaphore(concurrency)
        self._advance: Advance | None = None
        self._queued: set[str] = set()
        self._active: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._nudges: dict[str, Nudge] = {}
        self._timers: list[tuple[int, str]] = []
        self._timer_changed = asyncio.Event()
        self._timer_task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_stopping = False

    @property
    def active(self) -> int:
        """How many runs are being advanced now."""
        return len(self._active)

    @property
    def is_crowded(self) -> bool:
        """Whether runs wait for others to make room."""
        return bool(self._queued)

    def nudge(self, run_id: str) -> Nudge:
        """Set whenever something happens to a run while it is being advanced."""
        known = self._nudges.get(run_id)
        if known is None:
            known = self._nudges[run_id] = Nudge()
        return known

    def enqueue(self, run_id: str) -> None:
        """See the port."""
        if run_id in self._active:
            self._again.add(run_id)
            self.nudge(run_id).set()
        elif run_id not in self._queued and not self.is_stopping and self._advance is not None:
            self._advance_soon(run_id, self._advance, None)

    def _advance_soon(
        self, run_id: str, advance: Advance, claimed: ClaimedRun | None
    ) -> "asyncio.Task[None]":
        self._queued.add(run_id)
        task = asyncio.create_task(self._run(run_id, advance, claimed), name=f"run {run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def claim_name(self) -> str:
        """See the port."""
        is_free = self._advance is not None and not self.is_stopping and not self._slots.locked()
        return self.owner if is_free and not self._queued else ""

    def begin(self, run: ClaimedRun) -> None:
        """See the port."""
        if self._advance is not None and not self.is_stopping:
            self._advance_soon(run.run_id, self._advance, run)

    async def _run(self, run_id: str, advance: Advance, claimed: ClaimedRun | None) -> None:
        async with self._slots:
            self._queued.discard(run_id)
            if self.is_stopping:
                return
            task = asyncio.current_task()
            if task is None:  # pragma: no cover - create_task made it
                return
            self._active[run_id] = task
            try:
                await advance(run_id, claimed)
            except asyncio.CancelledError:
                if not self.is_stopping:
                    log.info("stopped working on run %s", run_id)
            except Unavailable as error:
                log.warning("run %s pauses: %s", run_id, error.message)
                self._try_again(run_id, RETRY_SECONDS)
            except Exception:
                # Whatever went wrong is a mistake of ours; the run stays open and is taken up again.
                log.exception("advancing run %s failed", run_id)
                self._try_again(run_id, SWEEP_SECONDS)
            finally:
                self._active.pop(run_id, None)
                self._nudges.pop(run_id, None)
                if run_id in self._again:
                    self._again.discard(run_id)
                    self.enqueue(run_id)

    def seen(self, run_id: str) -> None:
        """The run's worker has taken notice of everything up to now; called before it reads what happened."""
        self._again.discard(run_id)
        self.nudge(run_id).clear()

    def wake_at(self, run_id: str, at: int) -> None:
        """See the port."""
        heapq.heappush(self._timers, (at, run_id))
        self._timer_changed.set()

    def _try_again(self, run_id: str, seconds: float) -> None:
        self.wake_at(run_id, self._clock.now() + int(seconds * 1000))

    def cancel_hint(self, run_id: str) -> None:
        """See the port."""
        self._again.discard(run_id)
        task = self._active.get(run_id)
        if task is not None:
            task.cancel()

    async def start(self, advance: Advance) -> None:
        """See the port."""
        self._advance = advance
        for run in await self._store.open_runs():
            if run.state is not RunState.WAITING:
                self.enqueue(run.run_id)
            elif run.wake_at is not None:
                self.wake_at(run.run_id, run.wake_at)
        self._timer_task = asyncio.create_task(self._watch_timers(), name="timers")

    async def _watch_timers(self) -> None:
        loop = asyncio.get_running_loop()
        # Sweeps follow the monotonic clock: a wall clock that is set back must not put them off.
        next_sweep = loop.time() + SWEEP_SECONDS
        while True:
            self._timer_changed.clear()
            now = self._clock.now()
            while self._timers and self._timers[0][0] <= now:
                self.enqueue(heapq.heappop(self._timers)[1])
            if loop.time() >= next_sweep:
                next_sweep = loop.time() + SWEEP_SECONDS
                await self._sweep(now)
            pause = next_sweep - loop.time()
            if self._timers:
                pause = min(pause, (self._timers[0][0] - now) / 1000)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.001, pause)):
                    await self._timer_changed.wait()

    async def _sweep(self, now: int) -> None:
        try:
            for run_id in await self._store.due_runs(now):
                self.enqueue(run_id)
        except Unavailable as error:
            log.warning("due runs could not be read: %s", error.message)
        except Exception:
            # Nothing may end the watch over the timers.
            log.exception("due runs could not be read")

    async def stop(self, grace_seconds: float) -> None:
        """See the port."""
        self.is_stopping = True
        if self._timer_task is not None:
            self._timer_task.cancel()
            await asyncio.gather(self._timer_task, return_exceptions=True)
        for nudge in self._nudges.values():
            nudge.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
