import asyncio

import pytest

from orchestrator_app.domain.remote import RemoteAnswer, RemoteLook
from orchestrator_app.errors import ProviderBusy, Unavailable
from orchestrator_app.runner import poller as poller_module
from orchestrator_app.runner.poller import LEASE_MS, Poller
from orchestrator_app.storage.looks import SqlLookStore
from tests.running import WORKSPACE, World, failure_of, graph, messages_of, webhook
from tests.steered import Held
from tests.storage.journal import unseal

STARTED = RemoteAnswer("running", remote_id="77")
RUNNING = RemoteLook("running")


def polled(node_id: str = "a", **config: object):
    return webhook(node_id, **{"completion": "poll", "pollingInterval": 100_000, **config})


async def many(world: World, count: int, node_id: str = "a", **config: object) -> list[str]:
    """Runs that wait for the same platform."""
    world.platform.on_call(node_id, STARTED)
    return [await world.start(graph([polled(node_id, **config)])) for _ in range(count)]


async def test_looks_that_are_due_together_are_made_together(world: World):
    runs = await many(world, 20)
    world.platform.on_look("a", {"n": 1})
    await world.at_rest()
    commits = world.database.commits
    world.advance(120_000)
    assert [(await world.ended(run_id)).output for run_id in runs] == [{"n": 1}] * 20
    # Beside what the runs themselves write: they are claimed, and end their node and themselves.
    assert world.database.commits - commits < 20 * 4
    assert world.platform.looks_at("a") == 20


async def test_looks_that_see_nothing_new_write_nothing_about_their_runs(world: World):
    (run_id,) = await many(world, 1)
    seq = (await world.parked(run_id)).summary.seq
    for _ in range(3):
        world.advance(120_000)
        await world.at_rest()
    assert world.platform.looks_at("a") == 3
    assert (await world.parked(run_id)).summary.seq == seq


async def test_a_connection_without_room_does_not_delay_the_others(world: World):
    world.platform.rate = 600  # sixty in six seconds
    crowd = await many(world, 70, connectionId="crowded")
    (other,) = await many(world, 1, "b", connectionId="empty")
    world.platform.on_look("a", {"n": 1})
    world.platform.on_look("b", {"n": 2})
    await world.at_rest()
    world.advance(120_000)
    assert (await world.ended(other)).output == {"n": 2}
    await world.at_rest()
    assert 20 <= world.platform.looks_at("a") <= 62
    while world.platform.looks_at("a") < 70:
        world.advance(1_000)
        await world.at_rest()
    assert {(await world.ended(run_id)).summary.state for run_id in crowd} == {"COMPLETED"}


async def test_a_platform_that_hangs_does_not_delay_the_others(sqlite_world: World):
    world = sqlite_world
    hanging = await many(world, 30, connectionId="hanging")
    (other,) = await many(world, 1, "b", connectionId="well")
    held = Held()
    world.platform.on_look("a", held)
    world.platform.on_look("b", {"n": 2})
    await world.at_rest()
    world.advance(120_000)
    assert (await world.ended(other)).output == {"n": 2}
    assert world.platform.looks_at("a") == 20
    held.answer({"n": 1})
    for run_id in hanging:
        while (await world.runs.get(WORKSPACE, run_id)).summary.state != "COMPLETED":
            world.advance(1_000)
            await world.at_rest()


async def test_a_busy_platform_is_left_alone_by_all_its_runs(sqlite_world: World):
    world = sqlite_world
    await many(world, 1)
    world.platform.on_look("a", ProviderBusy("Too many requests.", retry_after_seconds=600), RUNNING)
    await world.at_rest()
    world.advance(120_000)
    await world.platform.looked_at("a", 1)
    await many(world, 3)
    await world.at_rest()
    world.advance(200_000)
    await world.at_rest()
    assert world.platform.looks_at("a") == 1
    world.advance(600_000)
    await world.platform.looked_at("a", 4)


