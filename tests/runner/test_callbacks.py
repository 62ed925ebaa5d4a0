import asyncio

import pytest

from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.errors import InvalidInput, NotFound, OutcomeUnknown, ProviderBusy, ProviderUnavailable
from tests.running import (
    World,
    body_of,
    callback_url,
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

HOUR_MS = 3_600_000


async def assert_not_found(world: World, run_id: str, token: str) -> None:
    """The one answer that says nothing about why."""
    with pytest.raises(NotFound) as caught:
        await world.call_back(run_id, token)
    assert caught.value.message == "There is no such callback."
    assert caught.value.hint == "The token may be wrong, used up or expired."


async def test_a_callback_wakes_the_run_and_is_the_nodes_output(world: World):
    run_id = await world.start(graph([wait("w"), mapper("b", got="data.ok")], "w b"), {"n": 1})
    run = await world.parked(run_id)
    w = nodes_of(run)["w"]
    assert (w.state, w.wait_reason, w.wake_at) == ("WAITING", "callback", world.clock.ms + HOUR_MS)
    assert run.summary.wake_at == w.wake_at
    assert w.callback_url.startswith(callback_url(run_id, "cb_"))
    body = {"ok": True, "correlationToken": "left out"}
    assert await world.call_back(run_id, token_in(w.callback_url), body) == "accepted"
    run = await world.ended(run_id)
    assert nodes_of(run)["w"].output == {"ok": True}
    assert run.output == {"got": True}
    assert messages_of(run)[:4] == [
        "The run started.",
        "Waiting for a callback.",
        "A callback arrived.",
        "The run completed.",
    ]
    assert nodes_of(run)["w"].callback_url == ""


async def test_a_repeated_callback_is_a_duplicate_and_changes_nothing(world: World):
    run_id = await world.start(graph([wait("w"), wait("x")], "w x"))
    token = token_in(nodes_of(await world.parked(run_id))["w"].callback_url)
    assert await world.call_back(run_id, token, {"n": 1}) == "accepted"
    assert await world.call_back(run_id, token, {"n": 2}) == "duplicate"
    run = await world.waiting_at(run_id, "x")
    assert nodes_of(run)["w"].output == {"n": 1}
    assert await world.call_back(run_id, (await world.tokens_of(run_id))["x"][0]) == "accepted"
    await world.ended(run_id)
    assert await world.call_back(run_id, token) == "duplicate"


async def test_of_two_callbacks_at_the_same_time_one_counts(world: World):
    run_id = await world.start(graph([wait("w")]))
    token = token_in((await world.parked(run_id)).nodes[0].callback_url)
    outcomes = await asyncio.gather(*(world.call_back(run_id, token, {"n": n}) for n in range(5)))
    assert sorted(outcomes) == ["accepted"] + ["duplicate"] * 4
    output = (await world.ended(run_id)).output
    assert output == {"n": outcomes.index("accepted")}


async def test_a_token_that_is_wrong_used_up_expired_or_anothers_is_the_same_not_found(world: World):
    first = await world.start(graph([wait("w", timeout=1_000, onTimeout="continue")]))
    second = await world.start(graph([wait("w")]))
    token = (await world.tokens_of(second))["w"] if await world.waiting_at(second, "w") else []
    expired = (await world.tokens_of(first))["w"] if await world.waiting_at(first, "w") else []
    world.advance(1_000)
    await world.ended(first)
    await assert_not_found(world, first, expired[0])
    await assert_not_found(world, second, "cb_wrong")
    await assert_not_found(world, second, "")
    await assert_not_found(world, first, token[0])
    await assert_not_found(world, "no-such-run", token[0])
    await world.runs.cancel("default", second)
    await assert_not_found(world, second, token[0])


async def test_the_token_can_be_handed_out_before_the_run_reaches_its_node(world: World):
    giving = webhook(
        "a", bodyTemplate='{"to": "{{ nodes.w.callbackUrl }}", "t": "{{ nodes.w.correlationToken }}"}'
    )
    run_id = await world.start(graph([giving, wait("w")], "a w"))
    await world.waiting_at(run_id, "w")
    (token,) = (await world.tokens_of(run_id))["w"]
    call = world.platform.calls[0]
    assert call.body == {"to": callback_url(run_id, token), "t": token}
    assert (call.callback_url, call.callback_token) == (callback_url(run_id, token), token)
    await world.call_back(run_id, token, "hello")
    assert (await world.ended(run_id)).output == "hello"


async def test_a_callback_that_comes_early_is_kept_for_its_node(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), wait("w"), mapper("b", got="data")], "a w, w b"))
    (call,) = await world.platform.called("a")
    assert await world.call_back(run_id, call.callback_token, {"early": True}) == "accepted"
    held.answer({})
    run = await world.ended(run_id)
    assert run.output == {"got": {"early": True}}
    assert "Waiting for a callback." not in messages_of(run)


