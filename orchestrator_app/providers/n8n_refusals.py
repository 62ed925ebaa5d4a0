"""Why n8n, or we before asking it, refused a call in which nothing ran."""

import re
from http import HTTPStatus

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import (
    CredentialRefused,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    UnreadableAnswer,
)
from orchestrator_app.providers.answers import HttpAnswer, host_of
from orchestrator_app.providers.json_reading import text_at
from orchestrator_app.providers.n8n_api import PROVIDER, N8nApi, said
from orchestrator_app.providers.n8n_triggers import Webhook, is_active, webhooks

EXECUTE = "execute"

_WRONG_METHOD = re.compile(
    r"is not registered for (\w+) requests(?:\. Did you mean to make a (\w+) request)?"
)


async def why_refused(
    api: N8nApi | None, call: RemoteCall, answer: HttpAnswer, *, is_form: bool
) -> ProviderError | None:
    """The error for a refusal in which nothing ran, or None if the answer is none of n8n's own refusals."""
    # A form that nobody listens to is told by a web page, everything else by JSON.
    if answer.status == HTTPStatus.NOT_FOUND and (is_form or "is not registered" in message_of(answer)):
        return await _why_not_registered(api, call, answer)
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        if "IP is not" in said(answer):
            return refused(
                f"n8n does not take calls of this webhook from here: {said(answer)}",
                "Add the address of this machine to the Webhook node's list of allowed addresses.",
                answer.status,
            )
        return CredentialRefused(
            f"The webhook at {host_of(answer.url)} asks for credentials and did not get the right ones: {said(answer)}",
            hint="Enter the webhook's header, or its user and password, in the connection.",
            provider=PROVIDER,
            operation=EXECUTE,
            remote_status=answer.status,
            lacks_permission=True,
        )
    if answer.status == HTTPStatus.GATEWAY_TIMEOUT and not call.is_idempotent:
        return OutcomeUnknown(
            f"The gateway before {host_of(answer.url)} stopped waiting; the workflow may go on in n8n.",
            hint="Let the workflow answer at once and choose the completion poll or callback.",
            provider=PROVIDER,
            operation=EXECUTE,
            remote_status=answer.status,
        )
    return None


async def _why_not_registered(api: N8nApi | None, call: RemoteCall, answer: HttpAnswer) -> ProviderRefused:
    """n8n answers the same for an inactive workflow and an unknown path; its API can tell them apart."""
    if match := _WRONG_METHOD.search(message_of(answer)):
        takes = f" It takes {match.group(2)}." if match.group(2) else ""
        return refused(
            f"The webhook does not take {match.group(1)} requests.{takes}",
            "Set the method of the node to the one of the Webhook node in n8n.",
            HTTPStatus.NOT_FOUND,
        )
    if api is None or not call.workflow_id:
        return refused(
            f"No active workflow of n8n listens at this address: {said(answer)}",
            "Check the path, and that the workflow is active. With connection and workflow chosen in the node, "
            "Orchestrator can tell which it is.",
            HTTPStatus.NOT_FOUND,
        )
    try:
        raw = await api.workflow(call.workflow_id, EXECUTE)
        if raw is None:
            await api.ensure_there(EXECUTE)
    except ProviderError as error:
        return refused(
            f"No active workflow of n8n listens at this address: {said(answer)} "
            f"Whether the workflow is active could not be seen: {error.message}",
            error.hint,
            HTTPStatus.NOT_FOUND,
        )
    if raw is None:
        return unknown_workflow(api, call.workflow_id)
    if problem := not_listening(raw):
        return problem
    paths = ", ".join(_listens_at(webhook) for webhook in webhooks(raw)) or "nowhere"
    return refused(
        f"The workflow {name_of(raw)} is active, but does not listen at this address: {said(answer)} It listens at {paths}.",
        "Correct the address in the node, or leave it empty to use the workflow's own.",
        HTTPStatus.NOT_FOUND,
    )


def not_listening(raw: JsonObject) -> ProviderRefused | None:
    """The refusal of a workflow that exists and does not take calls, or None."""
    if raw.get("isArchived") is True:
        return refused(
            f"The workflow {name_of(raw)} is archived in n8n.", "Unarchive and publish it, or choose another."
        )
    if not is_active(raw):
        return refused(
            f"The workflow {name_of(raw)} is not active in n8n, so its webhook does not listen.",
            "Activate (publish) it in n8n, then try again.",
        )
    return None


def unknown_workflow(api: N8nApi, workflow_id: str) -> ProviderRefused:
    """The refusal of a workflow that does not exist."""
    return refused(
        f"n8n at {api.host} has no workflow {workflow_id}.",
        "Choose a workflow in the node again.",
        HTTPStatus.NOT_FOUND,
    )


def _listens_at(webhook: Webhook) -> str:
    return f"{' or '.join(webhook.methods)} {webhook.path}"


def name_of(raw: JsonObject) -> str:
    """The workflow's name, quoted."""
    return f"“{text_at(raw, 'name')}”"


def message_of(answer: HttpAnswer) -> str:
    """The reason in an answer of n8n's own, or empty."""
    try:
        body = answer.json()
    except UnreadableAnswer:
        return ""
    return text_at(body, "message") or text_at(body, "error")


def refused(message: str, hint: str, status: int | None = None) -> ProviderRefused:
    """A refusal of a call."""
    return ProviderRefused(message, hint=hint, provider=PROVIDER, operation=EXECUTE, remote_status=status)
