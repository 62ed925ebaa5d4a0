from typing import Any

import pytest

from orchestrator_app.storage import payloads
from orchestrator_app.storage.database import Database
from tests.storage.journal import SqlJournal

LARGE = "x" * payloads.INLINE_BYTES


async def stored(database: Database, run_id: str, *values: Any) -> list[str | None]:
    return await database.write(
        lambda connection: [payloads.store(connection, run_id, value) for value in values]
    )


async def fetched(database: Database, run_id: str, column: str | None) -> Any:
    return await database.read(lambda connection: payloads.fetch(connection, run_id, column))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1.5,
        "",
        "@looks like a reference",
        "täglich 😀",
        [],
        {},
        {"a": [1, {"b": None}]},
        LARGE,
        [LARGE, LARGE],
    ],
    ids=lambda value: f"{value!r:.20}",
)
async def test_a_value_comes_back_as_it_was(journal: SqlJournal, value: Any):
    run_id = await journal.new_run()
    (column,) = await stored(journal.database, run_id, value)
    assert await fetched(journal.database, run_id, column) == value


async def test_small_values_stay_in_their_row(journal: SqlJournal):
    run_id = await journal.new_run()
    assert await stored(journal.database, run_id, None, {"a": 1}) == [None, '{"a":1}']
    assert await journal.rows("payload") == []


async def test_a_large_value_is_kept_once_per_run(journal: SqlJournal):
    first, second = await journal.new_run(), await journal.new_run()
    one, other = await stored(journal.database, first, [LARGE], [LARGE])
    (of_second,) = await stored(journal.database, second, [LARGE])
    assert one == other == of_second
    assert len(str(one)) < 100
    assert [row[0] for row in await journal.rows("payload")] == [first, second]


async def test_the_limit_counts_bytes(journal: SqlJournal):
    run_id = await journal.new_run()
    half = payloads.INLINE_BYTES // 2
    just_fits, too_long = await stored(journal.database, run_id, "ä" * (half - 1), "ä" * half)
    assert not str(just_fits).startswith("@")
    assert str(too_long).startswith("@")


@pytest.mark.parametrize(
    ("value", "back"),
    [
        (2**63, 2**63),
        (10**30, 1e30),
        ({"a": [10**30, LARGE]}, {"a": [1e30, LARGE]}),
        ("half \ud83d", "half \ud83d"),
        ("nul \0", "nul \0"),
        (float("nan"), None),
    ],
    ids=["64 bits", "more bits", "nested", "half surrogate", "NUL", "not a number"],
)
async def test_odd_values_are_kept_as_well_as_json_can(journal: SqlJournal, value: Any, back: Any):
    run_id = await journal.new_run()
    (column,) = await stored(journal.database, run_id, value)
    assert await fetched(journal.database, run_id, column) == back


def test_text_that_is_not_json_is_refused():
    with pytest.raises(ValueError, match="Expecting value"):
        payloads.loads("nothing")


def test_plain_text_keeps_everything_that_a_database_can_hold():
    assert payloads.plain("täglich 😀\n") == "täglich 😀\n"
    assert payloads.plain("a\0b\ud83dc") == "ab?c"
