"""The database: short reads beside one writer with group commit; SQLite or PostgreSQL."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from orchestrator_app.errors import Unavailable
from orchestrator_app.storage import engines
from orchestrator_app.storage.sql import Connection, DatabaseError, text
from orchestrator_app.storage.transactions import begun, is_undone
from orchestrator_app.storage.troubles import closed, is_trouble, translated
from orchestrator_app.storage.writer import Job, Writer

log = logging.getLogger(__name__)

Result = TypeVar("Result")

DATABASE_FILE = "orchestrator.db"
_ONE = text("SELECT 1")


class Database:
    """Runs pieces of work, each a function of a connection, in transactions.

    Work that writes may be run several times (all but the last time undone), so it must do nothing but use its connection.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = engines.is_sqlite_url(url)
        self._begin_read = engines.begin_words(is_sqlite=self.is_sqlite, is_writing=False)
        # One for each reading thread; whoever is not reading lies here.
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._idle_glancer: SimpleQueue[Connection] = SimpleQueue()
        self._gate = threading.Lock()
        self._is_closed = False
        self._readers = ThreadPoolExecutor(engines.READERS, thread_name_prefix="database-read")
        self._writer = Writer(url)

    @property
    def commits(self) -> int:
        """How many transactions that write were committed."""
        return self._writer.commits

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run the work in a transaction and return when it is committed.

        Raises:
            Unavailable: The database cannot take it now (disk full, read-only, locked, gone). Nothing is written,
                unless PostgreSQL was lost during the commit itself: then nobody knows.
            OrchestratorError: Whatever the work raised; nothing of it is written.
        """
        return await self._written(self._writer.put, work)

    async def jot(self, work: Callable[[Connection], Result]) -> Result:
        """As ``write``, for a few statements about a few rows: on SQLite they are run at once, on the caller's thread."""
        return await self._written(self._writer.put_little, work)

    async def _written(self, put: Callable[[Job], None], work: Callable[[Connection], Result]) -> Result:
        loop = asyncio.get_running_loop()
        job = Job(work, loop.create_future(), loop)
        put(job)
        # What is queued is written or not as a whole, also when the caller is cancelled meanwhile.
        return await job.future

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run reading work beside the writer, on a snapshot of what is committed.

        Raises:
            Unavailable: The database cannot be read.
        """
        with self._gate:
            if self._is_closed:
                raise closed()
            future = asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)
        return await future

    async def glance(self, work: Callable[[Connection], Result]) -> Result:
        """As ``read``, for a little that was just written: of SQLite it is read at once, on the caller's thread.

        To hand such a read to another thread, and its result back, costs several times what it costs itself. It never
        waits for a lock; what cannot be had at once is read by ``read``.
        """
        if self.is_sqlite:
            # Closing has to wait: the last connection must be the writer's.
            with self._gate:
                if self._is_closed:
                    raise closed()
                with contextlib.suppress(Unavailable):
                    return self._read_with(self._idle_glancer, engines.open_glancer, work)
        return await self.read(work)

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        return self._read_with(self._idle, engines.open_reader, work)

    def _read_with(
        self,
        idle: SimpleQueue[Connection],
        open_another: Callable[[str], Connection],
        work: Callable[[Connection], Result],
    ) -> Result:
        try:
            connection = begun(_taken(idle), self._begin_read, partial(open_another, self.url))
        except DatabaseError as error:
            raise _told(error) from error
        try:
            result = work(connection)
            connection.command("COMMIT")
        except BaseException as error:
            # A connection that had trouble is not used again.
            if isinstance(error, DatabaseError) or not is_undone(connection):
                connection.close()
            else:
                idle.put(connection)
            if isinstance(error, DatabaseError):
                raise _told(error) from error
            raise
        idle.put(connection)
        return result

    def close(self) -> None:
        """Finish what is queued, then close all connections."""
        with self._gate:
            self._is_closed = True
        self._writer.finish()
        self._readers.shutdown()
        # The last connection to SQLite empties the write-ahead log into the file; that must be the writer's.
        for idle in (self._idle, self._idle_glancer):
            while (connection := _taken(idle)) is not None:
                connection.close()
        self._writer.hang_up()


def database_url(configured: str, data_dir: Path) -> str:
    """The configured URL, or that of the SQLite file in the data folder."""
    return configured or engines.sqlite_url(data_dir / DATABASE_FILE)


def is_ready(connection: Connection) -> bool:
    """Whether the database answers."""
    return connection.execute(_ONE).scalar_one() == 1


def _taken(idle: SimpleQueue[Connection]) -> Connection | None:
    try:
        return idle.get_nowait()
    except Empty:
        return None


def _told(error: DatabaseError) -> Exception:
    """What the caller of a read gets; trouble of the database itself is logged."""
    if is_trouble(error):
        log.warning("the database could not be read: %s", error)
    return translated(error)
