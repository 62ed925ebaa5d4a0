"""Letting a failed run go on: conditional, under a new epoch, in the transaction of whoever decided it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.runs import LogLevel
from orchestrator_app.storage import payloads
from orchestrator_app.storage.callbacks import LOCK_RUN
from orchestrator_app.storage.sql import Connection, text

# Whoever worked on the run before can write nothing more, and no event of its past counts as missed.
_REOPEN = text(
    "UPDATE orchestrator_run SET state = 'PENDING', epoch = epoch + 1, wake = wake + 1, seq = seq + 1, owner = '',"
    " wake_at = NULL, output = NULL, failure = NULL, ended_date = NULL"
    " WHERE id = :run_id AND state = 'FAILED' RETURNING seq"
)
_CHANGE = text("UPDATE orchestrator_run SET seq = seq + 1 WHERE id = :run_id RETURNING seq")
# The number of the last attempt stays, so that the next one is a new one.
_BEGIN_ANEW = text(
    "UPDATE node_run SET state = 'PENDING', seq = :seq, input = NULL, output = NULL, handles = NULL, failure = NULL,"
    " wait_reason = NULL, wake_at = NULL, look_at = NULL, memo = NULL, started_date = NULL, ended_date = NULL"
    " WHERE run_id = :run_id AND node_id = :node_id AND iteration = 0"
)
_NEVER_BEGUN = text(
    "DELETE FROM node_run WHERE run_id = :run_id AND node_id = :node_id AND iteration = 0 AND attempt = 0"
)
# Earlier nodes have handed this token out already; what arrived on it is kept for it.
_AWAIT_AGAIN = text(
    "UPDATE callback_wait SET closed_date = NULL"
    " WHERE run_id = :run_id AND node_id = :node_id AND number = 0 AND received_date IS NULL"
)
_COMPLETE = text(
    "UPDATE node_run SET state = 'COMPLETED', seq = :seq, output = :output, handles = :handles, failure = NULL,"
    " ended_date = :now WHERE run_id = :run_id AND node_id = :node_id AND iteration = 0 AND state = 'FAILED'"
)
_NOTE_FAILURE = text(
    "UPDATE node_run SET seq = :seq, failure = :failure"
    " WHERE run_id = :run_id AND node_id = :node_id AND iteration = 0 AND state = 'FAILED'"
)
_LOG = text(
    "INSERT INTO run_log (run_id, seq, number, node_id, level, message, at)"
    " VALUES (:run_id, :seq, :number, :node_id, :level, :message, :now)"
)
_COPY_PAYLOADS = text(
    "INSERT INTO payload (run_id, digest, content) SELECT :to_run, digest, content FROM payload"
    " WHERE run_id = :from_run ON CONFLICT DO NOTHING"
)
_COPY_NODE = text(
    "INSERT INTO node_run (run_id, node_id, iteration, state, attempt, seq, input, output, handles, failure,"
    " started_date, ended_date)"
    " SELECT :to_run, node_id, iteration, state, 0, 0, input, output, handles, failure, started_date, ended_date"
    " FROM node_run WHERE run_id = :from_run AND node_id = :node_id AND iteration = 0"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line for the log of the run."""

    message: str
    node_id: str = ""
    level: LogLevel = "info"


def lock(connection: Connection, run_id: str) -> None:
    """Let nobody else change the run until this transaction ends."""
    connection.execute(LOCK_RUN, {"run_id": run_id})


def reopen(
    connection: Connection, run_id: str, *, anew: Sequence[str], lines: Sequence[Line], now: int
) -> int | None:
    """Let a failed run go on, with the given nodes as if they had never begun but for the numbers of their attempts.

    Returns:
        The run's new ``seq``; None when it has not failed.
    """
    seq = connection.execute(_REOPEN, {"run_id": run_id}).scalar_one_or_none()
    if seq is None:
        return None
    rows: list[dict[str, Any]] = [{"run_id": run_id, "node_id": node_id, "seq": seq} for node_id in anew]
    if rows:
        for statement in (_NEVER_BEGUN, _BEGIN_ANEW, _AWAIT_AGAIN):
            connection.execute_many(statement, rows)
    _log(connection, run_id, seq, lines, now)
    return seq


def complete_node(
    connection: Connection, run_id: str, node_id: str, output: JsonValue, *, seq: int, now: int
) -> None:
    """A failed node of a run that was reopened has this result after all."""
    row = {"run_id": run_id, "node_id": node_id, "seq": seq, "now": now, "handles": payloads.dumps(["out"])}
    connection.execute(_COMPLETE, row | {"output": payloads.store(connection, run_id, output)})


def note_failure(
    connection: Connection, run_id: str, node_id: str, failure: JsonObject, *, line: Line, now: int
) -> int:
    """Say more about why a node has failed; the run stays as it is.

    Returns:
        The run's new ``seq``.
    """
    seq = connection.execute(_CHANGE, {"run_id": run_id}).scalar_one()
    row = {"run_id": run_id, "node_id": node_id, "seq": seq, "failure": payloads.dumps(failure)}
    connection.execute(_NOTE_FAILURE, row)
    _log(connection, run_id, seq, [line], now)
    return seq


def copy_results(connection: Connection, from_run: str, to_run: str, node_ids: Sequence[str]) -> None:
    """Give a new run the results that another one has for these nodes."""
    rows = [{"from_run": from_run, "to_run": to_run, "node_id": node_id} for node_id in node_ids]
    if rows:
        connection.execute(_COPY_PAYLOADS, rows[0])
        connection.execute_many(_COPY_NODE, rows)


def _log(connection: Connection, run_id: str, seq: int, lines: Sequence[Line], now: int) -> None:
    for number, line in enumerate(lines):
        row = {"run_id": run_id, "seq": seq, "number": number, "node_id": line.node_id, "level": line.level}
        connection.execute(_LOG, row | {"message": payloads.plain(line.message), "now": now})
