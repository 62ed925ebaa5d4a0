"""Facts about runs as rows: what the journal writes down while a run proceeds."""

from collections.abc import Callable, Sequence
from typing import Any, assert_never

from orchestrator_app.domain.runs import (
    AttemptEnded,
    AttemptStarted,
    Fact,
    Logged,
    NodeEnded,
    NodeParked,
    NodeStarted,
    RunEnded,
    WaitOpened,
    WaitReopened,
)
from orchestrator_app.storage import payloads
from orchestrator_app.storage.sql import Connection, text

Seal = Callable[[str, str], str]

_SET_OUTPUT = text("UPDATE orchestrator_run SET output = :output WHERE id = :id")
_NODE_STARTED = text(
    "INSERT INTO node_run (run_id, node_id, iteration, state, attempt, seq, input, started_date)"
    " VALUES (:run_id, :node_id, 0, 'RUNNING', 0, :seq, :input, :at)"
    " ON CONFLICT (run_id, node_id, iteration) DO UPDATE SET state = 'RUNNING', seq = :seq, input = :input,"
    " started_date = COALESCE(node_run.started_date, excluded.started_date) WHERE node_run.ended_date IS NULL"
)
_NODE_CALLS = text(
    "INSERT INTO node_run (run_id, node_id, iteration, state, attempt, seq, input, started_date)"
    " VALUES (:run_id, :node_id, 0, 'RUNNING', :number, :seq, :input, :started)"
    " ON CONFLICT (run_id, node_id, iteration) DO UPDATE SET state = 'RUNNING', attempt = :number, seq = :seq,"
    " input = :input, wait_reason = NULL, wake_at = NULL, look_at = NULL,"
    " started_date = COALESCE(node_run.started_date, excluded.started_date) WHERE node_run.ended_date IS NULL"
)
_ATTEMPT_STARTED = text(
    "INSERT INTO attempt (run_id, node_id, iteration, number, request, started_date)"
    " VALUES (:run_id, :node_id, 0, :number, :request, :at) ON CONFLICT DO NOTHING"
)
_NODE_ATTEMPT = text(
    "UPDATE node_run SET state = 'RUNNING', attempt = :number, seq = :seq, wait_reason = NULL, wake_at = NULL,"
    " look_at = NULL WHERE run_id = :run_id AND node_id = :node_id AND iteration = 0 AND ended_date IS NULL"
)
_ATTEMPT_ENDED = text(
    "UPDATE attempt SET ended_date = :at, status_code = :status_code, response = :response, failure = :failure,"
    " next_try_at = :next_try_at"
    " WHERE run_id = :run_id AND node_id = :node_id AND iteration = 0 AND number = :number AND ended_date IS NULL"
)
_NODE_PARKED = text(
    "UPDATE node_run SET state = 'WAITING', seq = :seq, wait_reason = :reason, wake_at = :wake_at, memo = :memo,"
    " look_at = :look_at WHERE run_id = :run_id AND node_id = :node_id AND iteration = 0 AND ended_date IS NULL"
)
_NODE_ENDED = text(
    "INSERT INTO node_run (run_id, node_id, iteration, state, attempt, seq, input, output, handles, failure,"
    " started_date, ended_date)"
    " VALUES (:run_id, :node_id, 0, :state, 0, :seq, :input, :output, :handles, :failure, :started, :at)"
    " ON CONFLICT (run_id, node_id, iteration) DO UPDATE SET state = :state, seq = :seq, output = :output,"
    " handles = :handles, failure = :failure, wait_reason = NULL, wake_at = NULL, look_at = NULL, memo = NULL,"
    " ended_date = :at,"
    # Its row may be there from an earlier try of the run.
    " input = CASE WHEN node_run.started_date IS NULL THEN excluded.input ELSE node_run.input END,"
    " started_date = COALESCE(node_run.started_date, excluded.started_date) WHERE node_run.ended_date IS NULL"
)
_WAIT_OPENED = text(
    "INSERT INTO callback_wait (id, run_id, node_id, number, token_hash, token_sealed, created_date)"
    " VALUES (:id, :run_id, :node_id, :number, :token_hash, :token_sealed, :at) ON CONFLICT (id) DO NOTHING"
)
_WAIT_REOPENED = text(
    "UPDATE callback_wait SET received_date = NULL, body = NULL"
    # What has arrived since must not be lost.
    " WHERE id = :id AND run_id = :run_id AND received_date = :received_at"
)
_WAITS_CLOSED = text(
    "UPDATE callback_wait SET closed_date = :at"
    " WHERE run_id = :run_id AND node_id = :node_id AND received_date IS NULL AND closed_date IS NULL"
)
_ALL_WAITS_CLOSED = text(
    "UPDATE callback_wait SET closed_date = :at"
    " WHERE run_id = :run_id AND received_date IS NULL AND closed_date IS NULL"
)
_LOGGED = text(
    "INSERT INTO run_log (run_id, seq, number, node_id, level, message, at)"
    " VALUES (:run_id, :seq, :number, :node_id, :level, :message, :at)"
)


