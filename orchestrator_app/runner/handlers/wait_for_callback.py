"""WaitForCallback: parks until its token is used or the time is over."""

from orchestrator_app.domain.node_kinds import setting
from orchestrator_app.errors import NodeFailed
from orchestrator_app.runner.node_context import Done, NodeContext, Outcome, Parked


class WaitForCallbackHandler:
    """Output is the callback's body; a callback that came early is taken at once."""

    async def work(self, context: NodeContext) -> Outcome:
        """Take the body, park with the deadline, or decide what the missed deadline means."""
        arrived = next((wait for wait in context.waits if wait.has_arrived), None)
        if arrived is not None:
            return Done(arrived.body)
        timeout = context.milliseconds("timeout")
        if not context.is_resumed:
            return Parked("callback", context.clock.now() + timeout, log="Waiting for a callback.")
        if setting(context.node, "onTimeout") == "continue":
            context.say("No callback came in time; the run goes on.", "warning")
            return Done(context.input)
        raise NodeFailed(
            f"No callback came within {timeout} ms.",
            code="callback_timeout",
            hint="Allow more time, or check that the other side calls the callback address.",
        )
