import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from orchestrator_app.domain.runs import AttemptStarted, Logged, NodeStarted, WaitOpened
from orchestrator_app.errors import ConfigurationError
from orchestrator_app.storage import migrations, schema_upgrade
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.engines import sqlite_url
from orchestrator_app.storage.models import Table
from orchestrator_app.storage.schema_upgrade import migration_engine
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE
from tests.databases import new_postgres_database
from tests.storage.jobs import opened, putting
from tests.storage.journal import SqlJournal

HEAD = "0004"
REBUILDING = '''"""A later migration, which makes the table of runs anew."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "0004"

def upgrade() -> None:
    with op.batch_alter_table("orchestrator_run", recreate="auto") as table:
        table.add_column(sa.Column("colour", sa.String(10), nullable=False, server_default="red"))
        table.drop_constraint("uq_run_idempotency", type_="unique")

def downgrade() -> None:
    pass
'''
FAILING = '''"""A later migration that goes wrong after its first step."""

from alembic import op

revision = "9999"
down_revision = "0004"

def upgrade() -> None:
    op.drop_table("attempt")
    op.execute("SELEKT")
'''
ORPHANING = '''"""A later migration that leaves rows without their run."""

from alembic import op

revision = "9999"
down_revision = "0004"

def upgrade() -> None:
    op.execute("DELETE FROM orchestrator_run")
'''


@contextlib.contextmanager
def connected(url: str) -> Generator[Connection]:
    engine = migration_engine(url)
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


def tables(url: str) -> set[str]:
    with connected(url) as connection:
        return set(inspect(connection).get_table_names())


def later_release(monkeypatch: pytest.MonkeyPatch, folder: Path, migration: str) -> None:
    """From here on the program is a release with one more migration."""
    root = migrations.CONFIG_FILE.parent
    shutil.copyfile(root / "alembic.ini", folder / "alembic.ini")
    shutil.copytree(root / "alembic", folder / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "alembic" / "versions" / "9999_later.py").write_text(migration)
    monkeypatch.setattr(migrations, "CONFIG_FILE", folder / "alembic.ini")


def fill(url: str) -> str:
    """Put something into every table; gives the id of the run."""

    async def work(database: Database) -> str:
        journal = SqlJournal(database)
        run = await journal.claimed({"large": "x" * 20_000})
        await journal.store.record(
            run,
            [
                NodeStarted("a", None, 1),
                AttemptStarted("a", 1, {}, 1),
                WaitOpened("wait-1", "b", 0, "cb_1", 1),
                Logged("hello", 1),
            ],
        )
        return run.run_id

    with opened(url) as database:
        return asyncio.run(work(database))


async def put_setting(url: str) -> None:
    with opened(url) as database:
        await database.write(putting("late"))


def counts(url: str) -> dict[str, int]:
    with connected(url) as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608 - our tables
            for name in ("orchestrator_run", "node_run", "attempt", "run_log", "callback_wait", "payload")
        }


def test_an_empty_database_gets_all_tables_and_the_default_workspace(empty_url: str):
    assert migrations.upgrade(empty_url)
    assert migrations.revision(empty_url) == HEAD
    assert tables(empty_url) == {*Table.metadata.tables, "alembic_version"}
    with connected(empty_url) as connection:
        row = connection.execute(text("SELECT id, created_date FROM workspace")).one()
    assert row.id == DEFAULT_WORKSPACE
    assert row.created_date > 1_700_000_000_000


def test_an_upgraded_database_stays_as_it_is(empty_url: str):
    migrations.upgrade(empty_url)
    fill(empty_url)
    before = counts(empty_url)
    assert not migrations.upgrade(empty_url)
    assert counts(empty_url) == before


def test_the_migrations_make_exactly_the_tables_of_the_models(empty_url: str):
    migrations.upgrade(empty_url)
    with connected(empty_url) as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_server_default": True, "target_metadata": Table.metadata}
        )
        assert compare_metadata(context, Table.metadata) == []
        indexes = inspect(connection).get_indexes("orchestrator_run")
    (partial,) = [index for index in indexes if index["name"] == "ix_run_open"]
    dialect_options = partial.get("dialect_options", {})
    condition = str(dialect_options.get("sqlite_where", dialect_options.get("postgresql_where")))
    assert all(state in condition for state in ("PENDING", "RUNNING", "WAITING"))


def test_every_constraint_has_a_name_by_which_it_can_be_changed_later():
    for table in Table.metadata.sorted_tables:
        assert [constraint for constraint in table.constraints if constraint.name is None] == []


def test_all_can_be_undone_and_done_again_with_data_in_it(empty_url: str):
    migrations.upgrade(empty_url)
    fill(empty_url)
    config = Config(migrations.CONFIG_FILE)
    with connected(empty_url) as connection:
        config.attributes["connection"] = connection
        downgrade(config, "base")
    assert tables(empty_url) == {"alembic_version"}
    assert migrations.upgrade(empty_url)
    fill(empty_url)


