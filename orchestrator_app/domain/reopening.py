"""What becomes of the nodes of a failed run when somebody lets it go on: pure functions over a graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator_app.domain.definition import Node
from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.node_kinds import WAIT_FOR_CALLBACK
from orchestrator_app.domain.planning import Graph, Progress, edge_state
from orchestrator_app.domain.runs import NodeState

OUTCOME_UNKNOWN = "outcome_unknown"
DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class EndedNode:
    """How a node of a run that has ended stands; ``failure`` as in ``Failure.as_json``."""

    state: NodeState
    handles: tuple[str, ...] = ()
    failure: JsonObject = field(default_factory=dict[str, Any])


EndedNodes = Mapping[str, EndedNode]


def failed_nodes(graph: Graph, nodes: EndedNodes) -> tuple[str, ...]:
    """The nodes that failed the run: their failure leads into no branch."""
    return tuple(node_id for node_id in graph.topological if _has_failed_run(graph, nodes, node_id))


def undecided_nodes(graph: Graph, nodes: EndedNodes) -> tuple[str, ...]:
    """Of these the nodes whose call may or may not have had its effect, and about which nobody has decided yet."""
    return tuple(node_id for node_id in failed_nodes(graph, nodes) if is_undecided(nodes[node_id].failure))


def is_undecided(failure: JsonObject) -> bool:
    """Whether somebody has to decide what this failure means."""
    detail = failure.get("detail")
    return failure.get("code") == OUTCOME_UNKNOWN and not (isinstance(detail, dict) and DECIDED in detail)


def nodes_to_begin_anew(graph: Graph, nodes: EndedNodes) -> tuple[str, ...]:
    """The nodes without a result: those that failed the run, and what was skipped or cancelled, for whatever reason.

    What was skipped because its branch was not taken will be skipped again.
    """
    return tuple(
        node_id
        for node_id in graph.topological
        if node_id in nodes and not _has_result(graph, nodes, node_id)
    )


def kept_results(old: Graph, new: Graph, nodes: EndedNodes) -> tuple[str, ...]:
    """The nodes whose results also hold in a new run on another graph.

    That is so when the node does the same, is reached in the same way, and everything before it is kept as well. What
    comes before a wait for a callback that is still to come is done again: the address that it has handed out belongs
    to the earlier run.
    """
    progress = {node_id: Progress(node.state, node.handles) for node_id, node in nodes.items()}
    same: set[str] = set()
    kept: list[str] = []
    for node_id in new.topological:
        if node_id not in nodes or not _is_same(old, new, node_id):
            continue
        incoming = new.incoming[node_id]
        if any(edge.source not in same for edge in incoming):
            continue
        if _has_result(new, nodes, node_id):
            same.add(node_id)
            kept.append(node_id)
        elif nodes[node_id].state is NodeState.SKIPPED and _is_left_out(new, node_id, progress):
            same.add(node_id)
    lost: set[str] = set()
    for node_id, node in new.nodes.items():
        if node.kind == WAIT_FOR_CALLBACK.name and not node.disabled and node_id not in same:
            lost |= _before(new, node_id)
    # What comes after something that is done again is done again, too.
    lost |= {later for node_id in lost for later in new.descendants(node_id)}
    return tuple(node_id for node_id in kept if node_id not in lost)


def _has_failed_run(graph: Graph, nodes: EndedNodes, node_id: str) -> bool:
    node = nodes.get(node_id)
    return node is not None and node.state is NodeState.FAILED and not graph.handles_errors(node_id)


def _has_result(graph: Graph, nodes: EndedNodes, node_id: str) -> bool:
    """Whether the node has completed, or failed into a branch of its own."""
    state = nodes[node_id].state
    return state is NodeState.COMPLETED or (state is NodeState.FAILED and graph.handles_errors(node_id))


def _is_left_out(graph: Graph, node_id: str, progress: Mapping[str, Progress]) -> bool:
    """Whether the node's branch was not taken, so that it was not only skipped because the run had failed."""
    incoming = graph.incoming[node_id]
    return bool(incoming) and all(edge_state(graph, edge, progress) == "not_taken" for edge in incoming)


def _is_same(old: Graph, new: Graph, node_id: str) -> bool:
    before = old.nodes.get(node_id)
    return (
        before is not None
        and _work_of(before) == _work_of(new.nodes[node_id])
        and _ways_to(old, node_id) == _ways_to(new, node_id)
        and old.handles_errors(node_id) == new.handles_errors(node_id)
    )


def _work_of(node: Node) -> tuple[str, JsonObject, bool]:
    return node.kind, node.config, node.disabled


def _ways_to(graph: Graph, node_id: str) -> list[tuple[str, str]]:
    return [(edge.source, edge.source_handle) for edge in graph.incoming[node_id]]


def _before(graph: Graph, node_id: str) -> set[str]:
    """All nodes before a node."""
    seen: set[str] = set()
    frontier = [node_id]
    while frontier:
        frontier = [
            edge.source for later in frontier for edge in graph.incoming[later] if edge.source not in seen
        ]
        seen.update(frontier)
    return seen
