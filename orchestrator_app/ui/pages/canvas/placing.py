"""Where a node goes that the server adds: the same places that the canvas would choose. Knows no screen."""

import math
from collections.abc import Sequence
from typing import Any

from orchestrator_app.domain.definition import ERROR_HANDLE, OUT_HANDLE, Definition, Node
from orchestrator_app.domain.node_kinds import output_handles

# As in canvas/graph.js; a test compares.
GRID = 16
NODE_WIDTH = 256
HEADER_HEIGHT = 64
ROW_HEIGHT = 24
GAP_X = 80
GAP_Y = 32
_MOST_STEPS = 400
_ROWS_PADDING = 8

Place = tuple[float, float]
Operation = dict[str, Any]


def node_height(node: Node) -> int:
    """Height of a node's card: one with several outputs has a row for each."""
    rows = len(_normal_outputs(node))
    return HEADER_HEIGHT + rows * ROW_HEIGHT + _ROWS_PADDING if rows > 1 else HEADER_HEIGHT


def free_place(wanted: Place, nodes: Sequence[Node]) -> Place:
    """The nearest place at or around the wanted one where a new node covers no other: first below, then above."""
    x, top = _snapped(wanted[0]), _snapped(wanted[1])
    for step in range(_MOST_STEPS):
        for y in (top + step * GRID, top - step * GRID):
            if not any(_covers(x, y, node) for node in nodes):
                return x, y
    return x, top


def placed(definition: Definition, node: Node, *, selected_id: str) -> list[Operation]:
    """The edits that add a node: behind the selected one, joined to its free output, else at the end of the graph."""
    source = definition.node(selected_id)
    if source is None:
        return [_add(node, free_place(_end_of(definition), definition.nodes))]
    outputs = _normal_outputs(source)
    taken = {edge.source_handle or OUT_HANDLE for edge in definition.edges if edge.source == source.id}
    handle = next((output for output in outputs if output not in taken), "")
    row = outputs.index(handle) if handle else 0
    wanted = (source.x + NODE_WIDTH + GAP_X, source.y + row * (HEADER_HEIGHT + GAP_Y))
    added = _add(node, free_place(wanted, definition.nodes))
    return [added, _connect(source.id, handle, node.id)] if handle else [added]


def dropped(definition: Definition, node: Node, place: Place, *, edge_id: str = "") -> list[Operation]:
    """The edits that add a node exactly where it was dropped; on an edge, it goes between the two nodes."""
    edge = next((edge for edge in definition.edges if edge.id == edge_id), None)
    if edge is None:
        return [_add(node, place)]
    onward = _normal_outputs(node)
    return [
        _add(node, place),
        {"op": "disconnect", "id": edge.id},
        _connect(edge.source, edge.source_handle, node.id),
        *([_connect(node.id, onward[0], edge.target)] if onward else []),
    ]


def _normal_outputs(node: Node) -> list[str]:
    return [handle for handle in output_handles(node) if handle != ERROR_HANDLE]


def _end_of(definition: Definition) -> Place:
    """Behind the last node, so that a graph grows in the direction in which it is read."""
    if not definition.nodes:
        return 0.0, 0.0
    last = max(definition.nodes, key=lambda node: (node.x, -node.y))
    return last.x + NODE_WIDTH + GAP_X, last.y


def _snapped(value: float) -> float:
    return float(math.floor(value / GRID + 0.5) * GRID)


def _covers(x: float, y: float, other: Node) -> bool:
    room = GAP_Y / 2
    return (
        x < other.x + NODE_WIDTH + room
        and other.x < x + NODE_WIDTH + room
        and y < other.y + node_height(other) + room
        and other.y < y + HEADER_HEIGHT + room
    )


def _add(node: Node, place: Place) -> Operation:
    # The node itself stands among the copies when this is carried out, so that it brings its settings.
    return {
        "op": "add",
        "id": node.id,
        "kind": node.kind,
        "label": node.label,
        "x": place[0],
        "y": place[1],
        "copyOf": node.id,
    }


def _connect(source: str, handle: str, target: str) -> Operation:
    return {
        "op": "connect",
        "id": f"e-{source}-{handle}-{target}",
        "source": source,
        "target": target,
        "sourceHandle": handle,
        "targetHandle": "",
    }
