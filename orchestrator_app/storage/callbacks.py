"""What arrives from outside on a callback token: stored once, in one transaction with the event that wakes its run."""

from dataclasses import dataclass
from typing import Literal

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.runs import RunState
from orchestrator_app.storage import payloads
from orchestrator_app.storage.sql import Connection, text

_FIND = text(
    "SELECT w.node_id, w.received_date, w.closed_date, w.webhook_id, r.state, r.version_id"
    " FROM callback_wait w JOIN orchestrator_run r ON r.id = w.run_id"
    " WHERE w.token_hash = :token_hash AND w.run_id = :run_id"
)
_RUN_OF = text("SELECT run_id FROM callback_wait WHERE token_hash = :token_hash")
_SIGNING_SECRET = text(
    "SELECT s.orchestrator_id, s.signing_secret FROM orchestrator_run r"
    " JOIN orchestrator_setting s ON s.orchestrator_id = r.orchestrator_id"
    " WHERE r.id = :run_id AND s.signing_secret IS NOT NULL"
)
# Whoever changes a run or what belongs to it locks the run's row first: so nothing changes between the following
# statements, and two processes never wait for each other. SQLite has one writer and leaves the lock out.
LOCK_RUN = text("SELECT id FROM orchestrator_run WHERE id = :run_id", on_postgresql="FOR NO KEY UPDATE")
_RECEIVE = text(
    "UPDATE callback_wait SET received_date = :now, body = :body, webhook_id = :webhook_id"
    " WHERE run_id = :run_id AND token_hash = :token_hash AND received_date IS NULL AND closed_date IS NULL"
)
_WAKE = text(
    "UPDATE orchestrator_run SET wake = wake + 1, seq = seq + 1,"
    # Should the process die before it tells the dispatcher, the run is due at the next start.
    " wake_at = CASE WHEN state = 'WAITING' THEN :now ELSE wake_at END WHERE id = :run_id"
    " RETURNING workspace_id, orchestrator_id, seq"
)
_LOG = text(
    "INSERT INTO run_log (run_id, seq, number, node_id, level, message, at)"
    " VALUES (:run_id, :seq, 0, :node_id, 'info', :says, :now)"
)
_AWAITED = text(
    "SELECT w.token_hash FROM callback_wait w JOIN orchestrator_run r ON r.id = w.run_id JOIN node_run n"
    " ON n.run_id = w.run_id AND n.node_id = w.node_id AND n.state = 'WAITING' AND n.wait_reason = 'callback'"
    " WHERE r.workspace_id = :workspace_id AND w.run_id = :run_id AND w.node_id = :node_id"
    " AND w.received_date IS NULL AND w.closed_date IS NULL ORDER BY w.number DESC LIMIT 1"
)
_WAITS = text(
    "SELECT id, node_id, number, token_sealed, received_date, closed_date, created_date, body FROM callback_wait"
    " WHERE run_id = :id ORDER BY node_id, number"
)


@dataclass(frozen=True, slots=True)
class WaitRow:
    """A callback token of a run, and what arrived on it."""

    id: str
    node_id: str
    number: int
    token_sealed: str
    received_date: int | None
    closed_date: int | None
    created_date: int
    body: JsonValue


@dataclass(frozen=True, slots=True)
class FoundWait:
    """The wait that a token belongs to. It is open while nothing arrived, nothing closed it and the run goes on.

    ``webhook_id`` is that of the signed message which arrived last, also when the wait was opened again after it.
    """

    node_id: str
    version_id: str
    run_state: str
    is_open: bool
    has_arrived: bool
    webhook_id: str | None = None


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """The sealed secret with which callbacks of an orchestrator must be signed."""

    orchestrator_id: str
    sealed: str


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a callback; the run's ids and new ``seq`` are there when it was accepted."""

    outcome: Literal["accepted", "duplicate", "unknown"]
    workspace_id: str = ""
    orchestrator_id: str = ""
    seq: int = 0


def run_of(connection: Connection, token_hash: str) -> str | None:
    """The run that has minted the token, or None."""
    return connection.execute(_RUN_OF, {"token_hash": token_hash}).scalar_one_or_none()


def find_wait(connection: Connection, run_id: str, token_hash: str) -> FoundWait | None:
    """The wait of this run that has the token, or None."""
    row = connection.execute(_FIND, {"run_id": run_id, "token_hash": token_hash}).one_or_none()
    if row is None:
        return None
    has_arrived = row.received_date is not None
    is_open = not has_arrived and row.closed_date is None and not RunState(row.state).is_end
    return FoundWait(row.node_id, row.version_id, row.state, is_open, has_arrived, row.webhook_id)


def awaited(connection: Connection, workspace_id: str, run_id: str, node_id: str) -> str | None:
    """The hash of the token on which a node of this workspace waits for its callback, or None."""
    key = {"workspace_id": workspace_id, "run_id": run_id, "node_id": node_id}
    return connection.execute(_AWAITED, key).scalar_one_or_none()


def signing_secret(connection: Connection, run_id: str) -> SigningSecret | None:
    """The secret with which callbacks for this run must be signed; None when they need no signature."""
    row = connection.execute(_SIGNING_SECRET, {"run_id": run_id}).one_or_none()
    return None if row is None else SigningSecret(*row)


def waits(connection: Connection, run_id: str) -> list[WaitRow]:
    """The callback tokens of a run, each node's in their order."""
    return [
        WaitRow(*row[:-1], body=payloads.fetch(connection, run_id, row.body))
        for row in connection.execute(_WAITS, {"id": run_id}).all()
    ]


def receive(
    connection: Connection,
    run_id: str,
    token_hash: str,
    body: JsonValue,
    now: int,
    *,
    says: str = "A callback arrived.",
    webhook_id: str | None = None,
) -> Received:
    """Store a callback and count an event for its run.

    ``says`` goes into the run's log. ``webhook_id`` is there when it was signed.

    Returns:
        ``duplicate`` when one was received on this token before, whatever became of the run; ``unknown`` when there
        is no such token in this run, or nobody waits for it any more.
    """
    key = {"run_id": run_id, "token_hash": token_hash, "now": now}
    connection.execute(LOCK_RUN, {"run_id": run_id})
    wait = find_wait(connection, run_id, token_hash)
    if wait is not None and (wait.has_arrived or (webhook_id and webhook_id == wait.webhook_id)):
        return Received("duplicate")
    if wait is None or not wait.is_open:
        return Received("unknown")
    connection.execute(
        _RECEIVE, key | {"body": payloads.store(connection, run_id, body), "webhook_id": webhook_id}
    )
    run = connection.execute(_WAKE, key).one()
    connection.execute(_LOG, key | {"seq": run.seq, "node_id": wait.node_id, "says": says})
    return Received("accepted", run.workspace_id, run.orchestrator_id, run.seq)
