"""Which runs of the history are meant: the same words for its pages and for what is done to many runs at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator_app.storage import search
from orchestrator_app.storage.sql import Connection, text

_COUNT = "SELECT count(*) FROM orchestrator_run WHERE "
_IDS = "SELECT id FROM orchestrator_run WHERE "


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


def condition(workspace_id: str, wanted: RunsWanted, cursor: str = "") -> tuple[str, dict[str, Any]]:
    """What follows WHERE, and its values; with a ``cursor`` only the runs after it, which are the older ones."""
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
    if wanted.states:
        names = {f"state_{number}": state for number, state in enumerate(wanted.states)}
        words += f" AND state IN ({', '.join(f':{name}' for name in names)})"
        values |= names
    if wanted.query.strip():
        words += f" AND (id LIKE :beginning {search.ESCAPE} OR lower(orchestrator_name) LIKE :part {search.ESCAPE})"
        values |= {
            "beginning": search.beginning_with(wanted.query),
            "part": search.containing(wanted.query),
        }
    return words, values


def count(connection: Connection, workspace_id: str, wanted: RunsWanted, cursor: str = "") -> int:
    """How many runs are meant."""
    words, values = condition(workspace_id, wanted, cursor)
    return connection.execute(text(_COUNT + words), values).scalar_one()


def ids(
    connection: Connection, workspace_id: str, wanted: RunsWanted, cursor: str = "", *, limit: int
) -> list[str]:
    """The ids of the newest of them."""
    words, values = condition(workspace_id, wanted, cursor)
    clause = text(_IDS + words + " ORDER BY id DESC LIMIT :limit")
    return list(connection.execute(clause, values | {"limit": limit}).scalars())
