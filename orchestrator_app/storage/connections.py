"""Rows of the stored connections to platforms; their secrets come and go sealed."""

from dataclasses import dataclass
from typing import Any

from orchestrator_app.storage import payloads
from orchestrator_app.storage.sql import Connection, Statement, Violation, text

_INSERT = text(
    "INSERT INTO provider_connection (id, workspace_id, provider, name, settings, secrets, status, status_detail,"
    " created_date, updated_date)"
    " VALUES (:id, :workspace_id, :provider, :name, :settings, :secrets, 'untested', '', :now, :now)"
)
_UPDATE = text(
    "UPDATE provider_connection SET name = :name, settings = :settings, secrets = :secrets, status = 'untested',"
    " status_detail = '', checked_date = NULL, updated_date = :now WHERE id = :id AND workspace_id = :workspace_id"
)
_SET_STATUS = text(
    "UPDATE provider_connection SET status = :status, status_detail = :detail, checked_date = :now"
    " WHERE id = :id AND workspace_id = :workspace_id"
    " AND updated_date = :updated_date"
)
_DELETE = text("DELETE FROM provider_connection WHERE id = :id AND workspace_id = :workspace_id RETURNING id")
# The columns are in the order of the fields of ``ConnectionRow``.
_ALL = (
    "SELECT id, workspace_id, provider, name, settings, secrets, status, status_detail, checked_date, created_date,"
    " updated_date FROM provider_connection WHERE workspace_id = :workspace_id"
)
_GET = text(_ALL + " AND id = :id")
_LIST = text(_ALL + " ORDER BY provider, lower(name), id")
_ALL_STATES = text(
    "SELECT id, workspace_id, provider, status, checked_date, updated_date FROM provider_connection ORDER BY id"
)
# An id is too odd to stand in a graph by chance, so the graphs that are read are those that use it.
_GRAPHS_NAMING = text(
    "SELECT o.id, o.name, v.definition FROM orchestrator o JOIN orchestrator_version v ON v.id = o.version_id"
    " WHERE o.workspace_id = :workspace_id AND o.deleted_date IS NULL AND v.definition LIKE :pattern"
    " ORDER BY lower(o.name), o.id"
)


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A stored connection. ``settings`` is JSON text, ``secrets`` sealed JSON text."""

    id: str
    workspace_id: str
    provider: str
    name: str
    settings: str
    secrets: str
    status: str
    status_detail: str
    checked_date: int | None
    created_date: int
    updated_date: int


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """How a connection was found to fare last, of whatever workspace."""

    id: str
    workspace_id: str
    provider: str
    status: str
    checked_date: int | None
    updated_date: int


@dataclass(frozen=True, slots=True)
class GraphRow:
    """An orchestrator and the JSON text of its newest graph."""

    id: str
    name: str
    definition: str


def insert(
    connection: Connection,
    workspace_id: str,
    *,
    connection_id: str,
    provider: str,
    name: str,
    settings: str,
    secrets: str,
    now: int,
) -> bool:
    """Keep a new connection; False when the provider has one of that name already."""
    row = {
        "id": connection_id,
        "workspace_id": workspace_id,
        "provider": provider,
        "name": name,
        "settings": settings,
        "secrets": secrets,
        "now": now,
    }
    return _written_unless_name_is_taken(connection, _INSERT, row)


def update(
    connection: Connection,
    workspace_id: str,
    *,
    connection_id: str,
    name: str,
    settings: str,
    secrets: str,
    now: int,
) -> bool:
    """Change a connection, if it is there; False when another one of its provider has that name."""
    row = {
        "id": connection_id,
        "workspace_id": workspace_id,
        "name": name,
        "settings": settings,
        "secrets": secrets,
        "now": now,
    }
    return _written_unless_name_is_taken(connection, _UPDATE, row)


def _written_unless_name_is_taken(connection: Connection, statement: Statement, row: dict[str, Any]) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(statement, row)
    except Violation as error:
        # PostgreSQL names the constraint, SQLite its columns.
        if "uq_connection_name" in str(error.orig) or "provider_connection.name" in str(error.orig):
            return False
        raise
    return True


def set_status(
    connection: Connection,
    workspace_id: str,
    *,
    connection_id: str,
    status: str,
    detail: str,
    now: int,
    updated_date: int,
) -> None:
    """Keep how the connection was found to fare, if it is still there and was not changed since ``updated_date``."""
    row = {
        "id": connection_id,
        "workspace_id": workspace_id,
        "status": status,
        "detail": payloads.plain(detail),
        "now": now,
        "updated_date": updated_date,
    }
    connection.execute(_SET_STATUS, row)


def delete(connection: Connection, workspace_id: str, connection_id: str) -> bool:
    """Forget a connection; False when there is none."""
    key = {"id": connection_id, "workspace_id": workspace_id}
    return connection.execute(_DELETE, key).scalar_one_or_none() is not None


def get(connection: Connection, workspace_id: str, connection_id: str) -> ConnectionRow | None:
    """One connection."""
    row = connection.execute(_GET, {"id": connection_id, "workspace_id": workspace_id}).one_or_none()
    return None if row is None else ConnectionRow(*row)


def list_connections(connection: Connection, workspace_id: str) -> list[ConnectionRow]:
    """All connections of the workspace, by provider and name."""
    return [ConnectionRow(*row) for row in connection.execute(_LIST, {"workspace_id": workspace_id})]


def all_states(connection: Connection) -> list[ConnectionState]:
    """How every connection fares."""
    return [ConnectionState(*row) for row in connection.execute(_ALL_STATES)]


def graphs_naming(connection: Connection, workspace_id: str, connection_id: str) -> list[GraphRow]:
    """The orchestrators whose newest graph has the id of the connection somewhere."""
    values = {"workspace_id": workspace_id, "pattern": f"%{connection_id}%"}
    return [GraphRow(*row) for row in connection.execute(_GRAPHS_NAMING, values)]
