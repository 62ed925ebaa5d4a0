import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.ports import ClaimedRun
from orchestrator_app.domain.runs import NodeEnded, NodeState, RunEnded, RunState, WaitOpened, WaitReopened
from orchestrator_app.storage import callbacks
from orchestrator_app.storage.callbacks import FoundWait, Received
from orchestrator_app.storage.database import Database
from tests.storage.jobs import opened
from tests.storage.journal import SqlJournal, token_hash


async def waiting(journal: SqlJournal) -> ClaimedRun:
    run = await journal.claimed()
    await journal.store.record(run, [WaitOpened(f"wait of {run.run_id}", "b", 0, f"cb of {run.run_id}", 1)])
    run.waits = await journal.store.arrivals(run)
    return run


def token_of(run: ClaimedRun) -> str:
    return f"cb of {run.run_id}"


async def receive(journal: SqlJournal, run_id: str, token: str, body: Any = None) -> Received:
    return await journal.database.write(
        lambda connection: callbacks.receive(connection, run_id, token_hash(token), body, 5_000)
    )


async def find(journal: SqlJournal, run_id: str, token: str) -> FoundWait | None:
    return await journal.database.read(
        lambda connection: callbacks.find_wait(connection, run_id, token_hash(token))
    )


@pytest.mark.parametrize("body", [None, {"ok": True}, {"text": "x" * 20_000}], ids=["none", "small", "large"])
async def test_a_callback_is_kept_and_counts_as_an_event_of_its_run(journal: SqlJournal, body: Any):
    run = await waiting(journal)
    received = await receive(journal, run.run_id, token_of(run), body)
    assert received == Received("accepted", run.workspace_id, run.orchestrator_id, run.seq + 1)
    assert (await journal.run(run.run_id)).seq == run.seq + 1
    (wait,) = await journal.store.arrivals(run)
    assert (wait.has_arrived, wait.body, wait.received_at) == (True, body, 5_000)
    assert run.wake == 1
    assert await journal.log(run.run_id) == ["A callback arrived."]


async def test_a_repeat_changes_nothing_and_is_told_apart_whatever_became_of_the_run(journal: SqlJournal):
    run = await waiting(journal)
    await receive(journal, run.run_id, token_of(run), "first")
    before = await journal.everything(run.run_id)
    assert await receive(journal, run.run_id, token_of(run), "second") == Received("duplicate")
    assert await journal.everything(run.run_id) == before
    await journal.store.record(run, [RunEnded(RunState.COMPLETED, 6_000)])
    assert await receive(journal, run.run_id, token_of(run), "third") == Received("duplicate")


@pytest.mark.parametrize("how", ["cancelled", "completed", "given up", "ended before waits were closed"])
async def test_a_token_for_which_nobody_waits_any_more_is_unknown(journal: SqlJournal, how: str):
    run = await waiting(journal)
    if how == "cancelled":
        await journal.cancel(run.run_id)
    elif how == "completed":
        await journal.store.record(run, [RunEnded(RunState.COMPLETED, 5)])
    elif how == "given up":
        await journal.store.record(run, [NodeEnded("b", NodeState.FAILED, 5)])
    else:
        await journal.database.write(
            lambda connection: connection.command("UPDATE orchestrator_run SET state = 'FAILED'").rowcount
        )
    before = await journal.everything(run.run_id)
    assert await receive(journal, run.run_id, token_of(run)) == Received("unknown")
    assert await journal.everything(run.run_id) == before
    found = await find(journal, run.run_id, token_of(run))
    assert found is not None
    assert not found.is_open


async def test_a_token_is_good_for_its_own_run_only(journal: SqlJournal):
    one, other = await waiting(journal), await waiting(journal)
    before = await journal.everything(one.run_id), await journal.everything(other.run_id)
    for run_id, token in (
        (one.run_id, token_of(other)),
        (one.run_id, ""),
        (one.run_id, token_of(one) + " "),
        (one.run_id, token_of(one).upper()),
        ("nobody", token_of(one)),
        ("", ""),
        ("%", "%"),
    ):
        assert await receive(journal, run_id, token) == Received("unknown")
        assert await find(journal, run_id, token) is None
    assert (await journal.everything(one.run_id), await journal.everything(other.run_id)) == before


async def test_a_callback_may_come_before_anybody_waits_and_while_the_run_is_parked(journal: SqlJournal):
    for state in ("RUNNING", "WAITING"):
        run = await waiting(journal)
        if state == "WAITING":
            await journal.store.park(run, None, 1)
        assert (await journal.run(run.run_id)).state == state
        assert (await receive(journal, run.run_id, token_of(run))).outcome == "accepted"


async def test_a_wait_is_found_with_what_its_schema_needs(journal: SqlJournal):
    run = await waiting(journal)
    version_id = (await journal.run(run.run_id)).version_id
    assert await find(journal, run.run_id, token_of(run)) == FoundWait(
        "b", version_id, "RUNNING", is_open=True, has_arrived=False
    )
    await receive(journal, run.run_id, token_of(run))
    assert await find(journal, run.run_id, token_of(run)) == FoundWait(
        "b", version_id, "RUNNING", is_open=False, has_arrived=True
    )


async def test_news_that_is_delivered_again_is_no_further_news(journal: SqlJournal):
    run = await waiting(journal)

    async def deliver(webhook_id: str) -> str:
        received = await journal.database.write(
            lambda connection: callbacks.receive(
                connection, run.run_id, token_hash(token_of(run)), None, 5_000, webhook_id=webhook_id
            )
        )
        return received.outcome

    assert await deliver("msg_1") == "accepted"
    await journal.store.record(run, [WaitReopened(run.waits[0].wait_id, 5_000, 6_000)])
    assert await deliver("msg_1") == "duplicate"
    assert await deliver("msg_2") == "accepted"


async def test_copies_that_reach_two_processes_at_once_have_one_effect(postgres_database: Database):
    journal = SqlJournal(postgres_database)
    with opened(postgres_database.url) as second:
        for _ in range(10):
            run = await waiting(journal)

            async def send(database: Database, run: ClaimedRun = run) -> str:
                received = await database.write(
                    lambda connection: callbacks.receive(
                        connection, run.run_id, token_hash(token_of(run)), None, 1
                    )
                )
                return received.outcome

            outcomes = await asyncio.gather(*(send(database) for database in [postgres_database, second] * 5))
            assert sorted(outcomes) == ["accepted"] + ["duplicate"] * 9
            await journal.store.arrivals(run)
            assert run.wake == 1


async def test_callbacks_cancels_and_records_of_two_processes_never_block_each_other(
    postgres_database: Database,
):
    journal = SqlJournal(postgres_database)
    with opened(postgres_database.url) as second:
        other = SqlJournal(second)
        for _ in range(10):
            run = await waiting(journal)
            results = await asyncio.gather(
                journal.store.record(run, [RunEnded(RunState.COMPLETED, 5, output={"text": "x" * 20_000})]),
                other.arrive(run.run_id, token_of(run), {"text": "x" * 20_000}),
                other.cancel(run.run_id),
                return_exceptions=True,
            )
            assert {type(result).__name__ for result in results} <= {"NoneType", "LeaseLost", "str", "bool"}
            assert (await journal.run(run.run_id)).state in {"COMPLETED", "CANCELLED"}


async def test_a_token_alone_tells_its_run(journal: SqlJournal):
    run = await waiting(journal)

    async def run_of(token: str) -> str | None:
        return await journal.database.read(lambda connection: callbacks.run_of(connection, token_hash(token)))

    assert await run_of(token_of(run)) == run.run_id
    assert await run_of("cb of nobody") is None
