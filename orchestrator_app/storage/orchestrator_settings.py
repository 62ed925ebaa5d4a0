"""Rows of what is set for single orchestrators."""

from dataclasses import dataclass

from orchestrator_app.storage.sql import Connection, text

_GET = text(
    "SELECT s.concurrency, s.deadline_ms, s.signing_secret, s.updated_date"
    " FROM orchestrator o LEFT JOIN orchestrator_setting s ON s.orchestrator_id = o.id"
    " WHERE o.id = :id AND o.workspace_id = :workspace_id AND o.deleted_date IS NULL"
)
_PUT_LIMITS = text(
    "INSERT INTO orchestrator_setting (orchestrator_id, workspace_id, concurrency, deadline_ms, updated_date)"
    " VALUES (:id, :workspace_id, :concurrency, :deadline_ms, :now)"
    " ON CONFLICT (orchestrator_id) DO UPDATE SET concurrency = excluded.concurrency,"
    " deadline_ms = excluded.deadline_ms, updated_date = excluded.updated_date"
)
_PUT_SECRET = text(
    "INSERT INTO orchestrator_setting (orchestrator_id, workspace_id, signing_secret, updated_date)"
    " VALUES (:id, :workspace_id, :signing_secret, :now)"
    " ON CONFLICT (orchestrator_id) DO UPDATE SET signing_secret = excluded.signing_secret,"
    " updated_date = excluded.updated_date"
)
_RUN_LIMITS = text(
    "SELECT concurrency, deadline_ms FROM orchestrator_setting WHERE orchestrator_id = :orchestrator_id"
)


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What counts for the runs of an orchestrator: how many at once, and how long each may take."""

    concurrency: int | None = None
    deadline_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SettingRow:
    """What is set for an orchestrator; what is None is not set, and ``updated_date`` is None when nothing ever was."""

    concurrency: int | None
    deadline_ms: int | None
    signing_secret: str | None
    updated_date: int | None


def get(connection: Connection, workspace_id: str, orchestrator_id: str) -> SettingRow | None:
    """What is set for an orchestrator, or None when there is no such orchestrator."""
    key = {"id": orchestrator_id, "workspace_id": workspace_id}
    row = connection.execute(_GET, key).one_or_none()
    return None if row is None else SettingRow(*row)


def run_limits(connection: Connection, orchestrator_id: str) -> RunLimits:
    """What counts for the runs of an orchestrator."""
    row = connection.execute(_RUN_LIMITS, {"orchestrator_id": orchestrator_id}).one_or_none()
    return RunLimits() if row is None else RunLimits(*row)


def put_limits(
    connection: Connection,
    workspace_id: str,
    orchestrator_id: str,
    *,
    concurrency: int | None,
    deadline_ms: int | None,
    now: int,
) -> None:
    """Keep the limits of an orchestrator that is there."""
    row = {
        "id": orchestrator_id,
        "workspace_id": workspace_id,
        "concurrency": concurrency,
        "deadline_ms": deadline_ms,
        "now": now,
    }
    connection.execute(_PUT_LIMITS, row)


def put_secret(
    connection: Connection, workspace_id: str, orchestrator_id: str, sealed: str | None, now: int
) -> None:
    """Keep the sealed secret of an orchestrator that is there; None takes it away."""
    row = {"id": orchestrator_id, "workspace_id": workspace_id, "signing_secret": sealed, "now": now}
    connection.execute(_PUT_SECRET, row)
