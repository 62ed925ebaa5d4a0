import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import make_url

from orchestrator_app.errors import Conflict, Unavailable
from orchestrator_app.storage import engines, settings
from orchestrator_app.storage import writer as writer_module
from orchestrator_app.storage.database import Database, database_url, is_ready
from orchestrator_app.storage.sql import Connection, Violation, WrongStatement, text
from tests.storage.jobs import busy, failing, getting, opened, putting, together


async def names(database: Database) -> set[str]:
    rows = await database.read(
        lambda connection: connection.execute(text("SELECT name FROM setting")).scalars()
    )
    return set(rows)


async def test_what_is_written_can_be_read(database: Database):
    written = await database.write(lambda connection: [settings.put(connection, "a", "1"), "done"][1])
    assert written == "done"
    assert await database.read(getting("a")) == "1"
    assert await database.read(is_ready)


async def test_writes_that_arrive_together_share_one_commit(database: Database):
    before = database.commits
    await together(database, *(putting(f"n{number}") for number in range(100)))
    assert database.commits == before + 2
    assert len(await names(database)) == 100


async def test_a_batch_has_an_upper_limit(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writer_module, "MAX_BATCH", 3)
    await together(sqlite_database, *(putting(f"n{number}") for number in range(7)))
    assert sqlite_database.commits == 1 + 3
    assert len(await names(sqlite_database)) == 7


@pytest.mark.parametrize(
    "error",
    [Conflict("No."), AttributeError("no"), RecursionError(), OSError("no")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("place", [0, 3, 6])
async def test_a_job_that_fails_is_undone_alone(sqlite_database: Database, error: Exception, place: int):
    jobs = [putting(f"n{number}") for number in range(6)]
    jobs.insert(place, failing(error))
    results = await together(sqlite_database, *jobs)
    assert results[place] is error
    assert [result for result in results if result is not None] == [error]
    assert await names(sqlite_database) == {f"n{number}" for number in range(6)}


async def test_several_jobs_that_fail_are_undone_alone(database: Database):
    jobs = [failing(Conflict("No.")) if number % 5 == 0 else putting(f"n{number}") for number in range(20)]
    results = await together(database, *jobs)
    assert [number for number, result in enumerate(results) if result is not None] == [0, 5, 10, 15]
    assert await names(database) == {f"n{number}" for number in range(20) if number % 5}


async def test_a_job_that_the_database_refuses_is_undone_alone(database: Database):
    def twice(connection: Connection) -> None:
        for _ in range(2):
            connection.execute(text("INSERT INTO setting (name, value) VALUES ('twice', 'x')"))

    results = await together(database, putting("a"), twice, putting("b"))
    assert isinstance(results[1], Violation)
    assert await names(database) == {"a", "b"}


async def test_wrong_sql_is_a_mistake_of_ours_and_not_of_the_database(postgres_database: Database):
    with pytest.raises(WrongStatement):
        await postgres_database.write(lambda connection: connection.execute(text("SELEKT 1")))


async def test_jobs_of_one_batch_see_what_those_before_them_wrote(database: Database):
    def noting(connection: Connection) -> str | None:
        return settings.get(connection, "a")

    assert await together(database, putting("a", "1"), noting, putting("a", "2"), noting) == [
        None,
        "1",
        None,
        "2",
    ]


@pytest.mark.parametrize(
    "error", [StopIteration(), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()]
)
async def test_an_error_that_would_end_its_caller_otherwise_becomes_an_ordinary_one(
    sqlite_database: Database, error: BaseException
):
    with pytest.raises(RuntimeError, match=type(error).__name__):
        await sqlite_database.write(failing(error))
    await sqlite_database.write(putting("a"))
    assert await names(sqlite_database) == {"a"}


async def test_what_a_cancelled_caller_queued_is_written_as_a_whole(database: Database):
    async with busy(database):
        cancelled = asyncio.create_task(database.write(putting("a")))
        failed = asyncio.create_task(database.write(failing(Conflict("Nobody hears this."))))
        await asyncio.sleep(0)
        for task in (cancelled, failed):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    await database.write(putting("b"))
    assert await names(database) == {"a", "b"}


async def test_an_event_loop_that_closed_in_the_meantime_does_not_stop_the_writer(sqlite_database: Database):
    has_begun, is_released = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        has_begun.set()
        is_released.wait(10)
        settings.put(connection, "a", "1")

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await sqlite_database.write(work)

    await asyncio.to_thread(asyncio.run, impatient())
    assert has_begun.is_set()
    is_released.set()
    await sqlite_database.write(putting("b"))
    assert await names(sqlite_database) == {"a", "b"}


async def test_callers_on_several_event_loops_are_answered(database: Database):
    async def one(name: str) -> None:
        await database.write(putting(name))

    await asyncio.gather(
        *(asyncio.to_thread(asyncio.run, one(f"n{number}")) for number in range(4)), one("here")
    )
    assert len(await names(database)) == 5


async def test_closing_finishes_what_is_queued(fresh_url: str):
    database = Database(fresh_url)
    async with busy(database):
        queued = [asyncio.create_task(database.write(putting(f"n{number}"))) for number in range(20)]
        await asyncio.sleep(0)
        closing = [asyncio.create_task(asyncio.to_thread(database.close)) for _ in range(2)]
    await asyncio.gather(*queued, *closing)
    with opened(fresh_url) as after:
        assert len(await names(after)) == 20


async def test_a_closed_database_refuses_work_in_words(sqlite_database: Database):
    sqlite_database.close()
    with pytest.raises(Unavailable, match="shutting down"):
        await sqlite_database.write(putting("a"))
    with pytest.raises(Unavailable, match="shutting down"):
        await sqlite_database.read(is_ready)


async def test_a_reader_sees_one_moment_and_blocks_no_writer(database: Database):
    await database.write(putting("a", "old"))
    has_looked, is_written = threading.Event(), threading.Event()

    def look_twice(connection: Connection) -> tuple[str | None, str | None]:
        first = settings.get(connection, "a")
        has_looked.set()
        assert is_written.wait(10)
        return first, settings.get(connection, "a")

    reading = asyncio.create_task(database.read(look_twice))
    await asyncio.to_thread(has_looked.wait, 10)
    await database.write(putting("a", "new"))
    is_written.set()
    assert await reading == ("old", "old")
    assert await database.read(getting("a")) == "new"


async def test_a_reader_cannot_write(database: Database):
    with pytest.raises(Unavailable):
        await database.read(putting("a"))
    assert await names(database) == set()


async def test_what_a_read_raises_reaches_its_caller(sqlite_database: Database):
    error = Conflict("No.")

    def work(_: Connection) -> None:
        raise error

    with pytest.raises(Conflict) as caught:
        await sqlite_database.read(work)
    assert caught.value is error


@pytest.mark.parametrize(
    "name", ["orchestrator.db", "my flows.db", "50%.db", "50%25.db", "what?.db", "größe#1+2@x.db"]
)
def test_the_url_of_a_file_means_that_file_as_sqlalchemy_reads_it(tmp_path: Path, name: str):
    url = engines.sqlite_url(tmp_path / name)
    assert engines.sqlite_file(url) == tmp_path / name
    assert make_url(url).database == str(tmp_path / name)
    assert engines.sqlite_file(f"{url}?mode=ro") == tmp_path / name


def test_without_a_configured_url_the_database_is_a_file_in_the_data_folder(tmp_path: Path):
    assert database_url("", tmp_path) == f"sqlite:///{tmp_path}/orchestrator.db"
    assert database_url("postgresql://u@h/d", tmp_path) == "postgresql://u@h/d"
