"""A callback is asked about: it may be the end, a failure, or only news of the way."""

import pytest

from orchestrator_app.domain.remote import RemoteAnswer, RemoteLook
from orchestrator_app.errors import CredentialRefused, ProviderBusy, ProviderRefused, ProviderUnavailable
from tests.running import World, failure_of, graph, messages_of, webhook

STARTED = RemoteAnswer("running", memo={"id": "77"})
RUNNING = RemoteLook("running", memo={"id": "77"})
STOPPED = RemoteLook("running", message="It waits for a person at “Approve”.", memo={"execution": "9"})
DOWN = ProviderUnavailable("The platform is down.")


async def awaited(world: World, **config: object) -> str:
    """The id of a run that waits for its callback."""
    world.platform.on_call("a", STARTED)
    run_id = await world.start(graph([webhook("a", **{"completion": "callback", **config})]))
    await world.parked(run_id)
    return run_id


def token_of(world: World) -> str:
    return world.platform.calls[0].callback_token


async def test_the_provider_says_what_a_callback_means(world: World):
    run_id = await awaited(world)
    world.platform.on_callback("a", RemoteLook("completed", {"fetched": True}))
    await world.call_back(run_id, token_of(world), {"executionId": "77"})
    assert (await world.ended(run_id)).output == {"fetched": True}
    ((call, memo, body),) = world.platform.callbacks
    assert (call.correlation_id, call.callback_token) == (f"{run_id}.a", token_of(world))
    assert (memo, body) == ({"id": "77"}, {"executionId": "77"})


async def test_a_callback_may_tell_a_failure(sqlite_world: World):
    world = sqlite_world
    run_id = await awaited(world)
    world.platform.on_callback(
        "a", RemoteLook("failed", message="No model.", remote_id="77", link="https://x")
    )
    await world.call_back(run_id, token_of(world), {"status": "ERROR"})
    failure = failure_of((await world.ended(run_id)).nodes[0])
    assert (failure["code"], failure["message"]) == ("remote_failed", "The remote workflow failed: No model.")
    assert failure["detail"] == {"link": "https://x", "executionId": "77"}


async def test_after_news_of_the_way_the_same_token_tells_the_end(world: World):
    run_id = await awaited(world)
    world.platform.on_callback("a", STOPPED, RemoteLook("completed", {"n": 1}))
    assert await world.call_back(run_id, token_of(world), {"status": "STOPPED"}) == "accepted"
    await world.at_rest()
    run = await world.parked(run_id)
    assert (run.nodes[0].wait_reason, run.nodes[0].callback_url != "") == ("callback", True)
    assert "It waits for a person at “Approve”." in messages_of(run)
    assert await world.call_back(run_id, token_of(world), {"status": "SUCCESS"}) == "accepted"
    assert (await world.ended(run_id)).output == {"n": 1}
    assert [memo for _, memo, _ in world.platform.callbacks] == [{"id": "77"}, {"execution": "9"}]


async def test_after_news_of_the_way_a_look_may_see_the_end(world: World):
    run_id = await awaited(world)
    world.platform.on_callback("a", STOPPED)
    await world.call_back(run_id, token_of(world), {"status": "STOPPED"})
    await world.at_rest()
    world.platform.on_look("a", {"n": 1})
    world.advance(3_000)
    assert (await world.ended(run_id)).output == {"n": 1}
    assert world.platform.looks[0][1] == {"execution": "9"}
    assert world.platform.looks[0][0].callback_token == token_of(world)


async def test_news_from_a_platform_that_cannot_be_asked_leave_the_wait_as_it_was(sqlite_world: World):
    world = sqlite_world
    world.platform.can = frozenset({"execute", "callback"})
    run_id = await awaited(world, callbackTimeout=60_000)
    world.platform.on_callback("a", RUNNING)
    await world.call_back(run_id, token_of(world), {})
    await world.at_rest()
    assert "The workflow called back, but goes on." in messages_of(await world.parked(run_id))
    world.advance(60_000)
    assert failure_of((await world.ended(run_id)).nodes[0])["code"] == "callback_timeout"
    assert world.platform.looks == []


async def test_a_platform_that_is_down_is_asked_again_what_a_callback_means(world: World):
    run_id = await awaited(world)
    world.platform.on_callback("a", DOWN, DOWN, RemoteLook("completed", {"n": 1}))
    await world.call_back(run_id, token_of(world), {})
    for _ in range(2):
        await world.at_rest()
        await world.parked(run_id)
        world.advance(10_000)
    run = await world.ended(run_id)
    assert run.output == {"n": 1}
    said = "What was called back cannot be looked up yet: The platform is down."
    assert messages_of(run).count(said) == 1
    assert len(world.platform.callbacks) == 3


