"""Reading a flow as Flowise's API gives it: the row in a list, and its graph."""

from collections.abc import Mapping
from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.providers.flowise_api import inner_json
from orchestrator_app.providers.json_reading import (
    list_at,
    number_at,
    object_at,
    objects_at,
    text_at,
    time_at,
)
from orchestrator_app.providers.remote_workflow import PreviewEdge, PreviewNode, RemoteWorkflow, content_hash

START = "startAgentflow"
AGENTFLOW_NODE = "agentFlow"
SCHEDULED = "scheduleInput"

_STARTS = frozenset({START, "seqStart"})
_STICKY_NOTES = frozenset({"stickyNote", "stickyNoteAgentflow"})
_EDITORS = {"AGENTFLOW": "v2/agentcanvas", "MULTIAGENT": "agentcanvas", "CHATFLOW": "canvas"}
_ASSISTANTS = "assistants/custom"
# What a step shows or offers, as against what it is set to.
_LOOKS = frozenset(
    {"inputParams", "inputAnchors", "outputAnchors", "selected", "status", "color", "icon", "description", "filePath",
     "hint", "warning", "documentation", "badge", "author", "tags", "loadMethods"}
)  # fmt: skip
_SCHEDULED_NOTE = "Is started by its schedule only: Flowise does not let anybody call it."
_MOST_NESTED = 8
_LABEL_LENGTH = 40


def read_flow(raw: JsonObject, base: str) -> RemoteWorkflow:
    """A flow as it stands in lists. Flowise has no switch to turn one off: what is saved can be called."""
    flow_id = text_at(raw, "id")
    kind = text_at(raw, "type").upper()
    graph = graph_of(raw)
    is_scheduled = text_at(start_inputs(graph), "startInputType") == SCHEDULED
    editor = f"{_EDITORS.get(kind, 'canvas')}/{quote(flow_id, safe='')}"
    return RemoteWorkflow(
        id=flow_id,
        name=text_at(raw, "name") or flow_id,
        is_active=not is_scheduled,
        updated_at=time_at(raw, "updatedDate"),
        tags=tuple(tag.strip() for tag in text_at(raw, "category").split(";") if tag.strip()),
        link=f"{base}/{_ASSISTANTS if kind == 'ASSISTANT' else editor}",
        kind=kind.lower(),
        note=_SCHEDULED_NOTE if is_scheduled else "",
        content_hash=_hash_of(graph) if graph else "",
    )


def graph_of(raw: JsonObject) -> JsonObject:
    """The graph of a flow, which Flowise gives as JSON within a text; an empty one when it cannot be read."""
    return object_at(inner_json(raw.get("flowData")))


def start_inputs(graph: JsonObject) -> JsonObject:
    """What the start step of an agentflow is set to; empty for the other kinds."""
    start = next((node for node in steps_of(graph) if text_at(node, "data", "name") == START), None)
    return object_at(start, "data", "inputs")


def has_step(graph: JsonObject, name: str) -> bool:
    """Whether the flow has a step of this kind."""
    return any(text_at(node, "data", "name") == name for node in steps_of(graph))


def is_agentflow(graph: JsonObject) -> bool:
    """Whether it is an agentflow of version 2: only these have executions."""
    return has_step(graph, START)


def steps_of(graph: JsonObject) -> list[JsonObject]:
    """The steps, without sticky notes."""
    return [
        node
        for node in objects_at(graph, "nodes")
        if text_at(node, "type") not in _STICKY_NOTES and text_at(node, "data", "name") not in _STICKY_NOTES
    ]


def preview_nodes(graph: JsonObject) -> tuple[PreviewNode, ...]:
    """The steps as cards."""
    steps = {text_at(node, "id"): node for node in steps_of(graph)}
    found: list[PreviewNode] = []
    for name, node in steps.items():
        x, y = _place(node, steps)
        kind = text_at(node, "data", "name")
        found.append(
            PreviewNode(
                id=name,
                label=text_at(node, "data", "label") or name,
                kind=kind,
                x=x,
                y=y,
                is_trigger=kind in _STARTS,
                digest=content_hash(_settings(node)),
            )
        )
    return tuple(found)


