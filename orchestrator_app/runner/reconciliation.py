"""Finding out through the platform what became of a call whose answer never came."""

from orchestrator_app.domain.looks import (
    FALLBACK_INTERVAL_MS,
    MOST_FALLBACK_INTERVAL_MS,
    MOST_INTERVAL_MS,
    Search,
    Watch,
)
from orchestrator_app.domain.node_kinds import completion_of, polling_time
from orchestrator_app.domain.open_calls import recalled
from orchestrator_app.domain.reconciliation import SEARCH_INTERVAL_MS, SEARCH_MS
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.domain.runs import Failure
from orchestrator_app.errors import OrchestratorError
from orchestrator_app.runner.node_context import NodeContext, Parked

# An execution that was found running is watched for so long, also where the node itself would not poll.
LEAST_WATCH_MS = 60_000


async def search_for(context: NodeContext, failure: Failure, *, attempt: int, began_at: int) -> Parked | None:
    """Let the poller look for the execution of a call, by its correlation id.

    Args:
        context: The node that made it.
        failure: Why its outcome is not known; the node ends with it when nothing is found.
        attempt: Number of the attempt.
        began_at: When the call began; UTC epoch milliseconds.

    Returns:
        The wait for what is found; None when the platform cannot be asked.
    """
    node = context.node
    token = next((wait.token for wait in context.waits), "")
    call = recalled(context.run.run_id, node, callback_token=token, started_at=began_at)
    # A plain address has nowhere to ask; where to look would have been told by its answer.
    if call.provider == "custom" or not await _can_be_asked(context, call):
        return None
    now = context.clock.now()
    is_called_back = completion_of(node) == "callback"
    limit = context.milliseconds("callbackTimeout") if is_called_back else polling_time(node)
    deadline = now + max(limit, LEAST_WATCH_MS)
    interval = FALLBACK_INTERVAL_MS if is_called_back else context.milliseconds("pollingInterval")
    most_interval = MOST_FALLBACK_INTERVAL_MS if is_called_back else max(interval, MOST_INTERVAL_MS)
    watch = Watch(
        call=call,
        memo={},
        interval_ms=SEARCH_INTERVAL_MS,
        most_interval_ms=most_interval,
        deadline=deadline,
        says=f"It is looked for on {call.provider}, because its answer never came.",
        search=Search(failure, until=now + SEARCH_MS, is_first=attempt == 1, interval_ms=interval),
    )
    log = f"{failure.message} The call is looked for on {call.provider}."
    look_at = now + SEARCH_INTERVAL_MS
    if is_called_back:
        return Parked("callback", deadline, watch.as_json(), log, look_at)
    return Parked("poll", None, watch.as_json(), log, look_at)


async def _can_be_asked(context: NodeContext, call: RemoteCall) -> bool:
    try:
        return "poll" in await context.gateway.capabilities(context.run.workspace_id, call)
    except OrchestratorError:
        return False
