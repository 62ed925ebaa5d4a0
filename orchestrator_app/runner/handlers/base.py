"""What a handler is: it works on nodes of one kind."""

from typing import Protocol

from orchestrator_app.runner.node_context import NodeContext, Outcome


class Handler(Protocol):
    """Works on nodes of one kind. Raises ``OrchestratorError`` when the node fails."""

    async def work(self, context: NodeContext) -> Outcome:
        """Begin, try again after a failure (``context.attempt``) or go on after a wait (``context.is_resumed``)."""
        ...
