import asyncio

import pytest

from orchestrator_app.domain.json_values import JsonValue
from tests.running import World, condition, graph, mapper, messages_of, node, nodes_of, states_of, webhook


async def test_a_diamond_gives_both_outputs_to_its_join(world: World):
    world.platform.on_call("a", {"price": 5})
    world.platform.on_call("b", {"tax": 1})
    world.platform.on_call("c", {"fee": 2})
    diamond = graph([webhook("a"), webhook("b"), webhook("c"), webhook("d")], "a b, a c, b d, c d")
    run = await world.run(diamond)
    assert run.summary.state == "COMPLETED"
    assert world.platform.calls_of("b")[0].body == {"price": 5}
    assert world.platform.calls_of("d")[0].body == {"tax": 1, "fee": 2}
    assert nodes_of(run)["d"].input == {"tax": 1, "fee": 2}
    assert run.output == {"tax": 1, "fee": 2}


async def test_branches_work_at_the_same_time(sqlite_world: World):
    world = sqlite_world
    first, second = world.platform.hold("b"), world.platform.hold("c")
    run_id = await world.start(
        graph([node("a", "Parallel"), webhook("b"), webhook("c"), webhook("d")], "a b, a c, b d, c d")
    )
    await world.platform.called("b")
    await world.platform.called("c")
    first.answer({"b": 1})
    await world.until(run_id, lambda run: states_of(run)["b"] == "COMPLETED")
    assert world.platform.calls_of("d") == []
    second.answer({"c": 2})
    assert (await world.ended(run_id)).output == {"b": 1, "c": 2}


async def test_no_more_nodes_of_a_run_work_at_once_than_allowed(sqlite_world: World):
    world = sqlite_world
    world.node_concurrency = 3
    await world.restart()

    async def slowly(_: object) -> JsonValue:
        await asyncio.sleep(0.01)
        return None

    nodes = [webhook(f"n{number}") for number in range(8)]
    for one in nodes:
        world.platform.on_call(one.id, slowly)
    run = await world.run(graph(nodes))
    assert run.summary.state == "COMPLETED"
    assert world.platform.most_at_once == 3
    assert [call.workflow_id for call in world.platform.calls[:3]] == ["n0", "n1", "n2"]


async def test_ready_nodes_start_in_breadth_first_order(sqlite_world: World):
    world = sqlite_world
    nodes = [webhook(name) for name in ("deep", "b", "a", "root")]
    run = await world.run(graph(nodes, "root a, root b, a deep"))
    assert run.summary.state == "COMPLETED"
    assert [call.workflow_id for call in world.platform.calls] == ["root", "a", "b", "deep"]


@pytest.mark.parametrize(
    ("data", "taken", "skipped"),
    [({"ok": True}, "yes", "no"), ({"ok": False}, "no", "yes"), ({}, "no", "yes")],
)
async def test_a_condition_takes_one_branch_and_the_other_is_skipped(
    world: World, data: JsonValue, taken: str, skipped: str
):
    branching = graph(
        [
            condition("if", yes="data.ok"),
            mapper("yes", took="=yes"),
            mapper("no", took="=no"),
            mapper("after_yes", mode="extend"),
            mapper("after_no", mode="extend"),
            mapper("join", mode="extend"),
        ],
        "if:yes yes, if:default no, yes after_yes, no after_no, after_yes join, after_no join",
    )
    run = await world.run(branching, data)
    states = states_of(run)
    assert run.output == {"took": taken}
    assert states[taken] == states[f"after_{taken}"] == states["join"] == "COMPLETED"
    assert states[skipped] == states[f"after_{skipped}"] == "SKIPPED"
    assert run.edges[f"after_{skipped}-join"] == "not_taken"
    assert nodes_of(run)["if"].handles == (("yes",) if taken == "yes" else ("default",))


