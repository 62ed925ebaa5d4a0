"""What a handler is: starts a node's work, and takes it up again after a wait."""

from typing import Protocol

from orchestrator_app.runner.node_context import NodeContext, Outcome


class Handler(Protocol):
    """Works on nodes of one kind. Raises ``OrchestratorError`` when the node fails."""

    async def start(self, context: NodeContext) -> Outcome:
        """Begin, or try again after a failure: ``context.attempt`` tells which try it is."""
        ...

    async def resume(self, context: NodeContext) -> Outcome:
        """Go on after a wait whose time has come or for which something arrived."""
        ...
