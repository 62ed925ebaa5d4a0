"""Into which orchestrator a workflow goes that was chosen on the page."""

import time
from dataclasses import dataclass

import reflex as rx

from orchestrator_app.errors import InvalidInput, OrchestratorError
from orchestrator_app.ui.access import reads, writes
from orchestrator_app.ui.routes import canvas_with_workflow_path
from orchestrator_app.ui.session import application, show_error, workspace_of

MOST_OFFERED = 50


@dataclass(frozen=True)
class OfferedOrchestrator:
    """An orchestrator that the workflow may be added to."""

    id: str
    name: str
    node_count: int
    updated_date: int


class PlacingState(rx.State):
    """The dialog that asks."""

    is_asking: bool = False
    workflow_name: str = ""
    query: str = ""
    offered: list[OfferedOrchestrator] = []
    new_name: str = ""
    name_problem: str = ""

    _workflow: tuple[str, str, str] = ("", "", "")

    @rx.event
    @reads
    async def ask_where(self, provider: str, connection_id: str, workflow_id: str, name: str):
        """Ask for the orchestrator that a workflow is added to."""
        self._workflow = (provider, connection_id, workflow_id)
        self.workflow_name = self.new_name = name
        self.query = self.name_problem = ""
        try:
            await self._read()
        except OrchestratorError as error:
            return show_error(error)
        self.is_asking = True
        return None

    @rx.event
    @reads
    def show_dialog(self, is_open: bool):
        """Open or close the dialog."""
        self.is_asking = is_open

    @rx.event
    @reads
    async def search(self, query: str):
        """Narrow what is offered."""
        self.query = query.strip()
        await self._read()

    async def _read(self) -> None:
        page = await application().orchestrators.page(
            workspace_of(self), query=self.query, limit=MOST_OFFERED
        )
        self.offered = [
            OfferedOrchestrator(item.id, item.name, item.node_count, item.updated_date) for item in page.items
        ]

    @rx.event
    @reads
    def choose(self, orchestrator_id: str):
        """Open the editor of an orchestrator, which adds the workflow."""
        return self._leave(orchestrator_id)

    @rx.event
    @reads
    def change_name(self, name: str):
        """Name the orchestrator that is to be made."""
        self.new_name, self.name_problem = name, ""

    @rx.event
    @writes
    async def create(self):
        """Make an orchestrator for the workflow, and open its editor."""
        try:
            detail = await application().orchestrators.create(workspace_of(self), name=self.new_name)
        except InvalidInput as error:
            self.name_problem = f"{error.message} {error.hint}".strip()
            return None
        return self._leave(detail.id)

    def _leave(self, orchestrator_id: str) -> rx.event.EventSpec | None:
        provider, connection_id, workflow_id = self._workflow
        if not workflow_id:
            return None
        self.is_asking = False
        moment = time.time_ns() // 1_000_000
        return rx.redirect(
            canvas_with_workflow_path(orchestrator_id, provider, connection_id, workflow_id, moment)
        )