class FactWriter:
    """Writes facts on the connection of a transaction that has made sure whose run it is.

    Args:
        seal: Encrypts a token for the row whose id is the second argument.
        token_hash: The hash under which callbacks find a token.
    """

    def __init__(self, seal: Seal, token_hash: Callable[[str], str]) -> None:
        self._seal = seal
        self._token_hash = token_hash

    def write_all(self, connection: Connection, run_id: str, seq: int, facts: Sequence[Fact]) -> None:
        """Write the facts that are the change ``seq`` of the run."""
        begun: NodeStarted | None = None
        for number, fact in enumerate(facts):
            following = facts[number + 1] if number + 1 < len(facts) else None
            if isinstance(fact, NodeStarted) and _is_first_call(fact, following):
                begun = fact
            elif begun is not None and isinstance(fact, AttemptStarted):
                self._write_first_call(connection, run_id, seq, begun, fact)
                begun = None
            else:
                self.write(connection, run_id, seq, number, fact)

    def _write_first_call(
        self, connection: Connection, run_id: str, seq: int, begun: NodeStarted, call: AttemptStarted
    ) -> None:
        """A node that begins with a call, as most that call do, is written at once."""
        row: dict[str, Any] = {
            "run_id": run_id,
            "node_id": call.node_id,
            "seq": seq,
            "number": call.number,
            "started": begun.at,
            "at": call.at,
            "input": payloads.store(connection, run_id, begun.input),
            "request": payloads.dumps(call.request),
        }
        connection.execute(_ATTEMPT_STARTED, row)
        connection.execute(_NODE_CALLS, row)

    def write(self, connection: Connection, run_id: str, seq: int, number: int, fact: Fact) -> None:
        """Write the fact that is the ``number``-th of the change ``seq`` of the run."""
        row: dict[str, Any] = {"run_id": run_id, "seq": seq, "at": fact.at}
        match fact:
            case NodeStarted():
                row |= {"node_id": fact.node_id, "input": payloads.store(connection, run_id, fact.input)}
                connection.execute(_NODE_STARTED, row)
            case AttemptStarted():
                row |= {
                    "node_id": fact.node_id,
                    "number": fact.number,
                    "request": payloads.dumps(fact.request),
                }
                connection.execute(_ATTEMPT_STARTED, row)
                connection.execute(_NODE_ATTEMPT, row)
            case AttemptEnded():
                row |= {
                    "node_id": fact.node_id,
                    "number": fact.number,
                    "status_code": fact.status_code,
                    "response": payloads.dumps(fact.response) if fact.response is not None else None,
                    "failure": payloads.dumps(fact.failure.as_json()) if fact.failure else None,
                    "next_try_at": fact.next_try_at,
                }
                connection.execute(_ATTEMPT_ENDED, row)
            case NodeParked():
                row |= {
                    "node_id": fact.node_id,
                    "reason": fact.reason,
                    "wake_at": fact.wake_at,
                    "memo": payloads.dumps(fact.memo),
                    "look_at": fact.look_at,
                }
                connection.execute(_NODE_PARKED, row)
            case NodeEnded():
                self._write_node_end(connection, run_id, row, fact)
            case WaitOpened() | WaitReopened():
                self._write_wait(connection, row, fact)
            case Logged():
                row |= {
                    "number": number,
                    "node_id": fact.node_id,
                    "level": fact.level,
                    "message": payloads.plain(fact.message),
                }
                connection.execute(_LOGGED, row)
            case RunEnded():
                self._write_run_end(connection, run_id, row, fact)
            case _:
                assert_never(fact)

    def _write_node_end(
        self, connection: Connection, run_id: str, row: dict[str, Any], fact: NodeEnded
    ) -> None:
        row |= {
            "node_id": fact.node_id,
            "state": fact.state.value,
            "input": payloads.store(connection, run_id, fact.input),
            "output": payloads.store(connection, run_id, fact.output),
            "handles": payloads.dumps(list(fact.handles)),
            "failure": payloads.dumps(fact.failure.as_json()) if fact.failure else None,
            # What is settled without having begun was never started.
            "started": fact.at if fact.has_input else None,
        }
        connection.execute(_NODE_ENDED, row)
        if fact.has_waits:
            connection.execute(_WAITS_CLOSED, row)

    def _write_run_end(
        self, connection: Connection, run_id: str, row: dict[str, Any], fact: RunEnded
    ) -> None:
        if fact.output is not None:
            output = payloads.store(connection, run_id, fact.output)
            connection.execute(_SET_OUTPUT, {"id": run_id, "output": output})
        if fact.has_waits:
            connection.execute(_ALL_WAITS_CLOSED, row)

    def _write_wait(
        self, connection: Connection, row: dict[str, Any], fact: WaitOpened | WaitReopened
    ) -> None:
        row |= {"id": fact.wait_id}
        if isinstance(fact, WaitReopened):
            connection.execute(_WAIT_REOPENED, row | {"received_at": fact.received_at})
            return
        row |= {
            "node_id": fact.node_id,
            "number": fact.number,
            "token_hash": self._token_hash(fact.token),
            "token_sealed": self._seal(fact.token, fact.wait_id),
        }
        connection.execute(_WAIT_OPENED, row)


def _is_first_call(begun: NodeStarted, following: Fact | None) -> bool:
    return isinstance(following, AttemptStarted) and following.node_id == begun.node_id
