import json
from typing import Any

import pytest
from hypothesis import given

from orchestrator_app.domain.definition import Definition, Problem
from orchestrator_app.domain.parsing import parse_definition
from tests.builders import definitions, json_values, nested, unhurried

KNOWN_KINDS = (
    "Known kinds: RemoteWebhook, LocalFlow, DataMapper, Condition, WaitForCallback, ErrorBoundary, Parallel."
)


def a_raw_node(**changes: Any) -> dict[str, Any]:
    node = {"id": "a", "position": {"x": 1, "y": 2}, "data": {"label": "A", "nodeType": "Parallel"}}
    return {key: value for key, value in (node | changes).items() if value is not ...}


def with_data(**changes: Any) -> dict[str, Any]:
    return a_raw_node(data={"label": "A", "nodeType": "Parallel"} | changes)


def a_raw_edge(**changes: Any) -> dict[str, Any]:
    edge = {"id": "e", "source": "a", "target": "b"} | changes
    return {key: value for key, value in edge.items() if value is not ...}


def parse(*, nodes: Any = (), edges: Any = (), **others: Any) -> tuple[Definition | None, list[Problem]]:
    listed = {"nodes": list(nodes) if isinstance(nodes, tuple) else nodes, "edges": edges}
    return parse_definition(listed | {"edges": list(edges) if isinstance(edges, tuple) else edges} | others)


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


@unhurried
@given(definitions())
def test_what_was_written_is_read_back_without_a_problem(definition):
    assert parse_definition(json.loads(json.dumps(definition.as_json()))) == (definition, [])


@unhurried
@given(json_values)
def test_any_json_is_read_without_an_exception(value):
    definition, problems = parse_definition(value)
    assert definition is not None or problems
    assert all(problem.blocks == "save" for problem in problems)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (None, "The definition must be an object with nodes and edges, not null."),
        ([], "The definition must be an object with nodes and edges, not a list."),
        ("{}", "The definition must be an object with nodes and edges, not text."),
        ({}, "The definition has no “nodes”. It must hold a list of nodes."),
        ({"nodes": None}, "The definition has no “nodes”. It must hold a list of nodes."),
        ({"nodes": {"a": {}}}, "“nodes” must be a list, not an object."),
        ({"nodes": [], "edges": 5}, "“edges” must be a list, not a number."),
    ],
)
def test_what_is_no_graph_at_all_gives_no_definition_and_one_sentence(raw, sentence):
    definition, problems = parse_definition(raw)
    assert definition is None
    assert only(problems) == Problem("wrong_type", sentence, blocks="save")


def test_both_lists_are_reported_when_both_are_wrong():
    definition, problems = parse_definition({"nodes": 1, "edges": 2})
    assert definition is None
    assert [problem.message[:7] for problem in problems] == ["“nodes”", "“edges”"]


@pytest.mark.parametrize("raw", [{"nodes": []}, {"nodes": [], "edges": None}])
def test_a_graph_may_have_no_edges(raw):
    assert parse_definition(raw) == (Definition(), [])


@pytest.mark.parametrize("version", [1, 1.0])
def test_version_one_is_read_and_is_meant_when_none_is_given(version):
    assert parse(version=version) == (Definition(), [])
    assert parse() == (Definition(), [])


@pytest.mark.parametrize(
    "version", [0, 2, True, "1", None, [], nested(900), pytest.param(10**5000, id="huge")]
)
def test_other_versions_are_refused(version):
    definition, problems = parse(version=version)
    assert definition == Definition()
    assert only(problems) == Problem(
        "unknown_version", "“version” must be 1: other versions cannot be read.", blocks="save"
    )


def test_the_largest_graph_is_read_and_a_larger_one_refused():
    nodes = [a_raw_node(id=f"n{i}") for i in range(501)]
    edges = [a_raw_edge(id=f"e{i}") for i in range(2_001)]
    definition, problems = parse(nodes=nodes[:500], edges=edges[:2_000])
    assert definition is not None
    assert (len(definition.nodes), len(definition.edges), problems) == (500, 2_000, [])
    definition, problems = parse(nodes=nodes)
    assert definition is None
    assert only(problems).message == "There are 501 nodes; at most 500 are allowed. Remove some, or split it."
    definition, problems = parse(edges=edges)
    assert definition is None
    assert (
        only(problems).message
        == "There are 2,001 edges; at most 2,000 are allowed. Remove some, or split it."
    )


