"""The JSON of a whole run, as ``RunDetail`` describes it, made without checking once more what the program itself made.

Starts that wait answer with it; to let pydantic make it takes as long as everything else about the answer.
"""

from typing import Any

import orjson

from orchestrator_app.api.run_schemas import RunDetail
from orchestrator_app.api.schemas import iso
from orchestrator_app.services import views


def run_document(view: views.RunDetail) -> bytes:
    """What ``RunDetail.of(view)`` looks like as JSON."""
    try:
        return orjson.dumps(_run(view))
    except TypeError:  # whole numbers beyond 64 bits
        return RunDetail.of(view).model_dump_json().encode()


def _run(view: views.RunDetail) -> dict[str, Any]:
    run = view.summary
    return {
        "id": run.id,
        "workspaceId": run.workspace_id,
        "orchestratorId": run.orchestrator_id,
        "orchestratorName": run.orchestrator_name,
        "version": run.version,
        "status": run.state,
        "trigger": run.trigger,
        "seq": run.seq,
        "createdDate": iso(run.created_date),
        "startedDate": _time(run.started_date),
        "endedDate": _time(run.ended_date),
        "wakeAt": _time(run.wake_at),
        "parentRunId": run.parent_run_id,
        "failure": _failure(run.failure),
        "input": view.input,
        "output": view.output,
        "definition": view.definition,
        "nodes": [_node(node) for node in view.nodes],
        "edges": view.edges,
        "logs": [
            {
                "at": iso(line.at),
                "level": line.level,
                "message": line.message,
                "nodeId": line.node_id,
                "nodeLabel": line.node_label,
            }
            for line in view.logs
        ],
    }


def _node(node: views.NodeRunView) -> dict[str, Any]:
    return {
        "nodeId": node.node_id,
        "label": node.label,
        "nodeType": node.kind,
        "status": node.state,
        "attempt": node.attempt,
        "input": node.input,
        "output": node.output,
        "handles": node.handles,
        "failure": _failure(node.failure),
        "waitReason": node.wait_reason,
        "wakeAt": _time(node.wake_at),
        "startedDate": _time(node.started_date),
        "endedDate": _time(node.ended_date),
        "attempts": [_attempt(attempt) for attempt in node.attempts],
        "callbackUrl": node.callback_url,
        "needsDecision": node.needs_decision,
    }


def _attempt(attempt: views.AttemptView) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "request": attempt.request,
        "response": attempt.response,
        "statusCode": attempt.status_code,
        "failure": _failure(attempt.failure),
        "nextTryAt": _time(attempt.next_try_at),
        "startedDate": iso(attempt.started_date),
        "endedDate": _time(attempt.ended_date),
    }


def _failure(failure: dict[str, Any] | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "code": failure["code"],
        "message": failure["message"],
        "hint": failure.get("hint", ""),
        "detail": failure.get("detail", {}),
    }


def _time(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else iso(milliseconds)
