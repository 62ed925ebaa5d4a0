"""What people do about failed runs: the run goes on as if it had never stopped, and nothing is done twice."""

import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition
from orchestrator_app.errors import (
    BadRequest,
    Conflict,
    InvalidDefinition,
    InvalidInput,
    NotFound,
    OutcomeUndecided,
    OutcomeUnknown,
    ProviderRefused,
)
from orchestrator_app.services.interventions import Decision
from tests.running import (
    WORKSPACE,
    World,
    abandoned,
    condition,
    failure_of,
    graph,
    mapper,
    messages_of,
    nodes_of,
    states_of,
    token_in,
    wait,
    webhook,
)

LOST = OutcomeUnknown("No answer came.", provider="simulated")
NO = ProviderRefused("No.", provider="simulated")
CHAIN = graph(
    [mapper("a", n="data.n"), webhook("b", retryAttempts=0), webhook("c"), mapper("d", got="data")],
    "a b, b c, c d",
)


@pytest.fixture(autouse=True)
def _cannot_be_asked(world: World) -> None:
    """The platform cannot be asked what became of a call."""
    world.platform.can = frozenset({"execute", "response", "callback"})


async def lost(world: World, definition: Definition = CHAIN) -> str:
    """The id of a run that failed because of a call of ``b`` without an answer."""
    world.platform.on_call("b", LOST, {"n": "again"})
    run = await world.run(definition, {"n": 1})
    assert failure_of(nodes_of(run)["b"])["code"] == "outcome_unknown"
    return run.summary.id


async def decide(world: World, run_id: str, decision: Decision, node_id: str = "b", output: Any = None):
    return await world.interventions.decide(WORKSPACE, run_id, node_id, decision, output=output, trigger="ui")


async def retry(world: World, run_id: str, **how: Any):
    return await world.interventions.retry(WORKSPACE, run_id, trigger="ui", **how)


# --- decisions ---


async def test_a_call_that_had_its_effect_is_done_with_the_given_output(world: World):
    run_id = await lost(world)
    world.clock.ms += 60_000
    summary = await decide(world, run_id, "done", output={"n": "given"})
    assert (summary.id, summary.failure, summary.ended_date) == (run_id, None, None)
    run = await world.ended(run_id)
    assert (run.summary.state, run.output) == ("COMPLETED", {"got": {"n": "given"}})
    assert set(states_of(run).values()) == {"COMPLETED"}
    b, c = nodes_of(run)["b"], nodes_of(run)["c"]
    assert (b.output, b.failure, len(b.attempts), c.input) == ({"n": "given"}, None, 1, {"n": "given"})
    assert b.ended_date == c.started_date == world.clock.ms
    assert len(world.platform.calls_of("b")) == 1
    assert "It was decided by hand that this call had its effect; its output was given." in messages_of(run)


async def test_a_call_without_effect_is_made_again_as_a_further_attempt(world: World):
    run_id = await lost(world)
    await decide(world, run_id, "retry")
    run = await world.ended(run_id)
    assert (run.summary.state, run.output) == ("COMPLETED", {"got": {"n": "again"}})
    b = nodes_of(run)["b"]
    assert [(attempt.number, attempt.failure is None) for attempt in b.attempts] == [(1, False), (2, True)]
    first, second = world.platform.calls_of("b")
    assert first.idempotency_key == second.idempotency_key
    assert [len(world.platform.calls_of(name)) for name in "bc"] == [2, 1]


async def test_a_call_that_failed_stays_failed_and_can_then_be_retried(world: World):
    run_id = await lost(world)
    summary = await decide(world, run_id, "fail")
    run = await world.runs.get(WORKSPACE, run_id)
    assert (summary.state, run.summary.state) == ("FAILED", "FAILED")
    detail = failure_of(nodes_of(run)["b"])["detail"]
    assert (detail["decided"], detail["decidedBy"], detail["decidedDate"]) == ("fail", "ui", world.clock.ms)
    assert "It was decided by hand that this call has failed." in messages_of(run)
    with pytest.raises(Conflict, match="nothing to decide about “b”"):
        await decide(world, run_id, "done")
    await retry(world, run_id)
    assert (await world.ended(run_id)).summary.state == "COMPLETED"


