from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition
from orchestrator_app.domain.planning import (
    Graph,
    Progress,
    Step,
    edge_state,
    find_cycle,
    next_step,
    node_input,
    run_output,
)
from orchestrator_app.domain.runs import NodeState
from tests.builders import (
    a_chain,
    a_definition,
    a_definition_from,
    a_diamond,
    a_node,
    an_edge,
)

FAILED, SKIPPED = NodeState.FAILED, NodeState.SKIPPED


def done(output: Any = None, *handles: str) -> Progress:
    return Progress(NodeState.COMPLETED, handles or ("out",), output)


def test_entry_nodes_start_first():
    graph = Graph(a_definition([a_node("a"), a_node("b"), a_node("c")], [an_edge("a", "c")]))
    assert graph.entries == ("a", "b")
    assert next_step(graph, {}) == Step(("a", "b"), (), is_failing=False)


def test_a_join_starts_when_its_last_parent_has_ended():
    graph = Graph(a_diamond())
    assert next_step(graph, {"a": done()}).ready == ("b", "c")
    assert next_step(graph, {"a": done(), "b": done()}).ready == ("c",)
    assert next_step(graph, {"a": done(), "b": done(), "c": Progress(NodeState.WAITING)}).ready == ()
    assert next_step(graph, {"a": done(), "b": done(), "c": done()}).ready == ("d",)


def test_a_join_starts_when_one_parent_was_taken_and_the_others_skipped():
    condition = a_node("a", "Condition", {"cases": [{"expression": "data.x", "handle": "yes"}]})
    edges = [an_edge("a", "b", "yes"), an_edge("a", "c", "default"), an_edge("b", "d"), an_edge("c", "d")]
    graph = Graph(a_definition([condition, a_node("b"), a_node("c"), a_node("d")], edges))
    after = {"a": done({"x": 1}, "yes")}
    assert next_step(graph, after) == Step(("b",), ("c",), is_failing=False)
    after |= {"b": done({"y": 2}), "c": Progress(SKIPPED)}
    assert next_step(graph, after) == Step(("d",), (), is_failing=False)
    assert node_input(graph, "d", None, after) == {"y": 2}


def test_everything_behind_a_branch_not_taken_is_skipped_at_once():
    condition = a_node("a", "Condition")
    chain = a_chain("b", "c", "d")
    graph = Graph(Definition((condition, *chain.nodes), (an_edge("a", "b", "large"), *chain.edges)))
    assert next_step(graph, {"a": done(None, "default")}) == Step((), ("b", "c", "d"), is_failing=False)


def test_an_edge_from_no_branch_of_a_condition_is_always_taken():
    graph = Graph(a_definition([a_node("a", "Condition"), a_node("b")], [an_edge("a", "b")]))
    assert next_step(graph, {"a": done(None, "default")}).ready == ("b",)


def test_whatever_an_imported_edge_calls_the_only_output_it_is_taken():
    graph = Graph(a_definition([a_node("a"), a_node("b")], [an_edge("a", "b", "a-output-0")]))
    assert next_step(graph, {"a": done()}).ready == ("b",)


def test_a_failure_leads_into_its_error_branch_and_nowhere_else():
    edges = [an_edge("a", "b"), an_edge("a", "c", "error")]
    graph = Graph(
        a_definition([a_node("a", "RemoteWebhook"), a_node("b"), a_node("c", "ErrorBoundary")], edges)
    )
    assert graph.handles_errors("a")
    assert not graph.handles_errors("b")
    assert next_step(graph, {"a": Progress(FAILED)}) == Step(("c",), ("b",), is_failing=False)
    assert next_step(graph, {"a": done()}) == Step(("b",), ("c",), is_failing=False)


def test_after_a_failure_that_nobody_handles_nothing_new_starts():
    nodes = [a_node("a", "RemoteWebhook"), a_node("b"), a_node("c"), a_node("d")]
    graph = Graph(a_definition(nodes, [an_edge("a", "b"), an_edge("c", "d")]))
    progress = {"a": Progress(FAILED), "c": done()}
    assert next_step(graph, progress) == Step((), (), is_failing=True)


def test_what_is_behind_a_cancelled_node_is_skipped():
    graph = Graph(a_chain())
    assert next_step(graph, {"a": Progress(NodeState.CANCELLED)}).skipped == ("b", "c")


def test_a_node_that_is_known_to_be_pending_starts_like_an_unknown_one():
    graph = Graph(a_chain())
    assert next_step(graph, {"a": Progress(NodeState.PENDING)}).ready == ("a",)


@pytest.mark.parametrize("state", [NodeState.RUNNING, NodeState.WAITING])
def test_a_node_under_way_neither_starts_again_nor_lets_others_start(state):
    assert next_step(Graph(a_chain()), {"a": Progress(state)}) == Step((), (), is_failing=False)


def test_edges_are_open_until_their_source_has_ended():
    graph = Graph(a_chain())
    edge = graph.outgoing["a"][0]
    assert edge_state(graph, edge, {}) == "open"
    assert edge_state(graph, edge, {"a": Progress(NodeState.RUNNING)}) == "open"
    assert edge_state(graph, edge, {"a": done()}) == "taken"
    assert edge_state(graph, edge, {"a": Progress(SKIPPED)}) == "not_taken"


def test_nodes_start_nearest_to_an_entry_first():
    pairs = [(0, 3), (3, 4), (4, 5), (1, 5), (2, 6)]
    assert Graph(a_definition_from(pairs, 7)).order == ("n0", "n1", "n2", "n3", "n5", "n6", "n4")


