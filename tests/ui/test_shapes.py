"""What the canvas draws of definitions, problems and runs."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator_app.domain.definition import Edge, Problem
from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.services.views import AttemptView, NodeRunView, NodeStatus
from orchestrator_app.ui.canvas.shapes import (
    duration_text,
    graph_shape,
    handle_shapes,
    kind_shapes,
    node_patch,
    node_shape,
    problem_shapes,
    status_shapes,
    summary_of,
)
from orchestrator_app.ui.components.node_run_state import attempt_texts, failure_texts, pretty
from tests.builders import a_chain, a_definition, a_node


@pytest.mark.parametrize(
    ("kind", "config", "summary"),
    [
        ("RemoteWebhook", {"url": "http://x.y", "method": "GET"}, "GET http://x.y"),
        ("RemoteWebhook", {"workflowId": "w-1"}, "w-1"),
        ("RemoteWebhook", {}, ""),
        ("LocalFlow", {"flowId": "chat"}, "chat"),
        ("DataMapper", {"mappings": [{}]}, "1 mapping"),
        ("DataMapper", {"mappings": [{}, {}]}, "2 mappings"),
        ("DataMapper", {"mappings": "nonsense"}, ""),
        ("WaitForCallback", {"timeout": 90_000}, "at most 1.5 min"),
        ("Condition", {"cases": [{"expression": "data.a", "handle": "x"}]}, "data.a"),
        ("Condition", {"cases": ["nonsense"]}, ""),
        ("Condition", {}, ""),
        ("Parallel", {}, ""),
        ("LocalFlow", {"flowId": "x" * 100}, "x" * 59 + "…"),
    ],
)
def test_a_card_tells_the_most_important_setting(kind: str, config: dict[str, Any], summary: str):
    assert summary_of(a_node("a", kind, config)) == summary


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_500, "1.5 s"),
        (60_000, "1 min"),
        (3_600_000, "1 h"),
        (172_800_000, "2 d"),
        (None, "0 ms"),
    ],
)
def test_lengths_of_time_are_readable(milliseconds: object, text: str):
    assert duration_text(milliseconds) == text


def test_outputs_are_drawn_in_order_and_errors_last():
    node = a_node("a", "Condition", {"cases": [{"expression": "x", "handle": "yes"}], "defaultHandle": "no"})
    assert [(item["id"], item["isError"]) for item in handle_shapes(node)] == [
        ("yes", False),
        ("no", False),
        ("error", True),
    ]
    assert handle_shapes(a_node("a", "DataMapper"))[0] == {"id": "out", "label": "Output", "isError": False}


def test_every_kind_is_in_the_palette():
    assert [kind["name"] for kind in kind_shapes()] == list(NODE_KINDS)


def test_a_graph_is_drawn_with_all_it_has():
    graph = a_definition([a_node("a", disabled=True, x=5), a_node("b")], [Edge("e", "a", "b", "main", "in")])
    shape = graph_shape(graph, 7, fit=True)
    assert (shape["rev"], shape["fit"]) == (7, True)
    assert shape["nodes"][0] == node_shape(graph.nodes[0])
    # The canvas itself draws an edge of an imported name from the one output that there is.
    assert shape["edges"] == [
        {"id": "e", "source": "a", "target": "b", "sourceHandle": "main", "targetHandle": "in"}
    ]
    patch = node_patch(graph.nodes[0])
    assert patch.items() <= node_shape(graph.nodes[0]).items()


def test_a_problem_of_an_edge_is_shown_where_the_edge_starts():
    problems = [
        Problem("x", "of a node", node_id="b"),
        Problem("x", "of an edge", edge_id="a-b", blocks="save"),
        Problem("x", "of nothing"),
    ]
    assert problem_shapes(a_chain("a", "b"), problems) == {
        "b": [{"message": "of a node", "blocks": "run"}],
        "a": [{"message": "of an edge", "blocks": "save"}],
    }


def a_status(
    state: str, started: int | None, ended: int | None, reason: str | None = None, message: str = ""
):
    return NodeStatus("a", state, 1, started, ended, reason, message)


@pytest.mark.parametrize(
    ("status", "started", "duration", "note"),
    [
        (a_status("COMPLETED", 10, 25), 10, 15, ""),
        (a_status("RUNNING", 10, None), 10, None, ""),
        (a_status("SKIPPED", 10, 10), None, None, ""),
        (a_status("WAITING", 10, None, "callback"), 10, None, "Waits for a callback"),
        (a_status("WAITING", 10, None, "poll"), 10, None, "Polls for the result"),
        (a_status("WAITING", 10, None, "retry"), 10, None, "Waits before it tries again"),
        (a_status("FAILED", 10, 12, message="No."), 10, 2, "No."),
    ],
)
def test_how_a_node_is_doing(status: NodeStatus, started: int | None, duration: int | None, note: str):
    shape = status_shapes([status])["a"]
    assert (shape.get("startedAt"), shape.get("durationMs"), shape.get("note")) == (started, duration, note)


@pytest.mark.parametrize(
    ("says", "note"),
    [
        ("It waits for a person.", "Polls for the result since 22:13:20 UTC. It waits for a person."),
        ("", "Polls for the result since 22:13:20 UTC"),
    ],
)
def test_what_a_node_waits_for_outside_is_told_with_its_beginning(says: str, note: str):
    status = replace(a_status("WAITING", 10, None, "poll"), says=says, waits_since=1_700_000_000_000)
    assert status_shapes([status])["a"].get("note") == note


def test_attempts_are_told_newest_first_and_one_under_way_without_a_response():
    over = AttemptView(1, {"url": "x"}, {"status": 500}, 500, {"message": "No."}, 5, 10, 30)
    open_one = AttemptView(2, {"url": "x"}, None, None, None, None, 40, None)
    node = NodeRunView("a", "A", "RemoteWebhook", "RUNNING", attempts=(over, open_one))
    newest, oldest = attempt_texts(node)
    assert (newest["number"], newest["is_over"], newest["response"], newest["duration"]) == (
        "2",
        False,
        "",
        0,
    )
    assert (oldest["status"], oldest["message"], oldest["duration"]) == ("500", "No.", 20)


def test_failures_and_json_as_texts():
    assert failure_texts(NodeRunView("a", "A", "Parallel", "COMPLETED"))["message"] == ""
    assert pretty({"ä": [1]}) == '{\n  "ä": [\n    1\n  ]\n}'
    assert pretty("\udc00😀") == '"\\udc00😀"'