async def test_an_outcome_is_decided_once_although_many_decide_together(world: World):
    run_id = await lost(world)
    world.platform.hold("c")
    said = await asyncio.gather(*(decide(world, run_id, "retry") for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in said) == 5
    await world.platform.called("c")
    assert len(world.platform.calls_of("b")) == 2


async def test_only_what_waits_for_a_decision_is_decided(world: World):
    run_id = await lost(world)
    with pytest.raises(NotFound, match="no such node"):
        await decide(world, run_id, "done", "never-was")
    with pytest.raises(Conflict, match="nothing to decide about “a”"):
        await decide(world, run_id, "done", "a")
    with pytest.raises(NotFound, match="no such run"):
        await world.interventions.decide("another", run_id, "b", "done", trigger="ui")
    with pytest.raises(InvalidInput, match="can be kept"):
        await decide(world, run_id, "done", output=["x" * 250_000] * 5)
    with pytest.raises(BadRequest):
        await decide(world, run_id, "done", output="\ud800")
    assert (await world.runs.get(WORKSPACE, run_id)).summary.state == "FAILED"
    done = await world.run(graph([mapper("a", x="=1")]))
    with pytest.raises(Conflict, match="has not failed: it is COMPLETED"):
        await decide(world, done.summary.id, "done", "a")
    waiting = await world.start(graph([wait("w")]))
    await world.parked(waiting)
    with pytest.raises(Conflict, match="has not failed: it is WAITING"):
        await decide(world, waiting, "done", "w")


async def test_a_decision_leaves_other_failures_to_be_retried(world: World):
    held = world.platform.hold("other")
    world.platform.on_call("b", LOST, {"n": "again"})
    run_id = await world.start(graph([webhook("b"), webhook("other", retryAttempts=0), mapper("m")], "b m"))
    await world.platform.called("b")
    held.answer(NO)
    await world.ended(run_id)
    await decide(world, run_id, "done", output={"n": 1})
    run = await world.ended(run_id)
    assert states_of(run) == {"b": "COMPLETED", "other": "FAILED", "m": "SKIPPED"}
    assert failure_of(run.summary)["code"] == "provider_refused"
    world.platform.on_call("other", {"ok": True}, {"ok": True})
    await retry(world, run_id)
    run = await world.ended(run_id)
    assert set(states_of(run).values()) == {"COMPLETED"}
    assert len(world.platform.calls_of("b")) == 1


async def test_a_decision_is_carried_out_after_a_crash(world: World):
    run_id = await lost(world)
    await world.crash()
    assert (await decide(world, run_id, "done", output={"n": 2})).state == "PENDING"
    await world.begin()
    assert (await world.ended(run_id)).output == {"got": {"n": 2}}


async def test_a_decision_is_carried_out_although_nobody_waits_for_the_answer_any_more(world: World):
    run_id = await lost(world)
    await abandoned(world.database, decide(world, run_id, "done", output={"n": 2}))
    run = await world.until(run_id, lambda run: run.summary.state == "COMPLETED")
    assert run.output == {"got": {"n": 2}}


# --- retries ---


async def test_a_retry_goes_on_from_the_failed_node_and_keeps_what_was_done(world: World):
    world.platform.on_call("c", NO, {"n": 3})
    definition = graph(
        [webhook("a"), webhook("b"), webhook("c", retryAttempts=0), mapper("d", got="data")], "a b, b c, c d"
    )
    failed = await world.run(definition, {"n": 1})
    run_id = failed.summary.id
    world.clock.ms += 1_000
    await retry(world, run_id)
    run = await world.ended(run_id)
    assert (run.summary.state, run.output, run.summary.version) == ("COMPLETED", {"got": {"n": 3}}, 1)
    assert [len(world.platform.calls_of(name)) for name in "abc"] == [1, 1, 2]
    c = nodes_of(run)["c"]
    assert [attempt.number for attempt in c.attempts] == [1, 2]
    assert c.started_date == world.clock.ms
    assert nodes_of(run)["a"].started_date == nodes_of(failed)["a"].started_date
    assert "The run was retried by hand, beginning with “c”." in messages_of(run)


async def test_a_retry_that_fails_again_can_be_retried_again(world: World):
    world.platform.on_call("a", NO, NO, {"n": 1})
    run_id = (await world.run(graph([webhook("a", retryAttempts=0), mapper("b")], "a b"))).summary.id
    await retry(world, run_id)
    run = await world.ended(run_id)
    assert (run.summary.state, nodes_of(run)["a"].attempt) == ("FAILED", 2)
    await retry(world, run_id)
    run = await world.ended(run_id)
    assert (run.summary.state, nodes_of(run)["a"].attempt) == ("COMPLETED", 3)


async def test_a_retry_of_a_node_that_never_called_has_its_input_and_times(world: World):
    definition = graph([webhook("a"), mapper("b", x="data.x")], "a b")
    world.platform.on_call("a", {"y": 1})
    run_id = (await world.run(definition)).summary.id
    world.clock.ms += 5
    await retry(world, run_id)
    run = await world.ended(run_id)
    b = nodes_of(run)["b"]
    assert (b.state, b.input, b.started_date, b.ended_date) == (
        "FAILED",
        {"y": 1},
        world.clock.ms,
        world.clock.ms,
    )


async def test_a_node_that_has_called_and_fails_before_its_next_call_has_its_new_input(world: World):
    # The first time c refuses; then what b gives cannot be put into the body of c.
    world.platform.on_call("b", LOST)
    definition = graph(
        [webhook("b"), webhook("c", bodyTemplate='{"x": {{ data.x }}}', retryAttempts=0)], "b c"
    )
    run_id = (await world.run(definition)).summary.id
    world.platform.on_call("c", NO)
    await decide(world, run_id, "done", output={"x": 1})
    await world.ended(run_id)
    world.clock.ms += 5
    await retry(world, run_id)
    c = nodes_of(await world.ended(run_id))["c"]
    assert (c.input, c.attempt, c.started_date) == ({"x": 1}, 2, world.clock.ms)


async def test_what_was_skipped_or_waited_begins_anew_and_its_token_is_still_good(world: World):
    definition = graph(
        [webhook("ask"), wait("answer"), webhook("b", retryAttempts=0), mapper("end", got="data")],
        "ask answer, answer end, b end",
    )
    held = world.platform.hold("b")
    run_id = await world.start(definition)
    waiting = await world.waiting_at(run_id, "answer")
    token = token_in(nodes_of(waiting)["answer"].callback_url)
    held.answer(NO)
    run = await world.ended(run_id)
    assert states_of(run) == {"ask": "COMPLETED", "answer": "CANCELLED", "b": "FAILED", "end": "SKIPPED"}
    with pytest.raises(NotFound):
        await world.call_back(run_id, token, {"n": 1})
    world.platform.on_call("b", {"b": 1}, {"b": 1})
    await retry(world, run_id)
    run = await world.waiting_at(run_id, "answer")
    assert token_in(nodes_of(run)["answer"].callback_url) == token
    await world.call_back(run_id, token, {"n": 1})
    run = await world.ended(run_id)
    assert run.output == {"got": {"n": 1, "b": 1}}
    assert len(world.platform.calls_of("ask")) == 1


async def test_a_branch_that_was_not_taken_is_not_taken_after_a_retry(world: World):
    world.platform.on_call("y", NO, {"n": 1})
    nodes = [condition("if", yes="data.ok"), webhook("y", retryAttempts=0), mapper("n")]
    run_id = (await world.run(graph(nodes, "if:yes y, if:default n"), {"ok": True})).summary.id
    await retry(world, run_id)
    assert states_of(await world.ended(run_id)) == {"if": "COMPLETED", "y": "COMPLETED", "n": "SKIPPED"}


async def test_a_retry_does_not_repeat_a_call_whose_outcome_is_unknown(world: World):
    run_id = await lost(world)
    with pytest.raises(OutcomeUndecided, match="call of “b” had its effect") as caught:
        await retry(world, run_id)
    assert caught.value.context == {"nodeIds": ["b"]}
    assert len(world.platform.calls_of("b")) == 1


async def test_only_failed_runs_are_retried_and_one_at_a_time(world: World):
    done = await world.run(graph([mapper("a", x="=1")]))
    with pytest.raises(Conflict, match="has not failed: it is COMPLETED"):
        await retry(world, done.summary.id)
    with pytest.raises(NotFound):
        await retry(world, "never-was")
    world.platform.on_call("a", NO, {"n": 1})
    run_id = (await world.run(graph([webhook("a", retryAttempts=0)]))).summary.id
    said = await asyncio.gather(*(retry(world, run_id) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in said) == 5
    await world.ended(run_id)
    await world.at_rest()
    assert len(world.platform.calls_of("a")) == 2


async def test_a_run_that_a_mistake_of_ours_ended_can_be_retried(world: World):
    world.store.failing("park", ValueError("a mistake of ours"))
    run_id = await world.start(graph([wait("w"), mapper("b", x="=1")], "w b"))
    run = await world.ended(run_id)
    assert (failure_of(run.summary)["code"], states_of(run)["w"]) == ("internal_error", "CANCELLED")
    await retry(world, run_id)
    run = await world.parked(run_id)
    assert "The run was retried by hand, beginning with what was not done yet." in messages_of(run)
    await world.call_back(run_id, token_in(nodes_of(run)["w"].callback_url))
    assert (await world.ended(run_id)).summary.state == "COMPLETED"


# --- on another version ---


async def test_a_retry_on_the_newest_definition_is_a_new_run_with_the_results_that_hold(world: World):
    big = "x" * 20_000
    world.platform.on_call("a", {"n": 1, "big": big})
    before = [webhook("a"), mapper("b", got="data.missing")]
    failed = await world.run(graph(before, "a b"), {"in": 1})
    orchestrator_id = failed.summary.orchestrator_id
    after = graph([webhook("a"), mapper("b", got="data.n", big="data.big")], "a b").as_json()
    await world.orchestrators.save(WORKSPACE, orchestrator_id, expected_version=1, definition=after)
    summary = await retry(world, failed.summary.id, definition="newest")
    assert (summary.parent_run_id, summary.version) == (failed.summary.id, 2)
    assert summary.id != failed.summary.id
    run = await world.ended(summary.id)
    assert (run.input, run.output) == ({"in": 1}, {"got": 1, "big": big})
    assert len(world.platform.calls_of("a")) == 1
    assert (await world.runs.get(WORKSPACE, failed.summary.id)).summary.state == "FAILED"


async def test_a_retry_on_a_newest_definition_that_cannot_run_is_refused(world: World):
    failed = await world.run(graph([mapper("b", got="data.missing")]))
    orchestrator_id = failed.summary.orchestrator_id
    await world.orchestrators.save(
        WORKSPACE, orchestrator_id, expected_version=1, definition=graph([]).as_json()
    )
    with pytest.raises(InvalidDefinition):
        await retry(world, failed.summary.id, definition="newest")
    assert len((await world.runs.page(WORKSPACE)).items) == 1


async def test_a_run_is_run_again_on_its_own_definition(world: World):
    first = await world.run(graph([mapper("a", got="data")]), {"n": 1})
    newer = graph([mapper("a", other="data")]).as_json()
    await world.orchestrators.save(
        WORKSPACE, first.summary.orchestrator_id, expected_version=1, definition=newer
    )
    again = await world.runs.rerun(WORKSPACE, first.summary.id, trigger="ui", definition="same")
    assert (again.version, again.parent_run_id) == (1, first.summary.id)
    assert (await world.ended(again.id)).output == {"got": {"n": 1}}
    newest = await world.runs.rerun(WORKSPACE, first.summary.id, trigger="ui")
    assert (await world.ended(newest.id)).output == {"other": {"n": 1}}