def test_what_react_flow_leaves_in_a_graph_is_forgiven():
    node = with_data(status="COMPLETED", selected=True) | {
        "width": 220,
        "height": 84,
        "selected": True,
        "dragging": False,
        "positionAbsolute": {"x": 1, "y": 2},
        "measured": {"width": 1, "height": 2},
        "zIndex": 1,
        "style": {},
        "className": "x",
        "parentNode": None,
        "extent": "parent",
        "focusable": True,
        "ariaRole": "group",
    }
    edge = a_raw_edge(
        animated=True,
        type="smoothstep",
        label="yes",
        markerEnd={"type": "arrow"},
        style={"stroke": "red"},
        data={"label": ""},
        selected=False,
        interactionWidth=20,
        sourceHandle=None,
        targetHandle=None,
    )
    definition, problems = parse(
        nodes=[node], edges=[edge], viewport={"x": 0, "y": 0, "zoom": 1}, name="Mine"
    )
    assert problems == []
    assert definition is not None
    assert definition.as_json()["nodes"][0] == {
        "id": "a",
        "type": "orchestratorNode",
        "position": {"x": 1, "y": 2},
        "data": {"label": "A", "nodeType": "Parallel", "config": {}},
    }
    assert definition.as_json()["edges"] == [{"id": "e", "source": "a", "target": "b"}]


def test_null_means_absent_as_javascript_writes_it():
    data = {"nodeType": "DataMapper", "label": None, "config": None, "disabled": None, "notes": None}
    definition, problems = parse(nodes=[{"id": "a", "position": None, "data": data}])
    assert problems == []
    assert definition is not None
    node = definition.nodes[0]
    assert (node.label, node.config, node.disabled, node.notes, node.x, node.y) == (
        "DataMapper",
        {},
        False,
        "",
        0,
        0,
    )


