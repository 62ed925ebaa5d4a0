"""The run engine: ``advance`` takes a run from its last committed fact to its end or its next wait."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from orchestrator_app.domain.ports import CheckpointStore, ClaimedRun, Clock, ProviderGateway
from orchestrator_app.domain.runs import Fact
from orchestrator_app.errors import LeaseLost, Unavailable
from orchestrator_app.runner.dispatcher import LocalDispatcher
from orchestrator_app.runner.rendering import Renderer
from orchestrator_app.runner.segment import Segment

log = logging.getLogger(__name__)

RECORD_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What the engine works with.

    Attributes:
        callback_url: Complete callback address for a run id and a token.
        new_token: Mints a callback token.
        new_id: Mints an id.
        node_concurrency: How many nodes of one run work at once.
        variables: Values under ``vars`` in expressions.
    """

    store: CheckpointStore
    dispatcher: LocalDispatcher
    gateway: ProviderGateway
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
        self.owner = uuid4().hex

    async def start(self) -> None:
        """Take up all open runs."""
        await self.parts.dispatcher.start(self.advance)

    async def stop(self, grace_seconds: float) -> None:
        """Start nothing new, let what runs end within the grace; the rest goes on at the next start."""
        await self.parts.dispatcher.stop(grace_seconds)

    async def advance(self, run_id: str) -> None:
        """Do everything that can be done for the run now; returns when it has ended or only waits are left."""
        self.parts.dispatcher.seen(run_id)
        run = await self.parts.store.claim(run_id, self.owner)
        if run is None:
            return
        try:
            await Segment(self, run).proceed()
        except LeaseLost:
            log.info("run %s was cancelled or taken over", run_id)

    async def record(self, run: ClaimedRun, facts: Sequence[Fact]) -> None:
        """Commit facts, and keep trying while the database cannot take them: an outcome must not be lost.

        Raises:
            LeaseLost: The run is not ours any more.
        """
        failures = 0
        while True:
            try:
                await self.parts.store.record(run, facts)
            except Unavailable as error:
                pause = RECORD_RETRY_SECONDS[min(failures, len(RECORD_RETRY_SECONDS) - 1)]
                failures += 1
                log.warning("run %s waits %.1f s for the database: %s", run.run_id, pause, error.message)
                await self.parts.clock.sleep(pause)
            else:
                return
