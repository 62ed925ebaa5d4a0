"""How the journal is kept on SQL: what is beyond the contract of checkpoint stores."""

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.runs import (
    Logged,
    NodeEnded,
    NodeStarted,
    NodeState,
    RunEnded,
    RunState,
    WaitOpened,
)
from orchestrator_app.storage import checkpoints
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Statement, text
from tests.storage.journal import SqlJournal, seal, token_hash

LARGE: JsonValue = {"text": "x" * 20_000}


async def test_a_large_value_that_wanders_through_a_run_is_stored_once(journal: SqlJournal):
    run = await journal.claimed(LARGE)
    await journal.store.record(
        run, [NodeStarted("a", LARGE, 1), NodeEnded("a", NodeState.COMPLETED, 1, output=LARGE)]
    )
    await journal.store.record(
        run, [NodeStarted("b", LARGE, 1), RunEnded(RunState.COMPLETED, 1, output=LARGE)]
    )
    assert len(await journal.rows("payload")) == 1
    assert await journal.output(run.run_id) == LARGE


async def test_a_token_is_stored_hashed_and_sealed_but_never_as_it_is(journal: SqlJournal):
    run = await journal.claimed()
    await journal.store.record(run, [WaitOpened("wait-1", "b", 0, "cb_secret", 1)])
    stored = str(await journal.everything(run.run_id))
    assert token_hash("cb_secret") in stored
    assert seal("cb_secret", "wait-1") in stored
    assert "cb_secret" not in stored


async def test_a_message_with_characters_that_no_database_takes_is_logged_without_them(journal: SqlJournal):
    run = await journal.claimed()
    await journal.store.record(run, [Logged("it said \0 and \ud83d", 1, "a", "warning")])
    assert await journal.log(run.run_id) == ["it said  and ?"]


async def test_graphs_are_read_once_while_they_are_in_use(
    journal: SqlJournal, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(checkpoints, "CACHED_DEFINITIONS", 2)
    graphs = []
    for name in ("one", "two", "three", "one"):
        orchestrator_id = await journal.new_orchestrator(name)
        for _ in range(2):
            run = await journal.store.claim(await journal.new_run(orchestrator_id=orchestrator_id), "me")
            assert run is not None
            graphs.append(run.definition)
    assert all(graphs[place] is graphs[place + 1] for place in range(0, 8, 2))
    assert len(journal.store._definitions) == 2


async def test_looking_for_open_and_due_runs_does_not_read_those_that_ended(sqlite_database: Database):
    async def plan(statement: Statement) -> str:
        explained = text(f"EXPLAIN QUERY PLAN {statement.sqlite}")
        return await sqlite_database.read(
            lambda connection: str(connection.execute(explained, {"now": 1}).all())
        )

    for statement in (checkpoints._OPEN_RUNS, checkpoints._DUE_RUNS):
        assert "USING INDEX ix_run_open" in await plan(statement)
