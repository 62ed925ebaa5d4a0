"""Brings the tables of a database to what this release needs, once, at the start of the program."""

import fcntl
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator_app.errors import ConfigurationError
from orchestrator_app.storage.engines import is_sqlite_url, open_reader, sqlite_file
from orchestrator_app.storage.sql import DatabaseError
from orchestrator_app.storage.sql import text as statement

_ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG_FILE = _ROOT / "alembic.ini"
_UPGRADING_MODULE = "orchestrator_app.storage.schema_upgrade"

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
    with _problems_in_sentences(url), _alone(url):
        return revision(url) != newest_revision() and _upgrade(url)


def revision(url: str) -> str | None:
    """The revision of the tables in the database; None when it has none yet."""
    connection = open_reader(url)
    try:
        if connection.execute(_HAS_REVISION[connection.is_sqlite]).scalar_one_or_none() is None:
            return None
        return connection.execute(_REVISION).scalar_one_or_none()
    finally:
        connection.close()


def newest_revision() -> str:
    """The revision that this release needs: migrations are numbered, and their files begin with the number."""
    files = (CONFIG_FILE.parent / "alembic" / "versions").glob("*.py")
    return max(file.name.partition("_")[0] for file in files)


def _upgrade(url: str) -> bool:
    """Upgrade in a process of its own: the memory that SQLAlchemy and Alembic take is free again when it ends."""
    places = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    upgrading = subprocess.run(  # noqa: S603 - the command is written here
        [sys.executable, "-m", _UPGRADING_MODULE],
        input=json.dumps([url, str(CONFIG_FILE)]),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        start_new_session=True,  # a signal to the program in a terminal must not break off the upgrade
    )
    answer = json.loads(upgrading.stdout)
    if problems := answer["problems"]:
        raise ConfigurationError(problems)
    if refusal := answer["refusal"]:
        raise ConfigurationError([_unusable(url, refusal)])
    return answer["was_new"]


@contextmanager
def _alone(url: str) -> Generator[None]:
    """For SQLite, one process at a time: two that set up a new file at once would refuse each other."""
    if not is_sqlite_url(url):
        yield
        return
    file = sqlite_file(url)
    folder = os.open(file.absolute().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        # An existing file is not even opened here: closing it would end this process's own locks on it.
        if not file.exists():
            create_file(file)
        yield
    finally:
        os.close(folder)


def create_file(file: Path) -> None:
    """Make the file of a database before SQLite does, which would let everybody read it."""
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def _problems_in_sentences(url: str) -> Generator[None]:
    try:
        yield
    except (DatabaseError, sqlite3.Error, OSError) as error:
        raise ConfigurationError([_unusable(url, str(error).strip())]) from error


def _unusable(url: str, reason: str) -> str:
    return (
        f"The database {shown(url)} cannot be opened or upgraded: {reason}. Check that it exists, that it may be "
        "written, that nobody else locks it and that the disk is not full."
    )


def shown(url: str) -> str:
    """The URL without its password; for SQLite the file."""
    if is_sqlite_url(url):
        return str(sqlite_file(url))
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    return parts._replace(netloc=f"{name}{colon}{'***' if colon else ''}{at}{place}").geturl()
