"""Calls that got no answer, and platforms that can tell what became of them."""

import pytest

from orchestrator_app.domain.definition import Node
from orchestrator_app.domain.reconciliation import SEARCH_MS
from orchestrator_app.domain.remote import RemoteLook
from orchestrator_app.errors import CredentialRefused, OutcomeUnknown, ProviderBusy, ProviderUnavailable
from orchestrator_app.services.views import RunDetail
from tests.running import WORKSPACE, World, driven, failure_of, graph, mapper, messages_of, nodes_of, webhook
from tests.steered import Step

LOST = OutcomeUnknown("No answer came.", provider="simulated")
FOUND = RemoteLook("running", remote_id="77", memo={"execution": "77"})
DONE = RemoteLook("completed", {"n": 1}, remote_id="77", memo={"execution": "77"})
NOT_YET = RemoteLook("running", is_certain=False, memo={"misses": 1})


async def after(world: World, run_id: str) -> RunDetail:
    run = await driven(world, run_id, answered=())
    assert run is not None
    return run


async def ran(world: World, *looks: Step, node: Node | None = None) -> RunDetail:
    """The run after its call was lost and the platform was looked at."""
    world.platform.on_call("a", LOST)
    world.platform.on_look("a", *looks)
    run_id = await world.start(graph([node or webhook("a"), mapper("b", got="data")], "a b"))
    return await after(world, run_id)


async def test_a_call_that_is_found_has_the_result_of_its_execution(world: World):
    begun = world.clock.ms
    run = await ran(world, NOT_YET, FOUND, DONE)
    assert (run.summary.state, run.output) == ("COMPLETED", {"got": {"n": 1}})
    assert len(world.platform.calls) == 1
    (attempt,) = nodes_of(run)["a"].attempts
    assert failure_of(attempt)["code"] == "outcome_unknown"
    call, memo = world.platform.looks[0]
    assert (memo, call.started_at, call.completion) == ({}, begun, "response")
    assert call.correlation_id == world.platform.calls[0].correlation_id
    assert world.platform.looks[1][1] == {"misses": 1}
    said = messages_of(run)
    assert "No answer came. The call is looked for on simulated." in said
    assert "The call that got no answer was found on simulated: execution 77 (running)." in said


async def test_a_call_that_was_cut_by_the_end_of_the_process_is_looked_for(world: World):
    world.platform.hold("a")
    world.platform.on_look("a", DONE)
    run_id = await world.start(graph([webhook("a"), mapper("b", got="data")], "a b"))
    await world.platform.called("a")
    begun = world.clock.ms
    world.clock.ms += 5_000
    await world.restart()
    run = await after(world, run_id)
    assert (run.summary.state, run.output) == ("COMPLETED", {"got": {"n": 1}})
    assert len(world.platform.calls) == 1
    assert world.platform.looks[0][0].started_at == begun
    assert any("Orchestrator stopped while this call was under way" in said for said in messages_of(run))


async def test_a_search_goes_on_in_the_next_life_of_the_process(world: World):
    world.platform.on_call("a", LOST)
    world.platform.on_look("a", NOT_YET, DONE)
    run_id = await world.start(graph([webhook("a")]))
    await world.parked(run_id)
    await world.restart()
    run = await after(world, run_id)
    assert (run.summary.state, world.platform.looks_at("a")) == ("COMPLETED", 2)


@pytest.mark.parametrize("look", [NOT_YET, RemoteLook("unknown")])
async def test_a_call_that_is_not_found_in_time_has_an_unknown_outcome(sqlite_world: World, look: Step):
    world = sqlite_world
    begun = world.clock.ms
    run = await ran(world, look)
    failure = failure_of(nodes_of(run)["a"])
    assert (run.summary.state, failure["code"]) == ("FAILED", "outcome_unknown")
    assert failure["message"].startswith("No answer came. It ")
    assert world.clock.ms - begun == SEARCH_MS
    assert 4 <= world.platform.looks_at("a") <= 9
    assert nodes_of(run)["a"].needs_decision


async def test_a_platform_that_is_away_for_minutes_is_asked_as_soon_as_it_is_back(sqlite_world: World):
    down = ProviderUnavailable("It is down.")
    run = await ran(sqlite_world, *[down] * 20, NOT_YET, DONE)
    assert (run.summary.state, run.output) == ("COMPLETED", {"got": {"n": 1}})
    assert messages_of(run).count("The call cannot be looked for on simulated yet: It is down.") == 1


async def test_an_execution_that_has_failed_fails_the_node(sqlite_world: World):
    run = await ran(sqlite_world, RemoteLook("failed", message="It broke.", remote_id="77"))
    assert failure_of(nodes_of(run)["a"])["code"] == "remote_failed"
    assert not nodes_of(run)["a"].needs_decision


async def test_the_failure_of_an_earlier_attempt_is_not_taken_for_that_of_this_one(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=10), LOST)
    world.platform.on_look("a", RemoteLook("failed", message="It broke.", remote_id="76"))
    run = await after(world, await world.start(graph([webhook("a")])))
    assert failure_of(run.nodes[0])["code"] == "outcome_unknown"
    assert world.platform.looks[0][0].started_at > world.platform.calls[0].started_at


async def test_a_platform_that_cannot_be_asked_leaves_the_outcome_unknown_at_once(sqlite_world: World):
    world = sqlite_world
    run = await ran(world, CredentialRefused("The key is wrong."))
    assert "The key is wrong." in failure_of(nodes_of(run)["a"])["message"]
    assert world.platform.looks_at("a") == 1
    world.platform.can -= {"poll"}
    run = await ran(world, DONE)
    assert failure_of(nodes_of(run)["a"])["message"] == "No answer came."
    assert world.platform.looks_at("a") == 1