def test_spaces_around_a_label_do_not_count():
    definition, problems = parse(nodes=[with_data(label="  Send mail ")])
    assert definition is not None
    assert definition.nodes[0].label == "Send mail"
    assert problems == []


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (5, "Node 2 must be an object, not a number."),
        (a_raw_node(id=...), "Node 2 needs an “id”: text of 1 to 200 characters."),
        (a_raw_node(id=""), "Node 2 needs an “id”: text of 1 to 200 characters."),
        (a_raw_node(id=7), "Node 2 needs an “id”: text of 1 to 200 characters."),
        (a_raw_node(id="x" * 201), "Node 2 needs an “id”: text of 1 to 200 characters."),
        (a_raw_node(data=...), "Node “a” needs “data”: an object with label, nodeType and config."),
        (a_raw_node(data=[]), "Node “a” needs “data”: an object with label, nodeType and config."),
        (
            with_data(nodeType="Robot"),
            f"Node “a” is of the unknown kind “Robot”. {KNOWN_KINDS}",
        ),
        (
            a_raw_node(data={}),
            f"Node “a” needs a kind as “nodeType”. {KNOWN_KINDS}",
        ),
    ],
)
def test_a_node_that_cannot_be_read_is_left_out_with_a_sentence_that_names_it(raw, sentence):
    definition, problems = parse(nodes=[a_raw_node(id="first"), raw])
    assert definition is not None
    assert [node.id for node in definition.nodes] == ["first"]
    assert only(problems).message == sentence
    assert only(problems).node_id == ("a" if "“a”" in sentence else "")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (a_raw_node(colour="red"), "Node “a” has the unknown key “colour”. Remove it."),
        (with_data(colour="red"), "“data” of node “a” has the unknown key “colour”. Remove it."),
        (with_data(label=""), "Node “a” needs a label: text of 1 to 200 characters."),
        (with_data(label=" \n"), "Node “a” needs a label: text of 1 to 200 characters."),
        (with_data(label=["A"]), "Node “a” needs a label: text of 1 to 200 characters."),
        (with_data(label="x" * 201), "Node “a” needs a label: text of 1 to 200 characters."),
        (with_data(config=[]), "“config” of node “a” must be an object, not a list."),
        (with_data(disabled="yes"), "“disabled” of node “a” must be true or false, not text."),
        (with_data(disabled=0), "“disabled” of node “a” must be true or false, not a number."),
        (with_data(notes=5), "“notes” of node “a” must be text of at most 10,000 characters."),
        (with_data(notes="x" * 10_001), "“notes” of node “a” must be text of at most 10,000 characters."),
        (a_raw_node(position=[1, 2]), "“position” of node “a” must be an object with the numbers x and y."),
        (a_raw_node(position={"x": 1}), "“position” of node “a” must be an object with the numbers x and y."),
        (
            a_raw_node(position={"x": 1, "y": True}),
            "“position” of node “a” must be an object with the numbers x and y.",
        ),
        (
            a_raw_node(position={"x": 10**400, "y": 0}),
            "“position” of node “a” must be an object with the numbers x and y.",
        ),
        (
            a_raw_node(position={"x": float("inf"), "y": 0}),
            "“position” of node “a” must be an object with the numbers x and y.",
        ),
        (
            a_raw_node(position={"x": float("nan"), "y": 0}),
            "“position” of node “a” must be an object with the numbers x and y.",
        ),
    ],
)
def test_a_node_with_one_wrong_value_is_kept_without_it(raw, sentence):
    definition, problems = parse(nodes=[raw])
    assert definition is not None
    node = definition.nodes[0]
    assert (node.id, node.kind, node.config, node.disabled, node.notes) == ("a", "Parallel", {}, False, "")
    assert node.label in {"A", "Parallel"}
    assert (node.x, node.y) in {(1, 2), (0, 0)}
    assert only(problems).message == sentence
    assert (only(problems).node_id, only(problems).blocks) == ("a", "save")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (None, "Edge 2 must be an object, not null."),
        (a_raw_edge(id=...), "Edge 2 needs an “id”: text of 1 to 200 characters."),
        (a_raw_edge(source=...), "Edge “e” needs “source” and “target”: the ids of two nodes."),
        (a_raw_edge(target=""), "Edge “e” needs “source” and “target”: the ids of two nodes."),
        (a_raw_edge(target=3), "Edge “e” needs “source” and “target”: the ids of two nodes."),
    ],
)
def test_an_edge_that_cannot_be_read_is_left_out_with_a_sentence_that_names_it(raw, sentence):
    definition, problems = parse(edges=[a_raw_edge(id="first"), raw])
    assert definition is not None
    assert [edge.id for edge in definition.edges] == ["first"]
    assert only(problems).message == sentence
    assert only(problems).edge_id == ("e" if "“e”" in sentence else "")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (a_raw_edge(weight=5), "Edge “e” has the unknown key “weight”. Remove it."),
        (a_raw_edge(sourceHandle=5), "“sourceHandle” of edge “e” must be text of at most 200 characters."),
        (
            a_raw_edge(targetHandle="x" * 201),
            "“targetHandle” of edge “e” must be text of at most 200 characters.",
        ),
    ],
)
def test_an_edge_with_one_wrong_value_is_kept_without_it(raw, sentence):
    definition, problems = parse(edges=[raw])
    assert definition is not None
    edge = definition.edges[0]
    assert (edge.id, edge.source, edge.target, edge.source_handle, edge.target_handle) == (
        "e",
        "a",
        "b",
        "",
        "",
    )
    assert only(problems).message == sentence
    assert (only(problems).edge_id, only(problems).blocks) == ("e", "save")


def test_unknown_keys_of_the_definition_are_refused():
    _, problems = parse(colour=1, **{"x" * 1_000_000: 2})
    assert [problem.message for problem in problems] == [
        "The definition has the unknown key “colour”. Remove it.",
        f"The definition has the unknown key “{'x' * 59}…”. Remove it.",
    ]


def test_a_condition_of_old_becomes_a_case_and_a_default_branch():
    for key in ("expression", "condition"):
        definition, problems = parse(nodes=[with_data(nodeType="Condition", config={key: "data.total > 5"})])
        assert problems == []
        assert definition is not None
        assert definition.nodes[0].config == {
            "cases": [{"expression": "data.total > 5", "handle": "true"}],
            "defaultHandle": "false",
        }


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Condition", {"cases": [], "expression": "data.total > 5"}),
        ("Condition", {"expression": 5}),
        ("Condition", {"defaultHandle": "no"}),
        ("DataMapper", {"expression": "data.total > 5"}),
    ],
)
def test_every_other_config_stays_as_it_is(kind, config):
    definition, problems = parse(nodes=[with_data(nodeType=kind, config=config)])
    assert problems == []
    assert definition is not None
    assert definition.nodes[0].config == config


def test_of_two_old_conditions_none_is_dropped_in_silence():
    config = {"condition": "data.b", "expression": "data.a", "defaultHandle": "no"}
    definition, _ = parse(nodes=[with_data(nodeType="Condition", config=config)])
    assert definition is not None
    assert definition.nodes[0].config == {
        "cases": [{"expression": "data.a", "handle": "true"}],
        "condition": "data.b",
        "defaultHandle": "no",
    }
