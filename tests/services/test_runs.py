import asyncio
import math

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import BadRequest, Conflict, InvalidDefinition, InvalidInput, NotFound, TooLarge
from orchestrator_app.runner.hub import Change
from orchestrator_app.services import runs as running
from tests.builders import nested
from tests.running import (
    WORKSPACE,
    World,
    abandoned,
    callback_url,
    graph,
    mapper,
    node,
    nodes_of,
    states_of,
    token_in,
    wait,
    webhook,
)

COPY = graph([mapper("a", got="data")])


async def begin(world: World, orchestrator_id: str, data: JsonValue = None, key: str = ""):
    return await world.runs.start(WORKSPACE, orchestrator_id, data, trigger="api", idempotency_key=key)


async def test_a_start_is_on_disk_when_it_returns(world: World):
    await world.crash()
    orchestrator_id = await world.keep(COPY)
    async with world.hub.subscribe(WORKSPACE) as changes:
        summary, is_new = await begin(world, orchestrator_id, {"n": 1})
        assert await changes.take(1) == [Change("run", WORKSPACE, summary.id, 0, orchestrator_id)]
    assert is_new
    assert (summary.state, summary.trigger, summary.version) == ("PENDING", "api", 1)
    assert (summary.orchestrator_id, summary.orchestrator_name) == (orchestrator_id, "Nightly")
    assert summary.created_date == world.clock.ms
    run = await world.runs.get(WORKSPACE, summary.id)
    assert (run.input, run.output, states_of(run), run.logs) == ({"n": 1}, None, {"a": "PENDING"}, ())
    await world.begin()
    assert (await world.ended(summary.id)).output == {"got": {"n": 1}}


async def test_a_run_begins_although_nobody_waits_for_the_answer_any_more(world: World):
    orchestrator_id = await world.keep(COPY)
    await abandoned(world.database, begin(world, orchestrator_id, {"n": 1}))
    async with world.hub.subscribe(WORKSPACE) as changes:
        while not (items := (await world.runs.page(WORKSPACE)).items):
            await changes.take(1)
    assert (await world.ended(items[0].id)).output == {"got": {"n": 1}}


@pytest.mark.parametrize("data", [None, {}, [], "text", 0, False, {"ключ": ["é", "\U0001f600"]}, 1.5])
async def test_any_json_may_be_the_input(world: World, data: JsonValue):
    summary, _ = await begin(world, await world.keep(COPY), data)
    run = await world.ended(summary.id)
    assert run.input == data
    assert run.output == {"got": data}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (math.nan, BadRequest),
        ({"n": [math.inf]}, BadRequest),
        ({"n": 2**53}, BadRequest),
        ("\ud800", BadRequest),
        ({"a\x00": 1}, BadRequest),
        ({1: 2}, BadRequest),
        ({"o": object()}, BadRequest),
        (nested(65), TooLarge),
        ([0] * 50_001, TooLarge),
    ],
    ids=["nan", "infinity", "large-number", "half-character", "nul", "key", "object", "deep", "many"],
)
async def test_input_that_is_no_json_is_refused(world: World, data: JsonValue, error: type[Exception]):
    orchestrator_id = await world.keep(COPY)
    with pytest.raises(error):
        await begin(world, orchestrator_id, data)
    assert (await world.runs.page(WORKSPACE)).items == ()


async def test_a_start_is_repeated_under_its_key_without_a_second_run(world: World):
    orchestrator_id = await world.keep(COPY)
    first, is_new = await begin(world, orchestrator_id, {"a": 1, "b": 2}, "key-1")
    assert is_new
    await world.ended(first.id)
    # The same JSON, whatever the order in which it was written.
    again, is_new = await begin(world, orchestrator_id, {"b": 2, "a": 1}, "key-1")
    assert (again.id, again.state, is_new) == (first.id, "COMPLETED", False)
    other, is_new = await begin(world, orchestrator_id, {"a": 1, "b": 2}, "key-2")
    assert is_new
    without, is_new = await begin(world, orchestrator_id, {"a": 1, "b": 2})
    assert is_new
    assert len({first.id, other.id, without.id}) == 3


