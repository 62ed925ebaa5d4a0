import asyncio

import pytest

from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.errors import OutcomeUnknown, ProviderBusy, ProviderUnavailable
from tests.running import World, failure_of, graph, messages_of, nodes_of, states_of, wait, webhook

DOWN = ProviderUnavailable("The platform is down.", remote_status=503)


async def test_a_failure_that_may_pass_is_tried_again_after_a_pause(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("random.uniform", lambda _, high: high)
    world.platform.on_call("a", DOWN, DOWN, {"n": 1})
    run_id = await world.start(graph([webhook("a", retryAttempts=2, retryDelay=10_000)]))
    run = await world.parked(run_id)
    begun = world.clock.ms
    assert run.nodes[0].wait_reason == "retry"
    assert run.nodes[0].wake_at == run.summary.wake_at == begun + 10_000
    world.advance(7_000)
    assert (await world.parked(run_id)).nodes[0].attempt == 1
    world.advance(3_000)
    run = await world.until(run_id, lambda run: run.nodes[0].attempt == 2 and run.summary.state == "WAITING")
    assert run.nodes[0].wake_at == begun + 10_000 + 20_000
    world.advance(20_000)
    run = await world.ended(run_id)
    assert run.summary.state == "COMPLETED"
    assert run.output == {"n": 1}
    attempts = run.nodes[0].attempts
    assert [(one.number, one.status_code, one.next_try_at) for one in attempts] == [
        (1, 503, begun + 10_000),
        (2, 503, begun + 30_000),
        (3, 200, None),
    ]
    assert [one.failure["message"] if one.failure else "" for one in attempts] == [
        DOWN.message,
        DOWN.message,
        "",
    ]
    assert all(one.ended_date == one.started_date for one in attempts)
    assert messages_of(run)[1:3] == [
        "Attempt 1 failed: The platform is down. Next try in 10.0 s.",
        "Attempt 2 failed: The platform is down. Next try in 20.0 s.",
    ]


@pytest.mark.usefixtures("shortest_pauses")
async def test_all_tries_of_a_node_carry_the_same_idempotency_key(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", DOWN, DOWN, {})
    world.platform.on_call("b", {})
    run = await world.run(graph([webhook("a", retryDelay=1), webhook("b")]))
    assert run.summary.state == "COMPLETED"
    keys = [call.idempotency_key for call in world.platform.calls_of("a")]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0] != world.platform.calls_of("b")[0].idempotency_key


@pytest.mark.usefixtures("shortest_pauses")
async def test_after_the_last_try_the_node_fails(world: World):
    world.platform.on_call("a", DOWN)
    run = await world.run(graph([webhook("a", retryAttempts=2, retryDelay=1)]))
    assert run.summary.state == "FAILED"
    assert len(world.platform.calls) == 3
    assert failure_of(run.nodes[0])["code"] == "provider_unavailable"
    assert run.nodes[0].attempts[2].next_try_at is None


async def test_no_retries_means_one_try(sqlite_world: World):
    sqlite_world.platform.on_call("a", DOWN)
    await sqlite_world.run(graph([webhook("a", retryAttempts=0)]))
    assert len(sqlite_world.platform.calls) == 1


async def test_the_pause_that_a_platform_asks_for_is_kept(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", ProviderBusy("Too many.", remote_status=429, retry_after_seconds=90.5), {})
    run_id = await world.start(graph([webhook("a", retryDelay=1)]))
    assert (await world.parked(run_id)).nodes[0].wake_at == world.clock.ms + 90_500
    world.advance(88_000)
    assert (await world.parked(run_id)).nodes[0].attempt == 1
    world.advance(2_500)
    assert (await world.ended(run_id)).summary.state == "COMPLETED"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_call_with_an_unclear_outcome_is_never_repeated(world: World, method: str):
    world.platform.can -= {"poll"}
    world.platform.on_call("a", OutcomeUnknown("No answer came."), {})
    run = await world.run(graph([webhook("a", method=method, retryDelay=1)]))
    assert len(world.platform.calls) == 1
    assert failure_of(run.nodes[0])["code"] == "outcome_unknown"
    assert run.summary.state == "FAILED"


@pytest.mark.parametrize(
    "config", [{"method": "GET"}, {"method": "PUT"}, {"method": "DELETE"}, {"idempotent": True}]
)
async def test_a_call_that_may_be_repeated_is(sqlite_world: World, config: dict[str, object]):
    sqlite_world.platform.on_call("a", OutcomeUnknown("No answer came."), {"n": 1})
    run = await sqlite_world.run(graph([webhook("a", retryDelay=1, **config)]))
    assert run.summary.state == "COMPLETED"
    assert len(sqlite_world.platform.calls) == 2


async def test_the_user_may_forbid_to_repeat_a_get(sqlite_world: World):
    sqlite_world.platform.can -= {"poll"}
    sqlite_world.platform.on_call("a", OutcomeUnknown("No answer came."))
    await sqlite_world.run(graph([webhook("a", method="GET", idempotent=False)]))
    assert len(sqlite_world.platform.calls) == 1


async def test_a_parked_retry_outlives_the_process(world: World):
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=3600), {"n": 2})
    run_id = await world.start(graph([webhook("a")]))
    await world.parked(run_id)
    await world.restart()
    await world.at_rest()
    assert len(world.platform.calls) == 1
    world.advance(3_600_000)
    assert (await world.ended(run_id)).output == {"n": 2}
    first, second = world.platform.calls
    assert first.idempotency_key == second.idempotency_key


