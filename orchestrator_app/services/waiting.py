"""What runs wait for: which node of each, for what, since when and until when."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator_app.services.run_views import graph_of
from orchestrator_app.storage import runs as run_rows
from orchestrator_app.storage import waiting as rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection


@dataclass(frozen=True, slots=True)
class WaitView:
    """One wait of a run.

    Attributes:
        node_id: The node that waits.
        label: Its name.
        reason: ``callback``, ``poll`` or ``retry``.
        since: When the node began.
        until: When its time is over, when it is looked at next, or when it is tried again; None for no time.
    """

    node_id: str
    label: str
    reason: str
    since: int | None
    until: int | None


class Waiting:
    """What the runs of a list wait for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, workspace_id: str, run_ids: Sequence[str]) -> dict[str, tuple[WaitView, ...]]:
        """The waits of each run that has any, the oldest first."""

        def work(connection: Connection) -> dict[str, tuple[WaitView, ...]]:
            waits: dict[str, list[WaitView]] = defaultdict(list)
            for row in rows.nodes(connection, workspace_id, run_ids):
                graph = graph_of(run_rows.definition_of(connection, row.version_id))
                label = graph.nodes[row.node_id].label
                waits[row.run_id].append(
                    WaitView(row.node_id, label, row.wait_reason, row.started_date, row.until)
                )
            return {run_id: tuple(found) for run_id, found in waits.items()}

        return await self._database.read(work)
