"""From definitions, problems and runs to the shapes that the canvas draws."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from orchestrator_app.domain.definition import ERROR_HANDLE, OUT_HANDLE, Definition, Node, Problem
from orchestrator_app.domain.node_kinds import NODE_KINDS, output_handles, setting
from orchestrator_app.domain.runs import NodeState
from orchestrator_app.services.views import NodeStatus
from orchestrator_app.ui.canvas.events import (
    GraphShape,
    HandleShape,
    KindShape,
    NodePatch,
    NodeProblem,
    NodeShape,
)
from orchestrator_app.ui.canvas.events import NodeStatus as StatusShape

SUMMARY_LENGTH = 60


def handle_shapes(node: Node) -> list[HandleShape]:
    """The outputs of a node as drawn."""
    shapes: list[HandleShape] = []
    for handle in output_handles(node):
        label = {OUT_HANDLE: "Output", ERROR_HANDLE: "Error"}.get(handle, handle)
        shapes.append({"id": handle, "label": label, "isError": handle == ERROR_HANDLE})
    return shapes


def summary_of(node: Node) -> str:
    """One line of a node's config for its card."""
    match node.kind:
        case "RemoteWebhook":
            where = str(node.config.get("url") or node.config.get("workflowId") or "")
            text = f"{setting(node, 'method')} {where}" if node.config.get("url") else where
        case "LocalFlow":
            text = str(node.config.get("flowId") or "")
        case "DataMapper":
            mappings = node.config.get("mappings")
            count = len(mappings) if isinstance(mappings, list) else 0
            text = f"{count} mapping{'' if count == 1 else 's'}" if count else ""
        case "WaitForCallback":
            text = f"at most {duration_text(setting(node, 'timeout'))}"
        case "Condition":
            cases = node.config.get("cases")
            first = cases[0] if isinstance(cases, list) and cases else None
            text = str(first.get("expression", "")) if isinstance(first, dict) else ""
        case _:
            text = ""
    return text if len(text) <= SUMMARY_LENGTH else f"{text[: SUMMARY_LENGTH - 1]}…"


def duration_text(milliseconds: object) -> str:
    """A length of time in the largest unit that keeps it readable: ``1.5 s``, ``2 min``, ``1 h``."""
    value = float(milliseconds) if isinstance(milliseconds, int | float) else 0.0
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")):
        if value >= size:
            return f"{value / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{value:.0f} ms"


def node_shape(node: Node) -> NodeShape:
    """A node as drawn."""
    return {
        "id": node.id,
        "kind": node.kind,
        "label": node.label,
        "summary": summary_of(node),
        "x": node.x,
        "y": node.y,
        "disabled": node.disabled,
        "handles": handle_shapes(node),
    }


def node_patch(node: Node) -> NodePatch:
    """What the settings of a node can change on its card."""
    return {
        "label": node.label,
        "summary": summary_of(node),
        "disabled": node.disabled,
        "handles": handle_shapes(node),
    }


def graph_shape(definition: Definition, revision: int | str, *, fit: bool) -> GraphShape:
    """The whole graph for the canvas."""
    return {
        "rev": revision,
        "fit": fit,
        "nodes": [node_shape(node) for node in definition.nodes],
        "edges": [
            {
                "id": edge.id,
                "source": edge.source,
                "target": edge.target,
                "sourceHandle": edge.source_handle,
                "targetHandle": edge.target_handle,
            }
            for edge in definition.edges
        ],
    }


def kind_shapes() -> list[KindShape]:
    """The palette."""
    return [
        {
            "name": kind.name,
            "title": kind.title,
            "summary": kind.summary,
            "icon": kind.icon,
            "color": kind.color,
            "handles": handle_shapes(Node("new", kind.name, kind.title)),
        }
        for kind in NODE_KINDS.values()
    ]


def problem_shapes(definition: Definition, problems: Sequence[Problem]) -> dict[str, list[NodeProblem]]:
    """Problems by the node that shows them; one of an edge is shown on the node where the edge starts."""
    starts = {edge.id: edge.source for edge in definition.edges}
    shapes: dict[str, list[NodeProblem]] = defaultdict(list)
    for problem in problems:
        node_id = problem.node_id or starts.get(problem.edge_id, "")
        if node_id:
            shapes[node_id].append({"message": problem.message, "blocks": problem.blocks})
    return dict(shapes)


def status_shapes(statuses: Sequence[NodeStatus]) -> dict[str, StatusShape]:
    """States of a run's nodes by node."""
    shapes: dict[str, StatusShape] = {}
    for status in statuses:
        has_worked = status.state not in {NodeState.SKIPPED, NodeState.PENDING}
        is_over = has_worked and status.started_date is not None and status.ended_date is not None
        shapes[status.node_id] = {
            "state": status.state,
            "startedAt": (status.started_date or None) if has_worked else None,
            "durationMs": (status.ended_date or 0) - (status.started_date or 0) if is_over else None,
            "attempt": status.attempt,
            "note": status.message or _waiting_note(status),
        }
    return shapes


def _waiting_note(status: NodeStatus) -> str:
    notes = {
        "callback": "Waits for a callback",
        "poll": "Polls for the result",
        "retry": "Waits before it tries again",
    }
    note = notes.get(status.wait_reason or "", "")
    if note and status.waits_since is not None:
        note += f" since {datetime.fromtimestamp(status.waits_since / 1000, UTC):%H:%M:%S} UTC"
    return f"{note}. {status.says}" if note and status.says else note
