"""Makes and changes tables, with SQLAlchemy and Alembic; ``storage.migrations`` starts it when that is due.

It reads ``[URL, Alembic's configuration file]`` as JSON, and says what became of it:
``{"was_new": bool, "problems": [sentences], "refusal": what the database said}``.
"""

import json
import os
import sqlite3
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from orchestrator_app.errors import ConfigurationError
from orchestrator_app.storage.engines import (
    POSTGRESQL_ARGUMENTS,
    SQLITE_ARGUMENTS,
    UTC,
    is_sqlite_url,
    prepare_sqlite,
    sqlite_file,
)
from orchestrator_app.storage.migrations import create_file, shown
from orchestrator_app.storage.sql import DatabaseError

# Any number will do that nobody else locks in the same database.
_POSTGRESQL_LOCK = text("SELECT pg_advisory_xact_lock(7243901855210034)")


def upgrade(url: str, config_file: Path) -> bool:
    """Create or upgrade the tables, as ``migrations.upgrade`` says, which sees to it that nobody else does the same.

    Returns:
        Whether the database was new.

    Raises:
        ConfigurationError: A newer release made it, or its content does not allow it.
        DatabaseError: The database refuses.
    """
    config = Config(config_file)
    script = ScriptDirectory.from_config(config)
    head = script.as_revision_number("head")
    engine = migration_engine(url)
    with _plain_errors(), engine.connect() as connection, connection.begin():
        if not is_sqlite_url(url):
            connection.execute(_POSTGRESQL_LOCK)
        current = MigrationContext.configure(connection).get_current_revision()
        if current == head:
            return False
        if current is not None and current not in {known.revision for known in script.walk_revisions()}:
            raise ConfigurationError([_newer_release(url, current)])
        if is_sqlite_url(url) and inspect(connection).get_table_names():
            _back_up(sqlite_file(url), f"before-{head}")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if is_sqlite_url(url):
            _check_foreign_keys(connection, url)
    return current is None


def migration_engine(url: str) -> Engine:
    """An engine for schema changes: one connection at a time, no time limits, foreign keys not enforced.

    SQLite changes a table by making it anew. With foreign keys enforced, dropping the old one would delete all that
    hangs on it; who migrates checks them at the end instead.
    """
    if is_sqlite_url(url):
        engine = create_engine(url, poolclass=NullPool, connect_args=SQLITE_ARGUMENTS)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        poolclass=NullPool,
        connect_args=POSTGRESQL_ARGUMENTS | {"options": UTC},
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    prepare_sqlite(connection, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _plain_errors() -> Generator[None]:
    try:
        yield
    except DBAPIError as error:
        raise DatabaseError(error.orig if isinstance(error.orig, Exception) else error) from error


def _back_up(file: Path, suffix: str) -> None:
    target = file.with_name(f"{file.name}.{suffix}")
    unfinished = file.with_name(f"{file.name}.{suffix}.unfinished")
    unfinished.unlink(missing_ok=True)
    create_file(unfinished)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(unfinished)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise ConfigurationError(
            [f"The database {file} is damaged: {verdict}. Restore a copy of it, and start again."]
        )
    with unfinished.open("rb") as written:
        os.fsync(written.fileno())
    unfinished.replace(target)


def _check_foreign_keys(connection: Connection, url: str) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        problem = (
            f"The database {shown(url)} cannot be upgraded: a row of the table {broken[0]} belongs to a row of "
            f"{broken[2]} that does not exist. Nothing was changed. Restore a copy of the database."
        )
        raise ConfigurationError([problem])


def _newer_release(url: str, current: str) -> str:
    advice = (
        f" or restore the copy {sqlite_file(url)}.before-{current}"
        if is_sqlite_url(url)
        else " or restore a copy of it"
    )
    return (
        f"The database {shown(url)} was last used by a newer release of Orchestrator (its tables have the revision "
        f"{current}). Start that release,{advice}. Nothing was changed."
    )


def main() -> None:
    """Do what standard input says."""
    url, config_file = json.load(sys.stdin)
    answer: dict[str, Any] = {"was_new": False, "problems": [], "refusal": ""}
    try:
        answer["was_new"] = upgrade(url, Path(config_file))
    except ConfigurationError as error:
        answer["problems"] = error.problems
    except (DatabaseError, sqlite3.Error, OSError) as error:
        answer["refusal"] = str(error).strip() or type(error).__name__
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
