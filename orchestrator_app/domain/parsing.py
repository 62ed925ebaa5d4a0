"""From JSON of any origin to a definition: tells everything wrong with its shape, and forgives React Flow's extras."""

from collections.abc import Callable
from typing import Any, TypeGuard

from orchestrator_app.domain.definition import (
    DEFINITION_VERSION,
    MAX_EDGES,
    MAX_NODES,
    Definition,
    Edge,
    Node,
    Problem,
)
from orchestrator_app.domain.json_values import a_type, is_list, is_object, quoted
from orchestrator_app.domain.node_kinds import CONDITION, NODE_KINDS

MAX_ID_LENGTH = 200
MAX_LABEL_LENGTH = 200
MAX_NOTES_LENGTH = 10_000
MAX_COORDINATE = 1_000_000_000

# What React Flow and the original editor leave in a saved graph; it says where things are drawn, not what they do.
_DRAWING_KEYS = {
    "definition": {"viewport", "name", "description"},
    "node": {
        "width", "height", "selected", "dragging", "positionAbsolute", "style", "className", "sourcePosition",
        "targetPosition", "measured", "zIndex", "hidden", "draggable", "selectable", "deletable", "connectable",
        "resizing", "initialWidth", "initialHeight", "handles", "ariaLabel", "parentId", "parentNode", "extent",
        "expandParent", "dragHandle", "origin", "focusable", "isParent", "z", "ariaRole", "domAttributes", "internals",
    },
    "data": {"status", "selected", "icon", "color", "description", "id", "error", "executionState"},
    "edge": {
        "type", "animated", "label", "data", "markerEnd", "markerStart", "style", "selected", "className", "zIndex",
        "hidden", "labelStyle", "labelShowBg", "labelBgStyle", "labelBgPadding", "labelBgBorderRadius", "deletable",
        "selectable", "focusable", "interactionWidth", "pathOptions", "reconnectable", "updatable", "ariaLabel",
        "ariaRole", "domAttributes", "sourceNode", "targetNode",
    },
}  # fmt: skip
_OWN_KEYS = {
    "definition": {"version", "nodes", "edges"},
    "node": {"id", "type", "position", "data"},
    "data": {"label", "nodeType", "config", "disabled", "notes"},
    "edge": {"id", "source", "target", "sourceHandle", "targetHandle"},
}

Report = Callable[[str, str], None]


def _is_number(value: object) -> TypeGuard[int | float]:
    # The bound also refuses infinity, what is no number, and whole numbers too large for a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_COORDINATE


def _unknown_keys(raw: dict[str, Any], level: str, where: str, report: Report) -> None:
    for key in raw:
        if key not in _OWN_KEYS[level] and key not in _DRAWING_KEYS[level]:
            report("unknown_key", f"{where} has the unknown key {quoted(key)}. Remove it.")


def parse_definition(raw: object) -> tuple[Definition | None, list[Problem]]:
    """Read a definition.

    Args:
        raw: Parsed JSON: ``{"version": 1, "nodes": [...], "edges": [...]}``; a missing version means 1.

    Returns:
        The definition, or None when nothing of it can be used, and all problems of shape; each blocks saving.
    """
    problems: list[Problem] = []

    def report(code: str, message: str) -> None:
        problems.append(Problem(code, message, blocks="save"))

    if not is_object(raw):
        report("wrong_type", f"The definition must be an object with nodes and edges, not {a_type(raw)}.")
        return None, problems
    _unknown_keys(raw, "definition", "The definition", report)
    version = raw.get("version", DEFINITION_VERSION)
    if isinstance(version, bool) or version != DEFINITION_VERSION:
        report("unknown_version", f"“version” must be {DEFINITION_VERSION}: other versions cannot be read.")
    lists = [
        _parse_list(raw, key, most, report) for key, most in (("nodes", MAX_NODES), ("edges", MAX_EDGES))
    ]
    if lists[0] is None or lists[1] is None:
        return None, problems
    nodes = [node for i, item in enumerate(lists[0]) if (node := _parse_node(item, i, problems)) is not None]
    edges = [edge for i, item in enumerate(lists[1]) if (edge := _parse_edge(item, i, problems)) is not None]
    return Definition(tuple(nodes), tuple(edges)), problems


def _parse_list(raw: dict[str, Any], key: str, most: int, report: Report) -> list[object] | None:
    items = raw.get(key)
    if items is None and key == "edges":
        return []
    if items is None:
        report("wrong_type", f"The definition has no “{key}”. It must hold a list of {key}.")
        return None
    if not is_list(items):
        report("wrong_type", f"“{key}” must be a list, not {a_type(items)}.")
        return None
    if len(items) > most:
        report(
            "too_many",
            f"There are {len(items):,} {key}; at most {most:,} are allowed. Remove some, or split it.",
        )
        return None
    return items


