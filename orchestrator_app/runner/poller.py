"""The poller: looks at executions outside for all waiting runs together, fairly and no oftener than allowed."""

import asyncio
import contextlib
import logging
from dataclasses import replace
from random import uniform
from urllib.parse import urlsplit
from uuid import uuid4

from orchestrator_app.domain.looks import JITTER, Seen, Watch, after_look, after_miss
from orchestrator_app.domain.ports import Clock, Dispatcher, DueLook, LookStore, ProviderGateway
from orchestrator_app.domain.reconciliation import after_missed_search, after_search
from orchestrator_app.domain.remote import RemoteLook
from orchestrator_app.domain.scope import Scope
from orchestrator_app.errors import OrchestratorError, ProviderBusy, ProviderUnavailable, Unavailable
from orchestrator_app.runner.failures import failure_of, unexpected
from orchestrator_app.runner.handlers.condition import is_true
from orchestrator_app.runner.look_queue import LookQueue
from orchestrator_app.runner.rendering import Renderer
from orchestrator_app.runner.sizes import check_output

log = logging.getLogger(__name__)

# The rows tell when to look; they are asked at least this often, also when nobody said that something is due.
SWEEP_SECONDS = 30.0
# What becomes due, and what was seen, within this time is taken and written together.
TICK_SECONDS = 0.25
RETRY_SECONDS = 1.0
# No look takes longer. One that was leased and is not written by the end of its lease has died with its process.
LOOK_SECONDS = 40.0
LEASE_MS = 60_000
MOST_AT_ONCE = 200
MOST_QUEUES = 1_000
_SHOWN_LENGTH = 500


