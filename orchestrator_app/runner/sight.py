"""What the expressions of a node see of its run."""

from typing import TYPE_CHECKING

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.runs import NodeState
from orchestrator_app.domain.scope import Scope

if TYPE_CHECKING:
    from orchestrator_app.runner.segment import Segment


def scope_of(segment: "Segment", data: JsonValue) -> Scope:
    """What the node's expressions see."""
    first: JsonObject = {}
    nodes: dict[str, JsonObject] = {}
    for wait in segment.run.waits:
        if wait.number == 0:
            own: JsonObject = {
                "callbackUrl": segment.callback_url(wait.token),
                "correlationToken": wait.token,
            }
            nodes[wait.node_id] = own
    for node_id in segment.graph.order:
        if node_id in nodes:
            first = nodes[node_id]
            break
    for node_id, known in segment.progress.items():
        if known.state is NodeState.COMPLETED:
            nodes[node_id] = {**nodes.get(node_id, {}), "output": known.output}
        elif known.state is NodeState.FAILED:
            failure = segment.records[node_id].failure
            nodes[node_id] = {**nodes.get(node_id, {}), "error": failure.as_json() if failure else {}}
    for other in reversed(segment.graph.definition.nodes):
        # Labels are what people write; of several equal ones the first node's counts, and ids win over labels.
        if other.id in nodes and other.label not in segment.graph.nodes:
            nodes[other.label] = nodes[other.id]
    run: JsonObject = {
        "id": segment.run.run_id,
        "input": segment.run.input,
        "orchestratorId": segment.run.orchestrator_id,
        "orchestratorName": segment.run.orchestrator_name,
        "createdDate": segment.run.created_at,
        "callbackUrl": first.get("callbackUrl", ""),
        "correlationToken": first.get("correlationToken", ""),
    }
    return Scope(data=data, run=run, nodes=nodes, vars=segment.run.variables)
