"""DataMapper: builds new data from the input and from earlier nodes."""

from orchestrator_app.domain.node_kinds import setting
from orchestrator_app.runner.node_context import Done, NodeContext, Outcome


class DataMapperHandler:
    """Evaluates the mappings; pure, so a repeat after a crash does no harm."""

    async def work(self, context: NodeContext) -> Outcome:
        """Evaluate and assign, in the order of the mappings."""
        mappings = setting(context.node, "mappings")
        mode = str(setting(context.node, "mode"))
        items = mappings if isinstance(mappings, list) else []
        pairs = [(str(item["from"]), str(item["to"])) for item in items if isinstance(item, dict)]
        return Done(await context.renderer.mappings(pairs, mode, context.scope))
