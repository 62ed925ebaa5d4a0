"""Rows of the workflows on the platforms as they were listed last, and of how their lists were read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator_app.storage import payloads, search
from orchestrator_app.storage.sql import Connection, text

LONGEST_ID = 255
# An index takes no longer texts; nobody tells workflows apart by what comes after.
LONGEST_NAME = 500
_LONGEST_KIND = 40
_LONGEST_HASH = 64
# Tags stand between line ends, so that one of them is found as a whole.
_TAG_END = "\n"

# The columns are in the order of the fields of ``CachedWorkflow``.
_ALL = (
    "SELECT c.connection_id, c.workflow_id, c.name, c.is_active, c.updated_at, c.tags, c.folder, c.team, c.kind, c.note,"
    " c.link, c.content_hash FROM workflow_cache c WHERE c.connection_id IN :connection_ids"
)
_PUT = (
    "INSERT INTO workflow_cache (connection_id, workflow_id, name, name_folded, is_active, updated_at, tags, folder,"
    " team, kind, note, link, content_hash, seen)"
    " VALUES (:connection_id, :workflow_id, :name, :name_folded, :is_active, :updated_at, :tags, :folder, :team,"
    " :kind, :note, :link, :content_hash, :seen)"
    " ON CONFLICT (connection_id, workflow_id) DO UPDATE SET name = excluded.name,"
    " name_folded = excluded.name_folded, is_active = excluded.is_active,"
)
_PUT_LISTED = text(
    _PUT
    + " updated_at = excluded.updated_at, tags = excluded.tags, folder = excluded.folder, team = excluded.team, kind = excluded.kind,"
    " note = excluded.note, link = excluded.link, content_hash = excluded.content_hash, seen = excluded.seen"
)
# A single look may tell less than the list does, and a list that tells no digest goes on telling none.
_PUT_SEEN = text(
    _PUT + " updated_at = coalesce(excluded.updated_at, workflow_cache.updated_at),"
    " content_hash = CASE WHEN workflow_cache.content_hash = '' THEN '' ELSE excluded.content_hash END"
)
_IS_SAME = text(
    "SELECT count(*) FROM provider_connection WHERE id = :connection_id AND updated_date = :updated_date"
)
_BEGIN = text(
    "INSERT INTO workflow_sync (connection_id, number, workflows, started_date) VALUES (:connection_id, 1, 0, :now)"
    " ON CONFLICT (connection_id) DO UPDATE SET number = workflow_sync.number + 1, started_date = :now"
    " RETURNING number"
)
_COUNT = text(
    "UPDATE workflow_sync SET workflows ="
    " (SELECT count(*) FROM workflow_cache c WHERE c.connection_id = :connection_id)"
    " WHERE connection_id = :connection_id"
)
_DELETE_UNSEEN = text(
    "DELETE FROM workflow_cache WHERE connection_id = :connection_id AND seen <>"
    " (SELECT number FROM workflow_sync WHERE connection_id = :connection_id)"
)
_FINISH = text(
    "UPDATE workflow_sync SET synced_date = :now, failed_date = NULL, failure = NULL"
    " WHERE connection_id = :connection_id"
)
_FAIL = text(
    "UPDATE workflow_sync SET failed_date = :now, failure = :failure WHERE connection_id = :connection_id"
)
_SYNCS = (
    "SELECT s.connection_id, s.number, s.workflows, s.started_date, s.synced_date, s.failed_date, s.failure"
    " FROM workflow_sync s JOIN provider_connection p ON p.id = s.connection_id"
    " WHERE p.workspace_id = :workspace_id"
)
_COUNTS = text(
    "SELECT p.provider, sum(s.workflows) FROM workflow_sync s JOIN provider_connection p ON p.id = s.connection_id"
    " WHERE p.workspace_id = :workspace_id GROUP BY p.provider"
)
_SYNC_NUMBER = text("SELECT number FROM workflow_sync WHERE connection_id = :connection_id")
_DELETE = text(
    "DELETE FROM workflow_cache WHERE connection_id = :connection_id AND workflow_id = :workflow_id"
    " RETURNING workflow_id"
)
_FORGET_CACHE = text("DELETE FROM workflow_cache WHERE connection_id = :connection_id")
_FORGET_SYNC = text("DELETE FROM workflow_sync WHERE connection_id = :connection_id")
_TOTAL = "SELECT count(*) FROM workflow_cache c WHERE c.connection_id IN :connection_ids"
_VALUES = {
    "tags": "SELECT DISTINCT c.tags FROM workflow_cache c WHERE c.connection_id IN :connection_ids",
    "folder": "SELECT DISTINCT c.folder FROM workflow_cache c WHERE c.connection_id IN :connection_ids",
    "team": "SELECT DISTINCT c.team FROM workflow_cache c WHERE c.connection_id IN :connection_ids",
}
_SORTS = {
    "name": "c.name_folded, c.workflow_id, c.connection_id",
    "-name": "c.name_folded DESC, c.workflow_id DESC, c.connection_id DESC",
    "updated": "coalesce(c.updated_at, 0), c.workflow_id, c.connection_id",
    "-updated": "coalesce(c.updated_at, 0) DESC, c.workflow_id DESC, c.connection_id DESC",
}
_FIND = text(_ALL + " AND c.workflow_id IN :workflow_ids")


@dataclass(frozen=True, slots=True)
class CachedWorkflow:
    """A workflow as it was listed last."""

    connection_id: str
    workflow_id: str
    name: str
    is_active: bool
    updated_at: int | None
    tags: tuple[str, ...]
    folder: str
    team: str
    kind: str
    note: str
    link: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class SyncRow:
    """How the list of a connection's workflows was read last."""

    connection_id: str
    number: int
    workflows: int
    started_date: int | None
    synced_date: int | None
    failed_date: int | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class WorkflowFilter:
    """Which workflows, and in which order: ``name``, ``updated`` or either with a minus before it."""

    text: str = ""
    is_active: bool | None = None
    tag: str = ""
    folder: str = ""
    team: str = ""
    sort: str = "name"


