import pytest

from orchestrator_app.domain.definition import Definition, Edge, Problem
from orchestrator_app.domain.validation import MAX_PROBLEMS, validate
from tests.builders import (
    RUNNABLE_CONFIGS,
    a_chain,
    a_definition,
    a_definition_from,
    a_diamond,
    a_node,
    an_edge,
)


def problems_of(definition: Definition) -> list[Problem]:
    return list(validate(definition.as_json()).problems)


def only(definition: Definition) -> Problem:
    found = problems_of(definition)
    assert len(found) == 1, found
    return found[0]


def test_a_definition_without_nodes_may_be_kept_but_not_run():
    validation = validate({"nodes": [], "edges": []})
    assert validation.can_save
    assert not validation.can_run
    assert [problem.message for problem in validation.problems] == [
        "There are no nodes yet. Add one from the palette."
    ]


def test_nothing_can_be_kept_of_what_is_no_definition():
    validation = validate("nonsense")
    assert validation.definition is None
    assert not validation.can_save
    assert not validation.can_run


def test_a_cycle_names_its_nodes_in_order():
    nodes = [a_node("a", label="Fetch"), a_node("b", label="Check"), a_node("c", label="Send")]
    edges = [an_edge("a", "b"), an_edge("b", "c"), an_edge("c", "b")]
    assert only(a_definition(nodes, edges)) == Problem(
        "cycle",
        "The edges go round in a circle: “Check” → “Send” → “Check”. Remove one of them.",
        node_id="b",
        blocks="save",
    )


def test_a_long_cycle_is_told_shortly():
    found = only(a_definition_from([(number, (number + 1) % 50) for number in range(50)], 50))
    assert found.message == (
        "The edges go round in a circle: “n0” → “n1” → “n2” → “n3” → “n4” → “n5” → “n6” → “n7” → “n8” → … → “n49” → "
        "“n0”. Remove one of them."
    )


def test_an_edge_from_or_to_nowhere_names_the_edge_and_the_missing_node():
    definition = Definition(a_chain("a", "b").nodes, (Edge("e1", "a", "gone"), Edge("e2", "lost", "b")))
    assert problems_of(definition) == [
        Problem(
            "dangling_edge",
            "Edge “e1” leads to “gone”, but there is no node with that id. Connect it to a node, or remove it.",
            edge_id="e1",
            blocks="save",
        ),
        Problem(
            "dangling_edge",
            "Edge “e2” starts at “lost”, but there is no node with that id. Connect it to a node, or remove it.",
            edge_id="e2",
            blocks="save",
        ),
    ]


def test_an_edge_between_two_missing_nodes_has_both_ends_reported():
    found = problems_of(a_definition([a_node()], [an_edge("x", "y")]))
    assert [(problem.code, problem.edge_id) for problem in found] == [("dangling_edge", "x-y")] * 2


def test_ids_used_twice_are_named():
    nodes = (a_node("a", label="One"), a_node("a", label="Two"), a_node("b"))
    edges = (Edge("e", "a", "b"), Edge("e", "a", "b", "out"))
    assert problems_of(Definition(nodes, edges)) == [
        Problem("duplicate_id", "2 nodes share the id “a”. Give each its own.", node_id="a", blocks="save"),
        Problem("duplicate_id", "2 edges share the id “e”. Give each its own.", edge_id="e", blocks="save"),
    ]


def test_a_node_of_an_unknown_kind_is_one_problem_however_many_edges_it_has():
    raw = a_diamond().as_json()
    raw["nodes"][1]["data"]["nodeType"] = "Robot"
    assert [(problem.code, problem.node_id) for problem in validate(raw).problems] == [("unknown_kind", "b")]


def test_a_definition_of_unreadable_nodes_is_not_called_empty():
    raw = {"nodes": [{"id": "a"}], "edges": []}
    assert [problem.code for problem in validate(raw).problems] == ["wrong_type"]


@pytest.mark.parametrize(("first", "second"), [("Send", "Send"), ("b", "Send")])
def test_a_name_that_means_two_nodes_is_a_warning(first, second):
    nodes = [a_node("a", label=first), a_node("b", label=second)]
    found = only(a_definition(nodes))
    assert (found.code, found.blocks) == ("duplicate_label", "nothing")
    if first == second:
        assert found.node_id == "b"
        assert found.message == (
            "Another node is called “Send” too, and expressions find only the first. Rename one of them."
        )
    else:
        assert found.node_id == "a"
        assert (
            found.message
            == "“b” is the id of another node too, and expressions find that one. Rename this node."
        )