def _parse_id(raw: dict[str, Any], where: str, report: Report) -> str:
    value = raw.get("id")
    if not isinstance(value, str) or not value or len(value) > MAX_ID_LENGTH:
        report("bad_id", f"{where} needs an “id”: text of 1 to {MAX_ID_LENGTH} characters.")
        return ""
    return value


def _parse_node(raw: object, index: int, problems: list[Problem]) -> Node | None:
    node_id = ""

    def report(code: str, message: str) -> None:
        problems.append(Problem(code, message, node_id=node_id, blocks="save"))

    if not is_object(raw):
        report("wrong_type", f"Node {index + 1} must be an object, not {a_type(raw)}.")
        return None
    node_id = _parse_id(raw, f"Node {index + 1}", report)
    if not node_id:
        return None
    name = quoted(node_id)
    _unknown_keys(raw, "node", f"Node {name}", report)
    data = raw.get("data")
    if not is_object(data):
        report("wrong_type", f"Node {name} needs “data”: an object with label, nodeType and config.")
        return None
    _unknown_keys(data, "data", f"“data” of node {name}", report)
    kind = data.get("nodeType")
    if not isinstance(kind, str) or kind not in NODE_KINDS:
        what = (
            f"is of the unknown kind {quoted(kind)}"
            if isinstance(kind, str)
            else "needs a kind as “nodeType”"
        )
        report("unknown_kind", f"Node {name} {what}. Known kinds: {', '.join(NODE_KINDS)}.")
        return None
    x, y = _parse_position(raw.get("position"), name, report)
    label, config = _parse_label(data, kind, name, report), _parse_config(data, kind, name, report)
    disabled, notes = data.get("disabled"), data.get("notes")
    if disabled is not None and not isinstance(disabled, bool):
        report("wrong_type", f"“disabled” of node {name} must be true or false, not {a_type(disabled)}.")
        disabled = False
    if notes is not None and (not isinstance(notes, str) or len(notes) > MAX_NOTES_LENGTH):
        report(
            "wrong_type", f"“notes” of node {name} must be text of at most {MAX_NOTES_LENGTH:,} characters."
        )
        notes = ""
    return Node(node_id, kind, label, config, x, y, disabled or False, notes or "")


def _parse_label(data: dict[str, Any], kind: str, name: str, report: Report) -> str:
    label = data.get("label")
    if label is None:
        return kind
    if not isinstance(label, str) or not label.strip() or len(label) > MAX_LABEL_LENGTH:
        report("bad_label", f"Node {name} needs a label: text of 1 to {MAX_LABEL_LENGTH} characters.")
        return kind
    return label.strip()


def _parse_config(data: dict[str, Any], kind: str, name: str, report: Report) -> dict[str, Any]:
    config = data.get("config")
    if config is None:
        return {}
    if not is_object(config):
        report("wrong_type", f"“config” of node {name} must be an object, not {a_type(config)}.")
        return {}
    return _modern_config(kind, config)


def _parse_position(raw: object, name: str, report: Report) -> tuple[float, float]:
    if raw is None:
        return 0.0, 0.0
    if is_object(raw):
        x, y = raw.get("x"), raw.get("y")
        if _is_number(x) and _is_number(y):
            return x, y
    report("wrong_type", f"“position” of node {name} must be an object with the numbers x and y.")
    return 0.0, 0.0


def _modern_config(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """The config with an old single condition written as cases; everything else unchanged."""
    if kind != CONDITION.name or "cases" in config:
        return config
    for key in ("expression", "condition"):
        if isinstance(old := config.get(key), str):
            rest = {name: value for name, value in config.items() if name != key}
            return {"cases": [{"expression": old, "handle": "true"}], "defaultHandle": "false", **rest}
    return config


def _parse_edge(raw: object, index: int, problems: list[Problem]) -> Edge | None:
    edge_id = ""

    def report(code: str, message: str) -> None:
        problems.append(Problem(code, message, edge_id=edge_id, blocks="save"))

    if not is_object(raw):
        report("wrong_type", f"Edge {index + 1} must be an object, not {a_type(raw)}.")
        return None
    edge_id = _parse_id(raw, f"Edge {index + 1}", report)
    if not edge_id:
        return None
    name = quoted(edge_id)
    _unknown_keys(raw, "edge", f"Edge {name}", report)
    source, target = raw.get("source"), raw.get("target")
    if not isinstance(source, str) or not isinstance(target, str) or not source or not target:
        report("wrong_type", f"Edge {name} needs “source” and “target”: the ids of two nodes.")
        return None
    handles: list[str] = []
    for key in ("sourceHandle", "targetHandle"):
        handle = raw.get(key)
        if handle is not None and (not isinstance(handle, str) or len(handle) > MAX_ID_LENGTH):
            report(
                "wrong_type", f"“{key}” of edge {name} must be text of at most {MAX_ID_LENGTH} characters."
            )
            handle = None
        handles.append(handle or "")
    return Edge(edge_id, source, target, handles[0], handles[1])
