"""How connections to SQLite and PostgreSQL are opened: one kind for writing, one for reading, one for migrations."""

import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

READERS = 4
BUSY_TIMEOUT_SECONDS = 30

# The driver must not open transactions by itself: every one starts with our own BEGIN below.
_SQLITE_ARGUMENTS: dict[str, Any] = {"timeout": BUSY_TIMEOUT_SECONDS, "isolation_level": None}
# A server that went away without a word is noticed within these times instead of after many minutes.
_POSTGRESQL_ARGUMENTS = {
    "application_name": "orchestrator",
    "connect_timeout": "10",
    "tcp_user_timeout": "30000",
}
_UTC = "-c timezone=UTC"
_TIME_LIMITS = "-c statement_timeout=10000 -c idle_in_transaction_session_timeout=30000"
_READ_ONLY = "-c default_transaction_read_only=on"


def writing_engine(url: str) -> Engine:
    """An engine with one connection, for the one thread that writes."""
    if is_sqlite_url(url):
        engine = create_engine(
            url, pool_size=1, max_overflow=0, connect_args=_SQLITE_ARGUMENTS | {"check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite_writer)
        # A read that turns into a write fails at once with SQLITE_BUSY, whatever busy_timeout says; so ask first.
        event.listen(engine, "begin", _begin_sqlite_write)
        return engine
    return create_engine(
        _psycopg_url(url),
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args=_POSTGRESQL_ARGUMENTS | {"options": f"{_UTC} {_TIME_LIMITS}"},
    )


def reading_engine(url: str) -> Engine:
    """An engine whose connections see one snapshot per transaction, and cannot write."""
    if is_sqlite_url(url):
        engine = create_engine(
            url,
            pool_size=READERS,
            max_overflow=0,
            connect_args=_SQLITE_ARGUMENTS | {"check_same_thread": False},
        )
        event.listen(engine, "connect", _prepare_sqlite_reader)
        event.listen(engine, "begin", _begin_sqlite_read)
        return engine
    return create_engine(
        _psycopg_url(url),
        pool_size=READERS,
        max_overflow=0,
        pool_pre_ping=True,
        isolation_level="REPEATABLE READ",
        connect_args=_POSTGRESQL_ARGUMENTS | {"options": f"{_UTC} {_TIME_LIMITS} {_READ_ONLY}"},
    )


def migration_engine(url: str) -> Engine:
    """An engine for schema changes: one connection at a time, no time limits, foreign keys not enforced.

    SQLite changes a table by making it anew. With foreign keys enforced, dropping the old one would delete all that
    hangs on it; who migrates checks them at the end instead.
    """
    if is_sqlite_url(url):
        engine = create_engine(url, poolclass=NullPool, connect_args=_SQLITE_ARGUMENTS)
        event.listen(engine, "connect", _prepare_sqlite_migration)
        event.listen(engine, "begin", _begin_sqlite_write)
        return engine
    return create_engine(
        _psycopg_url(url), poolclass=NullPool, connect_args=_POSTGRESQL_ARGUMENTS | {"options": _UTC}
    )


def is_sqlite_url(url: str) -> bool:
    """Whether the URL is that of a SQLite file."""
    return url.startswith("sqlite")


def lower_text(text: str | None) -> str | None:
    """What ``lower`` means in SQL; SQLite's own knows the English letters only."""
    return None if text is None else text.lower()


def _psycopg_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _prepare_sqlite_writer(connection: sqlite3.Connection, _record: object) -> None:
    _prepare_sqlite(connection, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


def _prepare_sqlite_reader(connection: sqlite3.Connection, _record: object) -> None:
    # SQLite before 3.51.3 can corrupt a database when one connection commits while another one checkpoints. So only
    # the writing connection does either.
    _prepare_sqlite(connection, "wal_autocheckpoint=0", "query_only=ON")


def _prepare_sqlite_migration(connection: sqlite3.Connection, _record: object) -> None:
    _prepare_sqlite(connection, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF")


def _prepare_sqlite(connection: sqlite3.Connection, *pragmas: str) -> None:
    connection.create_function("lower", 1, lower_text, deterministic=True)
    for pragma in (*pragmas, "trusted_schema=OFF", "cell_size_check=ON", "journal_size_limit=67108864"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite_write(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_sqlite_read(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
