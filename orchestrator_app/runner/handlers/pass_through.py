"""Nodes that hand on what they get: Parallel, and every disabled node."""

from orchestrator_app.domain.node_kinds import CONDITION, setting
from orchestrator_app.runner.node_context import Done, NodeContext, Outcome


class PassThroughHandler:
    """Output is input. A disabled condition takes its default branch."""

    async def work(self, context: NodeContext) -> Outcome:
        """Hand on."""
        if context.node.kind == CONDITION.name:
            return Done(context.input, (str(setting(context.node, "defaultHandle")),))
        return Done(context.input)