async def test_the_first_case_that_is_true_counts(sqlite_world: World):
    switch = graph(
        [
            condition("if", small="data.total < 10", large="data.total > 5"),
            mapper("s", size="=small"),
            mapper("l", size="=large"),
        ],
        "if:small s, if:large l",
    )
    assert (await sqlite_world.run(switch, {"total": 7})).output == {"size": "small"}
    assert (await sqlite_world.run(switch, {"total": 70})).output == {"size": "large"}


async def test_a_branch_that_leads_nowhere_ends_the_run_well(sqlite_world: World):
    run = await sqlite_world.run(graph([condition("if", yes="ok"), mapper("a")], "if:yes a"), {"ok": 0})
    assert run.summary.state == "COMPLETED"
    assert states_of(run) == {"if": "COMPLETED", "a": "SKIPPED"}
    assert run.output == {"ok": 0}


async def test_a_disabled_node_hands_on_its_input(sqlite_world: World):
    off = graph([node("a", "RemoteWebhook", disabled=True), mapper("b", seen="data.n")], "a b")
    run = await sqlite_world.run(off, {"n": 4})
    assert run.output == {"seen": 4}
    assert nodes_of(run)["a"].attempts == ()
    assert sqlite_world.platform.calls == []


async def test_a_disabled_condition_takes_its_default_branch(sqlite_world: World):
    off = node(
        "if",
        "Condition",
        disabled=True,
        cases=[{"expression": "true", "handle": "yes"}],
        defaultHandle="else",
    )
    run = await sqlite_world.run(graph([off, mapper("a"), mapper("b")], "if:yes a, if:else b"))
    assert states_of(run) == {"if": "COMPLETED", "a": "SKIPPED", "b": "COMPLETED"}


async def test_a_disabled_wait_does_not_wait(sqlite_world: World):
    run = await sqlite_world.run(graph([node("w", "WaitForCallback", disabled=True)]), {"a": 1})
    assert run.output == {"a": 1}
    assert await sqlite_world.tokens_of(run.summary.id) == {}


async def test_entry_nodes_get_the_input_of_the_run(world: World):
    run = await world.run(graph([mapper("a", got="data.x"), mapper("b", also="input.x")]), {"x": [1, None]})
    assert run.input == {"x": [1, None]}
    assert run.output == {"got": [1, None], "also": [1, None]}


async def test_at_a_join_what_is_no_object_stands_under_its_parents_label(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", [1, 2])
    world.platform.on_call("b", {"k": 1})
    nodes = [webhook("a"), webhook("b"), mapper("join", mode="extend")]
    assert (await world.run(graph(nodes, "a join, b join"))).output == {"a": [1, 2], "k": 1}


async def test_of_two_edges_between_the_same_nodes_one_counts(sqlite_world: World):
    both = graph([condition("if", yes="true"), mapper("a", mode="extend")], "if:yes a, if:default a")
    assert (await sqlite_world.run(both, {"n": 1})).output == {"n": 1}


async def test_a_run_is_written_down_with_its_times_and_log(world: World):
    run_id = await world.start(graph([webhook("a")]), {"n": 1})
    run = await world.ended(run_id)
    await world.at_rest()
    summary, a = run.summary, run.nodes[0]
    assert summary.created_date == summary.started_date == summary.ended_date == world.clock.ms
    assert a.started_date == a.ended_date == world.clock.ms
    assert messages_of(run) == ["The run started.", "The run completed."]
    assert [change.seq for change in world.changes] == list(range(1, summary.seq + 1))


async def test_many_runs_proceed_side_by_side_and_do_not_mix(world: World):
    orchestrator_id = await world.keep(graph([webhook("a"), mapper("b", n="data.n", run="run.id")], "a b"))
    begun = await asyncio.gather(
        *(world.runs.start("default", orchestrator_id, {"n": n}, trigger="api") for n in range(20))
    )
    ended = await asyncio.gather(*(world.ended(summary.id) for summary, _ in begun))
    assert [run.output for run in ended] == [{"n": n, "run": run.summary.id} for n, run in enumerate(ended)]
