"""The preview of one workflow: asked for in the background, because a platform may think for long."""

from typing import Any

import reflex as rx

from orchestrator_app.errors import OrchestratorError
from orchestrator_app.ui.access import reads
from orchestrator_app.ui.session import application, show, workspace_of
from orchestrator_app.ui.workflows.shapes import PreviewShape, preview_shape


class PreviewParts(rx.State, mixin=True):
    """The vars and handlers behind ``workflow_preview``, for the state of the browser."""

    provider: str = ""
    selected: str = ""
    preview: PreviewShape = PreviewShape()
    is_looking: bool = False
    is_enlarged: bool = False
    preview_error: str = ""

    _chosen: tuple[str, str] = ("", "")

    def _address(self) -> rx.event.EventSpec | None:
        """What puts the choice into the address, if it belongs there."""
        raise NotImplementedError

    @rx.event
    @reads
    def open_workflow(self, connection_id: str, workflow_id: str):
        """Show a workflow's graph beside the list."""
        opened, address = self._opened(connection_id, workflow_id), self._address()
        return [opened] if address is None else [opened, address]

    @rx.event
    @reads
    def look_again(self):
        """Ask the platform for the workflow that is shown once more."""
        return self._opened(*self._chosen, is_fresh=True) if self.selected else None

    @rx.event
    @reads
    def close_preview(self):
        """Go back to the list."""
        self._forget_preview()
        return self._address()

    @rx.event
    @reads
    def enlarge(self, is_large: bool):
        """Show the graph of the preview in front of the page, or put it back."""
        self.is_enlarged = is_large

    def _opened(self, connection_id: str, workflow_id: str, *, is_fresh: bool = False) -> Any:
        self._chosen = (connection_id, workflow_id)
        self.selected = f"{connection_id}/{workflow_id}"
        self.is_looking, self.preview_error = True, ""
        return type(self).look(self.provider, connection_id, workflow_id, is_fresh)

    @rx.event(background=True)
    @reads
    async def look(self, provider: str, connection_id: str, workflow_id: str, is_fresh: bool):
        """Ask for a preview. A platform may think for long: the tab goes on meanwhile."""
        async with self:
            workspace_id = workspace_of(self)
        shape, problem = PreviewShape(), ""
        try:
            found = await application().catalog.look(
                workspace_id, provider, workflow_id, connection_id=connection_id, fresh=is_fresh
            )
            shape = preview_shape(provider, found)
        except OrchestratorError as error:
            problem = f"{error.message} {error.hint}".strip()
        async with self:
            if (self.provider, *self._chosen) == (provider, connection_id, workflow_id):
                show(self, preview=shape, preview_error=problem, is_looking=False)

    def _forget_preview(self) -> None:
        self._chosen, self.selected = ("", ""), ""
        self.preview, self.preview_error = PreviewShape(), ""
        self.is_looking = self.is_enlarged = False