async def test_a_platform_that_does_not_answer_a_look_is_asked_again(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(poller_module, "LOOK_SECONDS", 0.01)
    world = sqlite_world
    (run_id,) = await many(world, 1)
    world.platform.on_look("a", Held(), {"n": 1})
    await world.at_rest()
    for _ in range(2):
        world.advance(120_000)
        await world.at_rest()
    run = await world.ended(run_id)
    assert run.output == {"n": 1}
    assert any("did not answer within" in message for message in messages_of(run))


async def test_a_mistake_in_a_look_fails_its_node(sqlite_world: World, caplog: pytest.LogCaptureFixture):
    world = sqlite_world
    (run_id,) = await many(world, 1)
    world.platform.on_look("a", ZeroDivisionError("oh"))
    await world.at_rest()
    world.advance(120_000)
    failure = failure_of((await world.ended(run_id)).nodes[0])
    assert failure["code"] == "internal_error"
    assert "ZeroDivisionError" in caplog.text


async def test_what_was_seen_while_the_database_is_away_is_written_later(world: World):
    (run_id,) = await many(world, 1)
    world.platform.on_look("a", {"n": 1})
    await world.at_rest()
    away = Unavailable("The database cannot be used right now.")
    world.store.failing("take", away)
    world.store.failing("keep", away, away)
    world.advance(120_000)
    assert (await world.ended(run_id)).output == {"n": 1}
    assert world.platform.looks_at("a") == 1
    assert world.clock.pauses.count(poller_module.RETRY_SECONDS) == 3


async def test_nothing_ends_the_poller(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(poller_module, "SWEEP_SECONDS", 0.0)
    world = sqlite_world
    (run_id,) = await many(world, 1)
    world.platform.on_look("a", {"n": 1})
    await world.at_rest()
    world.store.failing("take", ZeroDivisionError("oh"))
    world.advance(120_000)
    assert (await world.ended(run_id)).output == {"n": 1}
    assert "a round of the poller failed" in caplog.text


async def test_a_look_that_was_cut_is_made_again_at_the_next_start(world: World):
    (run_id,) = await many(world, 1)
    world.platform.on_look("a", Held())
    await world.at_rest()
    world.advance(120_000)
    await world.platform.looked_at("a", 1)
    # So long it may take, too, to write down what was cut.
    await world.life.engine.stop(0.5)
    world.platform.on_look("a", RUNNING, {"n": 1})
    await world.begin()
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_a_look_that_ends_within_the_grace_counts(world: World):
    (run_id,) = await many(world, 1)
    held = Held()
    world.platform.on_look("a", held)
    await world.at_rest()
    world.advance(120_000)
    await world.platform.looked_at("a", 1)
    stopping = asyncio.create_task(world.life.engine.stop(20))
    await asyncio.sleep(0)
    held.answer({"n": 1})
    await stopping
    await world.begin()
    assert (await world.ended(run_id)).output == {"n": 1}
    assert world.platform.looks_at("a") == 1


async def test_a_poller_that_was_never_started_can_be_stopped(sqlite_world: World):
    life = sqlite_world.life
    idle = Poller(
        SqlLookStore(sqlite_world.database, unseal=unseal, changed=sqlite_world.changed),
        sqlite_world.platform,
        life.dispatcher,
        life.engine.parts.renderer,
        sqlite_world.clock,
    )
    await idle.stop(0)


async def test_two_processes_never_make_the_same_look(world: World):
    """The second one has only a poller, as a further process beside this one would have."""
    runs = await many(world, 20)
    world.platform.on_look("a", {"n": 1})
    life = world.life
    store = SqlLookStore(world.database, unseal=unseal, changed=world.changed)
    second = Poller(
        store, world.platform, life.dispatcher, life.engine.parts.renderer, world.clock, tick_seconds=0
    )
    await world.at_rest()
    await second.start()
    world.advance(120_000)
    second._changed.set()
    for run_id in runs:
        await world.ended(run_id)
    await second.stop(20)
    assert world.platform.looks_at("a") == 20


async def test_a_late_look_changes_nothing(world: World):
    """Its lease is over, and another process has looked meanwhile."""
    (run_id,) = await many(world, 1)
    late = Held()
    world.platform.on_look("a", late, {"n": 1})
    await world.at_rest()
    world.advance(120_000)
    await world.platform.looked_at("a", 1)
    world.advance(LEASE_MS)
    run = await world.ended(run_id)
    late.answer({"n": 2})
    await world.at_rest()
    assert (await world.ended(run_id)) == run
    assert run.output == {"n": 1}


async def test_accounts_that_nobody_looks_at_any_more_are_forgotten(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(poller_module, "MOST_QUEUES", 2)
    world = sqlite_world
    world.platform.on_look("a", {"n": 1})
    for number in range(3):
        (run_id,) = await many(world, 1, connectionId=f"c{number}")
        await world.at_rest()
        world.advance(120_000)
        await world.ended(run_id)
    assert len(world.life.poller._queues) == 1


async def test_the_looks_of_a_plain_address_share_the_limit_of_its_host(sqlite_world: World):
    world = sqlite_world
    config = {"provider": "custom", "url": "https://x", "doneCondition": "false"}
    for url in ("https://one.example/1", "https://one.example/2", "https://two.example/3"):
        await many(world, 1, **config, statusUrl=url)
    world.platform.on_look("a", RUNNING)
    await world.at_rest()
    world.advance(120_000)
    await world.at_rest()
    hosts = {account for _, _, account in world.life.poller._queues}
    assert hosts == {"one.example", "two.example"}


async def test_when_all_hands_are_full_the_rest_waits(sqlite_world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(poller_module, "MOST_AT_ONCE", 1)
    world = sqlite_world
    runs = [*await many(world, 1), *await many(world, 1, "b")]
    held = {name: Held() for name in "ab"}
    for name, look in held.items():
        world.platform.on_look(name, look)
    await world.at_rest()
    world.advance(120_000)
    await world.platform._until(lambda: len(world.platform.looks) == 1)
    world.advance(1)
    for look in held.values():
        look.answer({"n": 1})
    for run_id in runs:
        assert (await world.ended(run_id)).output == {"n": 1}