@dataclass(frozen=True, slots=True)
class Found:
    """A stretch of the workflows, how many there are, and the values by which the connections' can be filtered."""

    workflows: tuple[CachedWorkflow, ...]
    total: int
    tags: tuple[str, ...]
    folders: tuple[str, ...]
    teams: tuple[str, ...]


# --- reading a list ---


def begin_sync(connection: Connection, connection_id: str, *, updated_date: int, now: int) -> int | None:
    """Number of the sync that begins now; None when the connection was changed or deleted since it was opened."""
    if not _is_same(connection, connection_id, updated_date):
        return None
    return connection.execute(_BEGIN, {"connection_id": connection_id, "now": now}).scalar_one()


def put_page(
    connection: Connection, workflows: Sequence[CachedWorkflow], *, updated_date: int, number: int
) -> bool:
    """Keep what a page of one connection's list says; False when the connection is not what it was."""
    if not workflows:
        return True
    connection_id = workflows[0].connection_id
    if not _is_same(connection, connection_id, updated_date):
        return False
    connection.execute_many(_PUT_LISTED, [_row(workflow, number) for workflow in workflows])
    connection.execute(_COUNT, {"connection_id": connection_id})
    return True


def finish_sync(connection: Connection, connection_id: str, *, updated_date: int, now: int) -> bool:
    """The list was read to its end: forget what was not on it. False when the connection is not what it was."""
    if not _is_same(connection, connection_id, updated_date):
        return False
    key = {"connection_id": connection_id, "now": now}
    connection.execute(_DELETE_UNSEEN, key)
    connection.execute(_FINISH, key)
    connection.execute(_COUNT, key)
    return True


def fail_sync(connection: Connection, connection_id: str, *, failure: str, now: int) -> None:
    """The list could not be read to its end; what is known stays."""
    row = {"connection_id": connection_id, "failure": payloads.plain(failure), "now": now}
    connection.execute(_FAIL, row)


def forget(connection: Connection, connection_id: str) -> None:
    """Forget the list: the connection leads elsewhere now."""
    for statement in (_FORGET_CACHE, _FORGET_SYNC):
        connection.execute(statement, {"connection_id": connection_id})


# --- single workflows ---


def put_seen(connection: Connection, workflow: CachedWorkflow) -> None:
    """Keep what a look at one workflow says, if the list of its connection was read before."""
    number = connection.execute(_SYNC_NUMBER, {"connection_id": workflow.connection_id}).scalar_one_or_none()
    if number is not None:
        connection.execute(_PUT_SEEN, _row(workflow, number))
        connection.execute(_COUNT, {"connection_id": workflow.connection_id})


def delete(connection: Connection, connection_id: str, workflow_id: str) -> bool:
    """Forget a workflow that is not there any more; False when it was not known."""
    key = {"connection_id": connection_id, "workflow_id": workflow_id}
    is_known = connection.execute(_DELETE, key).scalar_one_or_none() is not None
    connection.execute(_COUNT, key)
    return is_known


def find(
    connection: Connection, connection_ids: Sequence[str], workflow_ids: Sequence[str]
) -> list[CachedWorkflow]:
    """Those of these workflows that are on the lists of these connections."""
    keys = {"connection_ids": list(connection_ids), "workflow_ids": list(workflow_ids)}
    return [_cached(row) for row in connection.execute(_FIND, keys)]


