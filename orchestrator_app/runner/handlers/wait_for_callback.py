"""WaitForCallback: parks until its token is used or the time is over."""

from orchestrator_app.domain.node_kinds import setting
from orchestrator_app.errors import NodeFailed
from orchestrator_app.runner.node_context import Done, NodeContext, Outcome, Parked


class WaitForCallbackHandler:
    """Output is the callback's body; a callback that came early is taken at once."""

    async def start(self, context: NodeContext) -> Outcome:
        """Park with the deadline, unless the callback is here already."""
        if any(wait.has_arrived for wait in context.waits):
            return await self.resume(context)
        timeout = setting(context.node, "timeout")
        deadline = context.clock.now() + int(timeout) if isinstance(timeout, int) else None
        return Parked("callback", deadline, log="Waiting for a callback.")

    async def resume(self, context: NodeContext) -> Outcome:
        """Take the body, or decide what the missed deadline means."""
        arrived = next((wait for wait in context.waits if wait.has_arrived), None)
        if arrived is not None:
            return Done(arrived.body)
        if setting(context.node, "onTimeout") == "continue":
            context.say("No callback came in time; the run goes on.", "warning")
            return Done(context.input)
        timeout = setting(context.node, "timeout")
        raise NodeFailed(
            f"No callback came within {timeout} ms.",
            code="callback_timeout",
            hint="Allow more time, or check that the other side calls the callback address.",
        )