def test_descendants_are_listed_nearest_first_and_once():
    graph = Graph(a_definition_from([(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (0, 4)], 6))
    assert graph.descendants("n0") == ("n1", "n2", "n4", "n3")
    assert graph.descendants("n4") == ()


def test_an_entry_node_gets_the_runs_input():
    assert node_input(Graph(a_chain()), "a", {"order": 5}, {}) == {"order": 5}


def test_a_single_parent_hands_on_its_output_as_it_is():
    assert node_input(Graph(a_chain()), "b", {}, {"a": done([1, 2])}) == [1, 2]


def test_a_diamond_gives_its_join_both_outputs():
    progress = {"a": done(), "b": done({"x": 1, "same": "b"}), "c": done({"y": 2, "same": "c"})}
    assert node_input(Graph(a_diamond()), "d", {}, progress) == {"x": 1, "y": 2, "same": "c"}


def test_at_a_join_the_later_edge_wins_not_the_later_node():
    diamond = a_diamond()
    turned = Definition(diamond.nodes, tuple(reversed(diamond.edges)))
    progress = {"a": done(), "b": done({"same": "b"}), "c": done({"same": "c"})}
    assert node_input(Graph(turned), "d", {}, progress) == {"same": "b"}


@pytest.mark.parametrize("output", [None, 5, "text", [1], True])
def test_at_a_join_what_is_no_object_stands_under_its_parents_label(output):
    nodes = [a_node("b", label="Ask the bank"), a_node("c"), a_node("d")]
    graph = Graph(a_definition(nodes, [an_edge("b", "d"), an_edge("c", "d")]))
    progress = {"b": done(output), "c": done({"y": 2})}
    assert node_input(graph, "d", {}, progress) == {"Ask the bank": output, "y": 2}


def test_two_edges_from_one_parent_count_once():
    graph = Graph(a_definition([a_node("a"), a_node("b")], [an_edge(), an_edge(edge_id="again")]))
    assert node_input(graph, "b", {}, {"a": done("text")}) == "text"


def test_a_parent_not_taken_adds_nothing_to_a_join():
    edges = [an_edge("b", "d"), an_edge("c", "d"), an_edge("e", "d", "error")]
    graph = Graph(a_definition([a_node("b"), a_node("c"), a_node("e", "LocalFlow"), a_node("d")], edges))
    progress = {"b": done({"x": 1}), "c": Progress(SKIPPED, (), {"no": 1}), "e": done({"no": 2})}
    assert node_input(graph, "d", {}, progress) == {"x": 1}


def test_merging_leaves_the_outputs_as_they_were():
    progress = {"a": done(), "b": done({"x": {"deep": 1}}), "c": done({"x": 2})}
    node_input(Graph(a_diamond()), "d", {}, progress)
    assert progress["b"].output == {"x": {"deep": 1}}
    assert progress["c"].output == {"x": 2}


def test_the_output_of_a_run_is_that_of_its_last_nodes():
    assert run_output(Graph(a_chain("a", "b")), {"a": done(1), "b": done({"x": 2})}) == {"x": 2}
    graph = Graph(
        a_definition([a_node("a"), a_node("b"), a_node("c")], [an_edge("a", "b"), an_edge("a", "c")])
    )
    assert run_output(graph, {"a": done(1), "b": done({"x": 2}), "c": done([3])}) == {"x": 2, "c": [3]}


def test_a_condition_that_leads_nowhere_is_a_last_node_too():
    graph = Graph(a_definition([a_node("a", "Condition"), a_node("b")], [an_edge("a", "b", "large")]))
    assert run_output(graph, {"a": done({"x": 1}, "default"), "b": Progress(SKIPPED)}) == {"x": 1}


def test_a_run_in_which_nothing_completed_has_no_output():
    assert run_output(Graph(a_chain("a")), {"a": Progress(NodeState.CANCELLED)}) is None


@pytest.mark.parametrize(
    ("pairs", "cycle"),
    [
        ([], ()),
        ([(0, 1), (1, 2), (0, 2)], ()),
        ([(0, 0)], ("n0",)),
        ([(0, 1), (1, 0)], ("n0", "n1")),
        ([(0, 1), (1, 2), (2, 3), (3, 1)], ("n1", "n2", "n3")),
        ([(2, 3), (3, 2)], ("n2", "n3")),
    ],
)
def test_a_cycle_is_told_in_the_order_of_its_edges(pairs, cycle):
    assert find_cycle(a_definition_from(pairs, 4)) == cycle


def test_edges_to_nodes_that_are_not_there_make_no_cycle():
    definition = a_definition([a_node("a")], [an_edge("a", "x"), an_edge("x", "a"), an_edge("x", "x")])
    assert find_cycle(definition) == ()


def test_the_longest_chain_needs_no_recursion():
    pairs = [(number, number + 1) for number in range(4_999)]
    assert find_cycle(a_definition_from(pairs, 5_000)) == ()
    assert len(find_cycle(a_definition_from([*pairs, (4_999, 0)], 5_000))) == 5_000
    graph = Graph(a_definition_from(pairs, 5_000))
    assert len(graph.order) == len(graph.topological) == len(graph.descendants("n0")) + 1 == 5_000


def test_of_countless_ways_through_a_graph_each_node_is_walked_once():
    # A hundred diamonds one after the other: 2 to the power of 100 ways.
    pairs = [
        edge
        for first in range(0, 300, 3)
        for edge in ((first, first + 1), (first, first + 2), (first + 1, first + 3), (first + 2, first + 3))
    ]
    assert find_cycle(a_definition_from(pairs, 301)) == ()
    assert len(find_cycle(a_definition_from([*pairs, (300, 0)], 301))) == 201
