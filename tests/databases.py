"""Databases for tests, as a pytest plugin: fresh SQLite files, and fresh tables on a PostgreSQL server if one answers.

A test that asks for ``database`` runs on both. The server is that of ORCHESTRATOR_TEST_POSTGRES_URL (a role that may
create databases), else one on this machine.
"""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from orchestrator_app.storage import engines, migrations
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.engines import sqlite_url
from orchestrator_app.storage.models import Table
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE

URL_VARIABLE = "ORCHESTRATOR_TEST_POSTGRES_URL"
LOCAL_URLS = (
    "postgresql://postgres@127.0.0.1:5432/postgres",
    "postgresql://root@127.0.0.1:5432/postgres",
)
BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@cache
def postgres_server() -> str | None:
    """The URL of a server on which databases can be made, or None."""
    given = os.environ.get(URL_VARIABLE)
    return next((url for url in ([given] if given else LOCAL_URLS) if _answers(url)), None)


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            found = connection.execute(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.OperationalError:
        return False
    return bool(found and found[0])


def _leaves_postgres_out() -> bool:
    return postgres_server() is None and not os.environ.get(URL_VARIABLE)


def pytest_report_header() -> str:
    """Say on which server tests run."""
    server = postgres_server()
    return f"postgresql: {make_url(server).render_as_string(hide_password=True) if server else 'none'}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs PostgreSQL when there is none. But a server that somebody named must answer."""
    for item in items:
        if "fresh_postgres_url" in getattr(item, "fixturenames", ()):
            item.add_marker("postgres")
    if _leaves_postgres_out():
        left_out = [item for item in items if item.get_closest_marker("postgres")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line that tests were left out, instead of in one for each of them."""
    if _leaves_postgres_out():
        terminalreporter.write_line(
            f"No PostgreSQL server answers, so the tests on it were left out ({URL_VARIABLE} can name one).",
            yellow=True,
        )


@contextmanager
def new_postgres_database() -> Generator[str]:
    """The URL of an empty database that exists until the end of the block."""
    server = postgres_server()
    if server is None:
        if os.environ.get(URL_VARIABLE):
            pytest.fail(
                f"The server of {URL_VARIABLE} does not answer, or its role may not create databases."
            )
        pytest.skip("no PostgreSQL server answers")
    name = f"orchestrator_test_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name))
        )
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied."""
    file = tmp_path_factory.mktemp("database") / "migrated.db"
    migrations.upgrade(sqlite_url(file))
    return file


@pytest.fixture(scope="session")
def migrated_postgres_url() -> Generator[str]:
    """A PostgreSQL database with all tables, of this test process alone."""
    with new_postgres_database() as url:
        migrations.upgrade(url)
        yield url


@pytest.fixture
def fresh_sqlite_url(migrated_sqlite_file: Path, tmp_path: Path) -> str:
    """A SQLite database with all tables and nothing in them."""
    file = tmp_path / "orchestrator.db"
    shutil.copyfile(migrated_sqlite_file, file)
    return sqlite_url(file)


@pytest.fixture(scope="session")
def emptying_connection(migrated_postgres_url: str) -> Generator[psycopg.Connection]:
    """Stays open, because opening one takes longer than to empty the tables."""
    with psycopg.connect(migrated_postgres_url) as connection:
        yield connection


@pytest.fixture
def fresh_postgres_url(migrated_postgres_url: str, emptying_connection: psycopg.Connection) -> str:
    """A PostgreSQL database with all tables and nothing in them."""
    names = [table.name for table in reversed(Table.metadata.sorted_tables) if table.name != "workspace"]
    deletes = [sql.SQL("DELETE FROM {};").format(sql.Identifier(name)) for name in names]
    emptying_connection.execute(sql.SQL("").join(deletes))
    emptying_connection.execute("DELETE FROM workspace WHERE id <> %s", (DEFAULT_WORKSPACE,))
    emptying_connection.commit()
    return migrated_postgres_url


@pytest.fixture(params=BOTH)
def fresh_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database with all tables and nothing in them."""
    return request.getfixturevalue("fresh_sqlite_url" if request.param == "sqlite" else "fresh_postgres_url")


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """The URL of a database without tables; for SQLite the file does not exist yet."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "orchestrator.db")
    else:
        with new_postgres_database() as url:
            yield url


@contextmanager
def open_quickly(url: str) -> Generator[Database]:
    """A database that does not wait for the disk: nobody needs this data after a crash."""
    with patch.object(engines, "SQLITE_SYNCHRONOUS", "OFF"):
        database = Database(url)
        try:
            yield database
        finally:
            database.close()


@pytest.fixture
def database(fresh_url: str) -> Generator[Database]:
    """An open database with empty tables: the test runs once on SQLite and once on PostgreSQL."""
    with open_quickly(fresh_url) as database:
        yield database


@pytest.fixture
def sqlite_database(fresh_sqlite_url: str) -> Generator[Database]:
    """An open SQLite database with empty tables."""
    with open_quickly(fresh_sqlite_url) as database:
        yield database


@pytest.fixture
def postgres_database(fresh_postgres_url: str) -> Generator[Database]:
    """An open PostgreSQL database with empty tables."""
    with open_quickly(fresh_postgres_url) as database:
        yield database