class Poller:
    """One task per process that takes due looks from the store, and one task per look.

    Args:
        store: Where the looks stand; several processes may share it.
        gateway: Asks the platforms.
        dispatcher: Told which runs have something to do.
        renderer: Evaluates the conditions by which plain addresses are judged.
        clock: For due times.
        tick_seconds: How long to gather before the next round.
    """

    def __init__(
        self,
        store: LookStore,
        gateway: ProviderGateway,
        dispatcher: Dispatcher,
        renderer: Renderer,
        clock: Clock,
        *,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._dispatcher = dispatcher
        self._renderer = renderer
        self._clock = clock
        self._tick_seconds = tick_seconds
        self._next_at: int | None = None
        self._changed = asyncio.Event()
        # Set while no look is under way, what was seen is written, and nothing is due; tests wait for that.
        self._is_at_rest = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._under_way: dict[asyncio.Task[None], DueLook] = {}
        self._seen: list[tuple[DueLook, Seen]] = []
        self._queues: dict[tuple[str, str, str], LookQueue] = {}

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._work(), name="poller")

    async def stop(self, grace_seconds: float) -> None:
        """Take no more looks, let those under way end within the grace; the others are due again at the next start."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=grace_seconds)
        cut = dict(self._under_way)
        for look in cut:
            look.cancel()
        await asyncio.gather(*cut, return_exceptions=True)
        now = self._clock.now()
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self._write()
                await self._store.put_off([(due, now) for due in cut.values()])

    def expect(self, at: int) -> None:
        """A node was parked whose execution is to be looked at then."""
        if self._next_at is None or at < self._next_at:
            self._next_at = at
            self._is_at_rest.clear()
            self._changed.set()

    # --- the one task ---

    async def _work(self) -> None:
        while True:
            try:
                pause = await self._round()
            except Unavailable as error:
                log.warning("the poller pauses: %s", error.message)
                await self._clock.sleep(RETRY_SECONDS)
                pause = 0.0
            except Exception:
                # Whatever went wrong is a mistake of ours, and nothing may end the poller.
                log.exception("a round of the poller failed")
                pause = SWEEP_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            await asyncio.sleep(self._tick_seconds)

    async def _round(self) -> float:
        """Write what was seen and begin what is due; returns how many seconds nothing more is to be done."""
        self._changed.clear()
        await self._write()
        now = self._clock.now()
        due: list[DueLook] = []
        if len(self._under_way) < MOST_AT_ONCE:
            room = MOST_AT_ONCE - len(self._under_way)
            due, self._next_at = await self._store.take(now, lease=now + LEASE_MS, limit=room)
            await self._begin(due, now)
        if due:
            return 0.0
        if not (self._under_way or self._changed.is_set()):
            self._is_at_rest.set()
        if self._next_at is None:
            return SWEEP_SECONDS
        return min(SWEEP_SECONDS, max(0.0, (self._next_at - now) / 1000))

    async def _write(self) -> None:
        """Write all that was seen in one transaction, and wake the runs for which it is the end."""
        seen, self._seen = self._seen, []
        if not seen:
            return
        try:
            woken = await self._store.keep(seen, self._clock.now())
        except Unavailable:
            self._seen = seen + self._seen
            raise
        for run_id in woken:
            self._dispatcher.enqueue(run_id)

    async def _begin(self, due: list[DueLook], now: int) -> None:
        """Begin the looks for which there is room, and put the others off."""
        put_off: list[tuple[DueLook, int]] = []
        for look in due:
            queue = self._queue_of(look)
            turn = await queue.enter(now)
            if turn:
                put_off.append((look, turn))
                continue
            task = asyncio.create_task(self._look(look, queue), name=f"look {look.run_id} {look.node_id}")
            self._under_way[task] = look
            task.add_done_callback(self._ended)
        if put_off:
            await self._store.put_off(put_off)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self._is_at_rest.clear()
        self._changed.set()

    def _queue_of(self, look: DueLook) -> LookQueue:
        call = look.watch.call
        # Plain addresses have no account; what they share is their host.
        account = call.connection_id or urlsplit(call.status_url or call.url).netloc
        key = (look.workspace_id, call.provider, account)
        if key not in self._queues:
            if len(self._queues) >= MOST_QUEUES:
                self._queues = {name: queue for name, queue in self._queues.items() if not queue.is_idle}
            self._queues[key] = LookQueue(self._gateway.looks_per_minute(call.provider))
        return self._queues[key]

    # --- one look ---

    async def _look(self, due: DueLook, queue: LookQueue) -> None:
        try:
            seen = await self._seen_by(due, queue)
        finally:
            queue.leave()
        self._seen.append((due, seen))

    async def _seen_by(self, due: DueLook, queue: LookQueue) -> Seen:
        watch = due.watch
        error: OrchestratorError
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                look = await self._gateway.poll(due.workspace_id, watch.call, watch.memo)
                look = await self._judged(watch, look)
            check_output(look.output)
        except TimeoutError:
            error = ProviderUnavailable(
                f"The platform was asked for the state and did not answer within {LOOK_SECONDS:.0f} s.",
                provider=watch.call.provider,
                operation="poll",
            )
        except OrchestratorError as caught:
            error = caught
        except Exception:
            reference = uuid4().hex[:8]
            log.exception("a look for node %s of run %s broke (%s)", due.node_id, due.run_id, reference)
            error = unexpected(reference)
        else:
            now = self._clock.now()
            if watch.search is not None:
                return after_search(watch, watch.search, look, now, _jitter())
            return after_look(watch, look, now, _jitter())
        now = self._clock.now()
        if isinstance(error, ProviderBusy) and error.retry_after_seconds is not None:
            queue.pause(now + int(error.retry_after_seconds * 1000))
        if watch.search is not None:
            return after_missed_search(watch, watch.search, error, now, _jitter())
        return after_miss(watch, error, failure_of(error), now, _jitter())

    async def _judged(self, watch: Watch, look: RemoteLook) -> RemoteLook:
        """What a look at a plain address means by the conditions of its node."""
        if not watch.done_condition or look.state != "running":
            return look
        scope = Scope(data=look.output)
        if watch.failed_condition and is_true(await self._renderer.expression(watch.failed_condition, scope)):
            said = str(look.output)[:_SHOWN_LENGTH]
            return replace(look, state="failed", output=None, message=f"The status address answered: {said}")
        if is_true(await self._renderer.expression(watch.done_condition, scope)):
            return replace(look, state="completed")
        return replace(look, output=None)


def _jitter() -> float:
    return uniform(-JITTER, JITTER)  # noqa: S311 - spreads looks, hides nothing
