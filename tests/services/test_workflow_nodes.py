from dataclasses import replace
from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.domain.parsing import MAX_LABEL_LENGTH
from orchestrator_app.domain.validation import validate
from orchestrator_app.providers.remote_workflow import FormField, WorkflowPreview
from orchestrator_app.services.workflow_nodes import POLLING_TIMEOUT_MS, node_from
from orchestrator_app.services.workflow_views import NewNode, PreviewView
from tests.services.platforms import FLOW, WS, Office, graph

FORM = (
    FormField("email", "E-mail", "email", required=True),
    FormField("your name.first", "First name", required=True),
    FormField("count", "Count", "number", default=3),
    FormField("active", "Active", "boolean", default=False),
    FormField("note", "Note", default="Say {{ hello }}"),
    FormField("empty", "Empty"),
    FormField("photo", "Photo", "file", required=True),
)


def made(
    provider: str, preview: WorkflowPreview, *, connection_id: str = "c1", is_polled_as_fallback: bool = False
) -> NewNode:
    view = PreviewView(connection_id, preview, 1)
    return node_from(provider, view, "w1", is_polled_as_fallback=is_polled_as_fallback)


def problems(node: NewNode) -> list[str]:
    definition = Definition((Node("n", node.kind, node.label, node.config),))
    return [problem.message for problem in validate(definition.as_json()).problems]


def test_a_node_runs_the_workflow_with_its_best_completion():
    node = made("n8n", graph(FLOW))
    assert node == NewNode(
        "RemoteWebhook",
        "Nightly orders",
        {
            "provider": "n8n",
            "connectionId": "c1",
            "workflowId": "w1",
            "completion": "response",
            "workflowHash": "h1",
        },
    )
    assert problems(node) == []


def test_a_node_calls_with_the_method_of_the_workflow():
    assert made("n8n", replace(graph(FLOW), method="get")).config["method"] == "GET"


@pytest.mark.parametrize(
    ("completion", "is_fallback", "timeout"),
    [
        ("poll", False, POLLING_TIMEOUT_MS),
        ("callback", True, POLLING_TIMEOUT_MS),
        ("callback", False, None),
        ("response", True, None),
    ],
)
def test_an_end_that_is_looked_for_has_time(completion: str, is_fallback: bool, timeout: int | None):  # noqa: FBT001
    node = made("n8n", replace(graph(FLOW), completion=completion), is_polled_as_fallback=is_fallback)
    assert node.config["completion"] == completion
    assert node.config.get("pollingTimeout") == timeout
    assert problems(node) == []


def test_a_node_fills_in_what_the_workflow_asks_for():
    node = made("n8n", replace(graph(FLOW), form=FORM))
    assert node.config["inputs"] == {
        "email": "{{ data.email }}",
        "your name.first": "{{ data.`your name`.first }}",
        "count": "{{ 3 }}",
        "active": "{{ false }}",
        "note": 'Say {{"{{"}} hello }}',
    }
    assert problems(node) == []


def test_a_flow_of_flowise_becomes_a_local_flow():
    form = (FormField("question", "Question", required=True), FormField("form.city", "City", required=True))
    node = made("flowise", replace(graph(FLOW), form=form))
    assert node == NewNode(
        "LocalFlow",
        "Nightly orders",
        {
            "flowId": "w1",
            "connectionId": "c1",
            "question": "{{ data.question }}",
            "inputs": {"form.city": "{{ data.form.city }}"},
            "workflowHash": "h1",
        },
    )
    assert problems(node) == []
    polled = made("flowise", replace(graph(FLOW), completion="poll")).config
    assert (polled["completion"], polled["pollingTimeout"]) == ("poll", POLLING_TIMEOUT_MS)


def test_a_workflow_that_needs_no_connection_becomes_a_node_without_one():
    node = made("simulated", graph(FLOW), connection_id="")
    assert node.config == {"provider": "simulated", "workflowId": "w1", "completion": "response"}
    assert problems(node) == []


@pytest.mark.parametrize(
    ("name", "label"),
    [(" A \n B ", "A B"), ("x" * 500, "x" * MAX_LABEL_LENGTH), ("  ", "Remote webhook")],
)
def test_a_node_is_called_like_its_workflow(name: str, label: str):
    assert made("n8n", graph(replace(FLOW, name=name))).label == label


async def test_a_node_made_from_the_catalog_remembers_what_the_workflow_was(office: Office):
    connection_id = await office.connect()
    office.memory.graphs["w1"] = replace(graph(FLOW), completion="callback")
    node = await office.catalog.node_for(WS, "memory", "w1")
    wanted: dict[str, Any] = {
        "provider": "memory",
        "connectionId": connection_id,
        "workflowId": "w1",
        "completion": "callback",
        "pollingTimeout": POLLING_TIMEOUT_MS,
        "workflowHash": "h1",
    }
    assert node.config == wanted
    office.memory.graphs["w1"] = graph(replace(FLOW, content_hash="h2"), "Start")
    await office.catalog.look(WS, "memory", "w1", fresh=True)
    change = await office.catalog.change_since(WS, "memory", "w1", "h1")
    assert change.before is not None
    assert [step.label for step in change.before.nodes] == ["Start", "Work"]
