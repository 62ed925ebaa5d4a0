"""The same done to many runs at once: to those that a filter of the history shows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator_app.domain.runs import RunState
from orchestrator_app.errors import Conflict, NotFound
from orchestrator_app.services.interventions import Interventions
from orchestrator_app.services.runs import Runs, check_states
from orchestrator_app.storage import run_filters as rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.run_filters import RunsWanted

BulkAction = Literal["cancel", "retry"]
MOST_AT_ONCE = 1_000
# What is done together shares a commit.
_TOGETHER = 25
_STATES: dict[BulkAction, tuple[RunState, ...]] = {
    "cancel": (RunState.PENDING, RunState.RUNNING, RunState.WAITING),
    "retry": (RunState.FAILED,),
}


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What came of it.

    Attributes:
        done: How many runs it was done to.
        refused: How many it could not be done to; ``reasons`` has each reason once.
        reasons: Why not.
        left: How many runs of the filter were not looked at, because there are too many for one call.
        cursor: Leads on to them; empty when none are left.
    """

    done: int
    refused: int
    reasons: tuple[str, ...]
    left: int
    cursor: str


class Bulk:
    """Cancels or retries many runs; each for itself, as if by hand."""

    def __init__(self, database: Database, runs: Runs, interventions: Interventions) -> None:
        self._database = database
        self._runs = runs
        self._interventions = interventions

    async def count(self, workspace_id: str, action: BulkAction, wanted: RunsWanted) -> int:
        """How many runs of the filter it could be done to.

        Raises:
            InvalidInput: A state is unknown.
        """
        fit = _fit(action, wanted)
        if fit is None:
            return 0
        return await self._database.read(lambda connection: rows.count(connection, workspace_id, fit))

    async def carry_out(
        self, workspace_id: str, action: BulkAction, wanted: RunsWanted, *, cursor: str = "", trigger: str
    ) -> BulkResult:
        """Do it to the newest ``MOST_AT_ONCE`` runs of the filter that it can be done to, or to those after a cursor.

        Raises:
            InvalidInput: A state is unknown.
        """
        fit = _fit(action, wanted)
        if fit is None:
            return BulkResult(0, 0, (), 0, "")
        ids = await self._database.read(
            lambda connection: rows.ids(connection, workspace_id, fit, cursor, limit=MOST_AT_ONCE)
        )
        refusals: list[str] = []
        for start in range(0, len(ids), _TOGETHER):
            together = ids[start : start + _TOGETHER]
            said = await asyncio.gather(
                *(self._act(workspace_id, action, run_id, trigger) for run_id in together)
            )
            refusals += [reason for reason in said if reason]
        last = ids[-1] if len(ids) == MOST_AT_ONCE else ""
        left = (
            await self._database.read(lambda connection: rows.count(connection, workspace_id, fit, last))
            if last
            else 0
        )
        reasons = tuple(dict.fromkeys(refusals))
        return BulkResult(len(ids) - len(refusals), len(refusals), reasons, left, last if left else "")

    async def _act(self, workspace_id: str, action: BulkAction, run_id: str, trigger: str) -> str:
        """Why it could not be done to this run, or an empty text."""
        try:
            if action == "cancel":
                await self._runs.cancel(workspace_id, run_id)
            else:
                await self._interventions.retry(workspace_id, run_id, trigger=trigger)
        except (Conflict, NotFound) as error:
            return error.message
        return ""


def _fit(action: BulkAction, wanted: RunsWanted) -> RunsWanted | None:
    """The filter narrowed to runs that it can be done to; None when there can be none."""
    check_states(wanted.states)
    states: Sequence[str] = [
        state for state in _STATES[action] if not wanted.states or state in wanted.states
    ]
    if not states:
        return None
    return RunsWanted(states, wanted.orchestrator_id, wanted.from_ms, wanted.to_ms, wanted.query)