async def test_of_many_starts_at_the_same_time_under_one_key_one_begins_a_run(world: World):
    orchestrator_id = await world.keep(COPY)
    begun = await asyncio.gather(*(begin(world, orchestrator_id, {"n": 1}, "key") for _ in range(8)))
    assert len({summary.id for summary, _ in begun}) == 1
    assert [is_new for _, is_new in begun].count(True) == 1


async def test_a_key_is_good_for_one_input(world: World):
    orchestrator_id = await world.keep(COPY)
    await begin(world, orchestrator_id, {"a": 1}, "key-1")
    with pytest.raises(Conflict, match="used before with other input"):
        await begin(world, orchestrator_id, {"a": 2}, "key-1")
    other = await world.keep(COPY)
    _, is_new = await begin(world, other, {"a": 2}, "key-1")
    assert is_new


async def test_a_key_finds_its_run_although_the_graph_cannot_run_any_more(world: World):
    orchestrator_id = await world.keep(COPY)
    first, _ = await begin(world, orchestrator_id, {}, "key-1")
    await world.orchestrators.save(
        WORKSPACE, orchestrator_id, expected_version=None, definition=graph([]).as_json()
    )
    again, is_new = await begin(world, orchestrator_id, {}, "key-1")
    assert (again.id, is_new) == (first.id, False)


async def test_a_key_may_not_be_too_long(world: World):
    with pytest.raises(InvalidInput, match="at most 255 characters"):
        await begin(world, await world.keep(COPY), {}, "x" * 256)
    await begin(world, await world.keep(COPY), {}, "x" * 255)


async def test_a_graph_with_problems_does_not_run(world: World):
    draft = graph([node("a", "LocalFlow"), mapper("b")])
    orchestrator_id = await world.keep(draft)
    with pytest.raises(InvalidDefinition) as caught:
        await begin(world, orchestrator_id)
    assert caught.value.message.startswith("“Nightly” cannot run yet: ")
    assert {error["nodeId"] for error in caught.value.errors} == {"a", "b"}
    assert (await world.runs.page(WORKSPACE)).items == ()
    with pytest.raises(NotFound, match="There is no such orchestrator"):
        await begin(world, "no-such-id")


async def test_another_workspace_finds_no_run(world: World):
    run = await world.run(COPY)
    run_id = run.summary.id
    for trying in (
        world.runs.get("another", run_id),
        world.runs.live("another", run_id),
        world.runs.wait("another", run_id, 0),
        world.runs.cancel("another", run_id),
        world.runs.rerun("another", run_id, trigger="api"),
        world.runs.get(WORKSPACE, "no-such-run"),
        world.runs.wait(WORKSPACE, "no-such-run", 10),
        world.runs.cancel(WORKSPACE, "no-such-run"),
    ):
        with pytest.raises(NotFound, match="There is no such run"):
            await trying
    with pytest.raises(NotFound):
        await world.runs.start("another", run.summary.orchestrator_id, {}, trigger="api")
    assert (await world.runs.page("another")).items == ()
    assert set((await world.runs.counts("another")).values()) == {0}
    assert await world.runs.latest("another", run.summary.orchestrator_id) is None


# --- waiting for the end ---


