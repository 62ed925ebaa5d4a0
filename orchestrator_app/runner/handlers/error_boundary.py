"""ErrorBoundary: goes on after a failure, with the fallback if one is given."""

from orchestrator_app.runner.node_context import Done, NodeContext, Outcome


class ErrorBoundaryHandler:
    """Reached over an error handle its input is ``{"error": {...}, "input": ...}``."""

    async def work(self, context: NodeContext) -> Outcome:
        """Render the fallback, or hand on the input."""
        fallback = context.node.config.get("fallback")
        if isinstance(fallback, str) and fallback.strip():
            return Done(await context.renderer.json_body(fallback, context.scope))
        return Done(context.input)