async def test_a_retry_that_came_due_while_the_process_was_away_is_taken_up_at_its_start(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=3600), {"n": 2})
    run_id = await world.start(graph([webhook("a")]))
    await world.parked(run_id)
    await world.crash()
    world.clock.ms += 7_200_000
    await world.begin()
    assert (await world.ended(run_id)).output == {"n": 2}


async def test_a_short_pause_is_spent_without_parking(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=1.5), {"n": 2})
    run_id = await world.start(graph([webhook("a")]))
    run = await world.waiting_at(run_id, "a")
    assert run.summary.state == "RUNNING"
    world.advance(1_500)
    assert (await world.ended(run_id)).summary.state == "COMPLETED"


async def test_a_retry_starts_while_others_still_work(sqlite_world: World):
    world = sqlite_world
    held = world.platform.hold("slow")
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=600), {"n": 2})
    run_id = await world.start(graph([webhook("slow"), webhook("a")]))
    await world.waiting_at(run_id, "a")
    world.advance(600_000)
    run = await world.until(run_id, lambda run: states_of(run)["a"] == "COMPLETED")
    assert states_of(run)["slow"] == "RUNNING"
    held.answer({})
    await world.ended(run_id)


async def test_a_due_retry_waits_for_a_free_place(sqlite_world: World):
    world = sqlite_world
    world.node_concurrency = 1
    await world.restart()
    held = world.platform.hold("slow")
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=600), {"n": 2})
    run_id = await world.start(graph([webhook("a"), webhook("slow")]))
    await world.platform.called("slow")
    world.advance(600_000)
    asked = world.clock.asked
    await asyncio.sleep(0.05)
    assert world.clock.asked - asked < 50, "it asks again and again whether there is a place"
    assert len(world.platform.calls_of("a")) == 1
    held.answer({})
    run = await world.ended(run_id)
    assert run.summary.state == "COMPLETED"
    assert world.platform.most_at_once == 1


async def test_a_failing_run_does_not_wait_for_its_retries(world: World):
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=600))
    held = world.platform.hold("b")
    run_id = await world.start(graph([webhook("a"), webhook("b"), wait("w")]))
    await world.waiting_at(run_id, "a")
    held.answer(RemoteAnswer("failed", message="Stock is empty."))
    run = await world.ended(run_id)
    assert states_of(run) == {"a": "CANCELLED", "b": "FAILED", "w": "CANCELLED"}
    assert nodes_of(run)["b"].failure == {
        "code": "remote_failed",
        "message": "The remote workflow failed: Stock is empty.",
        "hint": "Look at the execution on its platform.",
        "detail": {"remoteStatus": 200},
    }