async def test_a_wait_returns_as_soon_as_the_run_has_ended(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a")]))
    waiting = asyncio.create_task(world.runs.wait(WORKSPACE, run_id, 20))
    await world.platform.called("a")
    assert not waiting.done()
    held.answer({"n": 1})
    run = await waiting
    assert (run.summary.state, run.output) == ("COMPLETED", {"n": 1})
    assert (await world.runs.wait(WORKSPACE, run_id, 20)).summary.state == "COMPLETED"


async def test_a_wait_returns_the_run_as_it_stands_when_its_time_is_over(world: World):
    run_id = await world.start(graph([wait("w")]))
    await world.parked(run_id)
    assert (await world.runs.wait(WORKSPACE, run_id, 0.02)).summary.state == "WAITING"
    assert (await world.runs.wait(WORKSPACE, run_id, 0)).summary.state == "WAITING"


async def test_a_wait_finds_the_end_of_which_nobody_told_it(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(running, "LOOK_AGAIN_SECONDS", 0.01)
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a")]))
    await world.platform.called("a")
    waiting = asyncio.create_task(world.runs.wait(WORKSPACE, run_id, 20))
    await asyncio.sleep(0)
    monkeypatch.setattr(world.hub, "publish", lambda _: None)
    held.answer({})
    assert (await waiting).summary.state == "COMPLETED"


# --- reading ---


async def test_a_run_is_shown_with_everything_known_about_it(world: World):
    world.platform.on_call("b", {"n": 2})
    definition = graph([webhook("b"), wait("w"), mapper("m", x="=1")], "b w, w m")
    run_id = await world.start(definition, {"n": 1})
    run = await world.parked(run_id)
    assert run.definition == definition.as_json()
    assert run.edges == {"b-w": "taken", "w-m": "open"}
    b, w, m = (nodes_of(run)[name] for name in ("b", "w", "m"))
    token = (await world.tokens_of(run_id))["w"][0]
    sent = {"n": 1, "callbackUrl": callback_url(run_id, token), "correlationToken": token}
    assert (b.label, b.kind, b.state, b.input, b.output) == (
        "b",
        "RemoteWebhook",
        "COMPLETED",
        {"n": 1},
        {"n": 2},
    )
    assert (b.attempt, b.handles, b.attempts[0].request["body"]) == (1, ("out",), sent)
    assert (w.state, w.wait_reason, w.callback_url) == ("WAITING", "callback", callback_url(run_id, token))
    assert (m.state, m.attempts, m.started_date, m.callback_url) == ("PENDING", (), None, "")
    assert [(line.message, line.node_label, line.level) for line in run.logs] == [
        ("The run started.", "", "info"),
        ("Waiting for a callback.", "w", "info"),
    ]


async def test_a_run_is_followed_by_its_states_alone(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), mapper("b", x="=1")], "a b"))
    await world.platform.called("a")
    live = await world.runs.live(WORKSPACE, run_id)
    (a,) = live.statuses
    assert (a.node_id, a.state, a.attempt, a.started_date, a.message) == (
        "a",
        "RUNNING",
        1,
        world.clock.ms,
        "",
    )
    assert live.edges == {"a-b": "open"}
    held.answer(ValueError("a mistake of ours"))
    await world.ended(run_id)
    live = await world.runs.live(WORKSPACE, run_id)
    assert {status.node_id: status.state for status in live.statuses} == {"a": "FAILED", "b": "SKIPPED"}
    assert next(status.message for status in live.statuses if status.node_id == "a").startswith(
        "An unexpected"
    )
    assert live.edges == {"a-b": "not_taken"}
    assert live.summary.state == "FAILED"


