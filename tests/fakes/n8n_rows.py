"""Shapes in which n8n's API gives workflows and executions, for release 2.41.1 and 1.123.81, as recorded."""

import uuid
from datetime import UTC, datetime
from typing import Any

from tests.fakes.n8n_flow import FakeExecution, FakeWorkflow

JsonObject = dict[str, Any]

OWNER = "1c2683a1-23e0-4f77-be43-2688c70f5e2d"
PROJECT = "9ELqCepsKcA5EDwS"
PERSON = "Rig Owner <rig@example.com>"
FOREVER = "3000-01-01T00:00:00.000Z"


def iso(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- workflows ---


def workflow_row(flow: FakeWorkflow, release: int, *, is_single: bool, with_pins: bool) -> JsonObject:
    created = {"createdAt": iso(flow.created_at), "updatedAt": iso(flow.updated_at)}
    published = flow.version_id if flow.is_active else None
    graph = {"nodes": flow.nodes, "connections": flow.connections}
    row: JsonObject
    if release == 1:
        row = {
            **created,
            "id": flow.id,
            "name": flow.name,
            **({"description": None} if is_single else {}),
            "active": flow.is_active,
            "isArchived": flow.is_archived,
            **graph,
            "settings": _settings(flow, release),
            "staticData": None,
            "meta": None,
            "pinData": None,
            "versionId": flow.version_id,
            "activeVersionId": published,
            **({"versionCounter": 3} if is_single else {}),
            "triggerCount": int(flow.is_active),
            "shared": [_shared(flow, created, release, is_single=is_single)],
            "tags": [{"id": f"t-{tag}", "name": tag, **created} for tag in flow.tags],
            "activeVersion": _active_version(flow, created, release) if published else None,
        }
    else:
        row = {
            "id": flow.id,
            "name": flow.name,
            **({"description": None} if is_single else {}),
            "active": flow.is_active,
            "activeVersionId": published,
            **created,
            "isArchived": flow.is_archived,
            "versionId": flow.version_id,
            **({"versionCounter": 1, "sourceWorkflowId": None} if is_single else {}),
            "triggerCount": int(flow.is_active),
            **graph,
            "nodeGroups": [],
            "settings": _settings(flow, release),
            "staticData": None,
            "pinData": None,
            "meta": None,
            "tags": [{"id": f"t-{tag}", "name": tag, **created} for tag in flow.tags],
            "shared": [_shared(flow, created, release, is_single=is_single)],
            "activeVersion": _active_version(flow, created, release) if published else None,
        }
    if not with_pins:
        del row["pinData"]
    return row


def _settings(flow: FakeWorkflow, release: int) -> JsonObject:
    settings: JsonObject = {"executionOrder": "v1"}
    if release == 1:
        settings |= {"callerPolicy": "workflowsFromSameOwner", "availableInMCP": False}
    if not flow.keeps_successes:
        settings["saveDataSuccessExecution"] = "none"
    return settings


def _shared(flow: FakeWorkflow, created: JsonObject, release: int, *, is_single: bool) -> JsonObject:
    shared: JsonObject = {"role": "workflow:owner", "workflowId": flow.id, "projectId": PROJECT, **created}
    if not is_single:
        return shared
    project: JsonObject = {
        "id": PROJECT,
        "name": PERSON,
        "type": "personal",
        "icon": None,
        "description": None,
        **created,
    }
    if release == 1:
        user = {
            **created,
            "id": OWNER,
            "email": "rig@example.com",
            "firstName": "Rig",
            "lastName": "Owner",
            "personalizationAnswers": None,
            "settings": {"userActivated": False},
            "disabled": False,
            "mfaEnabled": False,
            "lastActiveAt": "2026-11-23",
            "isPending": False,
        }
        project["projectRelations"] = [{**created, "userId": OWNER, "projectId": PROJECT, "user": user}]
    else:
        project |= {"customTelemetryTags": [], "creatorId": OWNER}
    return shared | {"project": project}


def _active_version(flow: FakeWorkflow, created: JsonObject, release: int) -> JsonObject:
    version: JsonObject = {
        **created,
        "versionId": flow.version_id,
        "workflowId": flow.id,
        "nodes": flow.published_nodes,
        "connections": flow.published_connections,
        "authors": "Rig Owner",
        "name": None,
        "description": None,
    }
    if release == 1:
        return version
    history = {
        "id": 2,
        "workflowId": flow.id,
        "versionId": flow.version_id,
        "event": "activated",
        "userId": OWNER,
        "createdAt": iso(flow.created_at),
    }
    return version | {"nodeGroups": [], "autosaved": False, "workflowPublishHistory": [history]}


# --- executions ---


def execution_row(run: FakeExecution, release: int, *, is_single: bool, with_data: bool) -> JsonObject:
    row: JsonObject = {
        "id": str(run.id),
        "finished": run.status == "success",
        "mode": run.mode,
        "retryOf": str(run.retry_of) if run.retry_of else None,
        "retrySuccessId": None,
        "status": run.status,
        **({"createdAt": iso(run.created_at)} if is_single else {}),
        "startedAt": iso(run.started_at),
        "stoppedAt": iso(run.stopped_at),
        **({"deletedAt": None} if is_single else {}),
        "workflowId": run.flow.id,
        "waitTill": iso(run.wait_till) if run.wait_till else (FOREVER if run.status == "waiting" else None),
    }
    if release == 2 and (is_single or with_data):
        row |= {"storedAt": "db", "jsonSizeBytes": 2598, "workflowVersionId": run.flow.version_id}
    if release == 2 and is_single:
        row |= {
            "tracingContext": None,
            "deduplicationKey": None,
            "binaryDataSizeBytes": 0,
            "usedPrivateCredentials": False,
        }
    if with_data:
        row |= {
            "data": execution_data(run, release),
            "workflowData": workflow_data(run, release),
            "customData": run.flow.custom_data,
        }
    return row


def workflow_data(run: FakeExecution, release: int) -> JsonObject:
    flow = run.flow
    base: JsonObject = {"id": flow.id, "name": flow.name, "connections": flow.connections, "settings": {}}
    base["settings"] = _settings(flow, release)
    if release == 2:
        return base | {"nodes": [_filled(node) for node in flow.nodes], "nodeGroups": []}
    if run.status in {"new", "running"}:
        return base | {"nodes": flow.nodes}
    return base | {
        "active": flow.is_active,
        "activeVersionId": flow.version_id if flow.is_active else None,
        "isArchived": flow.is_archived,
        "createdAt": iso(flow.created_at),
        "updatedAt": iso(flow.updated_at),
        "nodes": [_filled(node) for node in flow.nodes],
        "staticData": {},
        "pinData": None,
    }


def execution_data(run: FakeExecution, release: int) -> JsonObject:
    has_run = run.status not in {"new", "running", "canceled"}
    result: JsonObject = {"runData": _run_data(run, release) if has_run else {}}
    if run.status == "error":
        result["error"] = _node_error(run, release)
    if run.status == "canceled":
        result["error"] = _cancel_error(run)
    if has_run:
        result["lastNodeExecuted"] = list(result["runData"])[-1]
        if run.flow.custom_data:
            result["metadata"] = run.flow.custom_data
    inner: JsonObject = {
        "contextData": {},
        "nodeExecutionStack": _stack(run, result, release),
        "metadata": {},
        "waitingExecution": {},
        "waitingExecutionSource": {},
    }
    runtime: JsonObject = {"version": 1, "establishedAt": run.created_at, "source": "webhook"}
    if release == 2:
        runtime["triggerNode"] = {"name": "Webhook", "type": "n8n-nodes-base.webhook"}
        runtime["redaction"] = {"version": 2, "production": False, "manual": False}
    if release == 2 or has_run:
        inner["runtimeData"] = runtime
    data: JsonObject = {"version": 1, "startData": {}, "resultData": result, "executionData": inner}
    if release == 2:
        data["resumeToken"] = uuid.uuid5(uuid.NAMESPACE_OID, str(run.id)).hex * 2
    if run.status == "waiting":
        data["waitTill"] = iso(run.wait_till) or FOREVER
    return data


def _stack(run: FakeExecution, result: JsonObject, release: int) -> list[JsonObject]:
    """The nodes still to be executed, with what is to go into them."""
    if run.status in {"new", "running", "canceled"}:
        return [
            {"node": _filled(run.flow.webhook_node), "data": _main(run.trigger, paired=False), "source": None}
        ]
    if run.status not in {"error", "waiting"}:
        return []
    before = list(result["runData"])[-2]
    node = next(node for node in run.flow.nodes if node["name"] == result["lastNodeExecuted"])
    source = {"main": [_source(before, release)]}
    return [{"node": node, "data": result["runData"][before][0]["data"], "source": source}]


def _run_data(run: FakeExecution, release: int) -> JsonObject:
    """Results by node name, in the order of the workflow, as far as the execution came."""
    results: JsonObject = {}
    before = ""
    for index, node in enumerate(run.flow.path_taken()):
        is_last = index == len(run.flow.path_taken()) - 1
        status = "success"
        if is_last and run.status == "waiting":
            status = "waiting"
        entry: JsonObject = {
            "startTime": run.created_at,
            "executionIndex": index,
            "source": [_source(before, release)] if before else [],
            "hints": [],
            "executionTime": 3,
            "executionStatus": status,
        }
        if is_last and run.status == "error":
            entry |= {"executionStatus": "error", "error": _node_error(run, release)}
        elif index == 0:
            entry["data"] = _main(run.trigger, paired=True)
        else:
            entry["data"] = {"main": [[{"json": item, "pairedItem": {"item": 0}} for item in run.items()]]}
        results[node["name"]] = [entry]
        before = node["name"]
    return results


def _main(item: JsonObject, *, paired: bool) -> JsonObject:
    wrapped: JsonObject = {"json": item}
    if paired:
        wrapped["pairedItem"] = {"item": 0}
    return {"main": [[wrapped]]}


def _source(node: str, release: int) -> JsonObject:
    source: JsonObject = {"previousNode": node}
    return source | {"previousNodeOutput": 0, "previousNodeRun": 0} if release == 2 else source


def _filled(node: JsonObject) -> JsonObject:
    """A node as it is kept with an execution: parameters at their defaults are written out."""
    parameters: JsonObject = dict(node["parameters"])
    if node["type"] == "n8n-nodes-base.webhook":
        immediate = parameters.get("responseMode", "onReceived") == "onReceived"
        parameters |= {"multipleMethods": False, "authentication": parameters.get("authentication", "none")}
        parameters |= {"contentTypeNotice": ""} if immediate else {"responseData": "firstEntryJson"}
    elif node["type"] == "n8n-nodes-base.set":
        parameters |= {"duplicateItem": False, "includeOtherFields": False}
    return {**node, "parameters": parameters}


def _node_error(run: FakeExecution, release: int) -> JsonObject:
    node = run.flow.path_taken()[-1]
    message = str(run.flow.fails)
    error: JsonObject = {
        "level": "warning",
        "tags": {},
        "timestamp": run.created_at,
        "context": {},
        "functionality": "regular",
        "name": "NodeOperationError",
        "node": node,
        "messages": [],
        "message": message,
        "stack": f"NodeOperationError: {message}\n    at ExecuteContext.execute",
    }
    return error | {"shouldReport": True} if release == 2 else error


def _cancel_error(run: FakeExecution) -> JsonObject:
    message = "The execution was cancelled manually"
    return {
        "level": "warning",
        "shouldReport": False,
        "tags": {},
        "extra": {"executionId": str(run.id)},
        "timestamp": run.created_at,
        "context": {},
        "functionality": "regular",
        "name": "ManualExecutionCancelledError",
        "reason": "manual",
        "message": message,
        "stack": f"ManualExecutionCancelledError: {message}\n    at ExecutionService.stopDuringRun",
    }
