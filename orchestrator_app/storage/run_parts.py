"""A run with its parts: nodes, calls, log. Each kind comes as one JSON document that the database makes.

To fetch row by row costs more than the rows: Python lets other threads take over at each of them.
"""

from dataclasses import dataclass, field
from typing import Any

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.storage import payloads
from orchestrator_app.storage.runs import RUN_COLUMNS, RunRow
from orchestrator_app.storage.sql import Connection, text

# The values of each are in the order of the fields of its row below.
_NODE = (
    "(SELECT json_group_array(json_array(node_id, state, attempt, handles, failure, wait_reason,"
    # What is polled is taken up by the poller; the time of the run itself is only a safeguard.
    " CASE WHEN wait_reason = 'poll' AND look_at IS NOT NULL THEN look_at ELSE wake_at END,"
    " started_date, ended_date, {payloads}, CASE WHEN state = 'WAITING' THEN memo END))"
    " FROM node_run WHERE run_id = {run})"
)
_ATTEMPT = (
    "(SELECT json_group_array(json_array(node_id, number, request, response, status_code, failure, next_try_at,"
    " started_date, ended_date)) FROM attempt WHERE run_id = {run})"
)
_LOG = "(SELECT json_group_array(json_array(seq, number, at, level, message, node_id)) FROM run_log WHERE run_id = {run})"


def _as_text(words: str, run: str, payload_columns: str = "") -> str:
    return f"CAST({words.format(run=run, payloads=payload_columns)} AS TEXT)"


_WHOLE = text(
    f"SELECT {RUN_COLUMNS}, input, output,"  # noqa: S608 - all of it stands in this program
    " (SELECT definition FROM orchestrator_version v WHERE v.id = r.version_id) AS definition,"
    f" {_as_text(_NODE, 'r.id', 'input, output')} AS nodes,"
    f" {_as_text(_ATTEMPT, 'r.id')} AS attempts, {_as_text(_LOG, 'r.id')} AS logs,"
    " (SELECT count(*) FROM callback_wait w WHERE w.run_id = r.id) AS waits"
    " FROM orchestrator_run AS r WHERE r.id = :id AND r.workspace_id = :workspace_id"
)
_RUN_FIELDS = len(RUN_COLUMNS.split(", "))
_NODES = text(f"SELECT {_as_text(_NODE, ':id', 'NULL, NULL')}")


@dataclass(frozen=True, slots=True)
class NodeRow:
    """What is known about one node of a run that has begun or was settled; ``memo`` is there while it waits."""

    node_id: str
    state: str
    attempt: int
    handles: tuple[str, ...]
    failure: dict[str, Any] | None
    wait_reason: str | None
    wake_at: int | None
    started_date: int | None
    ended_date: int | None
    input: JsonValue
    output: JsonValue
    memo: JsonObject = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One call of a node."""

    node_id: str
    number: int
    request: JsonObject
    response: JsonObject | None
    status_code: int | None
    failure: dict[str, Any] | None
    next_try_at: int | None
    started_date: int
    ended_date: int | None


@dataclass(frozen=True, slots=True)
class LogRow:
    """A line of a run's log."""

    at: int
    level: str
    message: str
    node_id: str


@dataclass(frozen=True, slots=True)
class WholeRun:
    """A run with its parts.

    Attributes:
        definition: The graph that it follows, as JSON text.
        nodes: Those that have begun or were settled, as they did.
        attempts: All calls of its nodes, each node's in their order.
        logs: In order.
        has_waits: Whether it ever waited for callbacks.
    """

    row: RunRow
    input: JsonValue
    output: JsonValue
    definition: str
    nodes: list[NodeRow]
    attempts: list[AttemptRow]
    logs: list[LogRow]
    has_waits: bool


def whole(connection: Connection, workspace_id: str, run_id: str) -> WholeRun | None:
    """Everything about a run but its callbacks; None when there is none by that id here."""
    found = connection.execute(_WHOLE, {"id": run_id, "workspace_id": workspace_id}).one_or_none()
    if found is None:
        return None
    attempts = sorted(
        (_attempt(values) for values in _lists(found.attempts)),
        key=lambda attempt: (attempt.node_id, attempt.number),
    )
    logs = sorted(_lists(found.logs), key=lambda line: (line[0], line[1]))
    return WholeRun(
        row=RunRow(*found[:_RUN_FIELDS]),
        input=payloads.fetch(connection, run_id, found.input),
        output=payloads.fetch(connection, run_id, found.output),
        definition=found.definition,
        nodes=_nodes(connection, run_id, found.nodes),
        attempts=attempts,
        logs=[LogRow(*line[2:]) for line in logs],
        has_waits=found.waits > 0,
    )


def nodes(connection: Connection, run_id: str) -> list[NodeRow]:
    """The nodes that have begun or were settled, without their inputs and outputs; the caller knows whose run it is."""
    return _nodes(connection, run_id, connection.execute(_NODES, {"id": run_id}).scalar_one())


def _lists(document: str | None) -> list[list[Any]]:
    """The rows in a document of the database; PostgreSQL makes none of no rows."""
    return payloads.loads(document) or []


def _nodes(connection: Connection, run_id: str, document: str | None) -> list[NodeRow]:
    rows = [_node(connection, run_id, values) for values in _lists(document)]
    return sorted(rows, key=lambda node: (node.started_date or node.ended_date or 0, node.node_id))


def _node(connection: Connection, run_id: str, values: list[Any]) -> NodeRow:
    node_id, state, attempt, handles, failure, reason, wake_at, started, ended, data, output, memo = values
    return NodeRow(
        node_id=node_id,
        state=state,
        attempt=attempt,
        handles=tuple(payloads.loads(handles) or ()),
        failure=payloads.loads(failure),
        wait_reason=reason,
        wake_at=wake_at,
        started_date=started,
        ended_date=ended,
        input=payloads.fetch(connection, run_id, data),
        output=payloads.fetch(connection, run_id, output),
        memo=payloads.loads(memo) or {},
    )


def _attempt(values: list[Any]) -> AttemptRow:
    node_id, number, request, response, status_code, failure, next_try_at, started, ended = values
    return AttemptRow(
        node_id=node_id,
        number=number,
        request=payloads.loads(request),
        response=payloads.loads(response),
        status_code=status_code,
        failure=payloads.loads(failure),
        next_try_at=next_try_at,
        started_date=started,
        ended_date=ended,
    )