async def test_a_plain_address_has_nobody_who_could_be_asked(sqlite_world: World):
    world = sqlite_world
    run = await ran(world, DONE, node=webhook("a", provider="custom", url="https://x"))
    assert (failure_of(nodes_of(run)["a"])["code"], world.platform.looks) == ("outcome_unknown", [])


async def test_a_connection_that_is_gone_cannot_be_asked(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
):
    world = sqlite_world
    capabilities, asked = world.platform.capabilities, []

    async def gone(*call: object) -> frozenset[str]:
        asked.append(call)
        if len(asked) > 1:
            raise CredentialRefused("There is no such connection.")
        return await capabilities(*call)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(world.platform, "capabilities", gone)
    run = await ran(world, DONE)
    assert failure_of(nodes_of(run)["a"])["code"] == "outcome_unknown"


async def test_what_may_be_repeated_is_repeated_and_not_looked_for(sqlite_world: World):
    run = await ran(sqlite_world, DONE, node=webhook("a", method="PUT", retryAttempts=1, retryDelay=1))
    assert failure_of(nodes_of(run)["a"])["code"] == "outcome_unknown"
    assert (len(sqlite_world.platform.calls), sqlite_world.platform.looks) == (2, [])


# --- where a callback is awaited ---


async def test_a_callback_that_comes_during_the_search_ends_it(world: World):
    world.platform.on_call("a", LOST)
    world.platform.on_look("a", NOT_YET)
    run_id = await world.start(graph([webhook("a", completion="callback")]))
    await world.parked(run_id)
    token = (await world.tokens_of(run_id))["a"][0]
    await world.call_back(run_id, token, {"n": 2})
    assert (await world.ended(run_id)).output == {"n": 2}


async def test_a_call_that_is_found_going_on_is_waited_for_until_it_calls_back(world: World):
    world.platform.on_call("a", LOST)
    world.platform.on_look("a", NOT_YET, FOUND)
    run_id = await world.start(graph([webhook("a", completion="callback", callbackTimeout=600_000)]))
    run = await world.parked(run_id)
    while not any("was found" in said for said in messages_of(run)):
        world.advance(5_000)
        run = await world.parked(run_id)
    world.advance(SEARCH_MS)
    await world.parked(run_id)
    token = (await world.tokens_of(run_id))["a"][0]
    await world.call_back(run_id, token, {"n": 2})
    assert (await world.ended(run_id)).output == {"n": 2}


async def test_nobody_waits_for_a_callback_of_a_call_that_is_not_found(sqlite_world: World):
    run = await ran(sqlite_world, NOT_YET, node=webhook("a", completion="callback", callbackTimeout=600_000))
    assert failure_of(nodes_of(run)["a"])["code"] == "outcome_unknown"


async def awaited_all_the_same(world: World) -> str:
    """The id of a run whose call was lost, and whose platform cannot tell whether it arrived."""
    world.platform.on_call("a", LOST)
    world.platform.on_look("a", RemoteLook("unknown", message="It keeps no ids.", is_certain=False))
    run_id = await world.start(graph([webhook("a", completion="callback", callbackTimeout=600_000)]))
    run = await world.parked(run_id)
    while not any("Its callback is still awaited" in said for said in messages_of(run)):
        world.advance(5_000)
        run = await world.parked(run_id)
    return run_id


async def test_where_the_platform_cannot_tell_a_late_callback_still_counts(world: World):
    run_id = await awaited_all_the_same(world)
    looks = world.platform.looks_at("a")
    world.advance(60_000)
    await world.parked(run_id)
    assert world.platform.looks_at("a") == looks
    await world.call_back(run_id, (await world.tokens_of(run_id))["a"][0], {"n": 2})
    assert (await world.ended(run_id)).output == {"n": 2}


async def test_where_the_platform_cannot_tell_and_nobody_calls_back_a_person_decides(sqlite_world: World):
    run_id = await awaited_all_the_same(sqlite_world)
    run = await after(sqlite_world, run_id)
    failure = failure_of(run.nodes[0])
    assert (failure["code"], run.nodes[0].needs_decision) == ("outcome_unknown", True)
    assert failure["message"].endswith("It was looked for on simulated and not found. It keeps no ids.")


async def test_a_wait_that_is_over_before_the_search_leaves_the_outcome_unknown(sqlite_world: World):
    world = sqlite_world
    held = world.platform.hold("a")
    world.platform.on_look("a", NOT_YET)
    run_id = await world.start(graph([webhook("a", completion="callback", callbackTimeout=1_000)]))
    await world.platform.called("a")
    held.answer(LOST)
    await world.parked(run_id)
    # The process sleeps over all of it.
    world.life.poller._next_at = None
    world.clock.ms += 3_600_000
    world.dispatcher.enqueue(run_id)
    run = await after(world, run_id)
    assert failure_of(run.nodes[0])["code"] == "outcome_unknown"


async def test_a_run_that_is_cancelled_during_the_search_tells_the_platform(world: World):
    world.platform.on_call("a", LOST)
    world.platform.on_look("a", NOT_YET)
    run_id = await world.start(graph([webhook("a")]))
    await world.parked(run_id)
    await world.runs.cancel(WORKSPACE, run_id)
    await world.stopped()
    ((call, memo),) = world.platform.stops
    assert (call.correlation_id, memo) == (world.platform.calls[0].correlation_id, {})
