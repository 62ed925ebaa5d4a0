"""Lets runs begin that had to wait until others of their orchestrator ended."""

import asyncio
import logging
from collections.abc import Collection

from orchestrator_app.domain.ports import Dispatcher, RunQueueStore
from orchestrator_app.errors import Unavailable
from orchestrator_app.runner.hub import Change, Hub

log = logging.getLogger(__name__)

# A lost message, or a limit that another process has changed, delays a run by this much at most.
SWEEP_SECONDS = 30.0
RETRY_SECONDS = 1.0


class RunQueue:
    """Listens for ends of runs and enqueues whose turn it is then.

    That a run has its turn is decided when it is claimed; here it is only told to try. Orchestrators without a limit
    cost nothing.

    Args:
        store: Knows the order.
        dispatcher: Carries runs out.
        hub: Tells of ends, and of orchestrators that were changed.
    """

    def __init__(self, store: RunQueueStore, dispatcher: Dispatcher, hub: Hub) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._hub = hub
        self._limited: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._watch(), name="queue")

    async def stop(self) -> None:
        """Let no more runs begin."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        async with self._hub.subscribe("", only_ends=True) as changes:
            news: list[Change] = []
            due: set[str] = set()
            while True:
                pause = SWEEP_SECONDS
                set_anew = {change.id for change in news if change.kind == "orchestrator"}
                try:
                    if set_anew or not news:
                        limited, self._limited = self._limited, await self._store.limited()
                        # Where there is no limit any more all may begin.
                        due |= limited - self._limited
                        due |= self._limited & set_anew if news else self._limited
                    due |= self._limited & {change.orchestrator_id for change in news if change.is_end}
                    await self._let_begin(due)
                    due.clear()
                except Unavailable as error:
                    log.warning("the queue of runs could not be read: %s", error.message)
                    pause = RETRY_SECONDS
                except Exception:
                    # Nothing may end the watch over the queue.
                    log.exception("the queue of runs could not be read")
                news = await changes.take(pause)

    async def _let_begin(self, orchestrator_ids: Collection[str]) -> None:
        if orchestrator_ids:
            for run_id in await self._store.next_runs(orchestrator_ids):
                self._dispatcher.enqueue(run_id)
