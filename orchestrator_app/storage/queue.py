"""Which runs may begin: an orchestrator may limit how many of its runs are under way, and the others wait in order."""

from collections.abc import Collection
from dataclasses import dataclass

from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection, text

# On PostgreSQL two workers that want to begin runs of one orchestrator do so one after the other.
_LIMIT_OF_PENDING = text(
    "SELECT s.orchestrator_id, s.concurrency FROM orchestrator_setting s WHERE s.concurrency IS NOT NULL"
    " AND s.orchestrator_id = (SELECT orchestrator_id FROM orchestrator_run WHERE id = :id AND state = 'PENDING')",
    on_postgresql="FOR NO KEY UPDATE",
)
# In these statements the condition about open runs is that of the index, which SQLite uses only when it is repeated
# word by word; without a bound for the id it would take another index, and look at all that ever ran. Nothing is counted
# beyond the limit, however long the queue is.
_AHEAD = text(
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM orchestrator_run"
    " WHERE orchestrator_id = :orchestrator_id AND state IN ('PENDING', 'RUNNING', 'WAITING')"
    " AND state IN ('RUNNING', 'WAITING')"
    " LIMIT :concurrency) AS begun)"
    " + (SELECT count(*) FROM (SELECT 1 FROM orchestrator_run"
    " WHERE orchestrator_id = :orchestrator_id AND state IN ('PENDING', 'RUNNING', 'WAITING')"
    " AND state = 'PENDING' AND id < :id"
    " LIMIT :concurrency) AS older)"
)
_LIMITED = text(
    "SELECT orchestrator_id, concurrency FROM orchestrator_setting WHERE concurrency IS NOT NULL"
    " ORDER BY orchestrator_id"
)
_BEGUN = text(
    "SELECT count(*) FROM (SELECT 1 FROM orchestrator_run"
    " WHERE orchestrator_id = :orchestrator_id AND state IN ('PENDING', 'RUNNING', 'WAITING')"
    " AND state IN ('RUNNING', 'WAITING')"
    " LIMIT :concurrency) AS begun"
)
_OLDEST = text(
    "SELECT id FROM orchestrator_run"
    " WHERE orchestrator_id = :orchestrator_id AND state IN ('PENDING', 'RUNNING', 'WAITING')"
    " AND state = 'PENDING' AND id > '' ORDER BY id LIMIT :room"
)
_PENDING = text(
    "SELECT id FROM orchestrator_run"
    " WHERE orchestrator_id = :orchestrator_id AND state IN ('PENDING', 'RUNNING', 'WAITING')"
    " AND state = 'PENDING' AND id > '' ORDER BY id"
)
_COUNTS = text(
    "SELECT r.orchestrator_id, max(r.orchestrator_name) AS name, max(s.concurrency) AS concurrency,"
    " sum(CASE WHEN r.state = 'PENDING' THEN 1 ELSE 0 END) AS queued,"
    " sum(CASE WHEN r.state = 'RUNNING' THEN 1 ELSE 0 END) AS running,"
    " sum(CASE WHEN r.state = 'WAITING' THEN 1 ELSE 0 END) AS waiting"
    " FROM orchestrator_run r LEFT JOIN orchestrator_setting s ON s.orchestrator_id = r.orchestrator_id"
    " WHERE r.workspace_id = :workspace_id AND r.state IN ('PENDING', 'RUNNING', 'WAITING')"
    " GROUP BY r.orchestrator_id ORDER BY queued DESC, r.orchestrator_id"
)


@dataclass(frozen=True, slots=True)
class QueueRow:
    """How many open runs of an orchestrator are in which state; ``concurrency`` is its limit, if it has one."""

    orchestrator_id: str
    name: str
    concurrency: int | None
    queued: int
    running: int
    waiting: int


def may_begin(connection: Connection, run_id: str) -> bool:
    """Whether a run has its turn; one that has begun always has.

    It has it when those that are under way and those that are older than it leave room for it: so the order is kept
    whoever asks first.
    """
    limit = connection.execute(_LIMIT_OF_PENDING, {"id": run_id}).one_or_none()
    if limit is None:
        return True
    key = {"id": run_id, "orchestrator_id": limit.orchestrator_id, "concurrency": limit.concurrency}
    return connection.execute(_AHEAD, key).scalar_one() < limit.concurrency


def limits(connection: Connection) -> dict[str, int]:
    """The orchestrators that limit their runs, and to how many."""
    return {row.orchestrator_id: row.concurrency for row in connection.execute(_LIMITED)}


def next_runs(connection: Connection, orchestrator_ids: Collection[str]) -> list[str]:
    """The oldest waiting runs of these orchestrators for which there is room; all of those without a limit."""
    known = limits(connection)
    found: list[str] = []
    for orchestrator_id in orchestrator_ids:
        key: dict[str, object] = {"orchestrator_id": orchestrator_id}
        concurrency = known.get(orchestrator_id)
        if concurrency is None:
            found += connection.execute(_PENDING, key).scalars()
            continue
        begun = connection.execute(_BEGUN, key | {"concurrency": concurrency}).scalar_one()
        found += connection.execute(_OLDEST, key | {"room": concurrency - begun}).scalars()
    return found


class SqlRunQueueStore:
    """``domain.ports.RunQueueStore`` on SQLite or PostgreSQL.

    Args:
        database: Where to read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def limited(self) -> frozenset[str]:
        """See the port."""
        return frozenset(await self._database.read(limits))

    async def next_runs(self, orchestrator_ids: Collection[str]) -> list[str]:
        """See the port."""
        return await self._database.read(lambda connection: next_runs(connection, orchestrator_ids))


def counts(connection: Connection, workspace_id: str) -> list[QueueRow]:
    """The orchestrators that have open runs, those with the longest queue first."""
    return [QueueRow(*row) for row in connection.execute(_COUNTS, {"workspace_id": workspace_id})]
