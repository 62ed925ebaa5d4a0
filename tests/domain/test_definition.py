import json

from hypothesis import given

from orchestrator_app.domain.definition import Definition, Edge, Node, Problem, from_stored
from tests.builders import a_chain, a_definition, a_node, an_edge, definitions, unhurried


@unhurried
@given(definitions())
def test_a_definition_survives_storage(definition):
    assert from_stored(json.loads(json.dumps(definition.as_json()))) == definition


def test_a_definition_travels_in_the_shape_of_react_flow():
    node = Node("a", "DataMapper", "Map", {"mode": "extend"}, 1.5, -2, disabled=True, notes="Why.")
    definition = a_definition([node, a_node("b")], [Edge("e", "a", "b", "error", "in"), Edge("f", "a", "b")])
    assert definition.as_json() == {
        "version": 1,
        "nodes": [
            {
                "id": "a",
                "type": "orchestratorNode",
                "position": {"x": 1.5, "y": -2},
                "data": {
                    "label": "Map",
                    "nodeType": "DataMapper",
                    "config": {"mode": "extend"},
                    "disabled": True,
                    "notes": "Why.",
                },
            },
            {
                "id": "b",
                "type": "orchestratorNode",
                "position": {"x": 0.0, "y": 0.0},
                "data": {"label": "b", "nodeType": "Parallel", "config": {}},
            },
        ],
        "edges": [
            {"id": "e", "source": "a", "target": "b", "sourceHandle": "error", "targetHandle": "in"},
            {"id": "f", "source": "a", "target": "b"},
        ],
    }


def test_changing_the_json_does_not_change_the_node():
    node = a_node("a", "RemoteWebhook", {"url": "https://example.org"})
    node.as_json()["data"]["config"]["url"] = "https://evil.example.org"
    assert node.config == {"url": "https://example.org"}


def test_a_node_is_found_by_its_id():
    chain = a_chain()
    assert chain.node("b") is chain.nodes[1]
    assert chain.node("B") is None


def test_an_empty_definition_is_stored_as_empty_lists():
    assert Definition().as_json() == {"version": 1, "nodes": [], "edges": []}


def test_a_problem_travels_with_all_its_places():
    problem = Problem("bad_url", "No address.", "a", an_edge().id, "url", "save")
    assert problem.as_json() == {
        "code": "bad_url",
        "message": "No address.",
        "nodeId": "a",
        "edgeId": "a-b",
        "field": "url",
        "blocks": "save",
    }


def test_a_sentence_that_stands_alone_names_the_node_it_is_about():
    problem = Problem("missing_value", "“Address” is missing.", "a", field="url", subject="Fetch order")
    assert problem.sentence == "“Fetch order”: “Address” is missing."
    assert problem.as_json()["message"] == problem.sentence
    assert problem.message == "“Address” is missing."
