"""What browser tabs have drawn and not saved."""

from dataclasses import dataclass

from orchestrator_app.storage.sql import Connection, text

_PUT = text(
    "INSERT INTO editor_draft (tab, orchestrator_id, workspace_id, version, definition, updated_date)"
    " VALUES (:tab, :orchestrator_id, :workspace_id, :version, :definition, :now)"
    " ON CONFLICT (tab, orchestrator_id) DO UPDATE"
    " SET version = excluded.version, definition = excluded.definition, updated_date = excluded.updated_date"
)
_GET = text(
    "SELECT version, definition FROM editor_draft"
    " WHERE workspace_id = :workspace_id AND tab = :tab AND orchestrator_id = :orchestrator_id"
)
_DELETE = text("DELETE FROM editor_draft WHERE tab = :tab AND orchestrator_id = :orchestrator_id")
_PRUNE = text("DELETE FROM editor_draft WHERE updated_date < :before")


@dataclass(frozen=True, slots=True)
class Draft:
    """An unsaved graph: the version it builds on, and its definition as JSON text."""

    version: int
    definition: str


def put(
    connection: Connection,
    workspace_id: str,
    *,
    tab: str,
    orchestrator_id: str,
    version: int,
    definition: str,
    now: int,
) -> None:
    """Keep a draft, in place of the tab's earlier one of this orchestrator."""
    row = {"tab": tab, "orchestrator_id": orchestrator_id, "workspace_id": workspace_id, "version": version}
    connection.execute(_PUT, row | {"definition": definition, "now": now})


def get(connection: Connection, workspace_id: str, *, tab: str, orchestrator_id: str) -> Draft | None:
    """The tab's draft of an orchestrator, or None."""
    key = {"workspace_id": workspace_id, "tab": tab, "orchestrator_id": orchestrator_id}
    row = connection.execute(_GET, key).one_or_none()
    return Draft(row.version, row.definition) if row else None


def delete(connection: Connection, *, tab: str, orchestrator_id: str) -> None:
    """Forget a draft."""
    connection.execute(_DELETE, {"tab": tab, "orchestrator_id": orchestrator_id})


def prune(connection: Connection, before: int) -> None:
    """Forget drafts that nobody has touched since."""
    connection.execute(_PRUNE, {"before": before})
