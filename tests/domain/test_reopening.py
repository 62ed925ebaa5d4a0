from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition
from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.planning import Graph
from orchestrator_app.domain.reopening import (
    EndedNode,
    failed_nodes,
    is_undecided,
    kept_results,
    nodes_to_begin_anew,
    undecided_nodes,
)
from orchestrator_app.domain.runs import NodeState
from tests.running import condition, graph, mapper, wait, webhook

UNKNOWN: JsonObject = {"code": "outcome_unknown", "message": "?", "hint": "", "detail": {}}
REFUSED: JsonObject = {"code": "provider_refused", "message": "No.", "hint": "", "detail": {}}


def ended(**states: str) -> dict[str, EndedNode]:
    """How nodes ended: ``a="COMPLETED"``; a name in lower case is an output of a completed condition."""
    nodes: dict[str, EndedNode] = {}
    for node_id, said in states.items():
        if said.isupper():
            failure = REFUSED if said == "FAILED" else {}
            nodes[node_id] = EndedNode(NodeState(said), ("out",) if said == "COMPLETED" else (), failure)
        elif said == "unknown":
            nodes[node_id] = EndedNode(NodeState.FAILED, (), UNKNOWN)
        else:
            nodes[node_id] = EndedNode(NodeState.COMPLETED, (said,))
    return nodes


CHAIN = graph([mapper("a"), webhook("b"), mapper("c")], "a b, b c")
RESCUED = graph([webhook("a"), mapper("rescue"), webhook("b")], "a:error rescue, rescue b")
BRANCHES = graph(
    [condition("if", yes="data.ok"), mapper("y"), mapper("n"), webhook("z")], "if:yes y, if:default n, y z"
)


@pytest.mark.parametrize(
    ("definition", "states", "failed", "anew"),
    [
        (CHAIN, {"a": "COMPLETED", "b": "FAILED", "c": "SKIPPED"}, ("b",), ("b", "c")),
        (CHAIN, {"a": "COMPLETED", "b": "CANCELLED"}, (), ("b",)),
        (RESCUED, {"a": "FAILED", "rescue": "COMPLETED", "b": "FAILED"}, ("b",), ("b",)),
        (BRANCHES, {"if": "yes", "y": "COMPLETED", "n": "SKIPPED", "z": "FAILED"}, ("z",), ("n", "z")),
    ],
)
def test_what_has_no_result_begins_anew(
    definition: Definition, states: dict[str, Any], failed: tuple[str, ...], anew: tuple[str, ...]
):
    indexed, nodes = Graph(definition), ended(**states)
    assert failed_nodes(indexed, nodes) == failed
    assert nodes_to_begin_anew(indexed, nodes) == anew


def test_an_unknown_outcome_is_decided_once_and_only_where_it_failed_the_run():
    indexed = Graph(RESCUED)
    assert undecided_nodes(indexed, ended(a="unknown", rescue="COMPLETED", b="FAILED")) == ()
    assert undecided_nodes(indexed, ended(a="FAILED", rescue="COMPLETED", b="unknown")) == ("b",)
    assert is_undecided(UNKNOWN)
    assert is_undecided({"code": "outcome_unknown"})
    assert not is_undecided({**UNKNOWN, "detail": {"decided": "fail"}})
    assert not is_undecided(REFUSED)


def test_results_hold_on_a_graph_where_nothing_before_them_has_changed():
    old = Graph(CHAIN)
    nodes = ended(a="COMPLETED", b="COMPLETED", c="FAILED")
    moved = graph([mapper("a", label="Renamed"), webhook("b"), mapper("c", x="=1")], "a b, b c")
    assert kept_results(old, Graph(moved), nodes) == ("a", "b")
    other_work = graph([mapper("a", x="=1"), webhook("b"), mapper("c")], "a b, b c")
    assert kept_results(old, Graph(other_work), nodes) == ()
    other_way = graph([mapper("a"), webhook("b"), mapper("c")], "b c")
    assert kept_results(old, Graph(other_way), nodes) == ("a",)
    with_branch = graph([mapper("a"), webhook("b"), mapper("c"), mapper("d")], "a b, b c, b:error d")
    assert kept_results(old, Graph(with_branch), nodes) == ("a",)
    gone_and_new = graph([mapper("new"), webhook("b")], "new b")
    assert kept_results(old, Graph(gone_and_new), nodes) == ()


def test_a_branch_that_was_left_out_stands_in_no_ones_way():
    definition = graph(
        [condition("if", yes="data.ok"), mapper("y"), mapper("n"), mapper("join"), webhook("z")],
        "if:yes y, if:default n, y join, n join, join z",
    )
    nodes = ended(**{"if": "yes"}, y="COMPLETED", n="SKIPPED", join="COMPLETED", z="FAILED")
    assert kept_results(Graph(definition), Graph(definition), nodes) == ("if", "y", "join")


def test_what_was_skipped_because_the_run_failed_is_no_branch_that_was_left_out():
    definition = graph([webhook("a"), mapper("late"), mapper("c")], "late c")
    nodes = ended(a="FAILED", late="SKIPPED", c="COMPLETED")
    assert kept_results(Graph(definition), Graph(definition), nodes) == ()


def test_a_failure_that_leads_into_a_branch_is_a_result():
    nodes = ended(a="FAILED", rescue="COMPLETED", b="FAILED")
    assert kept_results(Graph(RESCUED), Graph(RESCUED), nodes) == ("a", "rescue")


def test_what_has_handed_out_an_address_is_done_again_while_its_callback_is_still_to_come():
    definition = graph(
        [mapper("first"), webhook("ask"), mapper("beside"), wait("answer"), mapper("late")],
        "first ask, ask answer, ask late, beside late",
    )
    nodes = ended(first="COMPLETED", ask="COMPLETED", beside="COMPLETED", answer="FAILED", late="COMPLETED")
    assert kept_results(Graph(definition), Graph(definition), nodes) == ("beside",)
    nodes = ended(first="COMPLETED", ask="COMPLETED", beside="COMPLETED", answer="COMPLETED", late="FAILED")
    assert kept_results(Graph(definition), Graph(definition), nodes) == ("first", "beside", "ask", "answer")
