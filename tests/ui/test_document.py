"""The graph that a tab edits: undo, redo, what counts as one step, copies, branches, newer versions."""

from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition, Edge, Node
from orchestrator_app.errors import InvalidInput
from orchestrator_app.ui.pages.canvas.document import UNDO_DEPTH, Document, branch_names
from tests.builders import a_chain, a_definition, a_node


def opened(definition: Definition | None = None) -> Document:
    document = Document()
    document.load("o1", 3, (definition or a_chain("a", "b")).as_json())
    return document


def label(document: Document, node_id: str = "a") -> str:
    node = document.node(node_id)
    assert node is not None
    return node.label


def config(document: Document, node_id: str = "a") -> dict[str, Any]:
    node = document.node(node_id)
    assert node is not None
    return node.config


def test_what_was_opened_has_no_changes_and_no_way_back():
    document = opened()
    assert (document.has_changes, document.can_undo, document.can_redo) == (False, False, False)
    assert not document.undo()
    assert not document.redo()


def test_each_edit_can_be_taken_back_and_made_again():
    document = opened()
    document.apply([{"op": "move", "id": "a", "x": 5, "y": 5}])
    document.disable("a", disabled=True)
    assert document.has_changes
    assert document.undo()
    assert document.undo()
    assert not document.has_changes
    assert document.redo()
    assert document.redo()
    assert document.definition.nodes[0].disabled
    assert not document.redo()


def test_a_new_edit_ends_the_way_forward():
    document = opened()
    document.rename("a", "one")
    document.undo()
    document.rename("a", "two")
    assert not document.can_redo


def test_typing_in_one_field_is_one_step():
    document = opened()
    for text in ("o", "on", "one"):
        document.rename("a", text)
    document.note("a", "because")
    document.rename("a", "other")
    document.undo()
    assert label(document) == "one"
    document.undo()
    document.undo()
    assert label(document) == "a"
    assert not document.can_undo


def test_after_an_undo_typing_begins_a_step_of_its_own():
    document = opened()
    document.rename("a", "one")
    document.rename("b", "x")
    document.undo()
    document.rename("a", "two")
    document.undo()
    assert label(document) == "one"


def test_what_changes_nothing_is_no_step():
    document = opened()
    document.rename("a", "a")
    document.rename("a", "   ")
    document.apply([])
    document.change("a", {"key": None})
    assert not document.can_undo


def test_what_is_about_a_node_that_is_gone_changes_nothing():
    document = opened()
    document.rename("gone", "x")
    document.note("gone", "x")
    document.disable("gone", disabled=True)
    document.change("gone", {"url": "x"})
    assert not document.has_changes


def test_a_refused_edit_leaves_everything_as_it_was():
    document = opened()
    with pytest.raises(InvalidInput):
        document.apply([{"op": "remove", "id": "a"}, {"op": "remove", "id": "a"}])
    assert not document.has_changes
    assert not document.can_undo


def test_the_way_back_has_an_end():
    document = opened()
    for number in range(UNDO_DEPTH + 10):
        document.apply([{"op": "move", "id": "a", "x": number + 1, "y": 0}])
    steps = 0
    while document.undo():
        steps += 1
    assert steps == UNDO_DEPTH
    assert document.definition.nodes[0].x == 10


def test_an_emptied_value_is_taken_out_so_that_the_default_counts():
    document = opened(a_definition([a_node("a", "RemoteWebhook", {"timeout": 5, "url": "http://x.y"})]))
    document.change("a", {"timeout": None, "url": "", "method": "GET"})
    assert config(document) == {"method": "GET"}
    document.change("a", {"idempotent": False})
    assert config(document) == {"method": "GET", "idempotent": False}


def test_labels_and_notes_stay_short_enough_to_be_saved():
    document = opened()
    document.rename("a", " x" + "y" * 300)
    document.note("a", "n" * 20_000)
    assert not [problem for problem in document.problems() if problem.blocks == "save"]


def test_saved_is_what_was_sent_and_not_what_was_drawn_since():
    document = opened()
    document.rename("a", "sent")
    sent = document.definition
    document.rename("a", "drawn since")
    document.saved(4, sent)
    assert document.version == 4
    assert document.has_changes
    document.undo()
    document.undo()
    assert label(document) == "a"


def test_a_newer_version_can_be_undone_and_then_ones_own_edits_are_back():
    document = opened()
    document.rename("a", "mine")
    document.replace_by(4, a_chain("a", "b", "theirs").as_json())
    assert not document.has_changes
    assert document.undo()
    assert label(document) == "mine"
    assert document.has_changes
    assert document.version == 4