def preview_edges(graph: JsonObject) -> tuple[PreviewEdge, ...]:
    """The ways between the steps, and from a step that repeats others to the first of those."""
    steps = {text_at(node, "id"): node for node in steps_of(graph)}
    edges: list[PreviewEdge] = []
    entered: set[str] = set()
    for edge in objects_at(graph, "edges"):
        source, target = text_at(edge, "source"), text_at(edge, "target")
        if source in steps and target in steps:
            edges.append(_edge(edge, steps[source], source, target))
            if text_at(steps[source], "parentNode") == text_at(steps[target], "parentNode"):
                entered.add(target)
    for name, node in steps.items():
        parent = text_at(node, "parentNode")
        if parent in steps and name not in entered:
            edges.append(PreviewEdge(parent, name, "each item"))
    return tuple(edges)


def _edge(edge: JsonObject, source: JsonObject, source_id: str, target_id: str) -> PreviewEdge:
    if text_at(source, "type") == AGENTFLOW_NODE or text_at(edge, "type") == AGENTFLOW_NODE:
        return PreviewEdge(source_id, target_id, _output_label(edge, object_at(source, "data")))
    # The target handle of a component is “<id>-input-<name>-<type>”.
    name = text_at(edge, "targetHandle").rpartition("-input-")[2].partition("-")[0]
    is_way = not name or name.startswith("sequential")
    return PreviewEdge(source_id, target_id, "" if is_way else name, "main" if is_way else "tool")


def _output_label(edge: JsonObject, source: JsonObject) -> str:
    """What a way out means, where that is more than “next”."""
    kind = text_at(source, "name")
    number = text_at(edge, "sourceHandle").rpartition("-")[2]
    index = int(number) if number.isdecimal() else 0
    if kind == "humanInputAgentflow":
        return "reject" if index else "proceed"
    if kind == "conditionAgentflow":
        count = len(list_at(source, "inputs", "conditions"))
        return "else" if index >= count else f"case {index + 1}"
    if kind == "conditionAgentAgentflow":
        scenarios = objects_at(source, "inputs", "conditionAgentScenarios")
        words = text_at(scenarios[index], "scenario") if index < len(scenarios) else ""
        words = words or f"scenario {index + 1}"
        return words if len(words) <= _LABEL_LENGTH else f"{words[: _LABEL_LENGTH - 1]}…"
    return text_at(edge, "data", "edgeLabel")


def _place(node: JsonObject, steps: Mapping[str, JsonObject]) -> tuple[float, float]:
    """A step within another one is placed relative to that one."""
    x, y = number_at(node, "position", "x"), number_at(node, "position", "y")
    for _ in range(_MOST_NESTED):
        parent = steps.get(text_at(node, "parentNode"))
        if parent is None:
            break
        node = parent
        x, y = x + number_at(node, "position", "x"), y + number_at(node, "position", "y")
    return x, y


def _settings(node: JsonObject) -> JsonObject:
    """What a step is and is set to, whatever its place."""
    data: JsonObject = {name: value for name, value in object_at(node, "data").items() if name not in _LOOKS}
    return {"type": text_at(node, "type"), "parent": text_at(node, "parentNode"), "data": data}


def _hash_of(graph: JsonObject) -> str:
    steps: JsonObject = {text_at(node, "id"): _settings(node) for node in steps_of(graph)}
    names = ("source", "target", "sourceHandle", "targetHandle")
    edges = sorted(
        "\n".join(text_at(edge, name) for name in names)
        for edge in objects_at(graph, "edges")
        if text_at(edge, "source") in steps and text_at(edge, "target") in steps
    )
    return content_hash({"steps": steps, "edges": list[JsonValue](edges)})
