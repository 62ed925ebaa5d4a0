"""The workflows that nodes call: which they are, what they ask for, and what changed in them, as the editor shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.domain.node_kinds import BUILT_IN_CONNECTION, LOCAL_FLOW, REMOTE_WEBHOOK, provider_of
from orchestrator_app.providers.remote_workflow import FormField, WorkflowPreview
from orchestrator_app.services.workflow_nodes import QUESTION
from orchestrator_app.services.workflow_views import StepState, WorkflowChange, WorkflowMark
from orchestrator_app.ui.workflows.shapes import drawn_graph

PLATFORM_TITLES = {
    "custom": "Any web address",
    "n8n": "n8n",
    "make": "Make",
    "zapier": "Zapier",
    "flowise": "Flowise",
    "simulated": "Simulated",
}


class CalledWorkflow(NamedTuple):
    """The workflow that a node calls. It is a tuple, which Reflex keeps as it is."""

    provider: str
    connection_id: str
    workflow_id: str


@dataclass(frozen=True)
class ChangeShape:
    """What changed in a workflow. ``was`` and ``now`` are graphs for ``workflow_graph``; empty when not known."""

    sentences: list[str] = field(default_factory=list[str])
    was: dict[str, Any] = field(default_factory=dict[str, Any])
    now: dict[str, Any] = field(default_factory=dict[str, Any])
    has_was: bool = False
    has_now: bool = False
    can_be_taken_over: bool = False


def called_workflow(node: Node | None) -> CalledWorkflow | None:
    """The workflow that a node calls, if it names one that can be looked at."""
    if node is None or node.kind not in {REMOTE_WEBHOOK.name, LOCAL_FLOW.name}:
        return None
    provider = provider_of(node)
    is_built_in = provider == BUILT_IN_CONNECTION
    connection_id = "" if is_built_in else _text(node.config.get("connectionId"))
    workflow_id = _text(node.config.get("flowId" if node.kind == LOCAL_FLOW.name else "workflowId"))
    if not workflow_id or not (connection_id or is_built_in):
        return None
    return CalledWorkflow(provider, connection_id, workflow_id)


def calls_text(definition: Definition) -> str:
    """Differs whenever nodes call other workflows, or know another content of them."""
    calls = [
        (node.id, called, _text(node.config.get("workflowHash")))
        for node in definition.nodes
        if (called := called_workflow(node)) is not None
    ]
    return f"{hash(tuple(calls)):x}" if calls else ""


def known_content(node: Node | None) -> str:
    """Digest of the content that a node knows of its workflow, or empty."""
    return _text(node.config.get("workflowHash")) if node is not None else ""


def asked_inputs(node: Node, form: Iterable[FormField]) -> tuple[FormField, ...]:
    """What the workflow asks for that goes into the node's inputs: the question of a flow has a field of its own."""
    own = {QUESTION} if node.kind == LOCAL_FLOW.name else set[str]()
    return tuple(item for item in form if item.path not in own)


def mark_shapes(marks: Mapping[str, WorkflowMark]) -> dict[str, dict[str, str]]:
    """Marks by node, as the canvas takes them."""
    return {node_id: {"state": mark.state, "message": mark.message} for node_id, mark in marks.items()}


def change_shape(change: WorkflowChange, since: str) -> ChangeShape:
    """What changed since the content that the node knows."""
    return ChangeShape(
        sentences=list(change.sentences),
        was=_compared(change.before, change.steps),
        now=_compared(change.after, change.steps),
        has_was=change.before is not None,
        has_now=change.after is not None,
        can_be_taken_over=change.content_hash not in {"", since},
    )


def _compared(preview: WorkflowPreview | None, steps: Mapping[str, StepState]) -> dict[str, Any]:
    if preview is None:
        return {}
    graph = drawn_graph(preview)
    return graph | {"nodes": [step | {"change": steps.get(step["id"], "same")} for step in graph["nodes"]]}


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
