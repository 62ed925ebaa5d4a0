"""The database is locked, full, damaged or gone: callers are told, nothing is half written, and it heals by itself."""

import asyncio
import logging
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from orchestrator_app.errors import InvalidInput, Unavailable
from orchestrator_app.storage import engines, settings
from orchestrator_app.storage import writer as writer_module
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.engines import sqlite_url
from orchestrator_app.storage.sql import Connection, text
from tests.storage.jobs import Job, getting, opened, putting, together


def pragma(words: str) -> Job:
    def work(connection: Connection) -> Any:
        cursor = connection.command(f"PRAGMA {words}")
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    return work


def file_of(database: Database) -> Path:
    return Path(make_url(database.url).database or "")


def size(file: Path) -> int:
    return file.stat().st_size


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)


# --- SQLite ---


async def test_sqlite_is_set_up_to_lose_nothing(fresh_sqlite_url: str):
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "cell_size_check": 1,
    }
    with opened(fresh_sqlite_url) as database:
        assert {name: await database.write(pragma(name)) for name in wanted} == wanted


async def test_sqlite_is_written_and_checkpointed_by_one_connection_only(sqlite_database: Database):
    assert await sqlite_database.read(pragma("query_only")) == 1
    assert await sqlite_database.read(pragma("wal_autocheckpoint")) == 0
    await sqlite_database.write(putting("a"))
    sqlite_database.close()
    assert [file.name for file in file_of(sqlite_database).parent.iterdir()] == ["orchestrator.db"]


async def test_a_full_disk_stops_writing_but_not_reading_and_heals_by_itself(sqlite_database: Database):
    await sqlite_database.write(putting("a", "old"))
    pages = await sqlite_database.write(pragma("page_count"))
    await sqlite_database.write(pragma(f"max_page_count = {pages + 1}"))

    def filling(connection: Connection) -> None:
        settings.put(connection, "a", "new")
        settings.put(connection, "b", "x" * 1_000_000)

    with pytest.raises(Unavailable) as caught:
        await sqlite_database.write(filling)
    assert "full" in caught.value.context["reason"]
    assert caught.value.hint
    assert await sqlite_database.read(getting("a")) == "old"
    await sqlite_database.write(filling)
    assert await sqlite_database.read(getting("a")) == "new"


async def test_what_fits_on_a_full_disk_is_written_although_something_else_does_not(
    sqlite_database: Database,
):
    pages = await sqlite_database.write(pragma("page_count"))
    await sqlite_database.write(pragma(f"max_page_count = {pages + 1}"))
    jobs = [putting("a"), putting("b", "x" * 1_000_000), putting("c")]
    results = await together(sqlite_database, *jobs)
    assert [type(result) for result in results] == [type(None), Unavailable, type(None)]
    assert await sqlite_database.read(getting("c")) == "x"


async def test_after_a_refusal_a_new_connection_is_used(sqlite_database: Database):
    await sqlite_database.write(pragma("query_only = ON"))
    with pytest.raises(Unavailable) as caught:
        await sqlite_database.write(putting("a"))
    assert "readonly" in caught.value.context["reason"]
    await sqlite_database.write(putting("a"))


