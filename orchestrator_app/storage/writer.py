"""Writes to the database: one connection, jobs that arrive together in one transaction, each answered once committed.

Transactions are committed by a thread of their own, for that is what takes long: the disk has to have it. With
PostgreSQL, and for jobs that may take long themselves, the thread does everything. Little jobs on SQLite are run where
they come from, on the thread of the caller's event loop, and only their commit is handed over: Python lets another thread
take over at each statement, so that a thread beside a busy event loop waits many times longer than its statements take.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from orchestrator_app.storage import engines
from orchestrator_app.storage.sql import Connection, DatabaseError
from orchestrator_app.storage.transactions import begun, is_undone
from orchestrator_app.storage.troubles import closed, is_trouble, translated

log = logging.getLogger(__name__)

MAX_BATCH = 500
# So many of the little ones keep the event loop for a few milliseconds.
MAX_LITTLE_BATCH = 100
# SQLite empties its write-ahead log only when it finds a moment without readers; from here on one is asked for.
LONG_LOG_BYTES = 16 * 1024 * 1024
SHORTEN_AGAIN_SECONDS = 5.0
_SHORTEN_TIMEOUT_MS = 200


@dataclass(slots=True)
class Job:
    """A piece of work, and whom its result is for."""

    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


_Outcome = tuple[Job, Any, BaseException | None]


@dataclass(frozen=True, slots=True)
class _Order:
    """What the thread is to do: run these jobs, or commit what they have come to already."""

    jobs: Sequence[Job]
    outcomes: list[_Outcome] | None = None


class Writer:
    """The one connection that writes.

    A job that fails is undone alone. For that, jobs may be run several times (all but the last time undone), so they must
    do nothing but use their connection.

    Attributes:
        commits: How many there were.
    """

    def __init__(self, url: str) -> None:
        self.commits = 0
        self._url = url
        self._is_sqlite = engines.is_sqlite_url(url)
        self._begin = engines.begin_words(is_sqlite=self._is_sqlite, is_writing=True)
        self._log_file = Path(f"{engines.sqlite_file(url)}-wal") if self._is_sqlite else None
        self._shorten_log_at = 0.0
        # Whoever uses the connection: the thread while it has orders in hand, otherwise who holds the gate.
        self._connection: Connection | None = None
        self._waits_for_locks = True
        self._gate = threading.Lock()
        self._in_hand = 0
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._little: list[Job] = []
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="database-write", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Have the job done by the thread.

        Raises:
            Unavailable: The writer is closed.
        """
        with self._gate:
            self._check_open()
            self._hand_over(_Order((job,)))

    def put_little(self, job: Job) -> None:
        """Have a job done that takes no time to speak of. To be called on the thread of the job's event loop.

        Raises:
            Unavailable: The writer is closed.
        """
        if not self._is_sqlite:
            self.put(job)
            return
        with self._gate:
            self._check_open()
            self._little.append(job)
            is_taken_along = self._in_hand > 0
        if not is_taken_along:
            # What comes in the same turn of the loop goes into the same transaction.
            job.loop.call_soon(self._run_little)

    def finish(self) -> None:
        """Do what was put, and take no more."""
        with self._gate:
            if not self._is_closed:
                self._is_closed = True
                while self._little:
                    self._hand_over(_Order(self._take_little(MAX_BATCH)))
                self._orders.put(None)
        self._thread.join()

    def hang_up(self) -> None:
        """Close the connection; the thread must have nothing in hand."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise closed()

    def _hand_over(self, order: _Order) -> None:
        """Give the thread an order; the caller holds the gate. Nothing may follow the end mark."""
        self._in_hand += 1
        self._orders.put(order)

    def _take_little(self, most: int) -> list[Job]:
        taken, self._little = self._little[:most], self._little[most:]
        return taken

    # --- on the threads of event loops ---

    def _run_little(self) -> None:
        """Run the little jobs that wait, and let the thread commit them."""
        with self._gate:
            if self._in_hand or not self._little:
                return  # when the thread has nothing in hand any more, this is called again
            jobs = self._take_little(MAX_LITTLE_BATCH)
            self._hand_over(_Order(jobs, self._ran_at_once(jobs)))

    def _ran_at_once(self, jobs: Sequence[Job]) -> list[_Outcome] | None:
        """What the jobs came to, not committed yet. None when there was any trouble: the thread has to find out whose."""
        connection = self._connection
        if connection is None:
            return None
        try:
            if self._waits_for_locks:
                connection.command("PRAGMA busy_timeout = 0")
                self._waits_for_locks = False
            connection.command(self._begin)
            return [(job, job.work(connection), None) for job in jobs]
        except BaseException:  # noqa: BLE001 - whatever it was, it happens again on the thread
            if not is_undone(connection):
                self.hang_up()
            return None

    def _resolve(self, outcomes: list[_Outcome]) -> None:
        for job, result, error in outcomes:
            if job.future.done():  # its caller was cancelled, and nobody waits
                continue
            if error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(_for_caller(error))
        self._run_little()

    # --- the thread ---

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            orders, jobs = 1, list(order.jobs)
            is_last = False
            if order.outcomes is None:
                while len(jobs) < MAX_BATCH and not self._orders.empty():
                    further = self._orders.get()
                    if further is None:
                        is_last = True
                        break
                    orders += 1
                    jobs += further.jobs
                with self._gate:
                    jobs += self._take_little(max(0, MAX_BATCH - len(jobs)))
            outcomes = self._run_batch(jobs, order.outcomes)
            with self._gate:
                self._in_hand -= orders
            self._deliver(outcomes)
            if is_last:
                return

    def _run_batch(self, jobs: Sequence[Job], ran: list[_Outcome] | None) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            connection = self._connection
            if ran is None or connection is None:
                outcomes = self._run_together(jobs)
            else:
                outcomes = self._committed(connection, ran)
            trouble = next((error for _, _, error in outcomes if is_trouble(error)), None)
            if trouble is not None:
                log.warning("the database refused work: %s", trouble)
                # A new connection is what helps when the server was restarted or the file was put back.
                self.hang_up()
            elif self._log_file is not None and self._connection is not None:
                self._keep_log_short(self._connection, self._log_file)
        except BaseException as error:  # noqa: BLE001 - whatever happens, every caller must get an answer
            log.warning("the connection to the database failed: %s", error)
            self.hang_up()
            return outcomes or _all_failed(jobs, error)
        return outcomes

    def _begun(self) -> Connection:
        """The connection in a new transaction."""
        kept, self._connection = self._connection, None
        if kept is not None and not self._waits_for_locks:
            kept.command(f"PRAGMA busy_timeout = {int(engines.SQLITE_ARGUMENTS['timeout'] * 1000)}")
        self._waits_for_locks = True
        return begun(kept, self._begin, lambda: engines.open_writer(self._url))

    def _run_together(self, jobs: Sequence[Job]) -> list[_Outcome]:
        """All jobs in one transaction. When one fails, each half is tried again, until the failing one is alone."""
        outcomes: list[_Outcome] = []
        is_working = False
        try:
            connection = self._connection = self._begun()
            is_working = True
            for job in jobs:
                outcomes.append((job, job.work(connection), None))  # noqa: PERF401 - those before a failure count
        except BaseException as error:  # noqa: BLE001 - a job's error goes to its caller, whatever it is
            if self._connection is not None and not is_undone(self._connection):
                self.hang_up()
            # What fails before the first job or for want of a connection would fail for the rest too.
            is_hopeless = not is_working or (isinstance(error, DatabaseError) and error.is_lost)
            if is_hopeless or len(jobs) == 1:
                return _all_failed(jobs, error)
            middle = len(jobs) // 2
            return self._run_together(jobs[:middle]) + self._run_together(jobs[middle:])
        return self._committed(connection, outcomes)

    def _committed(self, connection: Connection, outcomes: list[_Outcome]) -> list[_Outcome]:
        """What the jobs came to once that is on disk; the same error for all when it did not get there."""
        try:
            connection.command("COMMIT")
        except BaseException as error:  # noqa: BLE001 - every caller gets it
            if not is_undone(connection):
                self.hang_up()
            return _all_failed([job for job, _, _ in outcomes], error)
        self.commits += 1
        return outcomes

    def _keep_log_short(self, connection: Connection, log_file: Path) -> None:
        now = time.monotonic()
        if now < self._shorten_log_at or _size(log_file) < LONG_LOG_BYTES:
            return
        self._shorten_log_at = now + SHORTEN_AGAIN_SECONDS
        (usual_ms,) = connection.command("PRAGMA busy_timeout").fetchone()
        connection.command(f"PRAGMA busy_timeout = {_SHORTEN_TIMEOUT_MS}")
        connection.command("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.command(f"PRAGMA busy_timeout = {usual_ms}")
        if (size := _size(log_file)) >= LONG_LOG_BYTES:
            log.warning("a long read keeps the database's log from being emptied; it has %d MB", size >> 20)

    def _deliver(self, outcomes: list[_Outcome]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
        for outcome in outcomes:
            by_loop.setdefault(outcome[0].loop, []).append(outcome)
        is_any_reached = False
        for loop, mine in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._resolve, mine)
                is_any_reached = True
            except RuntimeError:
                log.info(
                    "%d answers of the database came after their caller's event loop was closed", len(mine)
                )
        if not is_any_reached:
            # Nobody is there who would run what has come meanwhile.
            with self._gate:
                if self._little and not self._is_closed:
                    self._hand_over(_Order(self._take_little(MAX_BATCH)))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _all_failed(jobs: Sequence[Job], error: BaseException) -> list[_Outcome]:
    return [(job, None, error) for job in jobs]


def _for_caller(error: BaseException) -> BaseException:
    if isinstance(error, DatabaseError):
        told = translated(error)
    elif isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    else:
        # A future does not take StopIteration; and nothing that ends a thread may end the caller's event loop.
        told = RuntimeError(f"a database job ended with {type(error).__name__}")
    if told is not error:
        told.__cause__ = error
    return told
