"""Rows of orchestrators and of the versions of their graphs."""

from dataclasses import dataclass

from orchestrator_app.errors import BadRequest
from orchestrator_app.storage import search
from orchestrator_app.storage.sql import Connection, text

_INSERT = text(
    "INSERT INTO orchestrator (id, workspace_id, name, description, version, version_id, node_count, created_date,"
    " updated_date)"
    " VALUES (:id, :workspace_id, :name, :description, 1, :version_id, :node_count, :now, :now)"
)
_INSERT_VERSION = text(
    "INSERT INTO orchestrator_version (id, orchestrator_id, version, definition, created_date)"
    " VALUES (:version_id, :id, :version, :definition, :now)"
)
_SAVE = text(
    "UPDATE orchestrator SET version = version + 1, version_id = :version_id, name = :name,"
    " description = :description, node_count = :node_count, updated_date = :now"
    " WHERE id = :id AND workspace_id = :workspace_id AND deleted_date IS NULL"
    " AND version = COALESCE(CAST(:expected_version AS INTEGER), version)"
    " RETURNING version"
)
_DELETE = text(
    "UPDATE orchestrator SET deleted_date = :now"
    " WHERE id = :id AND workspace_id = :workspace_id AND deleted_date IS NULL RETURNING id"
)
_GET = text(
    "SELECT o.id, o.workspace_id, o.name, o.description, o.version, o.version_id, o.created_date, o.updated_date,"
    " v.definition"
    " FROM orchestrator o JOIN orchestrator_version v ON v.id = o.version_id"
    " WHERE o.id = :id AND o.workspace_id = :workspace_id AND o.deleted_date IS NULL"
)
# The newest run is found by one look into the index of each orchestrator's runs, for the rows of the page only.
_PAGE = (
    "SELECT o.id, o.workspace_id, o.name, o.description, o.version, o.node_count, o.created_date, o.updated_date,"
    " r.id AS last_run_id, r.state AS last_run_state, COALESCE(r.ended_date, r.created_date) AS last_run_date"
    " FROM orchestrator o LEFT JOIN orchestrator_run r ON r.id ="
    " (SELECT n.id FROM orchestrator_run n WHERE n.orchestrator_id = o.id ORDER BY n.id DESC LIMIT 1)"
    " WHERE o.workspace_id = :workspace_id AND o.deleted_date IS NULL"
)
_PAGE_MATCHING = f" AND (lower(o.name) LIKE :pattern {search.ESCAPE} OR lower(o.description) LIKE :pattern {search.ESCAPE})"
_PAGE_AFTER = " AND (o.updated_date, o.id) < (:after_date, :after_id)"
_PAGE_END = " ORDER BY o.updated_date DESC, o.id DESC LIMIT :limit"
_OPEN_RUNS = text(
    "SELECT count(*) FROM orchestrator_run"
    " WHERE orchestrator_id = :id AND workspace_id = :workspace_id AND state IN ('PENDING', 'RUNNING', 'WAITING')"
)


@dataclass(frozen=True, slots=True)
class OrchestratorRow:
    """A row of the list, with its newest run; ``last_run_date`` is when that ended or, if it has not, began."""

    id: str
    workspace_id: str
    name: str
    description: str
    version: int
    node_count: int
    created_date: int
    updated_date: int
    last_run_id: str | None
    last_run_state: str | None
    last_run_date: int | None


@dataclass(frozen=True, slots=True)
class OrchestratorWithGraph:
    """An orchestrator and the JSON text of its newest graph."""

    id: str
    workspace_id: str
    name: str
    description: str
    version: int
    version_id: str
    created_date: int
    updated_date: int
    definition: str


def insert(
    connection: Connection,
    workspace_id: str,
    *,
    orchestrator_id: str,
    version_id: str,
    name: str,
    description: str,
    definition: str,
    node_count: int,
    now: int,
) -> None:
    """Keep a new orchestrator with its first version."""
    row = {
        "id": orchestrator_id,
        "workspace_id": workspace_id,
        "version_id": version_id,
        "version": 1,
        "name": name,
        "description": description,
        "definition": definition,
        "node_count": node_count,
        "now": now,
    }
    connection.execute(_INSERT, row)
    connection.execute(_INSERT_VERSION, row)


def save_version(
    connection: Connection,
    workspace_id: str,
    *,
    orchestrator_id: str,
    expected_version: int | None,
    version_id: str,
    name: str,
    description: str,
    definition: str,
    node_count: int,
    now: int,
) -> int | None:
    """Keep a graph as the newest version, if ``expected_version`` was the newest until now (None: whichever was).

    Returns:
        The new version, or None when another one is the newest or the orchestrator is not there.
    """
    row = {
        "id": orchestrator_id,
        "workspace_id": workspace_id,
        "expected_version": expected_version,
        "version_id": version_id,
        "name": name,
        "description": description,
        "definition": definition,
        "node_count": node_count,
        "now": now,
    }
    version = connection.execute(_SAVE, row).scalar_one_or_none()
    if version is not None:
        connection.execute(_INSERT_VERSION, row | {"version": version})
    return version


def mark_deleted(connection: Connection, workspace_id: str, orchestrator_id: str, now: int) -> bool:
    """Take an orchestrator off the list; False when there is none."""
    key = {"id": orchestrator_id, "workspace_id": workspace_id, "now": now}
    return connection.execute(_DELETE, key).scalar_one_or_none() is not None


def get(connection: Connection, workspace_id: str, orchestrator_id: str) -> OrchestratorWithGraph | None:
    """An orchestrator that is not deleted, with its newest graph."""
    key = {"id": orchestrator_id, "workspace_id": workspace_id}
    row = connection.execute(_GET, key).one_or_none()
    return None if row is None else OrchestratorWithGraph(*row)


def page(
    connection: Connection, workspace_id: str, *, query: str = "", cursor: str = "", limit: int
) -> tuple[list[OrchestratorRow], str]:
    """Those whose name or description contains ``query``, newest change first, and the cursor of the next page.

    Raises:
        BadRequest: The cursor is none.
    """
    statement, values = _PAGE, {"workspace_id": workspace_id, "limit": limit + 1}
    if query.strip():
        statement += _PAGE_MATCHING
        values["pattern"] = search.containing(query)
    if cursor:
        statement += _PAGE_AFTER
        values["after_date"], values["after_id"] = _place(cursor)
    found = [OrchestratorRow(*row) for row in connection.execute(text(statement + _PAGE_END), values)]
    shown = found[:limit]
    return shown, f"{shown[-1].updated_date}.{shown[-1].id}" if len(found) > limit else ""


def _place(cursor: str) -> tuple[int, str]:
    date, _, orchestrator_id = cursor.partition(".")
    if not (date.isascii() and date.isdigit() and len(date) < len(str(2**63))):
        raise BadRequest("This page of the list cannot be found.", hint="Go back to the first page.")
    return int(date), orchestrator_id


def count_open_runs(connection: Connection, workspace_id: str, orchestrator_id: str) -> int:
    """How many of its runs have not ended."""
    return connection.execute(_OPEN_RUNS, {"id": orchestrator_id, "workspace_id": workspace_id}).scalar_one()
