"""Looks at executions outside on SQL: which nodes wait for one, and what was seen, many in one transaction."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator_app.domain.looks import Seen, Watch
from orchestrator_app.domain.ports import DueLook
from orchestrator_app.storage import payloads
from orchestrator_app.storage.callbacks import LOCK_RUN
from orchestrator_app.storage.checkpoints import Changed
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection, text

log = logging.getLogger(__name__)

Unseal = Callable[[str, str], str]

_TAKE = (
    "WITH due AS (SELECT run_id, node_id, iteration FROM node_run"
    " WHERE look_at IS NOT NULL AND look_at <= :now ORDER BY look_at LIMIT :limit{lock})"
    " UPDATE node_run SET look_at = :lease FROM due"
    " WHERE node_run.run_id = due.run_id AND node_run.node_id = due.node_id AND node_run.iteration = due.iteration"
    " RETURNING node_run.run_id, node_run.node_id, node_run.attempt, node_run.memo"
)
# What another process takes at this moment is passed over. SQLite has one writer and knows no such lock.
_TAKE_ALONE = text(_TAKE.format(lock=""))
_TAKE_BESIDE_OTHERS = text(_TAKE.format(lock=" FOR UPDATE SKIP LOCKED"))
_NEXT = text("SELECT min(look_at) FROM node_run WHERE look_at IS NOT NULL")
_WORKSPACES = text("SELECT id, workspace_id FROM orchestrator_run WHERE id IN :ids")
_TOKENS = text(
    "SELECT id, run_id, node_id, number, token_sealed FROM callback_wait WHERE run_id IN :ids AND number > 0"
)
_SET = (
    "UPDATE node_run SET {columns} WHERE run_id = :run_id AND node_id = :node_id AND iteration = 0"
    " AND state = 'WAITING' AND look_at = :lease"
)
_PUT_OFF = text(_SET.format(columns="look_at = :look_at"))
_WATCHED = text(_SET.format(columns="memo = :memo, look_at = :look_at"))
_ENDED = text(_SET.format(columns="memo = :memo, look_at = NULL, wake_at = :now"))
_CHANGE = text(
    "UPDATE orchestrator_run SET seq = seq + 1, wake = wake + :wakes,"
    " wake_at = CASE WHEN state = 'WAITING' AND :wakes = 1 THEN :now ELSE wake_at END"
    " WHERE id = :run_id RETURNING workspace_id, orchestrator_id, seq"
)
_LOG = text(
    "INSERT INTO run_log (run_id, seq, number, node_id, level, message, at)"
    " VALUES (:run_id, :seq, 0, :node_id, :level, :message, :now)"
)


@dataclass(frozen=True, slots=True)
class _Change:
    run_id: str
    workspace_id: str
    orchestrator_id: str
    seq: int
    is_end: bool


class SqlLookStore:
    """``domain.ports.LookStore`` on SQLite or PostgreSQL.

    Args:
        database: Where to write.
        unseal: Opens the token of the wait whose id is the second argument.
        changed: Called after a commit with workspace id, orchestrator id, run id and the run's new ``seq``.
    """

    def __init__(self, database: Database, *, unseal: Unseal, changed: Changed) -> None:
        self._database = database
        self._unseal = unseal
        self._changed = changed

    async def take(self, now: int, *, lease: int, limit: int) -> tuple[list[DueLook], int | None]:
        """See the port."""

        def work(connection: Connection) -> tuple[list[DueLook], int | None]:
            statement = _TAKE_ALONE if self._database.is_sqlite else _TAKE_BESIDE_OTHERS
            key = {"now": now, "lease": lease, "limit": limit}
            rows = connection.execute(statement, key).all()
            return self._due(connection, rows, lease), connection.execute(_NEXT).scalar_one()

        # Idle programs must not write: most of the time nothing is due.
        next_at = await self._database.read(lambda connection: connection.execute(_NEXT).scalar_one())
        if next_at is None or next_at > now:
            return [], next_at
        return await self._database.write(work)

    def _due(self, connection: Connection, rows: Sequence[Any], lease: int) -> list[DueLook]:
        if not rows:
            return []
        ids = {"ids": sorted({row.run_id for row in rows})}
        workspaces = {row.id: row.workspace_id for row in connection.execute(_WORKSPACES, ids)}
        waits = {(wait.run_id, wait.node_id, wait.number): wait for wait in connection.execute(_TOKENS, ids)}
        due: list[DueLook] = []
        for row in rows:
            try:
                watch = self._watch(row, waits.get((row.run_id, row.node_id, row.attempt)))
            except Exception:
                # The others must not wait for it; it is tried again when its lease is over.
                log.exception("what node %s of run %s waits for cannot be read", row.node_id, row.run_id)
                continue
            due.append(DueLook(row.run_id, row.node_id, workspaces[row.run_id], lease, watch))
        return due

    def _watch(self, row: Any, wait: Any) -> Watch:
        memo = payloads.loads(row.memo)
        is_called_back = memo["call"]["completion"] == "callback"
        token = self._unseal(wait.token_sealed, wait.id) if wait is not None and is_called_back else ""
        return Watch.from_json(memo, callback_token=token)

    async def put_off(self, looks: Sequence[tuple[DueLook, int]]) -> None:
        """See the port."""
        rows = [_key(look) | {"look_at": at} for look, at in looks]
        if rows:
            await self._database.write(lambda connection: connection.execute_many(_PUT_OFF, rows))

    async def keep(self, seen: Sequence[tuple[DueLook, Seen]], now: int) -> list[str]:
        """See the port."""
        changes = await self._database.write(lambda connection: _keep(connection, seen, now))
        for change in changes:
            self._changed(change.workspace_id, change.orchestrator_id, change.run_id, change.seq)
        return [change.run_id for change in changes if change.is_end]


def _key(look: DueLook) -> dict[str, Any]:
    return {"run_id": look.run_id, "node_id": look.node_id, "lease": look.lease}


def _keep(connection: Connection, seen: Sequence[tuple[DueLook, Seen]], now: int) -> list[_Change]:
    news = [(look, what) for look, what in seen if what.is_news]
    quiet = [
        _key(look) | {"memo": payloads.dumps(what.watch.as_json()), "look_at": what.look_at}
        for look, what in seen
        if not what.is_news
    ]
    changes: list[_Change] = []
    # Several runs are locked in the order of their ids, so that two processes never wait for each other.
    for look, what in sorted(news, key=lambda pair: pair[0].run_id):
        change = _keep_news(connection, look, what, now)
        if change is not None:
            changes.append(change)
    if quiet:
        connection.execute_many(_WATCHED, quiet)
    return changes


def _keep_news(connection: Connection, look: DueLook, seen: Seen, now: int) -> _Change | None:
    """Write what concerns the run itself, unless the wait of its node has ended meanwhile."""
    is_over = seen.watch.is_over
    row = _key(look) | {"now": now, "memo": payloads.dumps(seen.watch.as_json()), "look_at": seen.look_at}
    connection.execute(LOCK_RUN, {"run_id": look.run_id})
    # A run that has ended has no waiting nodes.
    if connection.execute(_ENDED if is_over else _WATCHED, row).rowcount == 0:
        return None
    run = connection.execute(_CHANGE, row | {"wakes": int(is_over)}).one()
    if seen.says:
        line = {"level": seen.level, "message": payloads.plain(seen.says), "seq": run.seq}
        connection.execute(_LOG, row | line)
    return _Change(look.run_id, run.workspace_id, run.orchestrator_id, run.seq, is_end=is_over)
