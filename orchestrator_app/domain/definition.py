"""The definition of an orchestrator: nodes and edges in React Flow's shape, as immutable values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator_app.domain.json_values import JsonObject, quoted

DEFINITION_VERSION = 1
ERROR_HANDLE = "error"
OUT_HANDLE = "out"
MAX_NODES = 500
MAX_EDGES = 2_000

Blocks = Literal["save", "run", "nothing"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a definition, and where.

    Attributes:
        code: Stable name, for instance ``cycle`` or ``missing_value``.
        message: A sentence that says what is wrong and what to do. Where it is about the config of a node, it does not
            name the node, because it is shown at the node's own form.
        node_id: The node it is about, or empty.
        edge_id: The edge it is about, or empty.
        field: The config key (``headers.X-Key``, ``cases[1].expression``), or empty.
        blocks: ``save`` when the graph cannot be kept like this, ``run`` when it may be kept as a draft but not
            run, ``nothing`` for a mere warning.
        subject: Label of the node when ``message`` does not name it, or empty.
    """

    code: str
    message: str
    node_id: str = ""
    edge_id: str = ""
    field: str = ""
    blocks: Blocks = "run"
    subject: str = ""

    @property
    def sentence(self) -> str:
        """The message with the node's name, for places that do not show which node it is about."""
        return f"{quoted(self.subject)}: {self.message}" if self.subject else self.message

    def as_json(self) -> dict[str, str]:
        """The problem as it travels in the API, names in camelCase."""
        return {
            "code": self.code,
            "message": self.sentence,
            "nodeId": self.node_id,
            "edgeId": self.edge_id,
            "field": self.field,
            "blocks": self.blocks,
        }


@dataclass(frozen=True, slots=True)
class Node:
    """A step of the graph. ``config`` holds only what the user gave; defaults come from the node kind."""

    id: str
    kind: str
    label: str
    config: JsonObject = field(default_factory=dict[str, Any])
    x: float = 0.0
    y: float = 0.0
    disabled: bool = False
    notes: str = ""

    def as_json(self) -> dict[str, Any]:
        """The node in React Flow's shape."""
        data: dict[str, Any] = {"label": self.label, "nodeType": self.kind, "config": dict(self.config)}
        if self.disabled:
            data["disabled"] = True
        if self.notes:
            data["notes"] = self.notes
        return {
            "id": self.id,
            "type": "orchestratorNode",
            "position": {"x": self.x, "y": self.y},
            "data": data,
        }


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one node's handle to another node. An empty handle means the only, normal output."""

    id: str
    source: str
    target: str
    source_handle: str = ""
    target_handle: str = ""

    def as_json(self) -> dict[str, Any]:
        """The edge in React Flow's shape."""
        out: dict[str, Any] = {"id": self.id, "source": self.source, "target": self.target}
        if self.source_handle:
            out["sourceHandle"] = self.source_handle
        if self.target_handle:
            out["targetHandle"] = self.target_handle
        return out


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole graph, in the order in which it was given."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The definition as stored, exported and sent to the canvas."""
        return {
            "version": DEFINITION_VERSION,
            "nodes": [node.as_json() for node in self.nodes],
            "edges": [edge.as_json() for edge in self.edges],
        }

    def node(self, node_id: str) -> Node | None:
        """The node by that id, or None."""
        return next((node for node in self.nodes if node.id == node_id), None)


def from_stored(raw: Mapping[str, Any]) -> Definition:
    """Build a definition from JSON that ``as_json`` made and validation has passed before."""
    nodes = tuple(
        Node(
            id=item["id"],
            kind=item["data"]["nodeType"],
            label=item["data"]["label"],
            config=item["data"]["config"],
            x=item["position"]["x"],
            y=item["position"]["y"],
            disabled=item["data"].get("disabled", False),
            notes=item["data"].get("notes", ""),
        )
        for item in raw["nodes"]
    )
    edges = tuple(
        Edge(
            id=item["id"],
            source=item["source"],
            target=item["target"],
            source_handle=item.get("sourceHandle", ""),
            target_handle=item.get("targetHandle", ""),
        )
        for item in raw["edges"]
    )
    return Definition(nodes, edges)
