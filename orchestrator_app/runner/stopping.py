"""Stopping executions outside whose runs have ended without them, and telling the run's log what came of it."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from orchestrator_app.domain.ports import CheckpointStore, Clock, ProviderGateway
from orchestrator_app.domain.remote import OpenCall
from orchestrator_app.domain.runs import Logged, LogLevel
from orchestrator_app.errors import NotSupported, OrchestratorError, ProviderUnavailable, Unavailable

log = logging.getLogger(__name__)

TRY_SECONDS = 20.0
# While a platform cannot be reached it is tried again after these pauses; then the log says that it could not be told.
PAUSES_SECONDS = (2.0, 5.0, 15.0, 40.0)
# The end of the process waits no longer for platforms: that time is for runs.
CLOSE_SECONDS = 3.0
NOTE_SECONDS = 1.0
_CUT = "Orchestrator stopped before it could tell the platform to stop, so the execution may go on there."


class OutsideStops:
    """Tells platforms in the background; nothing waits for it, and a run that has ended stays as it is.

    Args:
        gateway: Asks the platforms.
        store: Has the logs of the runs.
        clock: For pauses and times.
    """

    def __init__(self, gateway: ProviderGateway, store: CheckpointStore, clock: Clock) -> None:
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._tasks: dict[asyncio.Task[None], tuple[str, OpenCall]] = {}

    def begin(self, workspace_id: str, run_id: str, calls: Sequence[OpenCall]) -> None:
        """Tell the platforms that nobody waits for these executions any more."""
        for call in calls:
            task = asyncio.create_task(self._stop(workspace_id, run_id, call), name=f"stop {run_id}")
            self._tasks[task] = (run_id, call)
            task.add_done_callback(lambda ended: self._tasks.pop(ended, None))

    async def close(self, grace_seconds: float) -> None:
        """Let what is under way end within the grace, at most a few seconds; the rest is given up, and its runs say so."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=min(grace_seconds, CLOSE_SECONDS))
        cut = dict(self._tasks)
        for task in cut:
            task.cancel()
        await asyncio.gather(*cut, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(grace_seconds, NOTE_SECONDS)):
                for run_id, call in cut.values():
                    await self._note(run_id, call, _CUT, "warning")

    async def _stop(self, workspace_id: str, run_id: str, call: OpenCall) -> None:
        level: LogLevel = "info"
        try:
            says = await self._insisting(workspace_id, call)
        except NotSupported as error:
            says = error.message
        except OrchestratorError as error:
            level = "warning"
            says = f"The execution outside could not be stopped: {error.message}"
        except Exception:
            log.exception("stopping an execution of run %s failed", run_id)
            level = "warning"
            says = "The execution outside could not be stopped: the server's log says why."
        await self._note(run_id, call, says, level)

    async def _note(self, run_id: str, call: OpenCall, says: str, level: LogLevel) -> None:
        try:
            await self._store.note(run_id, Logged(says, self._clock.now(), call.node_id, level))
        except Unavailable:
            log.warning("the log of run %s could not be written: %s", run_id, says)

    async def _insisting(self, workspace_id: str, call: OpenCall) -> str:
        """What the platform did, as soon as it can be reached."""
        for pause in PAUSES_SECONDS:
            try:
                return await self._try(workspace_id, call)
            except OrchestratorError as error:
                if not error.retryable:
                    raise
            await self._clock.sleep(pause)
        return await self._try(workspace_id, call)

    async def _try(self, workspace_id: str, call: OpenCall) -> str:
        try:
            async with asyncio.timeout(TRY_SECONDS):
                return await self._gateway.cancel(workspace_id, call.call, call.memo)
        except TimeoutError as error:
            raise ProviderUnavailable(
                f"It did not answer within {TRY_SECONDS:.0f} s.",
                provider=call.call.provider,
                operation="cancel",
            ) from error
