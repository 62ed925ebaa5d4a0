"""From rows to the views of runs."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache

from orchestrator_app.domain.definition import from_stored
from orchestrator_app.domain.planning import Graph, Progress, edge_state
from orchestrator_app.domain.reopening import EndedNode, undecided_nodes
from orchestrator_app.domain.runs import NodeState, RunState
from orchestrator_app.services.views import (
    AttemptView,
    CallbackView,
    LogLine,
    NodeRunView,
    NodeStatus,
    RunDetail,
    RunLive,
    RunSummary,
)
from orchestrator_app.storage import callbacks, run_parts
from orchestrator_app.storage import runs as rows
from orchestrator_app.storage.payloads import loads
from orchestrator_app.storage.sql import Connection

AwaitedUrl = Callable[[str, str, str], str]
_KNOWN_DEFINITIONS = 64


@lru_cache(maxsize=_KNOWN_DEFINITIONS)
def graph_of(definition: str) -> Graph:
    """The graph of a stored definition, which never changes."""
    return Graph(from_stored(loads(definition)))


def by_whom(trigger: str) -> str:
    """How the log of a run says who did something."""
    return {"ui": "by hand", "api": "through the API"}.get(trigger, trigger)


def run_summary(row: rows.RunRow) -> RunSummary:
    """The row of the history."""
    return RunSummary(
        id=row.id,
        workspace_id=row.workspace_id,
        orchestrator_id=row.orchestrator_id,
        orchestrator_name=row.orchestrator_name,
        version=row.version,
        state=row.state,
        trigger=row.trigger,
        seq=row.seq,
        created_date=row.created_date,
        started_date=row.started_date,
        ended_date=row.ended_date,
        wake_at=row.wake_at,
        parent_run_id=row.parent_run_id,
        failure=loads(row.failure),
    )


def ended_nodes(nodes: Sequence[run_parts.NodeRow]) -> dict[str, EndedNode]:
    """The nodes of a run that has ended."""
    return {
        node.node_id: EndedNode(NodeState(node.state), node.handles, node.failure or {}) for node in nodes
    }


def _edge_states(graph: Graph, nodes: list[run_parts.NodeRow]) -> dict[str, str]:
    progress = {node.node_id: Progress(NodeState(node.state), node.handles) for node in nodes}
    return {edge.id: edge_state(graph, edge, progress) for edge in graph.definition.edges}


def live_view(connection: Connection, row: rows.RunRow) -> RunLive:
    """States only: small enough to be read several times a second."""
    graph = graph_of(rows.definition_of(connection, row.version_id))
    nodes = run_parts.nodes(connection, row.id)
    statuses = tuple(
        NodeStatus(
            node_id=node.node_id,
            state=node.state,
            attempt=node.attempt,
            started_date=node.started_date,
            ended_date=node.ended_date,
            wait_reason=node.wait_reason,
            message=(node.failure or {}).get("message", ""),
            says=str(node.memo.get("says", "")),
            waits_since=_started_outside(node),
        )
        for node in nodes
    )
    return RunLive(run_summary(row), statuses, _edge_states(graph, nodes))


def _started_outside(node: run_parts.NodeRow) -> int | None:
    call = node.memo.get("call")
    started = call.get("startedAt") if isinstance(call, dict) else None
    return started if isinstance(started, int) else None


def _callback(
    run_id: str,
    node: run_parts.NodeRow,
    wait: callbacks.WaitRow,
    awaited_url: AwaitedUrl,
    *,
    must_be_signed: bool,
) -> CallbackView:
    is_awaited = (
        node.state == NodeState.WAITING
        and node.wait_reason == "callback"
        and wait.received_date is None
        and wait.closed_date is None
    )
    return CallbackView(
        url=awaited_url(run_id, wait.id, wait.token_sealed) if is_awaited else "",
        since=wait.created_date,
        until=node.wake_at if is_awaited else None,
        must_be_signed=must_be_signed,
        arrived_date=wait.received_date,
        body=wait.body,
    )


def run_detail(connection: Connection, whole: run_parts.WholeRun, awaited_url: AwaitedUrl) -> RunDetail:
    """Everything about a run."""
    row, nodes = whole.row, whole.nodes
    definition, graph = loads(whole.definition), graph_of(whole.definition)
    by_id = {node.node_id: node for node in nodes}
    attempts: dict[str, list[AttemptView]] = defaultdict(list)
    for attempt in whole.attempts:
        attempts[attempt.node_id].append(
            AttemptView(
                number=attempt.number,
                request=attempt.request,
                response=attempt.response,
                status_code=attempt.status_code,
                failure=attempt.failure,
                next_try_at=attempt.next_try_at,
                started_date=attempt.started_date,
                ended_date=attempt.ended_date,
            )
        )
    undecided = undecided_nodes(graph, ended_nodes(nodes)) if row.state == RunState.FAILED else ()
    # Of each node the newest: they come in order.
    found = callbacks.waits(connection, row.id) if whole.has_waits else []
    waits = {wait.node_id: wait for wait in found}
    must_be_signed = bool(waits) and callbacks.signing_secret(connection, row.id) is not None
    unreached = NodeState.SKIPPED if RunState(row.state).is_end else NodeState.PENDING
    views: list[NodeRunView] = []
    for node_id in graph.order:
        node, kind = by_id.get(node_id), graph.nodes[node_id]
        if node is None:
            views.append(NodeRunView(node_id, kind.label, kind.kind, unreached.value))
            continue
        wait = waits.get(node_id)
        callback = wait and _callback(row.id, node, wait, awaited_url, must_be_signed=must_be_signed)
        views.append(
            NodeRunView(
                node_id=node_id,
                label=kind.label,
                kind=kind.kind,
                state=node.state,
                attempt=node.attempt,
                input=node.input,
                output=node.output,
                handles=node.handles,
                failure=node.failure,
                wait_reason=node.wait_reason,
                wake_at=node.wake_at,
                started_date=node.started_date,
                ended_date=node.ended_date,
                attempts=tuple(attempts[node_id]),
                callback_url=callback.url if callback else "",
                callback=callback,
                needs_decision=node_id in undecided,
            )
        )
    labels = {node.id: node.label for node in graph.definition.nodes}
    logs = tuple(
        LogLine(line.at, line.level, line.message, line.node_id, labels.get(line.node_id, ""))
        for line in whole.logs
    )
    return RunDetail(
        summary=run_summary(row),
        input=whole.input,
        output=whole.output,
        definition=definition,
        nodes=tuple(views),
        edges=_edge_states(graph, nodes),
        logs=logs,
    )