async def test_an_early_callback_outlives_the_process(sqlite_world: World):
    world = sqlite_world
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a", method="PUT"), wait("w")], "a w"))
    (call,) = await world.platform.called("a")
    await world.call_back(run_id, call.callback_token, {"early": True})
    world.platform.on_call("a", {})
    await world.restart()
    assert (await world.ended(run_id)).output == {"early": True}
    assert await world.tokens_of(run_id) == {"w": [call.callback_token]}
    held.answer({})


async def test_the_runs_own_callback_is_that_of_its_first_wait(sqlite_world: World):
    world = sqlite_world
    template = '{"url": "{{ run.callbackUrl }}", "token": "{{ run.correlationToken }}"}'
    nodes = [wait("far"), wait("near"), webhook("a", bodyTemplate=template), mapper("m")]
    run_id = await world.start(graph(nodes, "a near, a m, m far"))
    await world.waiting_at(run_id, "far")
    token = (await world.tokens_of(run_id))["near"][0]
    assert world.platform.calls[0].body == {"url": callback_url(run_id, token), "token": token}


async def test_without_a_wait_the_run_has_no_callback(sqlite_world: World):
    run = await sqlite_world.run(graph([mapper("a", url="run.callbackUrl", token="run.correlationToken")]))
    assert run.output == {"url": "", "token": ""}


async def test_a_body_that_breaks_the_schema_is_refused_and_the_wait_goes_on(world: World):
    schema = {"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}
    run_id = await world.start(graph([wait("w", schema=schema)]))
    token = token_in((await world.parked(run_id)).nodes[0].callback_url)
    with pytest.raises(InvalidInput) as caught:
        await world.call_back(run_id, token, {"ok": "yes"})
    assert caught.value.errors == [{"field": "ok", "message": "'yes' is not of type 'boolean'"}]
    assert (await world.parked(run_id)).nodes[0].state == "WAITING"
    assert await world.call_back(run_id, token, {"ok": True}) == "accepted"
    assert (await world.ended(run_id)).output == {"ok": True}


async def test_after_its_timeout_a_wait_fails(world: World):
    run_id = await world.start(graph([wait("w", timeout=60_000), mapper("b")], "w b"))
    await world.parked(run_id)
    world.advance(60_000)
    run = await world.ended(run_id)
    assert run.summary.state == "FAILED"
    failure = failure_of(nodes_of(run)["w"])
    assert failure["code"] == "callback_timeout"
    assert failure["message"] == "No callback came within 60000 ms."
    assert states_of(run)["b"] == "SKIPPED"


async def test_after_its_timeout_a_wait_may_go_on_with_its_input(world: World):
    run_id = await world.start(graph([wait("w", timeout=60_000, onTimeout="continue")]), {"n": 1})
    await world.parked(run_id)
    world.advance(60_000)
    run = await world.ended(run_id)
    assert run.output == {"n": 1}
    assert "No callback came in time; the run goes on." in messages_of(run)


async def test_the_timeout_of_a_wait_begins_when_the_run_reaches_it(sqlite_world: World):
    world = sqlite_world
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), wait("w", timeout=60_000)], "a w"))
    await world.platform.called("a")
    world.clock.ms += 100_000
    held.answer({})
    run = await world.waiting_at(run_id, "w")
    assert nodes_of(run)["w"].wake_at == world.clock.ms + 60_000