def test_an_edge_that_is_there_twice_is_a_warning():
    found = only(a_definition([a_node("a"), a_node("b")], [an_edge(), an_edge(edge_id="again")]))
    assert found == Problem(
        "duplicate_edge",
        "The edge from “a” to “b” is there twice. Remove one.",
        edge_id="again",
        blocks="nothing",
    )


def test_an_edge_from_a_branch_that_is_not_there_names_the_branch():
    nodes = [a_node("a", "Condition", label="Paid?"), a_node("b")]
    assert only(a_definition(nodes, [an_edge("a", "b", "huge", edge_id="e")])) == Problem(
        "unknown_handle",
        "The edge from “Paid?” to “b” starts at the branch “huge”, which “Paid?” does not have. Connect it to one that "
        "exists, or add a case with that name.",
        "a",
        "e",
    )


@pytest.mark.parametrize("handle", ["large", "default", "error"])
def test_an_edge_from_a_branch_that_is_there_is_fine(handle):
    nodes = [a_node("a", "Condition"), a_node("b")]
    assert problems_of(a_definition(nodes, [an_edge("a", "b", handle)])) == []


def test_an_edge_from_no_branch_at_all_is_a_warning():
    nodes = [a_node("a", "Condition"), a_node("b")]
    assert only(a_definition(nodes, [an_edge("a", "b", edge_id="e")])) == Problem(
        "no_handle",
        "The edge from “a” to “b” starts at no branch, so it is taken in every case. Connect it to a branch if it "
        "should not.",
        "a",
        "e",
        blocks="nothing",
    )


def test_a_node_that_cannot_fail_has_no_error_output():
    nodes = [a_node("a", "Parallel", label="Both"), a_node("b", "ErrorBoundary", label="Rescue")]
    assert only(a_definition(nodes, [an_edge("a", "b", "error", edge_id="e")])) == Problem(
        "unknown_handle",
        "The edge from “Both” to “Rescue” starts at an error output, but “Both” cannot fail. Connect its output.",
        "a",
        "e",
    )


def test_an_error_boundary_that_catches_nothing_is_a_warning():
    found = only(a_definition([a_node("a"), a_node("b", "ErrorBoundary", label="Rescue")], [an_edge()]))
    assert found == Problem(
        "no_error_edge",
        "No error output leads to “Rescue”, so it catches nothing. Connect one to it.",
        node_id="b",
        blocks="nothing",
    )


def test_all_problems_are_told_at_once():
    raw = a_definition(
        [
            a_node("a", "RemoteWebhook", {"timeout": "x"}),
            a_node("a", "Condition", {"casse": []}),
            a_node("c"),
        ],
        [an_edge("c", "c"), an_edge("c", "z")],
    ).as_json()
    raw["colour"] = "red"
    assert {problem.code for problem in validate(raw).problems} == {
        "unknown_key",
        "duplicate_id",
        "duplicate_label",
        "dangling_edge",
        "cycle",
        "wrong_type",
        "missing_value",
        "unknown_config_key",
        "no_cases",
    }


@pytest.mark.parametrize(
    ("config", "blocks"),
    [
        ({"url": "https://x.org", "headers": {f"bad name {i}": "" for i in range(100)}}, "run"),
        ({"url": "https://x.org", "headers": {f"Good-{i}": 5 for i in range(100)}}, "save"),
    ],
)
def test_nobody_reads_more_than_a_thousand_problems(config, blocks):
    definition = a_definition([a_node(f"n{i}", "RemoteWebhook", config) for i in range(11)])
    validation = validate(definition.as_json())
    assert len(validation.problems) == MAX_PROBLEMS + 1
    assert validation.problems[-1] == Problem(
        "more_problems", "There are 100 more problems. Mend these first, then check again.", blocks=blocks
    )
    assert validation.can_save == (blocks == "run")
    assert not validation.can_run


def test_a_thousand_warnings_do_not_hinder_a_run():
    config = {f"old{i}": 1 for i in range(501)}
    definition = a_definition([a_node("a", config=config), a_node("b", config=config)])
    validation = validate(definition.as_json())
    assert validation.problems[-1].message.startswith("There are 2 more problems.")
    assert validation.can_run


def test_every_kind_can_run_on_its_own():
    nodes = [a_node(kind, kind) for kind in RUNNABLE_CONFIGS]
    assert validate(a_definition(nodes).as_json()).can_run
