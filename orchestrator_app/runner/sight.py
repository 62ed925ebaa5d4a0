"""What the expressions of a node see of its run."""

from typing import TYPE_CHECKING

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.runs import NodeState
from orchestrator_app.domain.scope import Scope

if TYPE_CHECKING:
    from orchestrator_app.runner.segment import Segment


class Sight:
    """Keeps what can be seen up to date while the run proceeds, so that a node's start costs no look at all others."""

    def __init__(self, segment: "Segment") -> None:
        self._segment = segment
        self._run: JsonObject = {}
        self._nodes: dict[str, JsonObject] | None = None
        # Labels are what people write; of several equal ones the first node's counts, and ids win over labels.
        self._ranks = {node.id: rank for rank, node in enumerate(segment.graph.definition.nodes)}
        self._named: dict[str, int] = {}

    def scope(self, data: JsonValue) -> Scope:
        """What a node that starts now sees; ``data`` is its input."""
        nodes = self._looked() if self._nodes is None else self._nodes
        # A copy: what ends later is not seen.
        return Scope(data=data, run=self._run, nodes=nodes.copy(), vars=self._segment.run.variables)

    def learn(self, node_id: str) -> None:
        """The node's state has changed."""
        if self._nodes is not None:
            self._see(self._nodes, node_id)

    def look_anew(self) -> None:
        """Much has changed, or something was taken back."""
        self._nodes = None

    def _looked(self) -> dict[str, JsonObject]:
        segment = self._segment
        self._named = {}
        nodes: dict[str, JsonObject] = {}
        tokens = {wait.node_id: wait.token for wait in segment.run.waits if wait.number == 0}
        first: JsonObject = {}
        for node_id in segment.graph.order:
            if node_id in tokens:
                own: JsonObject = {
                    "callbackUrl": segment.callback_url(tokens[node_id]),
                    "correlationToken": tokens[node_id],
                }
                first = first or own
                self._show(nodes, node_id, own)
        self._run = {
            "id": segment.run.run_id,
            "input": segment.run.input,
            "orchestratorId": segment.run.orchestrator_id,
            "orchestratorName": segment.run.orchestrator_name,
            "createdDate": segment.run.created_at,
            "callbackUrl": first.get("callbackUrl", ""),
            "correlationToken": first.get("correlationToken", ""),
        }
        for node_id in segment.progress:
            self._see(nodes, node_id)
        self._nodes = nodes
        return nodes

    def _see(self, nodes: dict[str, JsonObject], node_id: str) -> None:
        known = self._segment.progress[node_id]
        if known.state is NodeState.COMPLETED:
            self._show(nodes, node_id, {**nodes.get(node_id, {}), "output": known.output})
        elif known.state is NodeState.FAILED:
            failure = self._segment.records[node_id].failure
            error = failure.as_json() if failure else {}
            self._show(nodes, node_id, {**nodes.get(node_id, {}), "error": error})

    def _show(self, nodes: dict[str, JsonObject], node_id: str, seen: JsonObject) -> None:
        nodes[node_id] = seen
        graph = self._segment.graph
        label, rank = graph.nodes[node_id].label, self._ranks[node_id]
        if label not in graph.nodes and rank <= self._named.get(label, rank):
            self._named[label] = rank
            nodes[label] = seen
