"""Looks after the stored connections: how each fares is found out again every few minutes, not when a page is opened."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping

from orchestrator_app.domain.ports import Clock
from orchestrator_app.errors import OrchestratorError
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.services.connections import Connections
from orchestrator_app.storage import connections as rows
from orchestrator_app.storage.connections import ConnectionState
from orchestrator_app.storage.database import Database

log = logging.getLogger(__name__)

MINUTE_MS = 60_000
CONNECTED_MS = 5 * MINUTE_MS
REFUSED_MS = 60 * MINUTE_MS
# Who makes or changes a connection has it tried at once; the watch sees to those where that came to nothing.
UNTESTED_MS = MINUTE_MS
FIRST_OUTAGE_MS = MINUTE_MS
LONGEST_OUTAGE_MS = 30 * MINUTE_MS
PASS_SECONDS = 15.0
AT_ONCE = 4
JITTER = 0.1
_MOST_DOUBLINGS = 10


class ConnectionWatch:
    """One task per process."""

    def __init__(
        self,
        database: Database,
        providers: Mapping[str, Provider],
        connections: Connections,
        clock: Clock,
        *,
        jitter: Callable[[], float] = lambda: random.uniform(1 - JITTER, 1 + JITTER),  # noqa: S311 - no secret
    ) -> None:
        """Make the watch.

        Args:
            database: Where the connections are.
            providers: The platforms.
            connections: Who tries a connection and remembers the outcome.
            clock: The time, and pauses.
            jitter: By what an interval is multiplied, so that connections are not tried all at once.
        """
        self._database = database
        self._providers = providers
        self._connections = connections
        self._clock = clock
        self._jitter = jitter
        self._outages: dict[str, int] = {}
        self._due: dict[str, tuple[ConnectionState, int]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._watch(), name="connection watch")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def look(self) -> None:
        """Try every connection whose time has come."""
        states = await self._database.read(rows.all_states)
        present = {state.id for state in states}
        for gone in self._due.keys() - present:
            del self._due[gone]
            self._outages.pop(gone, None)
        now = self._clock.now()
        due = [state for state in states if self._can_be_tried(state) and self._due_at(state) <= now]
        places = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._try(state, places) for state in due))

    async def _watch(self) -> None:
        while True:
            try:
                await self.look()
            except OrchestratorError as error:
                log.warning("the connections could not be looked after: %s", error.message)
            except Exception:
                log.exception("looking after the connections broke")
            await self._clock.sleep(PASS_SECONDS)

    def _can_be_tried(self, state: ConnectionState) -> bool:
        provider = self._providers.get(state.provider)
        return provider is not None and Capability.TEST in provider.capabilities

    def _due_at(self, state: ConnectionState) -> int:
        """When a connection is tried next; drawn once for each outcome."""
        known = self._due.get(state.id)
        if known is None or known[0] != state:
            last = state.checked_date if state.checked_date is not None else state.updated_date
            known = (state, last + round(self._interval_ms(state) * self._jitter()))
            self._due[state.id] = known
        return known[1]

    def _interval_ms(self, state: ConnectionState) -> int:
        if state.status != "unreachable":
            self._outages.pop(state.id, None)
        if state.status == "connected":
            return CONNECTED_MS
        if state.status == "refused":
            return REFUSED_MS
        if state.status == "untested":
            return UNTESTED_MS
        outages = self._outages.get(state.id, 0)
        self._outages[state.id] = outages + 1
        return min(FIRST_OUTAGE_MS * 2 ** min(outages, _MOST_DOUBLINGS), LONGEST_OUTAGE_MS)

    async def _try(self, state: ConnectionState, places: asyncio.Semaphore) -> None:
        async with places:
            try:
                await self._connections.check(state.workspace_id, state.id)
            except OrchestratorError as error:
                # It was deleted meanwhile, no key opens it, or the database is away: in a while it is tried again.
                self._due[state.id] = (state, self._clock.now() + LONGEST_OUTAGE_MS)
                log.info("the connection %s could not be tried: %s", state.id, error.message)
