"""Brings the tables of a database to what this release needs, once, at the start of the program."""

import fcntl
import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from orchestrator_app.errors import ConfigurationError
from orchestrator_app.storage.engines import is_sqlite_url, migration_engine, open_reader
from orchestrator_app.storage.sql import DatabaseError
from orchestrator_app.storage.sql import text as statement

CONFIG_FILE = Path(__file__).resolve().parent.parent.parent / "alembic.ini"

# Any number will do that nobody else locks in the same database.
_POSTGRESQL_LOCK = text("SELECT pg_advisory_xact_lock(7243901855210034)")
_HAS_REVISION = {
    True: statement("SELECT name FROM sqlite_master WHERE name = 'alembic_version'"),
    False: statement("SELECT to_regclass('alembic_version')::text"),
}
_REVISION = statement("SELECT version_num FROM alembic_version")


def upgrade(url: str) -> bool:
    """Create or upgrade the tables; processes that start at the same time do it one after the other.

    A SQLite database with content is copied to ``<file>.before-<revision>`` first.

    Returns:
        Whether the database was new.

    Raises:
        ConfigurationError: It cannot be opened or upgraded, or a newer release made it. It is as it was before.
    """
    config = Config(CONFIG_FILE)
    script = ScriptDirectory.from_config(config)
    head = script.as_revision_number("head")
    with _problems_in_sentences(url), _alone(url):
        if revision(url) == head:
            return False
        engine = migration_engine(url)
        with engine.connect() as connection, connection.begin():
            if not is_sqlite_url(url):
                connection.execute(_POSTGRESQL_LOCK)
            current = _revision(connection)
            if current == head:
                return False
            if current is not None and current not in {known.revision for known in script.walk_revisions()}:
                raise ConfigurationError([_newer_release(url, current)])
            if is_sqlite_url(url) and inspect(connection).get_table_names():
                _back_up(_file(url), f"before-{head}")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if is_sqlite_url(url):
                _check_foreign_keys(connection, url)
    return current is None


def revision(url: str) -> str | None:
    """The revision of the tables in the database; None when it has none yet."""
    connection = open_reader(url)
    try:
        if connection.execute(_HAS_REVISION[connection.is_sqlite]).scalar_one_or_none() is None:
            return None
        return connection.execute(_REVISION).scalar_one_or_none()
    finally:
        connection.close()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _file(url: str) -> Path:
    return Path(make_url(url).database or "")


@contextmanager
def _alone(url: str) -> Generator[None]:
    """For SQLite, one process at a time: two that set up a new file at once would refuse each other."""
    if not is_sqlite_url(url):
        yield
        return
    folder = os.open(_file(url).absolute().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        # An existing file is not even opened here: closing it would end this process's own locks on it.
        if not _file(url).exists():
            _create_file(_file(url))
        yield
    finally:
        os.close(folder)


def _create_file(file: Path) -> None:
    """Make the file before SQLite does, which would let everybody read it."""
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _back_up(file: Path, suffix: str) -> None:
    target = file.with_name(f"{file.name}.{suffix}")
    unfinished = file.with_name(f"{file.name}.{suffix}.unfinished")
    unfinished.unlink(missing_ok=True)
    _create_file(unfinished)
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
            f"The database {_shown(url)} cannot be upgraded: a row of the table {broken[0]} belongs to a row of "
            f"{broken[2]} that does not exist. Nothing was changed. Restore a copy of the database."
        )
        raise ConfigurationError([problem])


def _newer_release(url: str, current: str) -> str:
    advice = (
        f" or restore the copy {_file(url)}.before-{current}"
        if is_sqlite_url(url)
        else " or restore a copy of it"
    )
    return (
        f"The database {_shown(url)} was last used by a newer release of Orchestrator (its tables have the revision "
        f"{current}). Start that release,{advice}. Nothing was changed."
    )


@contextmanager
def _problems_in_sentences(url: str) -> Generator[None]:
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig).strip()
        raise ConfigurationError([_unusable(url, reason)]) from error
    except (DatabaseError, sqlite3.Error, OSError) as error:
        raise ConfigurationError([_unusable(url, str(error))]) from error


def _unusable(url: str, reason: str) -> str:
    return (
        f"The database {_shown(url)} cannot be opened or upgraded: {reason}. Check that it exists, that it may be "
        "written, that nobody else locks it and that the disk is not full."
    )


def _shown(url: str) -> str:
    """The URL without its password; for SQLite the file."""
    return str(_file(url)) if is_sqlite_url(url) else make_url(url).render_as_string(hide_password=True)
