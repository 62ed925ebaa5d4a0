"""The run engine: ``advance`` takes a run from its last committed fact to its end or its next wait."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from orchestrator_app.domain.ports import CheckpointStore, ClaimedRun, Clock, ProviderGateway, WaitRecord
from orchestrator_app.domain.runs import Fact
from orchestrator_app.errors import LeaseLost, Unavailable
from orchestrator_app.runner.dispatcher import LocalDispatcher
from orchestrator_app.runner.failures import failure_of, unexpected
from orchestrator_app.runner.poller import Poller
from orchestrator_app.runner.rendering import Renderer
from orchestrator_app.runner.segment import Segment
from orchestrator_app.runner.stopping import OutsideStops

log = logging.getLogger(__name__)

Result = TypeVar("Result")

DATABASE_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What the engine works with.

    Attributes:
        callback_url: Complete callback address for a run id and a token.
        new_token: Mints a callback token.
        new_id: Mints an id.
        node_concurrency: How many nodes of one run work at once.
    """

    store: CheckpointStore
    dispatcher: LocalDispatcher
    gateway: ProviderGateway
    poller: Poller
    stops: OutsideStops
    renderer: Renderer
    clock: Clock
    callback_url: Callable[[str, str], str]
    new_token: Callable[[], str]
    new_id: Callable[[], str]
    node_concurrency: int


class Engine:
    """Advances runs; knows where to write, whom to call and what time it is."""

    def __init__(self, parts: EngineParts) -> None:
        self.parts = parts

    async def start(self) -> None:
        """Take up all open runs."""
        await self.parts.dispatcher.start(self.advance)
        await self.parts.poller.start()

    async def stop(self, grace_seconds: float) -> None:
        """Start nothing new, let what runs end within the grace; the rest goes on at the next start."""
        await asyncio.gather(self.parts.dispatcher.stop(grace_seconds), self.parts.poller.stop(grace_seconds))
        await self.parts.stops.close(grace_seconds)

    async def advance(self, run_id: str, claimed: ClaimedRun | None = None) -> None:
        """Do everything that can be done for the run now; returns when it has ended or only waits are left.

        A run that was stored as ``claimed`` by this process need not be claimed first.
        """
        self.parts.dispatcher.seen(run_id)
        run = claimed or await self.parts.store.claim(run_id, self.parts.dispatcher.owner)
        if run is None:
            return
        try:
            await self._proceed(Segment(self, run))
        except LeaseLost:
            log.info("run %s was cancelled or taken over", run_id)

    async def _proceed(self, segment: Segment) -> None:
        """Let a segment work. A mistake of ours ends the run: it would be made again at every further try."""
        try:
            await segment.proceed()
        except LeaseLost:
            raise
        except Exception:
            reference = uuid4().hex[:8]
            log.exception("run %s broke (%s)", segment.run.run_id, reference)
            await segment.give_up(failure_of(unexpected(reference)))

    async def record(self, run: ClaimedRun, facts: Sequence[Fact]) -> None:
        """Commit facts; an outcome must not be lost because the database is away.

        Raises:
            LeaseLost: The run is not ours any more.
        """
        await self._insisting(run, lambda: self.parts.store.record(run, facts))

    async def park(self, run: ClaimedRun, wake_at: int | None) -> bool:
        """Leave the run to its waits, unless an event came meanwhile.

        Raises:
            LeaseLost: The run is not ours any more.
        """
        return await self._insisting(run, lambda: self.parts.store.park(run, wake_at, self.parts.clock.now()))

    async def arrivals(self, run: ClaimedRun) -> list[WaitRecord]:
        """All waits of the run with what has arrived by now.

        Raises:
            LeaseLost: The run is not ours any more.
        """
        return await self._insisting(run, lambda: self.parts.store.arrivals(run))

    async def _insisting(self, run: ClaimedRun, work: Callable[[], Awaitable[Result]]) -> Result:
        """Keep trying while the database cannot be used: to give up would cut the calls that are under way."""
        failures = 0
        while True:
            try:
                return await work()
            except Unavailable as error:
                pause = DATABASE_RETRY_SECONDS[min(failures, len(DATABASE_RETRY_SECONDS) - 1)]
                failures += 1
                log.warning("run %s waits %.1f s for the database: %s", run.run_id, pause, error.message)
                await self.parts.clock.sleep(pause)
