"""Edits of a graph as small operations, applied by pure functions: what the canvas sends, checked again here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator_app.domain.definition import MAX_EDGES, MAX_NODES, Definition, Edge, Node
from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.domain.parsing import MAX_ID_LENGTH, MAX_LABEL_LENGTH
from orchestrator_app.domain.planning import find_cycle
from orchestrator_app.errors import InvalidInput

MAX_OPS = 2_000
FARTHEST = 1e7
_NEW_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def apply_operations(
    definition: Definition,
    operations: Sequence[Mapping[str, Any]],
    copies: Mapping[str, Node] | None = None,
) -> Definition:
    """The definition after all operations, in their order.

    Args:
        definition: The graph before; it is not changed.
        operations: Each has ``op``: ``add`` (id, kind, label, x, y, and ``copyOf`` for the config of another node),
            ``move`` (id, x, y), ``remove`` (id), ``connect`` (id, source, target, sourceHandle, targetHandle),
            ``disconnect`` (id), ``disable`` (id, disabled).
        copies: Nodes copied earlier, by their id then; ``copyOf`` looks here before it looks into the graph.

    Raises:
        InvalidInput: An operation does not fit the graph; nothing is applied.
    """
    if len(operations) > MAX_OPS:
        raise InvalidInput(f"At most {MAX_OPS} changes can be made at once.")
    nodes = {node.id: node for node in definition.nodes}
    edges = {edge.id: edge for edge in definition.edges}
    must_check_cycle = False
    for operation in operations:
        match operation.get("op"):
            case "add":
                _add(nodes, operation, copies or {})
            case "move":
                node = _node(nodes, operation)
                nodes[node.id] = replace(node, x=_number(operation, "x"), y=_number(operation, "y"))
            case "disable":
                node = _node(nodes, operation)
                nodes[node.id] = replace(node, disabled=operation.get("disabled") is True)
            case "remove":
                node = _node(nodes, operation)
                del nodes[node.id]
                edges = {
                    key: edge for key, edge in edges.items() if node.id not in {edge.source, edge.target}
                }
            case "connect":
                _connect(nodes, edges, operation)
                must_check_cycle = True
            case "disconnect":
                # A removed node takes its edges along, so an edge may be gone already.
                edges.pop(_text(operation, "id"), None)
            case other:
                raise InvalidInput(f"There is no change called {other!r:.40}.")
    edited = Definition(tuple(nodes.values()), tuple(edges.values()))
    if must_check_cycle and find_cycle(edited):
        raise InvalidInput(
            "This arrow would lead back to where it came from.",
            hint="An orchestrator may not run in a circle.",
        )
    return edited


def with_node(definition: Definition, changed: Node) -> Definition:
    """The definition with one node replaced by that of the same id."""
    return replace(
        definition, nodes=tuple(changed if node.id == changed.id else node for node in definition.nodes)
    )


def unique_label(definition: Definition, wanted: str) -> str:
    """The label, with a number behind it when another node has it already; never longer than a label may be."""
    taken = {node.label for node in definition.nodes}
    label, number = wanted, 2
    while label in taken:
        end = f" {number}"
        label, number = wanted[: MAX_LABEL_LENGTH - len(end)] + end, number + 1
    return label


def _add(nodes: dict[str, Node], operation: Mapping[str, Any], copies: Mapping[str, Node]) -> None:
    node_id, kind = _text(operation, "id"), _text(operation, "kind")
    if not _NEW_ID.fullmatch(node_id):
        raise InvalidInput("The id of a new node may only have letters, digits, - and _.")
    if node_id in nodes:
        raise InvalidInput(f"There is a node “{node_id}” already.")
    if kind not in NODE_KINDS:
        raise InvalidInput(f"There is no node kind “{kind[:60]}”.")
    if len(nodes) >= MAX_NODES:
        raise InvalidInput(f"An orchestrator may have at most {MAX_NODES} nodes.")
    copied = str(operation.get("copyOf") or "")
    source = copies.get(copied) or nodes.get(copied)
    config: JsonObject = dict(source.config) if source is not None and source.kind == kind else {}
    wanted = operation.get("label")
    label = wanted.strip()[:MAX_LABEL_LENGTH].strip() if isinstance(wanted, str) else ""
    label = unique_label(Definition(tuple(nodes.values())), label or NODE_KINDS[kind].title)
    nodes[node_id] = Node(
        node_id,
        kind,
        label,
        config,
        _number(operation, "x"),
        _number(operation, "y"),
        disabled=source.disabled if source is not None else False,
        notes=source.notes if source is not None else "",
    )


def _connect(nodes: dict[str, Node], edges: dict[str, Edge], operation: Mapping[str, Any]) -> None:
    edge = Edge(
        id=_text(operation, "id"),
        source=_text(operation, "source"),
        target=_text(operation, "target"),
        source_handle=_handle(operation, "sourceHandle"),
        target_handle=_handle(operation, "targetHandle"),
    )
    if edge.source not in nodes or edge.target not in nodes:
        raise InvalidInput("The arrow leads from or to a node that is gone.")
    if edge.id in edges:
        raise InvalidInput("These two are connected already.")
    if len(edges) >= MAX_EDGES:
        raise InvalidInput(f"An orchestrator may have at most {MAX_EDGES} arrows.")
    edges[edge.id] = edge


def _node(nodes: dict[str, Node], operation: Mapping[str, Any]) -> Node:
    node = nodes.get(_text(operation, "id"))
    if node is None:
        raise InvalidInput("This node is gone: somebody or an undo removed it.")
    return node


def _text(operation: Mapping[str, Any], key: str) -> str:
    value = operation.get(key)
    if not isinstance(value, str) or not value or len(value) > MAX_ID_LENGTH:
        raise InvalidInput(f"The change needs “{key}”: text of at most {MAX_ID_LENGTH} characters.")
    return value


def _handle(operation: Mapping[str, Any], key: str) -> str:
    return _text(operation, key) if operation.get(key) else ""


def _number(operation: Mapping[str, Any], key: str) -> float:
    value = operation.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < FARTHEST:
        raise InvalidInput(f"The change needs “{key}”: a number.")
    return value
