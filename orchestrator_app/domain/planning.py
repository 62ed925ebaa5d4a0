"""Which nodes of a run may start, which are skipped, and when the run is over: pure functions over a graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator_app.domain.definition import ERROR_HANDLE, Definition, Edge, Node
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.node_kinds import CONDITION
from orchestrator_app.domain.runs import NodeState

EdgeState = Literal["open", "taken", "not_taken"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What planning must know about a node: its state and, once it has ended, the outputs taken and its output."""

    state: NodeState
    handles: tuple[str, ...] = ()
    output: JsonValue = None


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now.

    Attributes:
        ready: Nodes that may start, in breadth-first order.
        skipped: Nodes that no taken edge can reach any more, in the order in which they follow from each other.
        is_failing: Whether a node failed and nobody handles it: nothing new may start.
    """

    ready: tuple[str, ...]
    skipped: tuple[str, ...]
    is_failing: bool


class Graph:
    """A definition indexed for planning. The definition must be free of cycles and dangling edges."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.nodes: dict[str, Node] = {node.id: node for node in definition.nodes}
        self.incoming: dict[str, list[Edge]] = {node.id: [] for node in definition.nodes}
        self.outgoing: dict[str, list[Edge]] = {node.id: [] for node in definition.nodes}
        for edge in definition.edges:
            self.outgoing[edge.source].append(edge)
            self.incoming[edge.target].append(edge)
        self.order: tuple[str, ...] = _breadth_first(self)
        self.topological: tuple[str, ...] = _topological(self)

    @property
    def entries(self) -> tuple[str, ...]:
        """Nodes without an incoming edge, in the order of the definition."""
        return tuple(node_id for node_id in self.nodes if not self.incoming[node_id])

    def handles_errors(self, node_id: str) -> bool:
        """Whether the node's failure leads into a branch."""
        return any(edge.source_handle == ERROR_HANDLE for edge in self.outgoing[node_id])

    def descendants(self, node_id: str) -> tuple[str, ...]:
        """All nodes behind a node, nearest first."""
        seen: dict[str, None] = {}
        frontier = [node_id]
        while frontier:
            reached = [edge.target for source in frontier for edge in self.outgoing[source]]
            frontier = [target for target in dict.fromkeys(reached) if target not in seen]
            seen.update(dict.fromkeys(frontier))
        return tuple(seen)


def find_cycle(definition: Definition) -> tuple[str, ...]:
    """Ids of the nodes on one cycle, in the order of the arrows, or an empty tuple.

    Edges to unknown nodes are ignored.
    """
    known = {node.id for node in definition.nodes}
    following: dict[str, list[str]] = {node_id: [] for node_id in known}
    for edge in definition.edges:
        if edge.source in known and edge.target in known:
            following[edge.source].append(edge.target)
    done: set[str] = set()
    for start in (node.id for node in definition.nodes):
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, int]] = [(start, 0)] if start not in done else []
        while stack:
            node_id, position = stack.pop()
            if position == 0:
                path.append(node_id)
                on_path.add(node_id)
            targets = following[node_id]
            if position < len(targets):
                stack.append((node_id, position + 1))
                target = targets[position]
                if target in on_path:
                    return tuple(path[path.index(target) :])
                if target not in done:
                    stack.append((target, 0))
            else:
                done.add(node_id)
                on_path.discard(node_id)
                path.pop()
    return ()


def _breadth_first(graph: Graph) -> tuple[str, ...]:
    order: dict[str, None] = dict.fromkeys(graph.entries)
    frontier = list(order)
    while frontier:
        reached = [edge.target for node_id in frontier for edge in graph.outgoing[node_id]]
        frontier = [target for target in dict.fromkeys(reached) if target not in order]
        order.update(dict.fromkeys(frontier))
    return tuple(order)


def _topological(graph: Graph) -> tuple[str, ...]:
    missing = {node_id: len(edges) for node_id, edges in graph.incoming.items()}
    free = [node_id for node_id, count in missing.items() if count == 0]
    for node_id in free:
        for edge in graph.outgoing[node_id]:
            missing[edge.target] -= 1
            if missing[edge.target] == 0:
                free.append(edge.target)
    return tuple(free)


def edge_state(graph: Graph, edge: Edge, progress: Mapping[str, Progress]) -> EdgeState:
    """Whether the edge was taken; ``open`` while its source has not ended."""
    source = progress.get(edge.source)
    if source is None or not source.state.is_end:
        return "open"
    if source.state is NodeState.FAILED:
        return "taken" if edge.source_handle == ERROR_HANDLE else "not_taken"
    if source.state is not NodeState.COMPLETED or edge.source_handle == ERROR_HANDLE:
        return "not_taken"
    if graph.nodes[edge.source].kind == CONDITION.name and edge.source_handle:
        return "taken" if edge.source_handle in source.handles else "not_taken"
    # Everything but a condition has one normal output, whatever an imported edge calls its handle.
    return "taken"


def next_step(graph: Graph, progress: Mapping[str, Progress]) -> Step:
    """What may start and what is skipped, given what is known so far. Absent nodes are PENDING.

    A whole run of the largest graph asks this once per node, so a pending node costs no more than a look at its
    first edge that is still open.
    """
    settled: set[str] = set()
    for node_id, known in progress.items():
        if known.state is NodeState.FAILED and not graph.handles_errors(node_id):
            return Step((), (), is_failing=True)
        if known.state.is_end:
            settled.add(node_id)
    ready: set[str] = set()
    skipped: dict[str, None] = {}
    for node_id in graph.topological:
        known = progress.get(node_id)
        if known is not None and known.state is not NodeState.PENDING:
            continue
        incoming = graph.incoming[node_id]
        if not all(edge.source in settled for edge in incoming):
            continue
        if not incoming or any(edge_state(graph, edge, progress) == "taken" for edge in incoming):
            ready.add(node_id)
        else:
            skipped[node_id] = None
            settled.add(node_id)
    return Step(
        tuple(node_id for node_id in graph.order if node_id in ready), tuple(skipped), is_failing=False
    )


def _merged(graph: Graph, sources: list[str], progress: Mapping[str, Progress]) -> JsonValue:
    if len(sources) == 1:
        return progress[sources[0]].output
    merged: dict[str, JsonValue] = {}
    for source in sources:
        output = progress[source].output
        if isinstance(output, dict):
            merged.update(output)
        else:
            merged[graph.nodes[source].label] = output
    return merged


def node_input(
    graph: Graph, node_id: str, run_input: JsonValue, progress: Mapping[str, Progress]
) -> JsonValue:
    """The data that a ready node works on.

    Entry nodes get the run's input, others the output of the parent they were reached from. At a join the outputs
    of all taken parents are merged key by key in the order of the edges; an output that is no object stands under
    its parent's label.
    """
    incoming = graph.incoming[node_id]
    if not incoming:
        return run_input
    taken = [edge.source for edge in incoming if edge_state(graph, edge, progress) == "taken"]
    return _merged(graph, list(dict.fromkeys(taken)), progress)


def run_output(graph: Graph, progress: Mapping[str, Progress]) -> JsonValue:
    """The result of a completed run: the output of the nodes after which nothing was taken, merged as at a join."""
    last = [
        node_id
        for node_id in graph.order
        if progress[node_id].state is NodeState.COMPLETED
        and all(edge_state(graph, edge, progress) != "taken" for edge in graph.outgoing[node_id])
    ]
    return _merged(graph, last, progress) if last else None