def test_a_draft_is_taken_over_as_one_step_upon_what_is_saved():
    document = opened()
    document.restore(2, a_chain("a", "b", "drawn").as_json())
    assert (document.has_changes, document.version) == (True, 2)
    assert document.is_kept()
    document.undo()
    assert not document.has_changes
    assert not document.is_kept()
    assert document.is_kept()


def test_a_draft_that_is_saved_meanwhile_is_no_change():
    document = opened()
    document.restore(2, a_chain("a", "b").as_json())
    assert (document.has_changes, document.version) == (False, 3)
    assert not document.is_kept()


def test_copies_can_be_pasted_after_a_cut_and_in_another_orchestrator():
    source = opened(a_definition([a_node("a", "DataMapper", {"mode": "extend"})]))
    source.copy(["a", "gone"])
    source.apply([{"op": "remove", "id": "a"}])
    paste = {"op": "add", "id": "n", "kind": "DataMapper", "label": "P", "x": 0, "y": 0, "copyOf": "a"}
    source.apply([paste])
    assert config(source, "n") == {"mode": "extend"}
    other = opened()
    other.keep_copies(source.copies)
    other.apply([paste])
    assert config(other, "n") == {"mode": "extend"}


# --- branches ---


def condition(*names: str, default: str = "") -> Node:
    settings: dict[str, Any] = {"cases": [{"expression": "true", "handle": name} for name in names]}
    return a_node("c", "Condition", settings | ({"defaultHandle": default} if default else {}))


def branched(node: Node, *handles: str) -> Document:
    targets = [a_node(f"t{number}") for number in range(len(handles))]
    edges = [Edge(f"e{number}", "c", f"t{number}", handle) for number, handle in enumerate(handles)]
    return opened(a_definition([node, *targets], edges))


def handles(document: Document) -> list[str]:
    return [edge.source_handle for edge in document.definition.edges]


def cases(*names: str) -> dict[str, Any]:
    return {"cases": [{"expression": "true", "handle": name} for name in names]}


def test_the_branches_of_a_node():
    assert branch_names(condition("yes", default="no")) == ["yes", "no"]
    assert branch_names(condition("yes")) == ["yes", "default"]
    assert branch_names(a_node("a", "Condition", {"cases": "nonsense"})) == ["default"]
    assert branch_names(a_node("a", "Condition", {"cases": [5, {}]})) == ["", "default"]
    assert branch_names(a_node("a")) == []


@pytest.mark.parametrize(
    ("before", "edit", "edges_before", "edges_after"),
    [
        (condition("yes", "no"), cases("certainly", "no"), ["yes", "no"], ["certainly", "no"]),
        (condition("a", "b"), cases("b", "a"), ["a", "b"], ["a", "b"]),
        (condition("a", "b"), cases("x", "y"), ["a", "b"], ["x", "y"]),
        (condition("a", "b"), cases("a"), ["a", "b"], ["a", "b"]),
        (condition("a"), cases("a", "b"), ["a", "default"], ["a", "default"]),
        (condition("a"), {"defaultHandle": "else"}, ["a", "default"], ["a", "else"]),
        (condition("a", default="else"), {"defaultHandle": ""}, ["else"], ["default"]),
        # Names that two branches would share, that are empty, or that mean errors, take no edge along.
        (condition("a", "b"), cases("a", "a"), ["a", "b"], ["a", "b"]),
        (condition("a"), cases("default"), ["a", "default"], ["a", "default"]),
        (condition("a"), {"defaultHandle": "a"}, ["a", "default"], ["a", "default"]),
        (condition("a", "a"), cases("a", "b"), ["a", "a"], ["a", "a"]),
        (condition("a"), cases(""), ["a", ""], ["a", ""]),
        (condition(""), cases("a"), ["", "a"], ["", "a"]),
        (condition("a"), cases("error"), ["a", "error"], ["a", "error"]),
        (condition("a", default="error"), {"defaultHandle": "x"}, ["error"], ["error"]),
    ],
)
def test_a_renamed_branch_takes_its_own_edges_along(
    before: Node, edit: dict[str, Any], edges_before: list[str], edges_after: list[str]
):
    document = branched(before, *edges_before)
    document.change("c", edit)
    assert handles(document) == edges_after
    document.undo()
    assert handles(document) == edges_before


def test_the_edges_of_other_nodes_stay():
    other = a_node("d", "Condition", {"cases": [{"expression": "true", "handle": "yes"}]})
    edges = [Edge("1", "c", "t", "yes"), Edge("2", "d", "t", "yes")]
    document = opened(a_definition([condition("yes"), other, a_node("t")], edges))
    document.change("c", cases("no"))
    assert handles(document) == ["no", "yes"]
