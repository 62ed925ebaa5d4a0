"""A worker of Procrastinate: takes runs from the queue, shows that it lives, and fills the queue from the rows of runs."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, LiteralString, TypeVar, cast

import procrastinate
import psycopg
from procrastinate import jobs
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker

from orchestrator_app.storage import engines, run_queue

log = logging.getLogger(__name__)

Result = TypeVar("Result")

BEAT_SECONDS = 2.0
# A worker is told of new jobs; it also looks, because it may not have heard.
LOOK_SECONDS = 1.0
SWEEP_SECONDS = 1.0
SWEEPS_FOR_ALL = 5
RETRY_SECONDS = 0.5
START_SECONDS = 10.0
LOOK_FOR_NUMBER_SECONDS = 0.02
POOL_SIZE = 4
# At its start a worker makes the queue forget workers that have been silent for so long. The sweep is quicker, but knows
# about outages of the database.
FORGET_SECONDS = 120.0
# Runs are cancelled by us, so no job is ever asked to abort.
_NEVER_SECONDS = 1e6


class PatientConnector(procrastinate.PsycopgConnector):
    """Waits while the database is away, where a worker of Procrastinate would end, or live on without a heartbeat.

    Attributes:
        last_outage: When the database was away, by the event loop's clock.
    """

    last_outage = float("-inf")

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        """See Procrastinate."""
        try:
            await self._patiently(
                lambda: procrastinate.PsycopgConnector.execute_query_async(self, query, **arguments)
            )
        except ConnectorException as error:
            # A job that is not there any more: this process was held, and others have taken its worker for dead.
            if not isinstance(error.__cause__, psycopg.errors.RaiseException):
                raise
            log.info("what a job was about is done by others: %s", error.__cause__)

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        """See Procrastinate."""
        return await self._patiently(
            lambda: procrastinate.PsycopgConnector.execute_query_one_async(self, query, **arguments)
        )

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """See Procrastinate."""
        listened = list(channels)
        await self._patiently(
            lambda: procrastinate.PsycopgConnector.listen_notify(self, on_notification, listened)
        )

    async def _patiently(self, work: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            try:
                return await work()
            except ConnectorException as error:
                if not isinstance(error.__cause__, psycopg.OperationalError):
                    raise
                log.warning("the queue waits for the database: %s", error.__cause__)
                self.last_outage = asyncio.get_running_loop().time()
                await asyncio.sleep(RETRY_SECONDS)


class JobWorker:
    """``shared_dispatcher.Worker`` on Procrastinate.

    Its heartbeat tells the others that runs claimed by it are worked on. When that stops, the runs are queued again by
    whichever worker sweeps next.

    Args:
        url: The PostgreSQL database.
        concurrency: How many jobs are worked on at once.
        now: UTC epoch milliseconds.
    """

    def __init__(self, url: str, *, concurrency: int, now: Callable[[], int]) -> None:
        self._connector = PatientConnector(
            conninfo=url, kwargs=engines.POSTGRESQL_ARGUMENTS, min_size=1, max_size=POOL_SIZE
        )
        # It would tell of every job.
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        self._app = procrastinate.App(connector=self._connector)
        self._concurrency = concurrency
        self._now = now
        self._worker: Worker | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    @property
    def owner(self) -> str:
        """See the protocol."""
        worker_id = self._worker.worker_id if self._worker is not None else None
        return "" if worker_id is None else str(worker_id)

    async def start(self, work: Callable[[str], Awaitable[None]]) -> None:
        """See the protocol."""

        async def advance(run_id: str) -> None:
            await work(run_id)

        self._app.task(name=run_queue.TASK, queue=run_queue.QUEUE)(advance)
        await self._app.open_async()
        self._tasks = [
            asyncio.create_task(self._take_jobs(), name="take runs"),
            asyncio.create_task(self._fill_queue(), name="fill the queue"),
        ]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while not self.owner:  # noqa: ASYNC110 - nothing tells when Procrastinate has given the worker its number
                    await asyncio.sleep(LOOK_FOR_NUMBER_SECONDS)

    async def stop(self, grace_seconds: float) -> None:
        """See the protocol."""
        if not self._tasks:
            return
        self._is_stopping = True
        taking, filling = self._tasks
        filling.cancel()
        if self._worker is not None:
            self._worker.shutdown_graceful_timeout = grace_seconds
            self._worker.stop()
        await asyncio.wait({taking}, timeout=grace_seconds + RETRY_SECONDS)
        taking.cancel()
        await asyncio.gather(taking, filling, return_exceptions=True)
        await self._app.close_async()

    async def _take_jobs(self) -> None:
        while not self._is_stopping:
            self._worker = Worker(
                self._app,
                queues=[run_queue.QUEUE],
                name="orchestrator",
                concurrency=self._concurrency,
                fetch_job_polling_interval=LOOK_SECONDS,
                abort_job_polling_interval=_NEVER_SECONDS,
                # The rows of a run tell how it fared; a job has nothing to add.
                delete_jobs=jobs.DeleteJobCondition.ALWAYS,
                install_signal_handlers=False,
                update_heartbeat_interval=BEAT_SECONDS,
                stalled_worker_timeout=FORGET_SECONDS,
                shutdown_graceful_timeout=run_queue.DEAD_AFTER_SECONDS,
            )
            try:
                await self._worker.run()
            except Exception as error:
                # After this process was held for so long that the others have taken it for dead, that is expected.
                was_forgotten = isinstance(error.__cause__, psycopg.errors.ForeignKeyViolation)
                log.warning("the worker begins anew", exc_info=not was_forgotten)
                await asyncio.sleep(RETRY_SECONDS)

    async def _fill_queue(self) -> None:
        """Queue runs whose time has come, and those that nobody works on any more."""
        turn = 0
        while True:
            try:
                await self._put(run_queue.PUT_DUE, now=self._now())
                # After an outage of the database no heart has beaten for a while; that says nothing about the workers.
                since = asyncio.get_running_loop().time() - self._connector.last_outage
                if turn % SWEEPS_FOR_ALL == 0 and since > run_queue.DEAD_AFTER_SECONDS:
                    await self._forget_dead()
                    await self._put(
                        run_queue.PUT_LEFT_BEHIND, before=self._now() - run_queue.FORGOTTEN_MS, owner=""
                    )
            except Exception as error:
                # Nothing may end it.
                log.warning("the queue could not be filled: %s", error, exc_info=not _is_outage(error))
            turn += 1
            await asyncio.sleep(SWEEP_SECONDS)

    async def _put(self, words: str, **values: Any) -> None:
        rows = await self._connector.execute_query_all_async(cast("LiteralString", words), **values)
        if len(rows) == run_queue.MOST_AT_ONCE:
            await self._put(words, **values)

    async def _forget_dead(self) -> None:
        """Remove what dead workers had taken; their runs are queued anew from their own rows."""
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=run_queue.DEAD_AFTER_SECONDS):
            await manager.finish_job(job, jobs.Status.FAILED, delete_job=True)
        await manager.prune_stalled_workers(run_queue.DEAD_AFTER_SECONDS)


def _is_outage(error: Exception) -> bool:
    return isinstance(error.__cause__, psycopg.OperationalError)
