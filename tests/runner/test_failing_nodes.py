import re
from collections.abc import Sequence

import pytest

from orchestrator_app.domain.ports import ClaimedRun
from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.domain.runs import Fact, NodeEnded, NodeState
from orchestrator_app.errors import (
    CredentialRefused,
    InvalidInput,
    ProviderBusy,
    ProviderRefused,
    UnreadableAnswer,
)
from tests.running import (
    World,
    body_of,
    condition,
    failure_of,
    graph,
    mapper,
    messages_of,
    node,
    nodes_of,
    states_of,
    wait,
    webhook,
)

REFUSED = ProviderRefused("No such order.", hint="Check its number.", provider="custom", remote_status=404)


async def test_a_failure_that_nobody_handles_fails_the_run(world: World):
    world.platform.on_call("b", REFUSED)
    run = await world.run(graph([webhook("a"), webhook("b"), webhook("c")], "a b, b c"), {"n": 1})
    assert run.summary.state == "FAILED"
    assert states_of(run) == {"a": "COMPLETED", "b": "FAILED", "c": "SKIPPED"}
    assert run.summary.failure == {
        "code": "provider_refused",
        "message": "“b” failed: No such order.",
        "hint": "Check its number.",
        "detail": {"nodeId": "b", "node": "b"},
    }
    assert run.output is None
    b = nodes_of(run)["b"]
    assert b.failure == {
        "code": "provider_refused",
        "message": "No such order.",
        "hint": "Check its number.",
        "detail": {"provider": "custom", "remoteStatus": 404},
    }
    assert b.attempts[0].status_code == 404
    assert b.attempts[0].failure == b.failure
    assert messages_of(run) == ["The run started.", "No such order.", "The run failed."]


