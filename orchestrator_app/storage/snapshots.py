"""Rows of the graphs of remote workflows: the newest one seen of each, and those from which nodes were made."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator_app.storage.sql import Connection, text

_PUT = text(
    "INSERT INTO workflow_snapshot (connection_id, workflow_id, content_hash, is_kept, preview, fetched_date)"
    " SELECT p.id, :workflow_id, :content_hash, false, :preview, :now FROM provider_connection p"
    " WHERE p.id = :connection_id"
    " ON CONFLICT (connection_id, workflow_id, content_hash) DO UPDATE"
    " SET preview = excluded.preview, fetched_date = excluded.fetched_date"
)
_DELETE_OTHERS = text(
    "DELETE FROM workflow_snapshot WHERE connection_id = :connection_id AND workflow_id = :workflow_id"
    " AND content_hash <> :content_hash AND NOT is_kept"
)
_KEEP = text(
    "UPDATE workflow_snapshot SET is_kept = true WHERE connection_id = :connection_id"
    " AND workflow_id = :workflow_id AND content_hash = :content_hash"
)
_FORGET = text("DELETE FROM workflow_snapshot WHERE connection_id = :connection_id AND NOT is_kept")
# The columns are in the order of the fields of ``Snapshot``.
_ALL = (
    "SELECT s.connection_id, s.workflow_id, s.content_hash, s.is_kept, s.preview, s.fetched_date"
    " FROM workflow_snapshot s"
)
_GET = text(
    _ALL
    + " WHERE s.connection_id = :connection_id AND s.workflow_id = :workflow_id AND s.content_hash = :content_hash"
)
_IS_NEWEST = (
    " AND s.fetched_date = (SELECT max(n.fetched_date) FROM workflow_snapshot n"
    " WHERE n.connection_id = s.connection_id AND n.workflow_id = s.workflow_id)"
)
_NEWEST = text(
    _ALL + " WHERE s.connection_id IN :connection_ids AND s.workflow_id IN :workflow_ids" + _IS_NEWEST
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The graph of a workflow at one content; ``preview`` is JSON text."""

    connection_id: str
    workflow_id: str
    content_hash: str
    is_kept: bool
    preview: str
    fetched_date: int


def put(
    connection: Connection,
    connection_id: str,
    workflow_id: str,
    *,
    content_hash: str,
    preview: str,
    now: int,
) -> None:
    """Keep the newest graph of a workflow, if its connection is still there; older ones go unless nodes need them."""
    row = {"connection_id": connection_id, "workflow_id": workflow_id, "content_hash": content_hash}
    connection.execute(_PUT, row | {"preview": preview, "now": now})
    connection.execute(_DELETE_OTHERS, row)


def keep(connection: Connection, connection_id: str, workflow_id: str, content_hash: str) -> None:
    """A node was made from this graph: it is needed for as long as the connection exists."""
    key = {"connection_id": connection_id, "workflow_id": workflow_id, "content_hash": content_hash}
    connection.execute(_KEEP, key)


def forget(connection: Connection, connection_id: str) -> None:
    """Forget the graphs that no node was made from: the connection leads elsewhere now."""
    connection.execute(_FORGET, {"connection_id": connection_id})


def get(connection: Connection, connection_id: str, workflow_id: str, content_hash: str) -> Snapshot | None:
    """The graph at one content."""
    key = {"connection_id": connection_id, "workflow_id": workflow_id, "content_hash": content_hash}
    row = connection.execute(_GET, key).one_or_none()
    return None if row is None else Snapshot(*row)


def newest(
    connection: Connection, connection_ids: Sequence[str], workflow_ids: Sequence[str]
) -> dict[tuple[str, str], Snapshot]:
    """The graph seen last of each of these workflows, by connection and workflow."""
    keys = {"connection_ids": list(connection_ids), "workflow_ids": list(workflow_ids)}
    return {(row.connection_id, row.workflow_id): Snapshot(*row) for row in connection.execute(_NEWEST, keys)}
