"""The database: one writing thread with group commit, short reads beside it; SQLite or PostgreSQL."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from orchestrator_app.errors import InvalidInput, Unavailable
from orchestrator_app.storage import engines
from orchestrator_app.storage.sql import (
    Connection,
    DatabaseError,
    Unfit,
    Violation,
    WrongStatement,
    text,
)

log = logging.getLogger(__name__)

Result = TypeVar("Result")

DATABASE_FILE = "orchestrator.db"
MAX_BATCH = 500
# SQLite empties its write-ahead log only when it finds a moment without readers; from here on one is asked for.
LONG_LOG_BYTES = 16 * 1024 * 1024
SHORTEN_AGAIN_SECONDS = 5.0
_SHORTEN_TIMEOUT_MS = 200

# The work was wrong, not the database.
_WRONG_WORK = (Unfit, Violation, WrongStatement)
_ONE = text("SELECT 1")


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


_Outcome = tuple[_Job, Any, BaseException | None]


class Database:
    """Runs pieces of work, each a function of a connection, in transactions.

    ``write`` jobs that arrive together share one commit; a job that fails is undone alone. For that, jobs may be run
    several times (all but the last time undone), so they must do nothing but use their connection.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = engines.is_sqlite_url(url)
        self.commits = 0
        self._begin_write = engines.begin_words(is_sqlite=self.is_sqlite, is_writing=True)
        self._begin_read = engines.begin_words(is_sqlite=self.is_sqlite, is_writing=False)
        self._writing: Connection | None = None
        # One for each reading thread; whoever is not reading lies here.
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._log_file = Path(f"{engines.sqlite_file(url)}-wal") if self.is_sqlite else None
        self._shorten_log_at = 0.0
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        # Nothing may follow the end mark in the queue: nobody would answer it.
        self._gate = threading.Lock()
        self._is_closed = False
        self._readers = ThreadPoolExecutor(engines.READERS, thread_name_prefix="database-read")
        self._writer = threading.Thread(target=self._write_loop, name="database-write", daemon=True)
        self._writer.start()

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run the work in a transaction and return when it is committed.

        Raises:
            Unavailable: The database cannot take it now (disk full, read-only, locked, gone). Nothing is written,
                unless PostgreSQL was lost during the commit itself: then nobody knows.
            OrchestratorError: Whatever the work raised; nothing of it is written.
        """
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future(), loop)
        with self._gate:
            if self._is_closed:
                raise _closed()
            self._queue.put(job)
        # What is queued is written or not as a whole, also when the caller is cancelled meanwhile.
        return await job.future

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run reading work beside the writer, on a snapshot of what is committed.

        Raises:
            Unavailable: The database cannot be read.
        """
        with self._gate:
            if self._is_closed:
                raise _closed()
            future = asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)
        return await future

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        try:
            connection = self._begun(None if self._idle.empty() else self._idle.get(), is_writing=False)
        except DatabaseError as error:
            raise _told(error) from error
        try:
            result = work(connection)
            connection.command("COMMIT")
        except BaseException as error:
            # A connection that had trouble is not used again.
            if isinstance(error, DatabaseError) or not _is_undone(connection):
                connection.close()
            else:
                self._idle.put(connection)
            if isinstance(error, DatabaseError):
                raise _told(error) from error
            raise
        self._idle.put(connection)
        return result

    def _begun(self, connection: Connection | None, *, is_writing: bool) -> Connection:
        """The connection in a new transaction; another one when it was lost since it was used last."""
        words = self._begin_write if is_writing else self._begin_read
        if connection is not None:
            try:
                connection.command(words)
            except DatabaseError as error:
                connection.close()
                if not error.is_lost:
                    raise
            else:
                return connection
        opened = (engines.open_writer if is_writing else engines.open_reader)(self.url)
        try:
            opened.command(words)
        except DatabaseError:
            opened.close()
            raise
        return opened

    def close(self) -> None:
        """Finish what is queued, then close all connections."""
        with self._gate:
            is_first = not self._is_closed
            self._is_closed = True
            if is_first:
                self._queue.put(None)
        self._writer.join()
        self._readers.shutdown()
        # The last connection to SQLite empties the write-ahead log into the file; that must be the writer's.
        while not self._idle.empty():
            self._idle.get().close()
        self._hang_up()

    # --- the writer's thread ---

    def _write_loop(self) -> None:
        is_open = True
        while is_open:
            batch: list[_Job] = []
            job = self._queue.get()
            while job is not None:
                batch.append(job)
                if len(batch) >= MAX_BATCH or self._queue.empty():
                    break
                job = self._queue.get()
            is_open = job is not None
            if batch:
                _deliver(self._run_batch(batch))

    def _run_batch(self, batch: Sequence[_Job]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            outcomes = self._run_together(batch)
            trouble = next((error for _, _, error in outcomes if _is_trouble(error)), None)
            if trouble is not None:
                log.warning("the database refused work: %s", trouble)
                # A new connection is what helps when the server was restarted or the file was put back.
                self._hang_up()
            elif self._log_file is not None and self._writing is not None:
                self._keep_log_short(self._writing, self._log_file)
        except BaseException as error:  # noqa: BLE001 - whatever happens, every caller must get an answer
            log.warning("the connection to the database failed: %s", error)
            self._hang_up()
            return outcomes or _all_failed(batch, error)
        return outcomes

    def _hang_up(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.close()

    def _run_together(self, batch: Sequence[_Job]) -> list[_Outcome]:
        """All jobs in one transaction. When one fails, each half is tried again, until the failing one is alone."""
        outcomes: list[_Outcome] = []
        is_working = False
        try:
            kept, self._writing = self._writing, None
            connection = self._writing = self._begun(kept, is_writing=True)
            is_working = True
            for job in batch:
                outcomes.append((job, job.work(connection), None))  # noqa: PERF401 - those before a failure count
            is_working = False
            connection.command("COMMIT")
        except BaseException as error:  # noqa: BLE001 - a job's error goes to its caller, whatever it is
            if self._writing is not None and not _is_undone(self._writing):
                self._hang_up()
            # What fails before the first job, at the commit or for want of a connection would fail for the rest too.
            is_hopeless = not is_working or (isinstance(error, DatabaseError) and error.is_lost)
            if is_hopeless or len(batch) == 1:
                return _all_failed(batch, error)
            middle = len(batch) // 2
            return self._run_together(batch[:middle]) + self._run_together(batch[middle:])
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


def database_url(configured: str, data_dir: Path) -> str:
    """The configured URL, or that of the SQLite file in the data folder."""
    return configured or engines.sqlite_url(data_dir / DATABASE_FILE)


def is_ready(connection: Connection) -> bool:
    """Whether the database answers."""
    return connection.execute(_ONE).scalar_one() == 1


def _is_undone(connection: Connection) -> bool:
    """Undo what was begun; False when the connection is of no more use."""
    try:
        if _is_in_transaction(connection):
            connection.command("ROLLBACK")
    except DatabaseError:
        return False
    return True


def _is_in_transaction(connection: Connection) -> bool:
    # SQLite ends a transaction by itself when the disk is full; to undo it again would be an error of its own.
    return bool(getattr(connection.driver, "in_transaction", True))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


# --- answers to callers ---


def _all_failed(batch: Sequence[_Job], error: BaseException) -> list[_Outcome]:
    return [(job, None, error) for job in batch]


def _deliver(outcomes: list[_Outcome]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, mine in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, mine)
        except RuntimeError:
            log.info("%d answers of the database came after their caller's event loop was closed", len(mine))


def _resolve(outcomes: list[_Outcome]) -> None:
    for job, result, error in outcomes:
        if job.future.done():  # its caller was cancelled, and nobody waits
            continue
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(_for_caller(error))


def _for_caller(error: BaseException) -> BaseException:
    if isinstance(error, DatabaseError):
        translated = _translated(error)
    elif isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    else:
        # A future does not take StopIteration; and nothing that ends a thread may end the caller's event loop.
        translated = RuntimeError(f"a database job ended with {type(error).__name__}")
    if translated is not error:
        translated.__cause__ = error
    return translated


def _is_trouble(error: BaseException | None) -> bool:
    return isinstance(error, DatabaseError) and (error.is_lost or not isinstance(error, _WRONG_WORK))


def _told(error: DatabaseError) -> Exception:
    """What the caller of a read gets; trouble of the database itself is logged."""
    if _is_trouble(error):
        log.warning("the database could not be read: %s", error)
    return _translated(error)


def _translated(error: DatabaseError) -> Exception:
    if isinstance(error, Unfit):
        return InvalidInput(
            "The database cannot hold this: a text is too long or contains a character that is none.",
            hint="Shorten it, or remove control characters.",
            context={"reason": str(error)},
        )
    if not _is_trouble(error):
        return error
    return Unavailable(
        "The database cannot be used right now.",
        hint="Check its disk space, its permissions and whether it is running; then try again.",
        context={"reason": str(error)},
    )


def _closed() -> Unavailable:
    return Unavailable("Orchestrator is shutting down.", hint="Try again in a moment.")
