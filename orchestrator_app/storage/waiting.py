"""What runs wait for, for lists of many runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator_app.storage.sql import Connection, text

_WAITING = text(
    "SELECT n.run_id, n.node_id, n.wait_reason, n.started_date,"
    # What is polled is taken up by the poller; the time of the run itself is only a safeguard.
    " CASE WHEN n.wait_reason = 'poll' AND n.look_at IS NOT NULL THEN n.look_at ELSE n.wake_at END AS until,"
    " r.version_id"
    " FROM node_run n JOIN orchestrator_run r ON r.id = n.run_id"
    " WHERE n.run_id IN :ids AND n.state = 'WAITING' AND r.workspace_id = :workspace_id"
    " ORDER BY n.started_date, n.node_id"
)


@dataclass(frozen=True, slots=True)
class WaitingNode:
    """A node that waits; the fields are in the order of the columns."""

    run_id: str
    node_id: str
    wait_reason: str
    started_date: int | None
    until: int | None
    version_id: str


def nodes(connection: Connection, workspace_id: str, run_ids: Sequence[str]) -> list[WaitingNode]:
    """The waiting nodes of these runs."""
    if not run_ids:
        return []
    found = connection.execute(_WAITING, {"workspace_id": workspace_id, "ids": list(run_ids)})
    return [WaitingNode(*row) for row in found]
