"""The dispatcher of several processes: runs go through a queue in the database, from which workers take them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from orchestrator_app.distribution.exchange import Exchange
from orchestrator_app.domain.ports import CheckpointStore, Clock
from orchestrator_app.errors import OrchestratorError
from orchestrator_app.runner.dispatcher import Advance, LocalDispatcher
from orchestrator_app.storage import run_queue
from orchestrator_app.storage.database import Database

log = logging.getLogger(__name__)

NUDGE = "nudge"
CANCEL = "cancel"


class Worker(Protocol):
    """Takes runs from the queue, one job each."""

    @property
    def owner(self) -> str:
        """The name under which this process claims runs."""
        ...

    async def start(self, work: Callable[[str], Awaitable[None]]) -> None:
        """Begin to take runs."""
        ...

    async def stop(self, grace_seconds: float) -> None:
        """Take no more; what was taken gets the grace."""
        ...


class SharedDispatcher(LocalDispatcher):
    """``domain.ports.Dispatcher`` for several processes on one PostgreSQL database.

    A process that only serves queues runs and never starts it. A worker has a ``worker`` as well; a run that has come
    to it is worked on as by the local dispatcher. Timers are no business of the queue: due runs are found in their rows.

    Args:
        store: See ``LocalDispatcher``.
        clock: See ``LocalDispatcher``.
        database: Where the queue is.
        exchange: Tells the process that works on a run at this moment what happened to it.
        concurrency: How many runs this process advances at once.
        worker: Brings the runs; None in a process that only serves.
    """

    def __init__(
        self,
        store: CheckpointStore,
        clock: Clock,
        database: Database,
        exchange: Exchange,
        *,
        concurrency: int,
        worker: Worker | None = None,
    ) -> None:
        super().__init__(store, clock, concurrency=concurrency)
        self._database = database
        self._exchange = exchange
        self._worker = worker
        self._unqueued: set[str] = set()
        self._queueing: asyncio.Task[None] | None = None
        exchange.on(NUDGE, self._nudged)
        exchange.on(CANCEL, super().cancel_hint)

    @property
    def is_crowded(self) -> bool:
        """Whether this process has no room for another run."""
        return self._slots.locked()

    def claim_name(self) -> str:
        """See the port. Who takes a run is decided by the queue."""
        return ""

    def enqueue(self, run_id: str) -> None:
        """See the port."""
        if run_id in self._active:
            super().enqueue(run_id)
            return
        self._unqueued.add(run_id)
        if self._queueing is None or self._queueing.done():
            self._queueing = asyncio.create_task(self._queue(), name="queue runs")

    async def _queue(self) -> None:
        while self._unqueued:
            run_ids, self._unqueued = sorted(self._unqueued), set()
            try:
                queued = await self._database.write(
                    lambda connection, run_ids=run_ids: run_queue.put(connection, run_ids)
                )
            except OrchestratorError as error:
                log.warning("%d runs are queued later: %s", len(run_ids), error.message)
                continue
            for run_id in run_ids:
                if run_id not in queued:
                    self._exchange.tell(NUDGE, run_id, run_id)

    def _nudged(self, run_id: str) -> None:
        """Another process has something for a run that is perhaps worked on here."""
        if run_id in self._active:
            super().enqueue(run_id)

    def wake_at(self, run_id: str, at: int) -> None:
        """See the port. The time is in the run's row, where all workers look for it."""

    def _try_again(self, run_id: str, seconds: float) -> None:
        """The run is claimed by this process, so no other one would take it."""
        asyncio.get_running_loop().call_later(seconds, self._resume, run_id)

    def _resume(self, run_id: str) -> None:
        is_free = run_id not in self._active and run_id not in self._queued
        if self._advance is not None and not self.is_stopping and is_free:
            self._advance_soon(run_id, self._advance, None)

    def cancel_hint(self, run_id: str) -> None:
        """See the port."""
        super().cancel_hint(run_id)
        self._exchange.tell(CANCEL, run_id, run_id)

    async def start(self, advance: Advance) -> None:
        """See the port."""
        self._advance = advance
        if self._worker is not None:
            await self._worker.start(self._work)

    async def _work(self, run_id: str) -> None:
        """Do what a job asks for."""
        if run_id in self._active:
            self._nudged(run_id)
        elif run_id in self._queued or self.is_stopping:
            # It is taken up here soon, or by another worker.
            return
        elif self._worker is not None and self._advance is not None:
            self.owner = self._worker.owner
            await self._advance_soon(run_id, self._advance, None)

    async def stop(self, grace_seconds: float) -> None:
        """See the port."""
        self.is_stopping = True
        stopping = [super().stop(grace_seconds)]
        if self._worker is not None:
            stopping.append(self._worker.stop(grace_seconds))
        await asyncio.gather(*stopping)
        if self._queueing is not None:
            await self._queueing