# --- lists ---


def syncs(connection: Connection, workspace_id: str) -> dict[str, SyncRow]:
    """How each list of the workspace was read last, by connection."""
    found = connection.execute(text(_SYNCS), {"workspace_id": workspace_id})
    return {row.connection_id: SyncRow(*row) for row in found}


def counts(connection: Connection, workspace_id: str) -> dict[str, int]:
    """How many workflows are known, by provider."""
    return {key: int(count) for key, count in connection.execute(_COUNTS, {"workspace_id": workspace_id})}


def browse(
    connection: Connection, connection_ids: Sequence[str], wanted: WorkflowFilter, *, offset: int, limit: int
) -> Found:
    """A stretch of the workflows of these connections."""
    if not connection_ids:
        return Found((), 0, (), (), ())
    values: dict[str, Any] = {"connection_ids": list(connection_ids)}
    conditions = _conditions(wanted, values)
    total = connection.execute(text(_TOTAL + conditions), values).scalar_one()
    order = _SORTS.get(wanted.sort, _SORTS["name"])
    page = connection.execute(
        text(_ALL + conditions + f" ORDER BY {order} LIMIT :limit OFFSET :offset"),
        values | {"limit": limit, "offset": offset},
    )
    return Found(
        tuple(_cached(row) for row in page),
        total,
        tags=_sorted({tag for tags in _distinct(connection, "tags", values) for tag in _tags(tags)}),
        folders=_sorted(_distinct(connection, "folder", values)),
        teams=_sorted(_distinct(connection, "team", values)),
    )


def folded(name: str) -> str:
    """The text by which a name is sorted and found, whatever its case."""
    return name.casefold().lower()


def _conditions(wanted: WorkflowFilter, values: dict[str, Any]) -> str:
    conditions = ""
    if wanted.text.strip():
        conditions += f" AND c.name_folded LIKE :pattern {search.ESCAPE}"
        values["pattern"] = search.containing(folded(wanted.text))
    if wanted.is_active is not None:
        conditions += " AND c.is_active = :is_active"
        values["is_active"] = wanted.is_active
    if wanted.tag:
        # Neither database compares LIKE and the other's functions alike; this finds the tag as it is written.
        conditions += " AND replace(c.tags, :tag, '') <> c.tags"
        values["tag"] = f"{_TAG_END}{_one_line(wanted.tag)}{_TAG_END}"
    for column in ("folder", "team"):
        if value := getattr(wanted, column):
            conditions += f" AND c.{column} = :{column}"
            values[column] = payloads.plain(value)
    return conditions


def _distinct(connection: Connection, column: str, values: dict[str, Any]) -> set[str]:
    """Every value of a column, whatever else is filtered by, so that another one can be chosen."""
    keys = {"connection_ids": values["connection_ids"]}
    return set(connection.execute(text(_VALUES[column]), keys).scalars())


def _sorted(values: set[str]) -> tuple[str, ...]:
    return tuple(sorted(values - {""}, key=lambda value: (folded(value), value)))


def _is_same(connection: Connection, connection_id: str, updated_date: int) -> bool:
    key = {"connection_id": connection_id, "updated_date": updated_date}
    return connection.execute(_IS_SAME, key).scalar_one() > 0


def _row(workflow: CachedWorkflow, seen: int) -> dict[str, Any]:
    name = payloads.plain(workflow.name)[:LONGEST_NAME]
    tags = _TAG_END.join(_one_line(tag) for tag in workflow.tags)
    return {
        "connection_id": workflow.connection_id,
        "workflow_id": workflow.workflow_id,
        "name": name,
        "name_folded": folded(name)[:LONGEST_NAME],
        "is_active": workflow.is_active,
        "updated_at": workflow.updated_at,
        "tags": f"{_TAG_END}{tags}{_TAG_END}" if tags else "",
        "folder": payloads.plain(workflow.folder),
        "team": payloads.plain(workflow.team),
        "kind": payloads.plain(workflow.kind)[:_LONGEST_KIND],
        "note": payloads.plain(workflow.note),
        "link": payloads.plain(workflow.link),
        "content_hash": payloads.plain(workflow.content_hash)[:_LONGEST_HASH],
        "seen": seen,
    }


def _one_line(tag: str) -> str:
    return " ".join(payloads.plain(tag).split())


def _tags(stored: str) -> tuple[str, ...]:
    return tuple(tag for tag in stored.split(_TAG_END) if tag)


def _cached(row: Any) -> CachedWorkflow:
    fields = row._asdict()
    # SQLite keeps a boolean as a number.
    return CachedWorkflow(**fields | {"tags": _tags(row.tags), "is_active": bool(row.is_active)})