async def test_a_callback_before_the_deadline_wins_even_if_it_is_seen_after_it(sqlite_world: World):
    world = sqlite_world
    run_id = await world.start(graph([wait("w", timeout=60_000)]))
    token = token_in((await world.parked(run_id)).nodes[0].callback_url)
    await world.crash()
    await world.call_back(run_id, token, {"ok": True})
    world.clock.ms += 120_000
    await world.begin()
    assert (await world.ended(run_id)).output == {"ok": True}


async def test_waits_of_days_hold_no_worker(sqlite_world: World):
    world = sqlite_world
    world.run_concurrency = 1
    await world.restart()
    waiting = [await world.start(graph([wait("w", timeout=90 * 24 * HOUR_MS)])) for _ in range(3)]
    for run_id in waiting:
        await world.parked(run_id)
    assert (await world.run(graph([mapper("a", n="=1")]))).output == {"n": 1}
    await world.at_rest()
    assert world.dispatcher.active == 0


async def test_waits_run_out_in_their_order(sqlite_world: World):
    world = sqlite_world
    nodes = [wait("a", timeout=30_000, onTimeout="continue"), wait("b", timeout=60_000, onTimeout="continue")]
    run_id = await world.start(graph(nodes))
    await world.parked(run_id)
    world.advance(30_000)
    run = await world.until(run_id, lambda run: states_of(run)["a"] == "COMPLETED")
    assert states_of(run)["b"] == "WAITING"
    await world.parked(run_id)
    world.advance(30_000)
    assert states_of(await world.ended(run_id)) == {"a": "COMPLETED", "b": "COMPLETED"}


# --- a RemoteWebhook that is done when its workflow calls back ---


async def test_a_webhook_with_callback_is_done_when_it_is_called_back(world: World):
    world.platform.on_call("a", RemoteAnswer("running", {"accepted": True}, status_code=202))
    run_id = await world.start(graph([webhook("a", completion="callback", callbackTimeout=60_000)]), {"n": 1})
    run = await world.parked(run_id)
    assert (run.nodes[0].wait_reason, run.nodes[0].wake_at) == ("callback", world.clock.ms + 60_000)
    (call,) = world.platform.calls
    assert call.body == {"n": 1, "callbackUrl": call.callback_url, "correlationToken": call.callback_token}
    assert call.callback_url == callback_url(run_id, call.callback_token) == run.nodes[0].callback_url
    await world.call_back(run_id, call.callback_token, {"done": True})
    run = await world.ended(run_id)
    assert run.output == {"done": True}
    assert run.nodes[0].attempts[0].status_code == 202
    assert "Waiting for the call back." in messages_of(run)


async def test_each_try_has_a_token_of_its_own(world: World):
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=0), RemoteAnswer("running"))
    run_id = await world.start(graph([webhook("a", completion="callback")]))
    await world.parked(run_id)
    first, second = (call.callback_token for call in world.platform.calls)
    assert (await world.tokens_of(run_id))["a"] == [first, second]
    assert first != second
    assert await world.call_back(run_id, first, {"of": "the first try"}) == "accepted"
    await world.at_rest()
    assert (await world.parked(run_id)).nodes[0].state == "WAITING"
    await world.call_back(run_id, second, {"of": "the second try"})
    assert (await world.ended(run_id)).output == {"of": "the second try"}