async def test_a_call_built_on_what_the_database_refuses_is_not_made(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    record = world.store.record

    async def refusing(run: ClaimedRun, facts: Sequence[Fact]) -> None:
        if any(isinstance(fact, NodeEnded) and fact.state is NodeState.COMPLETED for fact in facts):
            raise InvalidInput("The database cannot hold this.")
        await record(run, facts)

    monkeypatch.setattr(world.store, "record", refusing)
    run = await world.run(graph([mapper("a", n="data.n"), webhook("b")], "a b"), {"n": 1})
    assert world.platform.calls == []
    assert states_of(run) == {"a": "FAILED", "b": "SKIPPED"}
    assert failure_of(nodes_of(run)["a"])["message"] == "The database cannot hold this."


async def test_the_run_fails_only_when_what_works_has_settled(world: World):
    held = world.platform.hold("slow")
    world.platform.on_call("bad", REFUSED)
    run_id = await world.start(graph([webhook("slow"), webhook("bad"), webhook("after")], "slow after"))
    run = await world.until(run_id, lambda run: states_of(run)["bad"] == "FAILED")
    assert run.summary.state == "RUNNING"
    held.answer({"done": True})
    run = await world.ended(run_id)
    assert run.summary.state == "FAILED"
    assert states_of(run) == {"slow": "COMPLETED", "bad": "FAILED", "after": "SKIPPED"}


async def test_after_such_a_failure_nothing_is_waited_for(world: World):
    held = world.platform.hold("bad")
    run_id = await world.start(graph([wait("w"), webhook("bad"), webhook("poll", completion="poll")]))
    await world.waiting_at(run_id, "w")
    held.answer(REFUSED)
    run = await world.ended(run_id)
    assert states_of(run)["w"] == "CANCELLED"
    assert run.summary.state == "FAILED"
    token = (await world.tokens_of(run_id))["w"][0]
    with pytest.raises(Exception, match=re.escape("There is no such callback.")):
        await world.call_back(run_id, token)


async def test_nothing_that_waits_is_taken_up_while_the_run_fails(world: World):
    held = world.platform.hold("slow")
    bad = world.platform.hold("bad")
    world.platform.on_call("again", ProviderBusy("Wait.", retry_after_seconds=600), {})
    run_id = await world.start(graph([webhook("slow"), webhook("bad"), webhook("again"), wait("w")]))
    await world.waiting_at(run_id, "again")
    await world.waiting_at(run_id, "w")
    bad.answer(REFUSED)
    run = await world.until(run_id, lambda run: states_of(run)["w"] == "CANCELLED")
    assert states_of(run) == {"slow": "RUNNING", "bad": "FAILED", "again": "CANCELLED", "w": "CANCELLED"}
    world.advance(600_000)
    held.answer({})
    assert states_of(await world.ended(run_id))["again"] == "CANCELLED"
    assert len(world.platform.calls_of("again")) == 1


async def test_what_starts_to_wait_while_the_run_fails_is_cancelled(sqlite_world: World):
    world = sqlite_world
    held = world.platform.hold("polled")
    world.platform.on_call("bad", REFUSED)
    run_id = await world.start(graph([webhook("polled", completion="poll"), webhook("bad")]))
    await world.until(run_id, lambda run: states_of(run)["bad"] == "FAILED")
    held.answer(RemoteAnswer("running"))
    run = await world.ended(run_id)
    assert states_of(run) == {"polled": "CANCELLED", "bad": "FAILED"}
    assert world.platform.looks == []


async def test_of_several_failures_the_first_one_is_the_runs(sqlite_world: World):
    world = sqlite_world
    late, early = world.platform.hold("a"), world.platform.hold("b")
    run_id = await world.start(graph([webhook("a"), webhook("b")]))
    await world.platform.called("a")
    await world.platform.called("b")
    early.answer(ProviderRefused("The first."))
    await world.until(run_id, lambda run: states_of(run)["b"] == "FAILED")
    world.clock.ms += 1
    late.answer(ProviderRefused("The second."))
    run = await world.ended(run_id)
    assert failure_of(run.summary)["message"] == "“b” failed: The first."


async def test_an_error_boundary_gets_the_error_and_the_failed_nodes_input(world: World):
    world.platform.on_call("a", REFUSED)
    guarded = graph([webhook("a"), node("b", "ErrorBoundary"), webhook("c")], "a:error b, a c")
    run = await world.run(guarded, {"order": 7})
    assert run.summary.state == "COMPLETED"
    assert states_of(run) == {"a": "FAILED", "b": "COMPLETED", "c": "SKIPPED"}
    assert run.output == {
        "error": {
            "code": "provider_refused",
            "message": "No such order.",
            "hint": "Check its number.",
            "detail": {"provider": "custom", "remoteStatus": 404},
            "node": "a",
        },
        "input": {"order": 7},
    }
    assert run.edges == {"a:error-b": "taken", "a-c": "not_taken"}


async def test_an_error_boundarys_fallback_goes_on_instead(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", REFUSED)
    fallback = '{"score": 50, "why": "{{ data.error.code }}", "order": {{ data.input.order }}}'
    guarded = graph(
        [webhook("a"), node("b", "ErrorBoundary", fallback=fallback), mapper("c", mode="extend")],
        "a:error b, a c, b c",
    )
    run = await world.run(guarded, {"order": [7]})
    assert run.output == {"score": 50, "why": "provider_refused", "order": [7]}
    assert messages_of(run)[-1] == "The run completed."


async def test_an_error_handle_may_lead_to_any_node(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", REFUSED)
    run = await world.run(graph([webhook("a"), webhook("alarm")], "a:error alarm"), {"n": 1})
    assert run.summary.state == "COMPLETED"
    assert body_of(world.platform.calls_of("alarm")[0])["input"] == {"n": 1}


async def test_an_error_branch_and_another_parent_are_merged(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", REFUSED)
    world.platform.on_call("b", {"b": 2})
    joined = graph([webhook("a"), webhook("b"), mapper("c", mode="extend")], "a:error c, b c")
    output = (await world.run(joined)).output
    assert isinstance(output, dict)
    assert set(output) == {"error", "input", "b"}


async def test_an_unused_error_branch_is_skipped(sqlite_world: World):
    run = await sqlite_world.run(graph([webhook("a"), node("b", "ErrorBoundary")], "a:error b"), {"n": 1})
    assert states_of(run) == {"a": "COMPLETED", "b": "SKIPPED"}
    assert run.output == {"n": 1}


async def test_a_failed_node_is_known_to_expressions(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", REFUSED)
    run = await world.run(
        graph([webhook("a"), mapper("b", why="nodes.a.error.message")], "a:error b"),
    )
    assert run.output == {"why": "No such order."}


@pytest.mark.parametrize(
    "config",
    [
        {"url": "https://x.example/{{ data.customer.id }}"},
        {"bodyTemplate": '{"id": {{ data.customer.id }}}'},
        {"headers": {"X-Id": "{{ data.customer.id }}"}},
    ],
)
async def test_a_template_that_finds_nothing_fails_its_node_and_names_the_place(
    sqlite_world: World, config: dict[str, object]
):
    run = await sqlite_world.run(graph([webhook("a", **config)]), {"customer": {}})
    failure = failure_of(run.nodes[0])
    assert failure["code"] == "expression_error"
    assert "data.customer" in failure["message"]
    assert failure["hint"]
    assert run.nodes[0].attempts == ()
    assert run.nodes[0].started_date is not None
    assert run.nodes[0].input == {"customer": {}}


async def test_a_mapping_that_finds_nothing_names_itself(sqlite_world: World):
    run = await sqlite_world.run(graph([mapper("a", x="data.n", y="data.missing")]), {"n": 1})
    assert failure_of(run.nodes[0])["message"].startswith("Mapping 2 (to y):")
    assert run.summary.state == "FAILED"


async def test_a_condition_whose_expression_fails_can_be_handled(sqlite_world: World):
    broken = graph(
        [condition("if", yes="$sqrt(data.n) > 1"), mapper("e", got="data.error.code")], "if:error e"
    )
    run = await sqlite_world.run(broken, {"n": -1})
    assert run.output == {"got": "expression_error"}


async def test_an_output_that_is_too_large_fails_its_node(world: World):
    world.platform.on_call("a", "x" * 1_100_000)
    run = await world.run(graph([webhook("a"), webhook("b")], "a b"))
    failure = failure_of(run.nodes[0])
    assert failure["code"] == "output_too_large"
    assert failure["message"] == "The output has 1,100,002 bytes; at most 1,048,576 can be kept."
    assert run.nodes[0].attempts[0].status_code == 200
    assert run.summary.state == "FAILED"


async def test_a_large_answer_does_not_matter_where_a_callback_brings_the_result(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", RemoteAnswer("running", "x" * 1_100_000))
    run_id = await world.start(graph([webhook("a", completion="callback")]))
    run = await world.parked(run_id)
    response = run.nodes[0].attempts[0].response
    assert response
    body = str(response["body"])
    assert body.endswith("xxx… (1,100,002 bytes in all)")
    assert len(body) < 70_000
    await world.call_back(run_id, world.platform.calls[0].callback_token, {"small": True})
    assert (await world.ended(run_id)).output == {"small": True}


@pytest.mark.parametrize("output", [{"id": 2**70}, ["\ud800 half"]])
async def test_odd_but_legal_json_is_passed_on(world: World, output: object):
    world.platform.on_call("a", output)
    run = await world.run(graph([webhook("a"), mapper("b", got="data")], "a b"))
    assert run.summary.state == "COMPLETED"
    assert run.output == {"got": output}


async def test_what_breaks_inside_fails_the_node_and_is_found_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
):
    world.platform.on_call("a", RuntimeError("a mistake of ours"))
    run = await world.run(graph([webhook("a")]))
    failure = failure_of(run.nodes[0])
    assert failure["code"] == "internal_error"
    assert failure["message"] == "An unexpected error happened inside Orchestrator."
    reference = failure["hint"].removesuffix(".").split()[-1]
    assert f"({reference})" in caplog.text
    assert "a mistake of ours" in caplog.text
    assert "a mistake of ours" not in str(run)
    assert run.summary.state == "FAILED"
    assert run.nodes[0].attempts[0].ended_date is not None


async def test_an_answer_that_is_no_json_fails_the_node(
    sqlite_world: World, caplog: pytest.LogCaptureFixture
):
    sqlite_world.platform.on_call("a", RemoteAnswer("completed", object()))  # pyright: ignore[reportArgumentType]
    run = await sqlite_world.run(graph([webhook("a"), node("b", "ErrorBoundary")], "a:error b"))
    assert run.summary.state == "COMPLETED"
    assert states_of(run) == {"a": "FAILED", "b": "COMPLETED"}
    assert "TypeError" in caplog.text


async def test_a_failure_whose_facts_are_no_json_does_not_stop_the_run(sqlite_world: World):
    odd = ProviderRefused("Odd.", context={"facts": {1, 2}, "when": 3})
    sqlite_world.platform.on_call("a", odd)
    run = await sqlite_world.run(graph([webhook("a")]))
    failure = failure_of(run.nodes[0])
    assert failure["message"] == "Odd."
    assert failure["detail"]["when"] == 3


@pytest.mark.parametrize("error", [CredentialRefused("Key refused."), UnreadableAnswer("A web page.")])
async def test_errors_that_do_not_pass_are_not_tried_again(sqlite_world: World, error: Exception):
    sqlite_world.platform.on_call("a", error)
    run = await sqlite_world.run(graph([webhook("a", retryAttempts=5)]))
    assert run.summary.state == "FAILED"
    assert len(sqlite_world.platform.calls) == 1
