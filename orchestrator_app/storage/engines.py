"""How connections to SQLite and PostgreSQL are opened: one kind for writing, one for reading."""

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from orchestrator_app.storage.sql import Connection, DatabaseError

READERS = 4
BUSY_TIMEOUT_SECONDS = 30
# Commits are on disk when they return. Tests, whose data nobody needs after a crash, do without.
SQLITE_SYNCHRONOUS = "FULL"
_CACHED_STATEMENTS = 512
_SQLITE = "sqlite:///"

# The driver must not open transactions by itself: every one starts with our own BEGIN below.
SQLITE_ARGUMENTS: dict[str, Any] = {"timeout": BUSY_TIMEOUT_SECONDS, "isolation_level": None}
# A server that went away without a word is noticed within these times instead of after many minutes.
POSTGRESQL_ARGUMENTS: dict[str, Any] = {
    "application_name": "orchestrator",
    "connect_timeout": "10",
    "tcp_user_timeout": "30000",
}
UTC = "-c timezone=UTC"
_TIME_LIMITS = "-c statement_timeout=10000 -c idle_in_transaction_session_timeout=10000"
_READ_ONLY = "-c default_transaction_read_only=on"


def open_writer(url: str) -> Connection:
    """The connection of the one thread that writes.

    Raises:
        DatabaseError: It cannot be opened now.
    """
    # A read that turns into a write fails at once with SQLITE_BUSY, whatever busy_timeout says; so transactions
    # ask for the lock first (``begin_words``).
    if is_sqlite_url(url):
        return _open_sqlite(url, "journal_mode=WAL", f"synchronous={SQLITE_SYNCHRONOUS}", "foreign_keys=ON")
    return _open_postgresql(url, f"{UTC} {_TIME_LIMITS}")


def open_reader(url: str) -> Connection:
    """A connection that cannot write. Raises as ``open_writer`` does."""
    # SQLite before 3.51.3 can corrupt a database when one connection commits while another one checkpoints. So only
    # the writing connection does either.
    if is_sqlite_url(url):
        return _open_sqlite(url, "wal_autocheckpoint=0", "query_only=ON")
    return _open_postgresql(url, f"{UTC} {_TIME_LIMITS} {_READ_ONLY}")


def open_glancer(url: str) -> Connection:
    """A connection to SQLite that cannot write and waits for nobody. Raises as ``open_writer`` does."""
    return _open_sqlite(url, "wal_autocheckpoint=0", "query_only=ON", "busy_timeout=0")


@asynccontextmanager
async def open_listener(url: str, channel: str) -> AsyncGenerator[Callable[[float], AsyncIterator[str]]]:
    """Listen to a channel of PostgreSQL.

    Gives a function that yields what arrives, without end; it asks whether the connection lives as often as it is told,
    in seconds. Raises as ``open_writer`` does, also while it yields.
    """
    import psycopg  # noqa: PLC0415 - only who uses PostgreSQL has its driver

    async def notifications(ask_seconds: float) -> AsyncIterator[str]:
        while True:
            async for notification in connection.notifies(timeout=ask_seconds):
                yield notification.payload
            await connection.execute("SELECT 1")

    try:
        connection = await psycopg.AsyncConnection.connect(
            _plain(url), autocommit=True, **POSTGRESQL_ARGUMENTS
        )
        async with connection:
            await connection.execute(f'LISTEN "{channel}"'.encode())
            yield notifications
    except psycopg.Error as error:
        raise DatabaseError(error, is_lost=True) from error


def begin_words(*, is_sqlite: bool, is_writing: bool) -> str:
    """The words that begin a transaction; a reading one sees one moment."""
    if is_sqlite:
        return "BEGIN IMMEDIATE" if is_writing else "BEGIN"
    return f"BEGIN ISOLATION LEVEL {'READ COMMITTED' if is_writing else 'REPEATABLE READ'}"


def is_sqlite_url(url: str) -> bool:
    """Whether the URL is that of a SQLite file."""
    return url.startswith("sqlite")


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file, as SQLAlchemy writes it; loading SQLAlchemy takes longer than all else here."""
    return f"{_SQLITE}{quote(str(path.absolute()), safe=' +/')}"


def sqlite_file(url: str) -> Path:
    """The file that such a URL means."""
    path, _, _ = url.removeprefix(_SQLITE).partition("?")
    return Path(unquote(path))


def lower_text(text: str | None) -> str | None:
    """What ``lower`` means in SQL; SQLite's own knows the English letters only."""
    return None if text is None else text.lower()


def _open_sqlite(url: str, *pragmas: str) -> Connection:
    try:
        driver = sqlite3.connect(
            sqlite_file(url),
            cached_statements=_CACHED_STATEMENTS,
            check_same_thread=False,
            **SQLITE_ARGUMENTS,
        )
    except sqlite3.Error as error:
        raise DatabaseError(error) from error
    connection = Connection(driver, sqlite3.Error, is_sqlite=True)
    try:
        prepare_sqlite(driver, *pragmas)
    except sqlite3.Error as error:
        driver.close()
        raise connection.explained(error) from error
    return connection


def _open_postgresql(url: str, options: str) -> Connection:
    import psycopg  # noqa: PLC0415 - only who uses PostgreSQL has its driver

    try:
        driver = psycopg.connect(_plain(url), autocommit=True, **POSTGRESQL_ARGUMENTS, options=options)
    except psycopg.Error as error:
        raise DatabaseError(error) from error
    return Connection(driver, psycopg.Error, is_sqlite=False)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def prepare_sqlite(connection: sqlite3.Connection, *pragmas: str) -> None:
    """Set what holds for a connection as long as it is open."""
    connection.create_function("lower", 1, lower_text, deterministic=True)
    for pragma in (*pragmas, "trusted_schema=OFF", "cell_size_check=ON", "journal_size_limit=67108864"):
        connection.execute(f"PRAGMA {pragma}")