@pytest.mark.parametrize(
    ("error", "minutes"),
    [(DOWN, 20), (ProviderRefused("No such execution."), 0), (CredentialRefused("No."), 0)],
)
async def test_a_callback_that_cannot_be_understood_fails_the_node(
    sqlite_world: World, error: Exception, minutes: int
):
    world = sqlite_world
    run_id = await awaited(world)
    world.platform.on_callback("a", error)
    await world.call_back(run_id, token_of(world), {})
    await world.at_rest()
    for _ in range(minutes):
        world.advance(60_000)
        await world.at_rest()
    assert failure_of((await world.ended(run_id)).nodes[0])["message"] == str(error)


# --- looks in case a callback is lost ---


async def test_a_lost_callback_is_made_good_by_a_look(world: World):
    run_id = await awaited(world)
    world.platform.on_look("a", RUNNING, {"n": 1})
    for number in range(2):
        world.advance(60_000)
        await world.platform.looked_at("a", number + 1)
        await world.at_rest()
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_the_looks_grow_apart_up_to_five_minutes(sqlite_world: World):
    world = sqlite_world
    run_id = await awaited(world, callbackTimeout=90 * 60_000)
    for _ in range(89):
        world.advance(60_000)
        await world.at_rest()
    assert 15 <= world.platform.looks_at("a") <= 30
    world.advance(60_000)
    assert failure_of((await world.ended(run_id)).nodes[0])["code"] == "callback_timeout"


async def test_a_look_that_fails_for_good_leaves_the_callback_awaited(world: World):
    run_id = await awaited(world)
    world.platform.on_look("a", CredentialRefused("The key is not accepted."))
    for _ in range(3):
        world.advance(120_000)
        await world.at_rest()
    assert world.platform.looks_at("a") == 1
    run = await world.parked(run_id)
    said = "It is not looked at any more, only the callback is awaited: The key is not accepted."
    assert messages_of(run)[-1] == said
    await world.call_back(run_id, token_of(world), {"n": 1})
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_outages_and_executions_that_are_not_found_do_not_end_the_wait(sqlite_world: World):
    world = sqlite_world
    run_id = await awaited(world)
    busy = ProviderBusy("Too many requests.", retry_after_seconds=100)
    world.platform.on_look("a", *[DOWN] * 3, busy, *[RemoteLook("unknown")] * 4, {"n": 1})
    for _ in range(40):
        world.advance(60_000)
        await world.at_rest()
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_an_answer_that_nothing_follows_but_the_callback_is_not_looked_at(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", RemoteAnswer("completed"))
    run_id = await world.start(graph([webhook("a", completion="callback")]))
    await world.parked(run_id)
    world.advance(1_000_000)
    await world.at_rest()
    assert world.platform.looks == []


PLAIN = {"provider": "custom", "url": "https://jobs.example", "doneCondition": "data.done"}


async def test_a_plain_address_is_asked_if_its_node_says_where(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("b", RemoteAnswer("running", {"id": 7}))
    node = webhook(
        "b", completion="callback", workflowId="b", statusUrl="https://jobs.example/{{ data.id }}", **PLAIN
    )
    run_id = await world.start(graph([node]))
    world.platform.on_look("b", RemoteLook("running", {"done": True}))
    await world.parked(run_id)
    world.advance(60_000)
    assert (await world.ended(run_id)).output == {"done": True}
    assert world.platform.looks[-1][0].status_url == "https://jobs.example/7"


async def test_a_plain_address_is_else_not_asked(sqlite_world: World):
    world = sqlite_world
    await awaited(world, **PLAIN)
    world.advance(1_000_000)
    await world.at_rest()
    assert world.platform.looks == []


# --- what a connection cannot do ---


@pytest.mark.parametrize("completion", ["poll", "callback"])
async def test_a_completion_that_the_connection_cannot_do_sends_nothing(sqlite_world: World, completion: str):
    world = sqlite_world
    world.platform.can = frozenset({"execute"})
    run = await world.run(graph([webhook("a", completion=completion)]))
    failure = failure_of(run.nodes[0])
    assert (failure["code"], failure["message"]) == ("not_supported", f"The platform has no {completion}.")
    assert world.platform.calls == []
    assert run.nodes[0].attempts == ()
