"""Reading an execution as n8n's API gives it: how it fares, what came out, why it failed, which call started it."""

from urllib.parse import quote

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteState
from orchestrator_app.providers.calls import CORRELATION_HEADER
from orchestrator_app.providers.correlation import CORRELATION_FIELD
from orchestrator_app.providers.json_reading import list_at, object_at, objects_at, text_at, time_at

_STATES: dict[str, RemoteState] = {
    "new": "running",
    "running": "running",
    "waiting": "running",
    "success": "completed",
    "error": "failed",
    "crashed": "failed",
    "canceled": "cancelled",
}

_FOREVER = "3000-"  # n8n's date for “until somebody calls the resume address”
_LONGEST_REASON = 500


def execution_id(execution: JsonObject) -> str:
    """Its id; older releases give a number."""
    return text_at(execution, "id")


def state_of(execution: JsonObject) -> RemoteState:
    """Its state. `finished` and `stoppedAt` are no help: n8n also sets them otherwise than they read."""
    return _STATES.get(text_at(execution, "status"), "unknown")


def started_at(execution: JsonObject) -> int | None:
    """When it began, by the clock of n8n; None while it is queued."""
    return time_at(execution, "startedAt")


def link_to(base: str, workflow_id: str, execution: str) -> str:
    """Where a person sees the execution in n8n, or empty when it is not known."""
    if not (workflow_id and execution):
        return ""
    return f"{base}/workflow/{quote(workflow_id, safe='')}/executions/{quote(execution, safe='')}"


def waiting_sentence(execution: JsonObject) -> str:
    """What a waiting execution waits for, or empty when it does not wait."""
    if text_at(execution, "status") != "waiting":
        return ""
    until = text_at(execution, "waitTill")
    if not until or until.startswith(_FOREVER):
        return f"Execution {execution_id(execution)} waits in n8n until somebody calls its resume address."
    return f"Execution {execution_id(execution)} waits in n8n until {until}."


def output_of(execution: JsonObject) -> JsonValue:
    """What the last node gave: one item as it is, several as a list, none as null."""
    result = object_at(execution, "data", "resultData")
    runs = objects_at(object_at(result, "runData"), text_at(result, "lastNodeExecuted"))
    if not runs:
        return None
    for items in list_at(runs[-1], "data", "main"):
        values: list[JsonValue] = [item.get("json") for item in objects_at({"at": items}, "at")]
        if values:
            return values[0] if len(values) == 1 else values
    return None


def failure_of(execution: JsonObject) -> str:
    """Why it failed: n8n's own words and the node; needs the execution with its data."""
    result = object_at(execution, "data", "resultData")
    last = text_at(result, "lastNodeExecuted")
    runs = objects_at(object_at(result, "runData"), last)
    error = object_at(result, "error") or (object_at(runs[-1], "error") if runs else {})
    reason = text_at(error, "message")
    description = text_at(error, "description")
    if description and description != reason:
        reason = f"{reason} ({description})" if reason else description
    node = text_at(error, "node", "name") or last
    if not reason:
        return "it crashed" if text_at(execution, "status") == "crashed" else ""
    where = f"node “{node}”: " if node else ""
    return where + (reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "…")


def was_started_by(execution: JsonObject, correlation_id: str) -> bool:
    """Whether the execution's trigger got our correlation id.

    While an execution runs, the trigger's item lies on the stack of nodes to be executed; later it is among the
    results of the nodes. A Webhook node puts the headers into its item, a chat the message, a form the query.
    """
    return bool(correlation_id) and any(
        correlation_id in _correlations(object_at(item, "json")) for item in _trigger_items(execution)
    )


def _correlations(trigger: JsonObject) -> list[JsonValue]:
    wanted = CORRELATION_HEADER.lower()
    found = [value for name, value in object_at(trigger, "headers").items() if name.lower() == wanted]
    query = object_at(trigger, "formQueryParameters")
    return [*found, trigger.get(CORRELATION_FIELD), query.get(CORRELATION_FIELD)]


def _trigger_items(execution: JsonObject) -> list[JsonObject]:
    data = object_at(execution, "data")
    entries = objects_at(data, "executionData", "nodeExecutionStack")
    for runs in object_at(data, "resultData", "runData").values():
        entries += objects_at({"at": runs}, "at")[:1]
    items: list[JsonObject] = []
    for entry in entries:
        for branch in list_at(entry, "data", "main")[:1]:
            items += objects_at({"at": branch}, "at")[:1]
    return items