def test_a_table_that_is_made_anew_loses_nothing_that_hangs_on_it(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    migrations.upgrade(empty_url)
    fill(empty_url)
    before = counts(empty_url)
    assert set(before.values()) == {1}
    later_release(monkeypatch, tmp_path, REBUILDING)
    assert not migrations.upgrade(empty_url)
    assert migrations.revision(empty_url) == "9999"
    assert counts(empty_url) == before
    with connected(empty_url) as connection:
        assert connection.execute(text("SELECT colour FROM orchestrator_run")).scalar_one() == "red"


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    migrations.upgrade(empty_url)
    fill(empty_url)
    before = counts(empty_url)
    later_release(monkeypatch, tmp_path, FAILING)
    with pytest.raises(ConfigurationError, match=r"cannot be opened or upgraded: .*SELEKT"):
        migrations.upgrade(empty_url)
    assert counts(empty_url) == before
    assert migrations.revision(empty_url) == HEAD


def test_a_sqlite_database_in_which_rows_would_lose_their_run_is_not_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    url = sqlite_url(tmp_path / "orchestrator.db")
    migrations.upgrade(url)
    fill(url)
    later_release(monkeypatch, tmp_path, ORPHANING)
    with pytest.raises(ConfigurationError, match="belongs to a row of orchestrator_run that does not exist"):
        migrations.upgrade(url)
    assert set(counts(url).values()) == {1}


def test_a_database_of_a_newer_release_is_refused_and_left_alone(empty_url: str):
    migrations.upgrade(empty_url)
    with connected(empty_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '8888'"))
    with pytest.raises(ConfigurationError) as caught:
        migrations.upgrade(empty_url)
    (problem,) = caught.value.problems
    assert "newer release" in problem
    assert "8888" in problem
    assert migrations.revision(empty_url) == "8888"


def test_a_sqlite_database_is_copied_before_it_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "orchestrator.db"
    url = sqlite_url(file)
    migrations.upgrade(url)
    run_id = fill(url)
    later_release(monkeypatch, tmp_path, REBUILDING)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as reader:
        # While it is read, what was written last is in the log beside the file only; the copy must have it too.
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM setting").fetchall()
        asyncio.run(put_setting(url))
        migrations.upgrade(url)
    copy = tmp_path / "orchestrator.db.before-9999"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
        assert connection.execute("SELECT id FROM orchestrator_run").fetchall() == [(run_id,)]
        assert connection.execute("SELECT name FROM setting").fetchall() == [("late",)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    names = {path.name for path in tmp_path.iterdir() if path.name.startswith("orchestrator.db")}
    assert names == {"orchestrator.db", "orchestrator.db.before-9999"}
    shutil.copyfile(copy, file)
    migrations.upgrade(url)
    assert migrations.revision(url) == "9999"


def test_a_new_sqlite_database_is_not_copied_and_nobody_else_may_read_it(tmp_path: Path):
    old_mask = os.umask(0)
    try:
        migrations.upgrade(sqlite_url(tmp_path / "orchestrator.db"))
    finally:
        os.umask(old_mask)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_damaged_sqlite_database_is_not_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "orchestrator.db"
    migrations.upgrade(sqlite_url(file))
    fill(sqlite_url(file))
    later_release(monkeypatch, tmp_path, REBUILDING)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_run_list'"
        ).fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as raw:
        raw.seek((root - 1) * page_size)
        raw.write(b"\xff" * page_size)
    with pytest.raises(ConfigurationError, match=r"damaged|malformed"):
        migrations.upgrade(sqlite_url(file))
    assert not list(tmp_path.glob("*.before-9999"))


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path):
    file = tmp_path / "orchestrator.db"
    file.write_text(
        "This is no database at all, but it is long enough to be taken for one at the first glance."
    )
    with pytest.raises(
        ConfigurationError, match=r"orchestrator\.db cannot be opened or upgraded: .*not a database"
    ):
        migrations.upgrade(sqlite_url(file))


def test_a_folder_that_is_not_there_is_told_in_words(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        migrations.upgrade(sqlite_url(tmp_path / "missing" / "orchestrator.db"))


def test_a_server_that_does_not_answer_is_told_without_its_password():
    with pytest.raises(ConfigurationError) as caught:
        migrations.upgrade("postgresql://me:geheim@127.0.0.1:1/nothing")
    assert "me:***@127.0.0.1:1/nothing cannot be opened" in caught.value.problems[0]
    assert "geheim" not in str(caught.value)


def test_the_newest_migration_is_known_without_alembic():
    script = ScriptDirectory.from_config(Config(migrations.CONFIG_FILE))
    assert migrations.newest_revision() == script.as_revision_number("head") == HEAD


def test_two_programs_that_start_at_once_upgrade_once(tmp_path: Path):
    url = sqlite_url(tmp_path / "orchestrator.db")
    program = f"from orchestrator_app.storage import migrations; print(migrations.upgrade({url!r}))"
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program],
            cwd=migrations.CONFIG_FILE.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60) for process in started]
    assert sorted(answers) == [("False\n", ""), ("True\n", "")]


def test_an_upgrade_leaves_nothing_in_the_memory_of_the_program(tmp_path: Path):
    program = f"""
import sys
from orchestrator_app.storage import migrations
print(migrations.upgrade({sqlite_url(tmp_path / "orchestrator.db")!r}), "sqlalchemy" in sys.modules)
"""
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=migrations.CONFIG_FILE.parent,
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout == "True False\n"


@pytest.mark.postgres
def test_on_postgresql_too_the_second_waits_for_the_first():
    with new_postgres_database() as url, ThreadPoolExecutor(1) as second:
        with psycopg.connect(url) as first:
            first.execute(schema_upgrade._POSTGRESQL_LOCK.text.encode())
            upgrading = second.submit(migrations.upgrade, url)
            while not first.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            ).fetchone():
                assert not upgrading.done()
            # The first gets done before it lets the other one in.
            first.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
            first.execute("INSERT INTO alembic_version VALUES (%s)", (HEAD,))
        assert not upgrading.result(30)


def test_migrations_can_be_run_by_hand_on_the_database_of_the_settings(tmp_path: Path):
    command = [sys.executable, "-m", "alembic", "-c", str(migrations.CONFIG_FILE), "upgrade", "head"]
    settings = {"ORCHESTRATOR_DATA_DIR": str(tmp_path)}
    subprocess.run(command, cwd=tmp_path, env=os.environ | settings, check=True, capture_output=True)
    assert migrations.revision(sqlite_url(tmp_path / "orchestrator.db")) == HEAD
