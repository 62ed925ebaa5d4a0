"""Rows of runs as the history and the pages read them; how they proceed is written by ``checkpoints``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.runs import Failure, RunState
from orchestrator_app.storage import payloads
from orchestrator_app.storage.run_filters import RunsWanted, newest
from orchestrator_app.storage.sql import Connection, text

_INSERT = text(
    "INSERT INTO orchestrator_run (id, workspace_id, orchestrator_id, orchestrator_name, version_id, version, state,"
    ' "trigger", epoch, wake, seq, owner, idempotency_key, input_digest, parent_run_id, created_date,'
    " started_date, deadline_at)"
    " VALUES (:id, :workspace_id, :orchestrator_id, :orchestrator_name, :version_id, :version, :state, :trigger, :epoch,"
    " 0, 0, :owner, :idempotency_key, :input_digest, :parent_run_id, :now, :started,"
    " :deadline_at)"
    " ON CONFLICT (orchestrator_id, idempotency_key) DO NOTHING RETURNING id"
)
_SET_INPUT = text("UPDATE orchestrator_run SET input = :input WHERE id = :id")
_STARTED_BEFORE = text(
    "SELECT id, input_digest FROM orchestrator_run WHERE workspace_id = :workspace_id"
    " AND orchestrator_id = :orchestrator_id AND idempotency_key = :idempotency_key"
)
# In the order of the fields of ``RunRow``; large ones are left out.
RUN_COLUMNS = (
    'id, workspace_id, orchestrator_id, orchestrator_name, version_id, version, state, "trigger", seq, wake_at,'
    " parent_run_id, failure, created_date, started_date, ended_date"
)
_ALL = f"SELECT {RUN_COLUMNS} FROM orchestrator_run"  # noqa: S608 - all of it stands above
_GET = text(_ALL + " WHERE workspace_id = :workspace_id AND id = :id")
_STATE = text("SELECT state FROM orchestrator_run WHERE id = :id AND workspace_id = :workspace_id")
_COUNTS = text(
    "SELECT state, count(*) AS number FROM orchestrator_run WHERE workspace_id = :workspace_id GROUP BY state"
)
_INPUT = text("SELECT input FROM orchestrator_run WHERE id = :id")
_DEFINITION = text("SELECT definition FROM orchestrator_version WHERE id = :id")
_CANCEL = text(
    "UPDATE orchestrator_run SET state = 'CANCELLED', epoch = epoch + 1, seq = seq + 1, wake_at = NULL,"
    " ended_date = :now"
    " WHERE id = :id AND workspace_id = :workspace_id AND state IN ('PENDING', 'RUNNING', 'WAITING') RETURNING seq"
)
_OPEN_CALLS = text(
    "SELECT n.node_id, n.state, n.memo, a.started_date AS attempt_date, w.id AS wait_id, w.token_sealed"
    " FROM node_run n"
    " LEFT JOIN attempt a ON a.run_id = n.run_id AND a.node_id = n.node_id AND a.number = n.attempt"
    " AND a.ended_date IS NULL"
    " LEFT JOIN callback_wait w ON w.run_id = n.run_id AND w.node_id = n.node_id AND w.number = n.attempt"
    " AND w.number > 0"
    " WHERE n.run_id = :id AND n.state IN ('RUNNING', 'WAITING')"
)
_END_ATTEMPTS = text(
    "UPDATE attempt SET ended_date = :now, failure = :failure WHERE run_id = :id AND ended_date IS NULL"
)
_CANCEL_NODES = text(
    "UPDATE node_run SET state = 'CANCELLED', seq = :seq, wait_reason = NULL, wake_at = NULL, look_at = NULL,"
    " memo = NULL, ended_date = :now WHERE run_id = :id AND state IN ('PENDING', 'RUNNING', 'WAITING')"
)
_CUT = Failure(
    "run_cancelled",
    "The run was cancelled while this call was under way, so its outcome is not known.",
    "Look on the other side whether it happened.",
)
_CLOSE_WAITS = text(
    "UPDATE callback_wait SET closed_date = :now"
    " WHERE run_id = :id AND received_date IS NULL AND closed_date IS NULL"
)
_LOG_CANCEL = text(
    "INSERT INTO run_log (run_id, seq, number, node_id, level, message, at)"
    " VALUES (:id, :seq, 0, '', 'warning', 'The run was cancelled.', :now)"
)


@dataclass(frozen=True, slots=True)
class InsertedRun:
    """The run of a start: a new one, or the one that an earlier start with the same key began."""

    run_id: str
    is_new: bool
    input_digest: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """A row of the history. ``failure`` is JSON text."""

    id: str
    workspace_id: str
    orchestrator_id: str
    orchestrator_name: str
    version_id: str
    version: int
    state: str
    trigger: str
    seq: int
    wake_at: int | None
    parent_run_id: str | None
    failure: str | None
    created_date: int
    started_date: int | None
    ended_date: int | None


@dataclass(frozen=True, slots=True)
class OpenCallRow:
    """A call of a node whose end is not known: under way when ``memo`` is empty, else waited for."""

    node_id: str
    memo: dict[str, Any]
    started_date: int
    wait_id: str
    token_sealed: str


def insert_run(
    connection: Connection,
    workspace_id: str,
    *,
    run_id: str,
    orchestrator_id: str,
    orchestrator_name: str,
    version_id: str,
    version: int,
    trigger: str,
    data: JsonValue,
    input_digest: str,
    idempotency_key: str | None,
    parent_run_id: str | None,
    owner: str,
    now: int,
    deadline_at: int | None = None,
) -> InsertedRun:
    """Keep a new run, unless one of this orchestrator was started with the same key.

    With an ``owner`` it is claimed by it already, as ``checkpoints`` would do; otherwise it waits for its turn, and
    ``deadline_at`` is told by the claim.
    """
    row: dict[str, Any] = {
        "id": run_id,
        "workspace_id": workspace_id,
        "orchestrator_id": orchestrator_id,
        "orchestrator_name": orchestrator_name,
        "version_id": version_id,
        "version": version,
        "trigger": trigger,
        "input_digest": input_digest,
        "idempotency_key": idempotency_key,
        "parent_run_id": parent_run_id,
        "state": RunState.RUNNING if owner else RunState.PENDING,
        "epoch": 1 if owner else 0,
        "owner": owner,
        "started": now if owner else None,
        "deadline_at": deadline_at if owner else None,
        "now": now,
    }
    if connection.execute(_INSERT, row).scalar_one_or_none() is None:
        earlier = connection.execute(_STARTED_BEFORE, row).one()
        return InsertedRun(earlier.id, is_new=False, input_digest=earlier.input_digest)
    # A large input lies in a row that belongs to the run, so the run must be there first.
    if data is not None:
        connection.execute(_SET_INPUT, {"id": run_id, "input": payloads.store(connection, run_id, data)})
    return InsertedRun(run_id, is_new=True, input_digest=input_digest)


def page(
    connection: Connection,
    workspace_id: str,
    *,
    states: Sequence[str] = (),
    orchestrator_id: str = "",
    from_ms: int | None = None,
    to_ms: int | None = None,
    query: str = "",
    cursor: str = "",
    limit: int,
) -> tuple[list[RunRow], str]:
    """The history, newest first, and the cursor of the next page (empty at the end).

    Args:
        connection: Where to read.
        workspace_id: Whose runs.
        states: Only runs in one of these; none means all.
        orchestrator_id: Only its runs; empty means all.
        from_ms: Only runs created then or later.
        to_ms: Only runs created before.
        query: Beginning of a run's id, or part of its orchestrator's name.
        cursor: What the page before gave.
        limit: Rows of a page.
    """
    wanted = RunsWanted(states, orchestrator_id, from_ms, to_ms, query)
    clause, values = newest(connection, workspace_id, wanted, cursor)
    values["limit"] = limit + 1
    found = [RunRow(*row) for row in connection.execute(text(f"{_ALL} WHERE {clause}"), values)]
    shown = found[:limit]
    return shown, shown[-1].id if len(found) > limit else ""


def get(connection: Connection, workspace_id: str, run_id: str) -> RunRow | None:
    """One run."""
    row = connection.execute(_GET, {"id": run_id, "workspace_id": workspace_id}).one_or_none()
    return None if row is None else RunRow(*row)


def state_of(connection: Connection, workspace_id: str, run_id: str) -> str | None:
    """The state of a run, or None when there is none."""
    return connection.execute(_STATE, {"id": run_id, "workspace_id": workspace_id}).scalar_one_or_none()


def state_counts(connection: Connection, workspace_id: str) -> dict[str, int]:
    """How many runs there are in each state."""
    found = {row.state: row.number for row in connection.execute(_COUNTS, {"workspace_id": workspace_id})}
    return {state.value: found.get(state, 0) for state in RunState}


def input_of(connection: Connection, run_id: str) -> JsonValue:
    """What the run was given."""
    return payloads.fetch(connection, run_id, connection.execute(_INPUT, {"id": run_id}).scalar_one())


def definition_of(connection: Connection, version_id: str) -> str:
    """The graph that runs of this version follow, as JSON text."""
    return connection.execute(_DEFINITION, {"id": version_id}).scalar_one()


def cancel(connection: Connection, workspace_id: str, run_id: str, now: int) -> list[OpenCallRow] | None:
    """End an open run, its open nodes, calls and waits; whoever works on it can write nothing more.

    Returns:
        The calls that may still have something going on outside; None when the run has ended already or is not there.
    """
    key: dict[str, Any] = {"id": run_id, "workspace_id": workspace_id, "now": now}
    seq = connection.execute(_CANCEL, key).scalar_one_or_none()
    if seq is None:
        return None
    calls = [
        OpenCallRow(
            row.node_id,
            payloads.loads(row.memo) or {},
            row.attempt_date or 0,
            row.wait_id or "",
            row.token_sealed or "",
        )
        for row in connection.execute(_OPEN_CALLS, key)
        if row.attempt_date is not None or (row.state == "WAITING" and row.memo not in {None, "{}"})
    ]
    key |= {"seq": seq, "failure": payloads.dumps(_CUT.as_json())}
    for statement in (_CANCEL_NODES, _END_ATTEMPTS, _CLOSE_WAITS, _LOG_CANCEL):
        connection.execute(statement, key)
    return calls