async def test_a_database_that_somebody_locks_refuses_all_who_wait_at_once(
    fresh_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(engines.SQLITE_ARGUMENTS, "timeout", 0.1)
    with opened(fresh_sqlite_url) as database:
        with closing(sqlite3.connect(file_of(database), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            writes = [database.write(putting(f"n{number}")) for number in range(100)]
            results = await asyncio.gather(*writes, return_exceptions=True)
            assert {type(result) for result in results} == {Unavailable}
            # One or two batches, each of which waits once; each job for itself would make ten seconds.
            assert time.monotonic() - begun < 3
            assert await database.read(getting("n1")) is None
            other.execute("ROLLBACK")
        await database.write(putting("a"))


async def test_a_file_that_is_no_database_is_told_and_replaced_while_running(
    tmp_path: Path, migrated_sqlite_file: Path
):
    file = tmp_path / "orchestrator.db"
    file.write_bytes(b"no database at all " * 1000)
    with opened(sqlite_url(file)) as database:
        for work in (database.read(getting("a")), database.write(putting("a"))):
            with pytest.raises(Unavailable) as caught:
                await work
            assert "not a database" in caught.value.context["reason"]
        copy(migrated_sqlite_file, file)
        await database.write(putting("a", "1"))
        assert await database.read(getting("a")) == "1"


async def test_a_missing_folder_is_told_and_may_come_back(tmp_path: Path, migrated_sqlite_file: Path):
    file = tmp_path / "gone" / "orchestrator.db"
    with opened(sqlite_url(file)) as database:
        for work in (database.read(getting("a")), database.write(putting("a"))):
            with pytest.raises(Unavailable):
                await work
        copy(migrated_sqlite_file, file)
        await database.write(putting("a"))


async def test_the_log_is_emptied_as_soon_as_no_long_read_holds_it(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(writer_module, "LONG_LOG_BYTES", 100_000)
    monkeypatch.setattr(writer_module, "SHORTEN_AGAIN_SECONDS", 0)
    log_file = Path(f"{file_of(sqlite_database)}-wal")
    has_begun, is_released = threading.Event(), threading.Event()

    def reading(connection: Connection) -> None:
        settings.get(connection, "a")
        has_begun.set()
        assert is_released.wait(10)

    held = asyncio.create_task(sqlite_database.read(reading))
    await asyncio.to_thread(has_begun.wait, 10)
    await sqlite_database.write(putting("a", "x" * 200_000))
    assert size(log_file) > 100_000
    assert "long read" in caplog.text
    is_released.set()
    await held
    await sqlite_database.write(putting("a", "y"))
    assert size(log_file) == 0
    assert await sqlite_database.write(pragma("busy_timeout")) == engines.BUSY_TIMEOUT_SECONDS * 1000


async def test_a_log_that_is_not_there_is_a_short_one(
    sqlite_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    sqlite_database._writer._log_file = tmp_path / "missing"
    await sqlite_database.write(putting("a"))
    assert caplog.text == ""


async def test_trouble_after_the_commit_does_not_deny_the_commit(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def break_down(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(sqlite_database._writer, "_keep_log_short", break_down)
    await sqlite_database.write(putting("a"))
    assert "the disk is gone" in caplog.text
    assert await sqlite_database.read(getting("a")) == "x"


@pytest.mark.parametrize("name", ["with space", "50% of?", "täglich#1"])
async def test_the_data_folder_may_have_any_name(tmp_path: Path, migrated_sqlite_file: Path, name: str):
    file = tmp_path / name / "orchestrator.db"
    copy(migrated_sqlite_file, file)
    with opened(sqlite_url(file)) as database:
        await database.write(putting("a"))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name FROM setting").fetchall() == [("a",)]


# --- PostgreSQL ---


def kill_connections(url: str) -> None:
    """End all connections to the database, as a restart of the server does."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'orchestrator'"
        )


async def test_a_server_that_restarted_between_two_writes_is_not_even_noticed(postgres_database: Database):
    await postgres_database.write(putting("a"))
    await postgres_database.read(getting("a"))
    kill_connections(postgres_database.url)
    await postgres_database.write(putting("b"))
    assert await postgres_database.read(getting("b")) == "x"


async def test_a_server_that_restarts_during_a_write_is_told_and_then_used_again(postgres_database: Database):
    def interrupted(connection: Connection) -> None:
        settings.put(connection, "a", "x")
        kill_connections(postgres_database.url)
        settings.put(connection, "b", "x")

    with pytest.raises(Unavailable):
        await postgres_database.write(interrupted)
    assert await postgres_database.read(getting("a")) is None
    await postgres_database.write(putting("a"))
    assert await postgres_database.read(getting("a")) == "x"


async def test_a_server_that_does_not_answer_is_told():
    with opened("postgresql://nobody@127.0.0.1:1/nothing") as database:
        with pytest.raises(Unavailable) as caught:
            await database.write(putting("a"))
        assert "refused" in caught.value.context["reason"]
        with pytest.raises(Unavailable):
            await database.read(getting("a"))


async def test_text_that_postgresql_cannot_hold_is_the_callers_mistake(postgres_database: Database):
    for job in (putting("n" * 101), getting("a\0b")):
        with pytest.raises(InvalidInput):
            await postgres_database.write(job)
    with pytest.raises(InvalidInput):
        await postgres_database.read(getting("a\0b"))


async def test_two_processes_that_block_each_other_both_get_through(postgres_database: Database):
    for name in "ab":
        await postgres_database.write(putting(name))
    both_hold, held = threading.Barrier(2), []

    def holding(name: str) -> Job:
        def work(connection: Connection) -> None:
            connection.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
            settings.put(connection, name, "held")
            held.append(name)
            # The loser is tried again, then alone.
            if held.count(name) == 1:
                both_hold.wait(30)

        return work

    async def batch(database: Database, *jobs: Job) -> None:
        assert await together(database, *jobs) == [None, None]

    with opened(postgres_database.url) as other:
        await asyncio.gather(
            batch(postgres_database, holding("a"), putting("b", "late")),
            batch(other, holding("b"), putting("a", "late")),
        )
    assert len(held) == 3


async def test_postgresql_is_used_with_time_limits_and_a_snapshot_per_read(postgres_database: Database):
    def setting(name: str) -> Job:
        return lambda connection: connection.execute(text(f"SHOW {name}")).scalar_one()

    assert await postgres_database.write(setting("statement_timeout")) == "10s"
    assert await postgres_database.write(setting("transaction_isolation")) == "read committed"
    assert await postgres_database.write(setting("timezone")) == "UTC"
    assert await postgres_database.read(setting("transaction_isolation")) == "repeatable read"
    assert await postgres_database.read(setting("transaction_read_only")) == "on"
    assert await postgres_database.read(setting("idle_in_transaction_session_timeout")) == "10s"


def test_refusals_are_logged_once_per_batch(caplog: pytest.LogCaptureFixture):
    async def many() -> None:
        with opened("postgresql://nobody@127.0.0.1:1/nothing") as database:
            await asyncio.gather(*(database.write(putting("a")) for _ in range(50)), return_exceptions=True)

    with caplog.at_level(logging.WARNING):
        asyncio.run(many())
    assert 1 <= len(caplog.records) <= 3
