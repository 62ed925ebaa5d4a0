"""Stopping an execution in n8n, also one whose id was never told."""

import asyncio
from http import HTTPStatus

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.n8n_answers import Memo
from orchestrator_app.providers.n8n_api import ALL_LISTS, N8nApi
from orchestrator_app.providers.n8n_execution import execution_id, state_of

_OPERATION = Capability.CANCEL.value
_NOT_FOUND = "Failed to find execution"
_PAUSES = (0.0, 0.25, 0.75)  # a call that was cut just now may not be listed yet


async def stop_execution(api: N8nApi, call: RemoteCall, known: Memo) -> str:
    """Stop what the call started; returns a sentence that says what happened.

    Raises:
        ProviderError: n8n could not be asked, or the key may not do this.
    """
    execution = await _execution_of(api, call, known)
    if execution is None:
        if known.execution:
            await api.ensure_there(_OPERATION)
            return f"n8n does not know execution {known.execution} any more."
        return (
            "n8n lists no execution of this call, so nothing was stopped; if it runs after all, it goes on."
        )
    number = execution_id(execution)
    if state_of(execution) not in {"running", "unknown"}:
        return _had_ended(number)
    answer = await api.stop(number, _OPERATION)
    if answer.status in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        if answer.status == HTTPStatus.CONFLICT or _NOT_FOUND in answer.text():
            return _had_ended(number)  # in the meantime
        return f"This release of n8n cannot be told to stop, so execution {number} goes on there."
    api.raise_for(answer, _OPERATION)
    return f"n8n stopped execution {number}."


def _had_ended(number: str) -> str:
    return f"Execution {number} had ended in n8n already."


async def _execution_of(api: N8nApi, call: RemoteCall, known: Memo) -> JsonObject | None:
    """The execution to stop. An id that turns out to be another workflow's is not believed."""
    if known.execution:
        found = await api.execution(known.execution, _OPERATION, with_data=False)
        if found is None or not call.workflow_id or text_at(found, "workflowId") == call.workflow_id:
            return found
    for pause in _PAUSES:
        await asyncio.sleep(pause)
        found = await api.find_execution(
            known.workflow, call.correlation_id, known.since, _OPERATION, statuses=ALL_LISTS
        )
        if found:
            return found
    return None
