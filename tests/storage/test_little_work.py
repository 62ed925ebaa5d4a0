"""Little work is done where it comes from: as surely as any other, and without making others wait."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_app.errors import Conflict, NotFound, Unavailable
from orchestrator_app.storage import engines
from orchestrator_app.storage import writer as writer_module
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection, DatabaseError, text
from tests.storage.jobs import Job, busy, failing, getting, opened, putting

NAMES = text("SELECT name FROM setting ORDER BY name")


async def names(database: Database) -> Sequence[str]:
    return await database.read(lambda connection: connection.execute(NAMES).scalars())


async def jotted(database: Database, *jobs: Job) -> list[object]:
    """What becomes of little jobs that come at once."""
    return await asyncio.gather(*(database.jot(job) for job in jobs), return_exceptions=True)


async def test_what_is_jotted_down_is_on_disk_and_seen_at_a_glance(database: Database):
    assert await database.jot(lambda connection: [putting("a", "1")(connection), "done"][1]) == "done"
    assert await database.glance(getting("a")) == "1"
    assert await database.read(getting("a")) == "1"


async def test_what_comes_in_one_turn_shares_a_commit(database: Database):
    await database.jot(putting("first"))
    before = database.commits
    await jotted(database, *(putting(f"n{number}") for number in range(50)))
    assert database.commits - before <= (1 if database.is_sqlite else 50)
    assert len(await names(database)) == 51


async def test_little_work_is_done_on_the_thread_it_comes_from_where_the_database_is_a_file(
    database: Database,
):
    await database.jot(putting("a"))
    here = threading.get_ident()
    assert (await database.jot(lambda _: threading.get_ident()) == here) is database.is_sqlite
    assert (await database.glance(lambda _: threading.get_ident()) == here) is database.is_sqlite


async def test_more_than_fits_one_batch_is_written_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer_module, "MAX_LITTLE_BATCH", 3)
    await database.jot(putting("first"))
    assert await jotted(database, *(putting(f"n{number}") for number in range(10))) == [None] * 10
    assert len(await names(database)) == 11


async def test_what_comes_while_the_writer_is_busy_is_taken_along(database: Database):
    async with busy(database):
        jots = [asyncio.create_task(database.jot(putting(f"n{number}"))) for number in range(5)]
        writes = [asyncio.create_task(database.write(putting(f"w{number}"))) for number in range(5)]
        await asyncio.sleep(0)
    await asyncio.gather(*jots, *writes)
    assert len(await names(database)) == 10


@pytest.mark.parametrize("place", [0, 3, 6])
@pytest.mark.parametrize("error", [Conflict("No."), OSError("no")], ids=lambda error: type(error).__name__)
async def test_a_little_job_that_fails_is_undone_alone(database: Database, place: int, error: Exception):
    await database.jot(putting("first"))
    jobs = [putting(f"n{number}") for number in range(6)]
    jobs.insert(place, failing(error))
    results = await jotted(database, *jobs)
    assert [result for result in results if result is not None] == [error]
    assert results[place] is error
    assert await names(database) == ["first", *(f"n{number}" for number in range(6))]


@pytest.mark.parametrize("error", [StopIteration(), SystemExit(1), KeyboardInterrupt()])
async def test_nothing_that_ends_programs_gets_from_a_little_job_into_the_event_loop(
    sqlite_database: Database, error: BaseException
):
    await sqlite_database.jot(putting("a"))
    with pytest.raises(RuntimeError, match=type(error).__name__):
        await sqlite_database.jot(failing(error))
    assert await names(sqlite_database) == ["a"]


async def test_a_lock_of_another_program_is_waited_for_beside_the_event_loop(sqlite_database: Database):
    await sqlite_database.jot(putting("a"))
    file = engines.sqlite_file(sqlite_database.url)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(sqlite_database.jot(putting("b")))
        # Neither the loop nor its readers stand still meanwhile.
        assert await sqlite_database.read(getting("b")) is None
        assert await sqlite_database.glance(getting("a")) == "x"
        assert not waiting.done()
        other.execute("ROLLBACK")
    await waiting
    assert await names(sqlite_database) == ["a", "b"]
    # And the next one is little again.
    assert await sqlite_database.jot(lambda _: threading.get_ident()) == threading.get_ident()


async def test_a_commit_that_fails_is_told_to_all_and_the_next_one_goes_well(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
):
    await sqlite_database.jot(putting("a"))
    command = Connection.command

    def refusing(connection: Connection, words: str):
        if words == "COMMIT" and threading.current_thread().name == "database-write":
            raise connection.explained(sqlite3.OperationalError("database or disk is full"))
        return command(connection, words)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "command", refusing)
        results = await jotted(sqlite_database, putting("b"), putting("c"))
    assert [type(result) for result in results] == [Unavailable, Unavailable]
    assert await names(sqlite_database) == ["a"]
    await sqlite_database.jot(putting("b"))
    assert await names(sqlite_database) == ["a", "b"]


async def test_callers_on_several_event_loops_jot_down_side_by_side(database: Database):
    async def some(name: str) -> None:
        for number in range(20):
            await database.jot(putting(f"{name}-{number}"))

    await asyncio.gather(
        *(asyncio.to_thread(asyncio.run, some(f"n{number}")) for number in range(4)), some("here")
    )
    assert len(await names(database)) == 100


async def test_what_a_loop_left_behind_when_it_was_closed_is_written(sqlite_database: Database):
    async def impatient() -> None:
        async with busy(sqlite_database):
            leaving = asyncio.create_task(sqlite_database.jot(putting("left")))
            await asyncio.sleep(0)
            leaving.cancel()

    await asyncio.to_thread(asyncio.run, impatient())
    await sqlite_database.write(putting("b"))
    assert await names(sqlite_database) == ["b", "left"]


async def test_what_was_left_behind_is_written_although_nobody_asks_for_anything_more(
    sqlite_database: Database,
):
    is_asked, is_released, is_run = threading.Event(), threading.Event(), threading.Event()

    def slow(_: Connection) -> None:
        is_asked.set()
        assert is_released.wait(10)

    def left(connection: Connection) -> None:
        putting("left")(connection)
        is_run.set()

    async def impatient() -> None:
        tasks = [asyncio.create_task(sqlite_database.write(slow))]
        assert await asyncio.to_thread(is_asked.wait, 10)
        tasks.append(asyncio.create_task(sqlite_database.jot(left)))
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()

    await asyncio.to_thread(asyncio.run, impatient())
    is_released.set()
    assert await asyncio.to_thread(is_run.wait, 10)
    await sqlite_database.write(getting("left"))
    assert await names(sqlite_database) == ["left"]


async def test_closing_finishes_what_was_jotted_down(fresh_url: str):
    database = Database(fresh_url)
    async with busy(database):
        jots = [asyncio.create_task(database.jot(putting(f"n{number}"))) for number in range(20)]
        await asyncio.sleep(0)
        closing_it = asyncio.create_task(asyncio.to_thread(database.close))
    await asyncio.gather(*jots, closing_it)
    with opened(fresh_url) as after:
        assert len(await names(after)) == 20


async def test_closing_finishes_more_than_fits_one_batch(
    fresh_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer_module, "MAX_BATCH", 3)
    database = Database(fresh_sqlite_url)
    jots = [asyncio.create_task(database.jot(putting(f"n{number}"))) for number in range(20)]
    # They are put in this turn of the loop, and would be run in the next one.
    await asyncio.sleep(0)
    database.close()
    await asyncio.gather(*jots)
    with opened(fresh_sqlite_url) as after:
        assert len(await names(after)) == 20


async def test_a_closed_database_takes_no_little_work(database: Database):
    database.close()
    for work in (database.jot(putting("a")), database.glance(getting("a"))):
        with pytest.raises(Unavailable, match="shutting down"):
            await work


async def test_what_cannot_be_seen_at_a_glance_is_read(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
):
    await sqlite_database.write(putting("a", "1"))

    def refusing(_: str) -> Connection:
        raise DatabaseError(sqlite3.OperationalError("database is locked"))

    monkeypatch.setattr(engines, "open_glancer", refusing)
    assert await sqlite_database.glance(getting("a")) == "1"


async def test_what_a_glance_raises_reaches_its_caller(database: Database):
    def missing(_: Connection) -> None:
        raise NotFound("Nothing there.")

    with pytest.raises(NotFound, match="Nothing there"):
        await database.glance(missing)
    assert await database.glance(getting("a")) is None


ACTS = st.lists(
    st.tuples(st.sampled_from(["jot", "write"]), st.booleans(), st.booleans()), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(acts=ACTS)
def test_of_any_mixture_of_work_exactly_what_succeeds_is_there_afterwards(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite_file: Path, acts: list[tuple[str, bool, bool]]
):
    file = tmp_path_factory.mktemp("mixture") / "orchestrator.db"
    shutil.copyfile(migrated_sqlite_file, file)

    async def mix(database: Database) -> None:
        await database.jot(putting("first"))
        tasks: list[asyncio.Task[object]] = []
        for number, (way, is_failing, makes_room) in enumerate(acts):
            job = failing(Conflict("No.")) if is_failing else putting(f"n{number:02}")
            put = database.jot if way == "jot" else database.write
            tasks.append(asyncio.create_task(put(job)))
            if makes_room:
                await asyncio.sleep(0)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(result, Conflict) for result in results] == [
            is_failing for _, is_failing, _ in acts
        ]
        expected = [f"n{number:02}" for number, (_, is_failing, _) in enumerate(acts) if not is_failing]
        assert await names(database) == ["first", *expected]

    with opened(engines.sqlite_url(file)) as database:
        asyncio.run(mix(database))
