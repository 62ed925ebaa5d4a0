"""Operations of the canvas: applied one after the other, or refused as a whole."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.domain.definition import MAX_EDGES, MAX_NODES, Definition
from orchestrator_app.domain.editing import MAX_OPS, apply_operations, unique_label, with_node
from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.domain.parsing import MAX_LABEL_LENGTH
from orchestrator_app.domain.planning import find_cycle
from orchestrator_app.domain.validation import validate
from orchestrator_app.errors import InvalidInput
from tests.builders import a_chain, a_definition, a_definition_from, a_node, definitions, unhurried


def adding(node_id: str = "new", kind: str = "Parallel", **values: Any) -> dict[str, Any]:
    return {"op": "add", "id": node_id, "kind": kind, "label": "New", "x": 10, "y": 20} | values


def connecting(source: str, target: str, **values: Any) -> dict[str, Any]:
    edge = {"id": f"e-{source}-{target}", "source": source, "target": target}
    return {"op": "connect", "sourceHandle": "out", "targetHandle": ""} | edge | values


def test_a_node_is_added_where_it_was_dropped():
    node = apply_operations(a_chain("a"), [adding(kind="Condition")]).node("new")
    assert node is not None
    assert (node.kind, node.label, node.config, node.x, node.y) == ("Condition", "New", {}, 10, 20)


@pytest.mark.parametrize("label", [None, "", "   ", 5, {"a": 1}])
def test_a_node_without_a_usable_label_is_called_like_its_kind(label: object):
    node = apply_operations(Definition(), [adding(label=label)]).node("new")
    assert node is not None
    assert node.label == NODE_KINDS["Parallel"].title


def test_each_new_node_gets_a_label_of_its_own():
    operations = [adding("n1"), adding("n2"), adding("n3")]
    assert [node.label for node in apply_operations(Definition(), operations).nodes] == [
        "New",
        "New 2",
        "New 3",
    ]


def test_a_label_stays_short_enough_to_be_saved():
    longest = "x" * MAX_LABEL_LENGTH
    operations = [adding(f"n{number}", label=longest + "y" * (number % 2)) for number in range(12)]
    edited = apply_operations(Definition(), operations)
    assert len({node.label for node in edited.nodes}) == 12
    assert validate(edited.as_json()).can_save


def test_a_copy_takes_over_settings_notes_and_whether_it_is_switched_off():
    original = a_node("a", "DataMapper", {"mode": "extend"}, disabled=True, notes="why")
    copy = apply_operations(a_definition([original]), [adding(kind="DataMapper", copyOf="a")]).node("new")
    assert copy is not None
    assert (copy.config, copy.disabled, copy.notes) == ({"mode": "extend"}, True, "why")
    assert copy.config is not original.config


def test_what_was_copied_earlier_counts_more_than_the_graph():
    present, copied = (
        a_node("a", "DataMapper", {"mode": "extend"}),
        a_node("a", "DataMapper", {"mode": "replace"}),
    )
    edited = apply_operations(a_definition([present]), [adding(kind="DataMapper", copyOf="a")], {"a": copied})
    assert edited.nodes[-1].config == {"mode": "replace"}


@pytest.mark.parametrize("copy_of", ["gone", "a", "", 5])
def test_a_copy_of_nothing_or_of_another_kind_starts_empty(copy_of: object):
    edited = apply_operations(
        a_definition([a_node("a", "Condition")]), [adding(kind="DataMapper", copyOf=copy_of)]
    )
    assert edited.nodes[-1].config == {}


def test_a_node_is_moved_and_switched_off_and_on():
    moved = apply_operations(a_chain("a"), [{"op": "move", "id": "a", "x": -5.5, "y": 7}])
    assert (moved.nodes[0].x, moved.nodes[0].y) == (-5.5, 7)
    off = apply_operations(moved, [{"op": "disable", "id": "a", "disabled": True}])
    assert off.nodes[0].disabled
    assert not apply_operations(off, [{"op": "disable", "id": "a", "disabled": False}]).nodes[0].disabled


def test_a_removed_node_takes_its_edges_along():
    edited = apply_operations(a_chain("a", "b", "c"), [{"op": "remove", "id": "b"}])
    assert [node.id for node in edited.nodes] == ["a", "c"]
    assert edited.edges == ()


def test_edges_are_connected_and_disconnected():
    connected = apply_operations(a_definition([a_node("a"), a_node("b")]), [connecting("a", "b")])
    (edge,) = connected.edges
    assert (edge.source, edge.target, edge.source_handle, edge.target_handle) == ("a", "b", "out", "")
    assert apply_operations(connected, [{"op": "disconnect", "id": edge.id}]).edges == ()


def test_disconnecting_what_is_gone_already_changes_nothing():
    assert apply_operations(a_chain("a"), [{"op": "disconnect", "id": "gone"}]) == a_chain("a")


def test_an_edge_may_be_led_elsewhere_in_one_step_although_both_together_were_a_circle():
    operations = [{"op": "disconnect", "id": "a-b"}, connecting("b", "a")]
    assert [(edge.source, edge.target) for edge in apply_operations(a_chain("a", "b"), operations).edges] == [
        ("b", "a")
    ]


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({"op": "explode"}, "no change called 'explode'"),
        ({}, "no change called None"),
        ({"op": "move", "id": "gone", "x": 1, "y": 1}, "is gone"),
        ({"op": "move", "x": 1, "y": 1}, "“id”"),
        ({"op": "move", "id": "", "x": 1, "y": 1}, "“id”"),
        ({"op": "move", "id": 5, "x": 1, "y": 1}, "“id”"),
        ({"op": "move", "id": "a" * 201, "x": 1, "y": 1}, "“id”"),
        ({"op": "move", "id": "a", "y": 1}, "“x”: a number"),
        ({"op": "move", "id": "a", "x": "1", "y": 1}, "“x”: a number"),
        ({"op": "move", "id": "a", "x": True, "y": 1}, "“x”: a number"),
        ({"op": "move", "id": "a", "x": 1, "y": float("nan")}, "“y”: a number"),
        ({"op": "move", "id": "a", "x": 1, "y": float("inf")}, "“y”: a number"),
        ({"op": "move", "id": "a", "x": 1, "y": -(10**400)}, "“y”: a number"),
        ({"op": "disable", "id": "gone"}, "is gone"),
        ({"op": "remove", "id": "gone"}, "is gone"),
        (adding("a"), "“a” already"),
        (adding("a b"), "letters, digits"),
        (adding("ä"), "letters, digits"),
        (adding(kind="Bomb"), "no node kind “Bomb”"),
        (adding(x=None), "“x”: a number"),
        (connecting("a", "gone"), "node that is gone"),
        (connecting("gone", "a"), "node that is gone"),
        (connecting("a", "b", id="a-b"), "connected already"),
        (connecting("a", "a"), "back to where it came from"),
        (connecting("b", "a"), "back to where it came from"),
        (connecting("a", "b", sourceHandle=["out"]), "“sourceHandle”"),
        (connecting("a", "b", targetHandle="x" * 201), "“targetHandle”"),
        (connecting("a", "b", id="e" * 201), "“id”"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(operation: dict[str, Any], words: str):
    before = a_chain("a", "b")
    with pytest.raises(InvalidInput) as refusal:
        apply_operations(before, [{"op": "move", "id": "a", "x": 99, "y": 99}, operation])
    assert words in refusal.value.message
    assert before == a_chain("a", "b")


def test_a_graph_has_no_more_nodes_and_edges_than_allowed():
    full = a_definition([a_node(f"n{number}") for number in range(MAX_NODES)])
    with pytest.raises(InvalidInput, match="at most 500 nodes"):
        apply_operations(full, [adding()])
    wired = a_definition_from([(0, 1 + number % 3) for number in range(MAX_EDGES)], 4)
    with pytest.raises(InvalidInput, match="at most 2000 arrows"):
        apply_operations(wired, [connecting("n0", "n1")])


def test_not_more_changes_are_made_at_once_than_allowed():
    with pytest.raises(InvalidInput, match="At most 2000 changes"):
        apply_operations(a_chain("a"), [{"op": "disconnect", "id": "e"}] * (MAX_OPS + 1))


def test_one_node_is_replaced_by_its_changed_self():
    changed = a_node("b", label="changed")
    assert with_node(a_chain("a", "b", "c"), changed).nodes == (a_node("a"), changed, a_node("c"))


def test_a_label_that_is_free_stays_as_it_is():
    assert unique_label(a_chain("a"), "b") == "b"
    assert unique_label(a_definition([a_node("a"), a_node("b", label="a 2")]), "a") == "a 3"


_ids = st.sampled_from([*(f"n{number}" for number in range(8)), "x", "bad id", ""])
_handles = st.sampled_from(["out", "error", "yes", "", None, 3])
_numbers = st.integers(-(10**8), 10**8) | st.floats() | st.none() | st.booleans()
_kinds = st.sampled_from([*NODE_KINDS, "Bomb"])


def _operation(name: str, **values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"op": st.just(name), "id": _ids}, optional=values)


operations = st.lists(
    st.one_of(
        _operation("add", kind=_kinds, label=st.text(max_size=5), x=_numbers, y=_numbers, copyOf=_ids),
        st.builds(adding, _ids, st.sampled_from(sorted(NODE_KINDS)), copyOf=_ids),
        _operation("move", x=_numbers, y=_numbers),
        _operation("remove"),
        _operation("disconnect"),
        _operation("disable", disabled=st.booleans() | st.none()),
        _operation("connect", source=_ids, target=_ids, sourceHandle=_handles, targetHandle=_handles),
        st.builds(connecting, _ids, _ids),
        st.fixed_dictionaries({"op": st.none() | st.text(max_size=3)}),
    ),
    max_size=12,
)


@unhurried
@given(definitions(max_nodes=6), operations)
def test_no_list_of_operations_ever_breaks_a_graph(before: Definition, edits: list[dict[str, Any]]):
    as_it_was = before.as_json()
    try:
        after = apply_operations(before, edits)
    except InvalidInput:
        after = before
    assert before.as_json() == as_it_was
    ids = [node.id for node in after.nodes]
    assert len(set(ids)) == len(ids)
    assert len({edge.id for edge in after.edges}) == len(after.edges)
    assert {end for edge in after.edges for end in (edge.source, edge.target)} <= set(ids)
    assert not find_cycle(after)
    assert validate(after.as_json()).can_save


@unhurried
@given(definitions(max_nodes=6), operations)
def test_operations_one_by_one_come_to_the_same_as_all_at_once(
    before: Definition, edits: list[dict[str, Any]]
):
    present = before
    try:
        for edit in edits:
            present = apply_operations(present, [edit])
    except InvalidInput:
        return
    assert apply_operations(before, edits) == present