async def test_a_workflow_may_call_back_before_it_answers(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a", completion="callback")]))
    (call,) = await world.platform.called("a")
    await world.call_back(run_id, call.callback_token, {"quick": True})
    held.answer(RemoteAnswer("running"))
    assert (await world.ended(run_id)).output == {"quick": True}


async def test_a_workflow_that_does_not_call_back_fails_its_node(world: World):
    world.platform.on_call("a", RemoteAnswer("running"))
    run_id = await world.start(graph([webhook("a", completion="callback", callbackTimeout=60_000)]))
    await world.parked(run_id)
    world.advance(60_000)
    failure = failure_of((await world.ended(run_id)).nodes[0])
    assert failure["code"] == "callback_timeout"
    assert "within 60000 ms" in failure["message"]
    assert len(world.platform.calls) == 1
    await assert_not_found(world, run_id, world.platform.calls[0].callback_token)


async def test_the_body_called_back_must_meet_the_success_condition(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", RemoteAnswer("running"))
    run_id = await world.start(graph([webhook("a", completion="callback", successCondition="data.ok")]))
    await world.parked(run_id)
    await world.call_back(run_id, world.platform.calls[0].callback_token, {"ok": False})
    assert failure_of((await world.ended(run_id)).nodes[0])["code"] == "success_condition"


async def test_its_templates_may_place_the_callback_themselves(sqlite_world: World):
    world = sqlite_world
    template = '{"hook": {"callbackUrl": "{{ run.callbackUrl }}"}, "token": "{{ nodes.a.correlationToken }}"}'
    world.platform.on_call("a", RemoteAnswer("running"))
    run_id = await world.start(
        graph([webhook("a", completion="callback", bodyTemplate=template), wait("w")], "a w")
    )
    await world.parked(run_id)
    (call,) = world.platform.calls
    assert call.body == {"hook": {"callbackUrl": call.callback_url}, "token": call.callback_token}
    assert call.callback_token == (await world.tokens_of(run_id))["a"][0]


async def test_a_callback_left_in_the_data_by_another_node_is_not_sent_on(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", {"callbackUrl": "https://old.example", "correlationToken": "old", "n": 1})
    world.platform.on_call("b", RemoteAnswer("running"))
    run_id = await world.start(graph([webhook("a"), webhook("b", completion="callback")], "a b"))
    await world.parked(run_id)
    call = world.platform.calls_of("b")[0]
    assert call.body == {"callbackUrl": call.callback_url, "correlationToken": call.callback_token, "n": 1}


@pytest.mark.parametrize("body", ["text", ["a", "list"], None])
async def test_a_body_that_is_no_object_is_sent_as_it_is(sqlite_world: World, body: object):
    world = sqlite_world
    world.platform.on_call("a", body)
    world.platform.on_call("b", RemoteAnswer("running"))
    run_id = await world.start(graph([webhook("a"), webhook("b", completion="callback")], "a b"))
    await world.parked(run_id)
    assert world.platform.calls_of("b")[0].body == body


async def test_a_call_before_a_wait_carries_its_callback(sqlite_world: World):
    world = sqlite_world
    nodes = [webhook("a"), mapper("m", mode="extend"), wait("w"), wait("later"), webhook("alone")]
    run_id = await world.start(graph(nodes, "a m, m w, w later"), {"n": 1})
    await world.waiting_at(run_id, "w")
    token = (await world.tokens_of(run_id))["w"][0]
    assert body_of(world.platform.calls_of("a")[0])["callbackUrl"] == callback_url(run_id, token)
    assert world.platform.calls_of("alone")[0].body == {"n": 1}
    assert world.platform.calls_of("alone")[0].callback_url == ""


async def test_an_interrupted_call_that_was_called_back_is_done(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a", completion="callback")]))
    (call,) = await world.platform.called("a")
    await world.crash()
    await world.call_back(run_id, call.callback_token, {"ok": True})
    await world.begin()
    run = await world.ended(run_id)
    assert run.output == {"ok": True}
    assert len(world.platform.calls) == 1
    assert run.nodes[0].attempts[0].ended_date is not None
    held.answer()


async def test_a_call_without_a_clear_answer_is_done_if_it_was_called_back(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a", completion="callback")]))
    (call,) = await world.platform.called("a")
    await world.call_back(run_id, call.callback_token, {"ok": True})
    held.answer(OutcomeUnknown("No answer came in time."))
    run = await world.ended(run_id)
    assert run.output == {"ok": True}


async def test_a_call_that_failed_clearly_is_not_rescued_by_a_callback(sqlite_world: World):
    world = sqlite_world
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a", completion="callback", retryAttempts=0)]))
    (call,) = await world.platform.called("a")
    await world.call_back(run_id, call.callback_token, {"ok": True})
    held.answer(ProviderUnavailable("It is down."))
    assert (await world.ended(run_id)).summary.state == "FAILED"
