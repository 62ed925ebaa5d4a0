"""Cancelling or retrying all runs that the filter of the history shows."""

import reflex as rx

from orchestrator_app.errors import OrchestratorError
from orchestrator_app.services.bulk import MOST_AT_ONCE, BulkAction, BulkResult, RunsWanted
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.pages.runs.state import RunsState
from orchestrator_app.ui.session import application, show_error, workspace_of


class BulkState(RunsState):
    """The dialog that asks before it is done."""

    bulk_action: BulkAction = "cancel"
    bulk_count: int = 0
    is_asking: bool = False
    is_working: bool = False

    def _wanted(self) -> RunsWanted:
        states = [self.state_filter] if self.state_filter else []
        return RunsWanted(states, self.orchestrator_id, query=self.query)

    @rx.event
    @reads
    async def ask(self, action: BulkAction):
        """Count the runs, and open the dialog."""
        self.bulk_action = action
        self.bulk_count = await application().bulk.count(workspace_of(self), action, self._wanted())
        if self.bulk_count:
            self.is_asking = True
        else:
            yield rx.toast.info(f"There is no run to {action} among these.")

    @rx.event
    @reads
    def show_dialog(self, is_open: bool):
        """Open or close the dialog."""
        self.is_asking = is_open

    @rx.event
    @writes
    async def carry_out(self):
        """Do it."""
        self.is_asking, self.is_working = False, True
        yield
        try:
            result = await application().bulk.carry_out(
                workspace_of(self), self.bulk_action, self._wanted(), trigger="ui"
            )
        except OrchestratorError as error:
            yield show_error(error)
        else:
            yield rx.toast.info(result_text(self.bulk_action, result))
        finally:
            self.is_working = False
        await self._read()


def result_text(action: BulkAction, result: BulkResult) -> str:
    """What came of it, as a sentence or two."""
    done = "cancelled" if action == "cancel" else "retried"
    said = f"{result.done:,} {'run was' if result.done == 1 else 'runs were'} {done}."
    if result.refused:
        said += f" {result.refused:,} could not be: {result.reasons[0]}"
    if result.left:
        said += f" {result.left:,} are left: at most {MOST_AT_ONCE:,} are done at once."
    return said
