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

from sqlalchemy import URL, Connection, make_url, text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)

from orchestrator_app.errors import InvalidInput, Unavailable
from orchestrator_app.storage import engines

log = logging.getLogger(__name__)

Result = TypeVar("Result")

DATABASE_FILE = "orchestrator.db"
MAX_BATCH = 500
# SQLite empties its write-ahead log only when it finds a moment without readers; from here on one is asked for.
LONG_LOG_BYTES = 16 * 1024 * 1024
SHORTEN_AGAIN_SECONDS = 5.0
_SHORTEN_TIMEOUT_MS = 200

# The work was wrong, not the database.
_WRONG_WORK = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


_Outcome = tuple[_Job, Any, BaseException | None]


def _nobody_waits(future: asyncio.Future[Any]) -> None:
    """Look at the outcome of a job whose caller is gone, so that asyncio does not report it as overlooked."""
    if not future.cancelled():
        future.exception()


class Database:
    """Runs pieces of work, each a function of a connection, in transactions.

    ``write`` jobs that arrive together share one commit; a job that fails is undone alone. For that, jobs may be run
    several times (all but the last time undone), so they must do nothing but use their connection.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = engines.is_sqlite_url(url)
        self.commits = 0
        self._writes = engines.writing_engine(url)
        self._reads = engines.reading_engine(url)
        self._log_file = Path(f"{make_url(url).database}-wal") if self.is_sqlite else None
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
        # A cancelled caller must not leave half a decision: what was queued is written or not as a whole.
        try:
            return await asyncio.shield(job.future)
        except asyncio.CancelledError:
            job.future.add_done_callback(_nobody_waits)
            raise

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
            with self._reads.connect() as connection, connection.begin():
                return work(connection)
        except SQLAlchemyError as error:
            if _is_trouble(error):
                log.warning("the database could not be read: %s", _reason(error))
            raise _translated(error) from error

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
        self._reads.dispose()
        self._writes.dispose()

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
            with self._writes.connect() as connection:
                outcomes = self._run_together(batch, connection)
                trouble = next((error for _, _, error in outcomes if _is_trouble(error)), None)
                if trouble is not None:
                    log.warning("the database refused work: %s", _reason(trouble))
                    # A new connection is what helps when the server was restarted or the file was put back.
                    connection.invalidate()
                elif self._log_file is not None:
                    self._keep_log_short(connection, self._log_file)
        except BaseException as error:  # noqa: BLE001 - whatever happens, every caller must get an answer
            log.warning("the connection to the database failed: %s", _reason(error))
            return outcomes or _all_failed(batch, error)
        return outcomes

    def _run_together(self, batch: Sequence[_Job], connection: Connection) -> list[_Outcome]:
        """All jobs in one transaction. When one fails, each half is tried again, until the failing one is alone."""
        outcomes: list[_Outcome] = []
        is_working = False
        try:
            with connection.begin():
                is_working = True
                for job in batch:
                    outcomes.append((job, job.work(connection), None))  # noqa: PERF401 - those before a failure count
                is_working = False
        except BaseException as error:  # noqa: BLE001 - a job's error goes to its caller, whatever it is
            # What fails before the first job, at the commit or for want of a connection would fail for the rest too.
            is_hopeless = not is_working or (isinstance(error, DBAPIError) and error.connection_invalidated)
            if is_hopeless or len(batch) == 1:
                return _all_failed(batch, error)
            middle = len(batch) // 2
            return self._run_together(batch[:middle], connection) + self._run_together(
                batch[middle:], connection
            )
        self.commits += 1
        return outcomes

    def _keep_log_short(self, connection: Connection, log_file: Path) -> None:
        now = time.monotonic()
        if now < self._shorten_log_at or _size(log_file) < LONG_LOG_BYTES:
            return
        self._shorten_log_at = now + SHORTEN_AGAIN_SECONDS
        driver: Any = connection.connection.driver_connection
        (usual_ms,) = driver.execute("PRAGMA busy_timeout").fetchone()
        driver.execute(f"PRAGMA busy_timeout = {_SHORTEN_TIMEOUT_MS}")
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        driver.execute(f"PRAGMA busy_timeout = {usual_ms}")
        if (size := _size(log_file)) >= LONG_LOG_BYTES:
            log.warning("a long read keeps the database's log from being emptied; it has %d MB", size >> 20)


def database_url(configured: str, data_dir: Path) -> str:
    """The configured URL, or that of the SQLite file in the data folder."""
    return configured or sqlite_url(data_dir / DATABASE_FILE)


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def is_ready(connection: Connection) -> bool:
    """Whether the database answers."""
    return connection.execute(text("SELECT 1")).scalar_one() == 1


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
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(_for_caller(error))


def _for_caller(error: BaseException) -> BaseException:
    if isinstance(error, SQLAlchemyError):
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
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or not isinstance(error, _WRONG_WORK)
    )


def _translated(error: SQLAlchemyError) -> Exception:
    if isinstance(error, DataError):
        return InvalidInput(
            "The database cannot hold this: a text is too long or contains a character that is none.",
            hint="Shorten it, or remove control characters.",
            context={"reason": _reason(error)},
        )
    if not _is_trouble(error):
        return error
    return Unavailable(
        "The database cannot be used right now.",
        hint="Check its disk space, its permissions and whether it is running; then try again.",
        context={"reason": _reason(error)},
    )


def _reason(error: BaseException) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error)


def _closed() -> Unavailable:
    return Unavailable("Orchestrator is shutting down.", hint="Try again in a moment.")
