"""The queue from which worker processes take runs: the jobs of Procrastinate, beside our tables on PostgreSQL.

A job says only which run has something to do; the rows of the runs are the truth, and the queue can be filled from them
at any time. Jobs are put there by a statement of ours, because of many runs at once some may be queued already, which
Procrastinate's own functions would take for an error.
"""

from collections.abc import Sequence
from importlib import resources

from orchestrator_app.errors import ConfigurationError
from orchestrator_app.storage import engines
from orchestrator_app.storage.sql import Connection, text

QUEUE = "runs"
TASK = "advance"
MOST_AT_ONCE = 500
# A worker whose heart has not beaten for so long is taken for dead.
DEAD_AFTER_SECONDS = 10
# A run that has not begun so long after its start was not told to the queue.
FORGOTTEN_MS = 3_000

# Any number will do that nobody else locks in the same database.
_LOCK = "SELECT pg_advisory_xact_lock(7243901855210035)"
_HAS_TABLES = text("SELECT to_regclass('procrastinate_jobs')::text")
_ALIVE = f"w.last_heartbeat > now() - interval '{DEAD_AFTER_SECONDS} seconds'"
_LIVE_WORKERS = text(f"SELECT count(*) FROM procrastinate_workers w WHERE {_ALIVE}")  # noqa: S608 - made of constants
# What a claim asks for as well when there are other workers: that none of them works on the run.
NOT_WORKED_ON = (
    " AND (r.state <> 'RUNNING' OR r.owner = :owner OR NOT EXISTS"  # noqa: S608 - made of constants
    f" (SELECT 1 FROM procrastinate_workers w WHERE w.id::text = r.owner AND {_ALIVE}))"
)
# Rows that somebody else has locked are passed over: a process may have been stopped in the middle of its transaction,
# and nobody may wait for it. What is passed over is found by a later sweep.
_PUT = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)"  # noqa: S608 - made of constants
    f" SELECT '{QUEUE}', '{TASK}', r.id, jsonb_build_object('run_id', r.id) FROM orchestrator_run r"
    " WHERE r.state IN ('PENDING', 'RUNNING', 'WAITING') AND {which}"
    " AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.queueing_lock = r.id AND j.status = 'todo')"
    f" ORDER BY r.wake_at, r.id LIMIT {MOST_AT_ONCE} FOR NO KEY UPDATE OF r SKIP LOCKED"
    " ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING RETURNING queueing_lock"
)
_PUT_THESE = text(_PUT.format(which="r.id IN :ids" + NOT_WORKED_ON))
# The sweeps run on connections of Procrastinate, in transactions of their own.
PUT_DUE = text(_PUT.format(which="r.state = 'WAITING' AND r.wake_at <= :now")).postgresql
PUT_LEFT_BEHIND = text(
    _PUT.format(
        which="(r.state = 'RUNNING' OR (r.state = 'PENDING' AND r.created_date <= :before))" + NOT_WORKED_ON
    )
).postgresql


def create(url: str) -> None:
    """Make Procrastinate's tables, unless they are there; processes that start at the same time do it once.

    Raises:
        ConfigurationError: Procrastinate is not installed.
        DatabaseError: The database does not allow it.
    """
    try:
        schema = (resources.files("procrastinate.sql") / "schema.sql").read_text(encoding="utf-8")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            ["Workers need the packages of the extra “postgres”: install orchestrator[postgres]."]
        ) from error
    connection = engines.open_writer(url)
    try:
        connection.command("BEGIN")
        connection.command(_LOCK)
        if connection.execute(_HAS_TABLES).scalar_one() is None:
            connection.command(schema)
        connection.command("COMMIT")
    finally:
        connection.close()


def put(connection: Connection, run_ids: Sequence[str]) -> set[str]:
    """Queue these runs, except those that are queued already, that a worker works on, or that have ended.

    Returns:
        Those that were queued now.
    """
    return set(connection.execute(_PUT_THESE, {"ids": run_ids, "owner": ""}).scalars())


def live_workers(connection: Connection) -> int:
    """How many worker processes live."""
    if connection.is_sqlite or connection.execute(_HAS_TABLES).scalar_one() is None:
        return 0
    return int(connection.execute(_LIVE_WORKERS).scalar_one())
