"""The journal of runs on SQL: claims, facts and parked runs, every write guarded by the run's epoch."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from orchestrator_app.domain.definition import Definition, from_stored
from orchestrator_app.domain.ports import ClaimedRun, NodeRecord, OpenRun, WaitRecord
from orchestrator_app.domain.runs import (
    Fact,
    Failure,
    Logged,
    NodeState,
    RunEnded,
    RunState,
)
from orchestrator_app.errors import LeaseLost
from orchestrator_app.storage import payloads, queue
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.facts import FactWriter, Seal
from orchestrator_app.storage.run_queue import NOT_WORKED_ON
from orchestrator_app.storage.sql import Connection, text

CACHED_DEFINITIONS = 256


class Changed(Protocol):
    """Told after every commit about a run."""

    def __call__(
        self, workspace_id: str, orchestrator_id: str, run_id: str, seq: int, *, is_end: bool = False
    ) -> None:
        """The run has a newer state on disk; ``is_end`` when that is its last."""
        ...


_CLAIM_WORDS = (
    "UPDATE orchestrator_run AS r SET epoch = epoch + 1, seq = seq + 1, owner = :owner, state = 'RUNNING',"
    " wake_at = NULL, started_date = COALESCE(started_date, :now), deadline_at = CASE WHEN state = 'PENDING' THEN"
    " CAST(:now AS BIGINT) + COALESCE((SELECT deadline_ms FROM orchestrator_setting s"
    " WHERE s.orchestrator_id = r.orchestrator_id), CAST(:deadline_ms AS BIGINT)) ELSE deadline_at END"
    " WHERE r.id = {run} AND r.state IN ('PENDING', 'RUNNING', 'WAITING'){unless}"
    " RETURNING workspace_id, orchestrator_id, orchestrator_name, version_id, epoch, wake, seq, input, created_date,"
    " deadline_at"
)
_CLAIM = text(_CLAIM_WORDS.format(run=":id", unless=""))
# Nobody waits for a row that another process has locked: it may have been stopped in the middle of its transaction.
_CLAIM_BESIDE_OTHERS = text(
    _CLAIM_WORDS.format(
        run="(SELECT id FROM orchestrator_run WHERE id = :id FOR NO KEY UPDATE SKIP LOCKED)",
        unless=NOT_WORKED_ON,
    )
)
_GUARD = text(
    "UPDATE orchestrator_run SET seq = seq + 1 WHERE id = :id AND epoch = :epoch AND state = 'RUNNING' RETURNING seq"
)
_END = text(
    "UPDATE orchestrator_run SET seq = seq + 1, state = :state, failure = :failure, ended_date = :at, wake_at = NULL"
    " WHERE id = :id AND epoch = :epoch AND state = 'RUNNING' RETURNING seq"
)
_PARK = text(
    "UPDATE orchestrator_run SET seq = seq + 1, state = 'WAITING', wake_at = :wake_at"
    " WHERE id = :id AND epoch = :epoch AND state = 'RUNNING' AND wake = :wake"
    # A look may have seen an end just before the worker learnt that its node is parked.
    " AND NOT EXISTS (SELECT 1 FROM node_run n WHERE n.run_id = :id AND n.state = 'WAITING' AND n.wake_at <= :at)"
    " RETURNING seq"
)
_OWNED = text("SELECT wake FROM orchestrator_run WHERE id = :id AND epoch = :epoch AND state = 'RUNNING'")
_WAITING_NODES = text(
    "SELECT node_id, wake_at, memo FROM node_run WHERE run_id = :id AND state = 'WAITING' AND look_at IS NULL"
)
_NODES = text(
    "SELECT node_id, state, attempt, input, output, handles, failure, wait_reason, wake_at, memo, started_date,"
    " ended_date FROM node_run WHERE run_id = :id"
)
_OPEN_ATTEMPTS = text("SELECT node_id, started_date FROM attempt WHERE run_id = :id AND ended_date IS NULL")
_WAITS = text(
    "SELECT id, node_id, number, token_sealed, body, received_date FROM callback_wait WHERE run_id = :id ORDER BY id"
)
_NOTED = text(
    "UPDATE orchestrator_run SET seq = seq + 1 WHERE id = :id RETURNING workspace_id, orchestrator_id, seq"
)
_OPEN_RUNS = text(
    "SELECT id, state, wake_at FROM orchestrator_run WHERE state IN ('PENDING', 'RUNNING', 'WAITING') ORDER BY id"
)
# The condition about open runs is that of the index, which SQLite uses only when it is repeated word by word.
_DUE_RUNS = text(
    "SELECT id FROM orchestrator_run WHERE state IN ('PENDING', 'RUNNING', 'WAITING')"
    " AND state = 'WAITING' AND wake_at <= :now ORDER BY wake_at"
)


class SqlCheckpointStore:
    """``domain.ports.CheckpointStore`` on SQLite or PostgreSQL.

    Args:
        database: Where to write.
        seal: Encrypts a token for the row whose id is the second argument.
        unseal: The reverse.
        token_hash: The hash under which callbacks find a token.
        changed: Called after each commit with workspace id, orchestrator id, run id and the run's new ``seq``.
        now: UTC epoch milliseconds.
        is_shared: Whether other processes claim runs too; then one that another one works on cannot be claimed.
        deadline_ms: How long a run may take whose orchestrator does not say it; None for no limit.
    """

    def __init__(
        self,
        database: Database,
        *,
        seal: Seal,
        unseal: Seal,
        token_hash: Callable[[str], str],
        changed: Changed,
        now: Callable[[], int],
        is_shared: bool = False,
        deadline_ms: int | None = None,
    ) -> None:
        self._database = database
        self._claim = _CLAIM_BESIDE_OTHERS if is_shared else _CLAIM
        self._unseal = unseal
        self._facts = FactWriter(seal, token_hash)
        self._changed = changed
        self._now = now
        self._deadline_ms = deadline_ms
        self._definitions: OrderedDict[str, Definition] = OrderedDict()

    async def claim(self, run_id: str, owner: str) -> ClaimedRun | None:
        """See the port."""
        key = {"id": run_id, "owner": owner, "now": self._now(), "deadline_ms": self._deadline_ms}

        def work(connection: Connection) -> Any:
            if not queue.may_begin(connection, run_id):
                return None
            return connection.execute(self._claim, key).one_or_none()

        head = await self._database.jot(work)
        if head is None:
            return None
        self._changed(head.workspace_id, head.orchestrator_id, run_id, head.seq)
        # From here on nobody else writes about the run but callbacks, which are looked for again before it is parked.
        # So all that is on disk about it, which may be much, is read beside the writer.
        return await self._database.read(lambda connection: self._claimed(connection, run_id, head))

    def _claimed(self, connection: Connection, run_id: str, head: Any) -> ClaimedRun:
        return ClaimedRun(
            run_id=run_id,
            workspace_id=head.workspace_id,
            orchestrator_id=head.orchestrator_id,
            orchestrator_name=head.orchestrator_name,
            epoch=head.epoch,
            wake=head.wake,
            is_new=head.epoch == 1,
            input=payloads.fetch(connection, run_id, head.input),
            definition=self._definition(connection, head.version_id),
            variables={},
            created_at=head.created_date,
            nodes=_nodes(connection, run_id),
            waits=self._waits(connection, run_id),
            seq=head.seq,
            deadline_at=head.deadline_at,
        )

    def _definition(self, connection: Connection, version_id: str) -> Definition:
        known = self._definitions.get(version_id)
        if known is None:
            found = connection.execute(
                text("SELECT definition FROM orchestrator_version WHERE id = :id"), {"id": version_id}
            ).scalar_one()
            known = from_stored(payloads.loads(found))
            self._definitions[version_id] = known
            if len(self._definitions) > CACHED_DEFINITIONS:
                self._definitions.popitem(last=False)
        return known

    def _waits(self, connection: Connection, run_id: str) -> list[WaitRecord]:
        return [
            WaitRecord(
                wait_id=row.id,
                node_id=row.node_id,
                number=row.number,
                token=self._unseal(row.token_sealed, row.id),
                has_arrived=row.received_date is not None,
                body=payloads.fetch(connection, run_id, row.body),
                received_at=row.received_date,
            )
            for row in connection.execute(_WAITS, {"id": run_id})
        ]

    async def record(self, run: ClaimedRun, facts: Sequence[Fact]) -> None:
        """See the port."""
        seq = await self._database.jot(lambda connection: self._record(connection, run, facts))
        run.seq = seq
        is_end = any(isinstance(fact, RunEnded) for fact in facts)
        self._changed(run.workspace_id, run.orchestrator_id, run.run_id, seq, is_end=is_end)

    def _record(self, connection: Connection, run: ClaimedRun, facts: Sequence[Fact]) -> int:
        end = next((fact for fact in facts if isinstance(fact, RunEnded)), None)
        key: dict[str, Any] = {"id": run.run_id, "epoch": run.epoch}
        # The run's own row comes first: it tells whether the run is still ours, and locks it on PostgreSQL.
        if end is None:
            seq = connection.execute(_GUARD, key).scalar_one_or_none()
        else:
            failure = payloads.dumps(end.failure.as_json()) if end.failure else None
            ending = {"state": end.state.value, "failure": failure, "at": end.at}
            seq = connection.execute(_END, key | ending).scalar_one_or_none()
        if seq is None:
            raise LeaseLost("The run was cancelled or taken over.", context={"run_id": run.run_id})
        self._facts.write_all(connection, run.run_id, seq, facts)
        return seq

    async def park(self, run: ClaimedRun, wake_at: int | None, at: int) -> bool:
        """See the port."""

        def work(connection: Connection) -> int | None:
            key = {"id": run.run_id, "epoch": run.epoch}
            parking = {"wake_at": wake_at, "wake": run.wake, "at": at}
            seq = connection.execute(_PARK, key | parking).scalar_one_or_none()
            if seq is None and connection.execute(_OWNED, key).scalar_one_or_none() is None:
                raise LeaseLost("The run was cancelled or taken over.", context={"run_id": run.run_id})
            return seq

        seq = await self._database.jot(work)
        if seq is None:
            return False
        run.seq = seq
        self._changed(run.workspace_id, run.orchestrator_id, run.run_id, seq)
        return True

    async def arrivals(self, run: ClaimedRun) -> list[WaitRecord]:
        """See the port."""

        def work(connection: Connection) -> tuple[int, list[WaitRecord], list[Any]]:
            wake = connection.execute(_OWNED, {"id": run.run_id, "epoch": run.epoch}).scalar_one_or_none()
            if wake is None:
                raise LeaseLost("The run was cancelled or taken over.", context={"run_id": run.run_id})
            waiting = connection.execute(_WAITING_NODES, {"id": run.run_id}).all()
            return wake, self._waits(connection, run.run_id), list(waiting)

        run.wake, waits, waiting = await self._database.read(work)
        for row in waiting:
            known = run.nodes.get(row.node_id)
            if known is not None and known.state is NodeState.WAITING:
                known.wake_at, known.memo = row.wake_at, payloads.loads(row.memo) or {}
        return waits

    async def note(self, run_id: str, line: Logged) -> None:
        """See the port."""

        def work(connection: Connection) -> Any:
            run = connection.execute(_NOTED, {"id": run_id}).one()
            self._facts.write(connection, run_id, run.seq, 0, line)
            return run

        run = await self._database.jot(work)
        self._changed(run.workspace_id, run.orchestrator_id, run_id, run.seq)

    async def open_runs(self) -> list[OpenRun]:
        """See the port."""
        rows = await self._database.read(lambda connection: connection.execute(_OPEN_RUNS).all())
        return [OpenRun(row.id, RunState(row.state), row.wake_at) for row in rows]

    async def due_runs(self, now: int) -> list[str]:
        """See the port."""
        return await self._database.read(
            lambda connection: list(connection.execute(_DUE_RUNS, {"now": now}).scalars())
        )


def _nodes(connection: Connection, run_id: str) -> dict[str, NodeRecord]:
    open_attempts = {
        row.node_id: row.started_date for row in connection.execute(_OPEN_ATTEMPTS, {"id": run_id})
    }
    nodes: dict[str, NodeRecord] = {}
    for row in connection.execute(_NODES, {"id": run_id}):
        failure = payloads.loads(row.failure)
        nodes[row.node_id] = NodeRecord(
            node_id=row.node_id,
            state=NodeState(row.state),
            attempt=row.attempt,
            attempt_is_open=row.node_id in open_attempts,
            attempt_began_at=open_attempts.get(row.node_id, 0),
            input=payloads.fetch(connection, run_id, row.input),
            output=payloads.fetch(connection, run_id, row.output),
            handles=tuple(payloads.loads(row.handles) or ()),
            failure=Failure.from_json(failure) if failure else None,
            wait_reason=row.wait_reason,
            wake_at=row.wake_at,
            memo=payloads.loads(row.memo) or {},
            started_at=row.started_date,
            ended_at=row.ended_date,
        )
    return nodes
