import asyncio

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import Unavailable
from orchestrator_app.runner import queue
from orchestrator_app.runner.hub import Change
from orchestrator_app.runner.queue import RunQueue
from orchestrator_app.storage import orchestrator_settings
from orchestrator_app.storage.queue import SqlRunQueueStore
from tests.running import WORKSPACE, World, graph, mapper, token_in, wait

WAITS = graph([wait("w")])


async def limit(world: World, orchestrator_id: str, concurrency: int | None) -> None:
    await world.database.write(
        lambda connection: orchestrator_settings.put_limits(
            connection,
            WORKSPACE,
            orchestrator_id,
            concurrency=concurrency,
            deadline_ms=None,
            now=world.clock.ms,
        )
    )
    world.hub.publish(Change("orchestrator", WORKSPACE, orchestrator_id))


async def limited(world: World, concurrency: int = 1) -> str:
    orchestrator_id = await world.keep(WAITS)
    await limit(world, orchestrator_id, concurrency)
    return orchestrator_id


async def started(world: World, orchestrator_id: str, number: int = 1) -> list[str]:
    """The ids of runs that were started one after the other."""
    runs = [await world.runs.start(WORKSPACE, orchestrator_id, n, trigger="api") for n in range(number)]
    return [summary.id for summary, _ in runs]


async def states(world: World, run_ids: list[str]) -> list[str]:
    await world.at_rest()
    return [(await world.runs.get(WORKSPACE, run_id)).summary.state for run_id in run_ids]


async def waiting(world: World, run_id: str) -> str:
    """The token of the callback for which the run waits."""
    run = await world.until(run_id, lambda run: bool(run.nodes[0].callback_url))
    return token_in(run.nodes[0].callback_url)


async def answer(world: World, run_id: str, body: JsonValue = None) -> None:
    await world.call_back(run_id, await waiting(world, run_id), body)
    await world.ended(run_id)


async def test_runs_beyond_the_limit_wait_and_begin_in_order_as_others_end(world: World):
    runs = await started(world, await limited(world, 2), 5)
    await waiting(world, runs[1])
    assert await states(world, runs) == ["WAITING", "WAITING", "PENDING", "PENDING", "PENDING"]
    await answer(world, runs[1])
    await waiting(world, runs[2])
    assert await states(world, runs) == ["WAITING", "COMPLETED", "WAITING", "PENDING", "PENDING"]
    for run_id in (runs[0], *runs[2:]):
        await answer(world, run_id)
    begun = [(await world.runs.get(WORKSPACE, run_id)).summary for run_id in runs]
    assert all(run.state == "COMPLETED" for run in begun)


async def test_a_cancelled_run_makes_room_for_the_next(world: World):
    runs = await started(world, await limited(world), 3)
    await waiting(world, runs[0])
    # Who leaves the queue takes nobody's turn.
    await world.runs.cancel(WORKSPACE, runs[1])
    assert await states(world, runs) == ["WAITING", "CANCELLED", "PENDING"]
    await world.runs.cancel(WORKSPACE, runs[0])
    await waiting(world, runs[2])


async def test_the_queue_survives_a_crash(world: World):
    runs = await started(world, await limited(world), 3)
    await waiting(world, runs[0])
    await world.restart()
    assert await states(world, runs) == ["WAITING", "PENDING", "PENDING"]
    await answer(world, runs[0])
    await waiting(world, runs[1])
    assert await states(world, runs) == ["COMPLETED", "WAITING", "PENDING"]


async def test_who_ended_while_nobody_listened_has_made_room_all_the_same(world: World):
    runs = await started(world, await limited(world), 2)
    token = await waiting(world, runs[0])
    await world.life.queue.stop()
    await world.call_back(runs[0], token)
    await world.ended(runs[0])
    assert await states(world, runs) == ["COMPLETED", "PENDING"]
    world.life.queue.start()
    await waiting(world, runs[1])


async def test_a_higher_limit_and_none_let_more_begin_at_once(world: World):
    orchestrator_id = await limited(world)
    runs = await started(world, orchestrator_id, 5)
    await limit(world, orchestrator_id, 2)
    await waiting(world, runs[1])
    assert await states(world, runs) == ["WAITING", "WAITING", "PENDING", "PENDING", "PENDING"]
    await limit(world, orchestrator_id, None)
    for run_id in runs:
        await waiting(world, run_id)


async def test_a_lower_limit_lets_those_under_way_go_on(world: World):
    orchestrator_id = await limited(world, 3)
    runs = await started(world, orchestrator_id, 3)
    for run_id in runs:
        await waiting(world, run_id)
    await limit(world, orchestrator_id, 1)
    (late,) = await started(world, orchestrator_id)
    await answer(world, runs[0])
    await answer(world, runs[1])
    assert await states(world, [runs[2], late]) == ["WAITING", "PENDING"]
    await answer(world, runs[2])
    await waiting(world, late)


async def test_the_limit_of_one_orchestrator_does_not_hold_up_another(world: World):
    runs = await started(world, await limited(world), 20)
    assert (await world.run(graph([mapper("a", got="data")]))).summary.state == "COMPLETED"
    assert (await states(world, runs)).count("PENDING") == 19


async def test_many_short_runs_are_carried_out_one_at_a_time(world: World):
    orchestrator_id = await world.keep(graph([mapper("a", got="data"), mapper("b", got="data")], "a b"))
    await limit(world, orchestrator_id, 1)
    runs = await started(world, orchestrator_id, 30)
    spans = [(await world.ended(run_id)).summary for run_id in runs]
    begun = [
        change.id for change in world.changes if change.orchestrator_id == orchestrator_id and change.seq == 1
    ]
    assert begun == runs
    assert all(run.state == "COMPLETED" for run in spans)


async def test_the_queue_is_read_again_after_the_database_was_away(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue, "RETRY_SECONDS", 0.0)
    runs = await started(world, await limited(world), 3)
    await waiting(world, runs[0])
    read, errors = world.life.queue._store.next_runs, [Unavailable("The database is away."), ValueError()]

    async def away(orchestrator_ids: object) -> list[str]:
        if errors:
            raise errors.pop()
        return await read(orchestrator_ids)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(queue, "SWEEP_SECONDS", 0.0)
    monkeypatch.setattr(world.life.queue._store, "next_runs", away)
    await answer(world, runs[0])
    await waiting(world, runs[1])
    assert errors == []


async def test_a_queue_that_never_began_can_be_stopped(sqlite_world: World):
    store = SqlRunQueueStore(sqlite_world.database)
    await RunQueue(store, sqlite_world.dispatcher, sqlite_world.hub).stop()


@pytest.mark.parametrize("workers", [2, 8])
async def test_several_workers_that_claim_at_once_keep_to_the_limit(world: World, workers: int):
    orchestrator_id = await limited(world, 3)
    await world.life.engine.stop(0)
    runs = await started(world, orchestrator_id, 12)
    claims = [world.store.claim(run_id, f"w{n}") for n in range(workers) for run_id in reversed(runs)]
    claimed = {run.run_id for run in await asyncio.gather(*claims) if run is not None}
    assert claimed == set(runs[:3])