async def test_the_history_is_paged_and_filtered(world: World):
    copying, waiting = await world.keep(COPY), await world.keep(graph([wait("w")]))
    ids: list[str] = []
    for number in range(4):
        world.clock.ms += 1_000
        summary, _ = await begin(world, copying if number % 2 else waiting)
        ids.append(summary.id)
    for run_id in (ids[1], ids[3]):
        await world.ended(run_id)
    for run_id in (ids[0], ids[2]):
        await world.until(run_id, lambda run: run.summary.state == "WAITING")
    first = await world.runs.page(WORKSPACE, limit=3)
    rest = await world.runs.page(WORKSPACE, limit=3, cursor=first.cursor)
    assert [item.id for item in (*first.items, *rest.items)] == ids[::-1]
    assert rest.cursor == ""

    async def found(**filters) -> list[str]:
        return [item.id for item in (await world.runs.page(WORKSPACE, **filters)).items]

    assert await found(states=["COMPLETED"]) == [ids[3], ids[1]]
    assert await found(orchestrator_id=waiting) == [ids[2], ids[0]]
    assert await found(from_ms=world.clock.ms - 1_000) == [ids[3], ids[2]]
    assert await found(to_ms=world.clock.ms - 2_999) == [ids[0]]
    assert await found(query="nightly", limit=0) == [ids[3]]
    assert await found(query="nothing") == []
    counts = await world.runs.counts(WORKSPACE)
    assert {state: count for state, count in counts.items() if count} == {"COMPLETED": 2, "WAITING": 2}
    with pytest.raises(InvalidInput, match="There is no run state “DONE”"):
        await found(states=["COMPLETED", "DONE"])
    latest = await world.runs.latest(WORKSPACE, waiting)
    assert latest is not None
    assert latest.id == ids[2]


async def test_the_last_input_is_that_of_the_newest_run(world: World):
    orchestrator_id = await world.keep(COPY)
    assert await world.runs.last_input(WORKSPACE, orchestrator_id) == {}
    for number in range(2):
        world.clock.ms += 1
        await begin(world, orchestrator_id, {"n": number})
    assert await world.runs.last_input(WORKSPACE, orchestrator_id) == {"n": 1}


# --- again ---


async def test_a_run_is_run_again_with_the_same_input_or_another(world: World):
    first = await world.run(COPY, {"n": 1})
    again = await world.runs.rerun(WORKSPACE, first.summary.id, trigger="ui")
    assert (again.parent_run_id, again.trigger) == (first.summary.id, "ui")
    assert (await world.ended(again.id)).output == {"got": {"n": 1}}
    other = await world.runs.rerun(WORKSPACE, again.id, data={"n": 2}, trigger="api")
    assert other.parent_run_id == again.id
    assert (await world.ended(other.id)).output == {"got": {"n": 2}}


async def test_a_rerun_takes_the_newest_version_and_must_be_runnable(world: World):
    first = await world.run(COPY, {"n": 1})
    newer = graph([mapper("a", n="data.n")]).as_json()
    save = world.orchestrators.save
    await save(WORKSPACE, first.summary.orchestrator_id, expected_version=1, definition=newer)
    again = await world.runs.rerun(WORKSPACE, first.summary.id, trigger="ui")
    assert (again.version, (await world.ended(again.id)).output) == (2, {"n": 1})
    await save(WORKSPACE, first.summary.orchestrator_id, expected_version=2, definition=graph([]).as_json())
    with pytest.raises(InvalidDefinition):
        await world.runs.rerun(WORKSPACE, first.summary.id, trigger="ui")


async def test_a_cancel_cuts_calls_although_nobody_waits_for_the_answer_any_more(world: World):
    world.platform.hold("a")
    run_id = await world.start(graph([webhook("a")]))
    await world.platform.called("a")
    await abandoned(world.database, world.runs.cancel(WORKSPACE, run_id))
    await world.ended(run_id)
    await world.at_rest()
    assert world.platform.cut == ["a"]


async def test_a_cancel_tells_everybody(world: World):
    run_id = await world.start(graph([wait("w")]))
    run = await world.parked(run_id)
    async with world.hub.subscribe(WORKSPACE) as changes:
        summary = await world.runs.cancel(WORKSPACE, run_id)
        (change,) = await changes.take(1)
    assert change == Change("run", WORKSPACE, run_id, summary.seq, summary.orchestrator_id, is_end=True)
    assert (summary.state, summary.ended_date) == ("CANCELLED", world.clock.ms)
    with pytest.raises(NotFound):
        await world.call_back(run_id, token_in(run.nodes[0].callback_url))
    with pytest.raises(Conflict, match="The run has ended already: CANCELLED"):
        await world.runs.cancel(WORKSPACE, run_id)
