"""Workflows of platforms that become nodes of the graph: added, dropped, or chosen for a node that is there."""

import secrets
from typing import Any

import reflex as rx

from orchestrator_app.domain.definition import Node
from orchestrator_app.errors import InvalidInput, OrchestratorError
from orchestrator_app.services.workflow_views import NewNode
from orchestrator_app.ui.access import writes
from orchestrator_app.ui.addresses import address_script
from orchestrator_app.ui.pages.canvas.placing import Operation, dropped, placed
from orchestrator_app.ui.pages.canvas.state import EditorState
from orchestrator_app.ui.routes import canvas_path
from orchestrator_app.ui.session import application, show_error, workspace_of
from orchestrator_app.ui.workflows.state import BrowserState

_ID_BYTES = 8
_DROPPED_TEXTS = ("provider", "connectionId", "workflowId", "edgeId")


class WorkflowNodesState(EditorState):
    """Makes nodes from workflows. What a node needs is found on the server; a browser only names the workflow."""

    is_adding: bool = False

    _added: str = ""

    @rx.event
    @writes
    def take_workflow(self, node_id: str, provider: str, connection_id: str, workflow_id: str):
        """Let a node call another workflow; without a node, add one behind the selected node."""
        return self._begin(provider, connection_id, workflow_id, {"nodeId": node_id} if node_id else {})

    @rx.event
    @writes
    def drop_workflow(self, dropped_workflow: dict[str, Any]):
        """Add a node for a workflow exactly where it was dropped."""
        texts = [dropped_workflow.get(key, "") for key in _DROPPED_TEXTS]
        place = {key: dropped_workflow.get(key) for key in ("x", "y")}
        if not all(isinstance(text, str) for text in texts):
            return None
        provider, connection_id, workflow_id, edge_id = texts
        return self._begin(provider, connection_id, workflow_id, place | {"edgeId": edge_id})

    @rx.event
    @writes
    def add_from_address(self):
        """Add the workflow that the address names, once: a reload does not add it again."""
        parameters = self.router.url.query_parameters
        wanted, moment = str(parameters.get("add", "")), str(parameters.get("at", ""))
        provider, connection_id, workflow_id = [*wanted.split(":", 2), "", ""][:3]
        if not workflow_id or not self.is_loaded or self.is_missing:
            return None
        cleared = rx.call_script(address_script(canvas_path(self._document.orchestrator_id), {}))
        if self._added == f"{moment}:{wanted}":
            return cleared
        self._added = f"{moment}:{wanted}"
        return [cleared, self._begin(provider, connection_id, workflow_id, {})]

    def _begin(self, provider: str, connection_id: str, workflow_id: str, where: dict[str, Any]) -> Any:
        if not self.is_loaded or not workflow_id:
            return None
        self.is_adding = True
        return WorkflowNodesState.bring(provider, connection_id, workflow_id, where)

    @rx.event(background=True)
    @writes
    async def bring(self, provider: str, connection_id: str, workflow_id: str, where: dict[str, Any]):
        """Ask the catalog for the node, and put it into the graph. The tab goes on while a platform thinks."""
        async with self:
            workspace_id, orchestrator_id = workspace_of(self), self._document.orchestrator_id
        try:
            new = await application().catalog.node_for(
                workspace_id, provider, workflow_id, connection_id=connection_id
            )
        except OrchestratorError as error:
            yield show_error(error)
            return
        else:
            async with self:
                # In the meantime the tab may have turned to another orchestrator, for which this was not meant.
                outcome = (
                    self._put(new, where)
                    if self._document.orchestrator_id == orchestrator_id
                    else rx.toast.info(f"“{new.label}” was not added: you left its orchestrator.")
                )
            yield outcome
        finally:
            async with self:
                self.is_adding = False

    def _put(self, new: NewNode, where: dict[str, Any]) -> Any:
        node_id = str(where.get("nodeId", ""))
        is_new = not node_id
        try:
            if is_new:
                node = Node(f"n{secrets.token_hex(_ID_BYTES)}", new.kind, new.label, dict(new.config))
                self._document.insert(node, self._edits(node, where))
                node_id = node.id
            elif not self._document.turn_into(node_id, new.kind, new.label, new.config):
                return rx.toast.info("The node for which you chose this is gone.")
        except InvalidInput as error:
            return show_error(error)
        self.selected_id = node_id
        self._push()
        if is_new:
            return rx.toast.success(f"Added “{new.label}”")
        # The settings of the node are what somebody wants to see next.
        return BrowserState.close_panel()

    def _edits(self, node: Node, where: dict[str, Any]) -> list[Operation]:
        definition = self._document.definition
        if "x" not in where:
            return placed(definition, node, selected_id=self.selected_id)
        return dropped(definition, node, (where["x"], where["y"]), edge_id=str(where.get("edgeId", "")))
