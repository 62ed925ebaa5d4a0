"""Which runs of the history are meant: the same words for its pages and for what is done to many runs at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator_app.storage import search
from orchestrator_app.storage.sql import Connection, text

_COUNT = "SELECT count(*) FROM orchestrator_run WHERE "
_IDS = "SELECT id FROM orchestrator_run WHERE "
_PART = "SELECT id FROM ("
_NEWEST_FIRST = " ORDER BY id DESC LIMIT :limit"
# From each name to the next by the index, so that a million runs of some hundred orchestrators take no longer.
_NAMES = (
    "WITH RECURSIVE names (name) AS ("
    "SELECT min(orchestrator_name) FROM orchestrator_run WHERE workspace_id = :workspace_id"
    " UNION ALL SELECT (SELECT min(r.orchestrator_name) FROM orchestrator_run r"
    " WHERE r.workspace_id = :workspace_id AND r.orchestrator_name > names.name)"
    " FROM names WHERE names.name IS NOT NULL)"
    " SELECT name FROM names WHERE lower(name) LIKE :part "
)
_MATCHING_NAMES = text(_NAMES + search.ESCAPE)
# Names beyond that are looked for in run after run: so many names are soon found among the newest.
_MOST_NAMES = 50
_BEGINS = f"(id >= :typed AND id < :beyond AND id LIKE :beginning {search.ESCAPE})"
# Sorts behind whatever an id has after what was typed.
_BEYOND = "zzzz"


@dataclass(frozen=True, slots=True)
class RunsWanted:
    """A filter of the history.

    Attributes:
        states: Only runs in one of these; none means all.
        orchestrator_id: Only its runs; empty means all.
        from_ms: Only runs created then or later.
        to_ms: Only runs created before.
        query: Beginning of a run's id, or part of its orchestrator's name.
    """

    states: Sequence[str] = ()
    orchestrator_id: str = ""
    from_ms: int | None = None
    to_ms: int | None = None
    query: str = ""


def count(connection: Connection, workspace_id: str, wanted: RunsWanted, cursor: str = "") -> int:
    """How many runs are meant."""
    words, texts, values = _condition(connection, workspace_id, wanted, cursor)
    return connection.execute(text(_COUNT + words + _any_of(texts)), values).scalar_one()


def ids(
    connection: Connection, workspace_id: str, wanted: RunsWanted, cursor: str = "", *, limit: int
) -> list[str]:
    """The ids of the newest of them; with a ``cursor`` of those after it, which are older."""
    clause, values = newest(connection, workspace_id, wanted, cursor)
    return list(connection.execute(text(_IDS + clause), values | {"limit": limit}).scalars())


def newest(
    connection: Connection, workspace_id: str, wanted: RunsWanted, cursor: str = ""
) -> tuple[str, dict[str, Any]]:
    """What follows WHERE to read the newest of them, and its values but for ``limit``."""
    words, texts, values = _condition(connection, workspace_id, wanted, cursor)
    if len(texts) < 2 or wanted.orchestrator_id:  # noqa: PLR2004 - several
        return words + _any_of(texts) + _NEWEST_FIRST, values
    # Each name has its own runs in order in the index; together they would have to be sorted, however many there are.
    parts = " UNION ALL ".join(
        f"{_PART}{_IDS}{words} AND {found}{_NEWEST_FIRST}) AS part_{number}"
        for number, found in enumerate(texts)
    )
    return f"id IN ({parts}){_NEWEST_FIRST}", values


def _condition(
    connection: Connection, workspace_id: str, wanted: RunsWanted, cursor: str
) -> tuple[str, list[str], dict[str, Any]]:
    """The words of all that a run must meet, those of which it must meet one, and the values of both."""
    filters = {
        " AND orchestrator_id = :orchestrator_id": ("orchestrator_id", wanted.orchestrator_id),
        " AND created_date >= :from_ms": ("from_ms", wanted.from_ms),
        " AND created_date < :to_ms": ("to_ms", wanted.to_ms),
        " AND id < :cursor": ("cursor", cursor),
    }
    words = "workspace_id = :workspace_id"
    values: dict[str, Any] = {"workspace_id": workspace_id}
    for part, (name, value) in filters.items():
        if value is not None and value != "":
            words += part
            values[name] = value
    texts: list[str] = []
    if wanted.query.strip():
        texts, found = _meant_by(connection, workspace_id, wanted.query)
        values |= found
    if wanted.states:
        names = {f"state_{number}": state for number, state in enumerate(wanted.states)}
        # A state has far more runs than an orchestrator, and its index must not be preferred to that of the latter.
        column = "(state || '')" if wanted.orchestrator_id or texts else "state"
        words += f" AND {column} IN ({', '.join(f':{name}' for name in names)})"
        values |= names
    return words, texts, values


def _meant_by(connection: Connection, workspace_id: str, query: str) -> tuple[list[str], dict[str, Any]]:
    """What a run must meet one of to be meant by a text, and the values."""
    typed = search.typed(query)
    values = {
        "typed": typed,
        "beyond": typed + _BEYOND,
        "beginning": search.beginning_with(query),
        "part": search.containing(query),
    }
    rows = connection.execute(_MATCHING_NAMES, {"workspace_id": workspace_id, "part": values["part"]})
    found = list(rows.scalars())
    if len(found) > _MOST_NAMES:
        return [f"({_BEGINS} OR lower(orchestrator_name) LIKE :part {search.ESCAPE})"], values
    names = {f"name_{number}": name for number, name in enumerate(found)}
    return [_BEGINS, *(f"orchestrator_name = :{name}" for name in names)], values | names


def _any_of(texts: Sequence[str]) -> str:
    return f" AND ({' OR '.join(texts)})" if texts else ""
