"""What Flowise refuses before a flow runs, told apart from a flow that ran and failed."""

import re
from http import HTTPStatus

from orchestrator_app.errors import CredentialRefused, ProviderError, ProviderRefused
from orchestrator_app.providers.answers import HttpAnswer, host_of
from orchestrator_app.providers.flowise_answers import Said
from orchestrator_app.providers.flowise_api import PROVIDER
from orchestrator_app.providers.flowise_call import EXECUTE, Target

_NO_KEY = frozenset({"Unauthorized", "Unauthorized Access"})
_IS_WEBHOOK = re.compile(r"configured as a Webhook Trigger\. Call ([A-Z]+) ")
_NO_WEBHOOK = "is not configured as a webhook trigger"
_IS_SCHEDULED = "configured as a Scheduled Trigger"
# What these mean is the same for every platform.
_ELSEWHERE = frozenset(
    {HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
_NO_FLOW = re.compile(r"Chatflow \S+ not found|Invalid Chatflow ID")


def webhook_method(said: Said) -> str:
    """The method of the webhook by which the flow has to be started instead, or empty. Nothing has run then."""
    found = _IS_WEBHOOK.search(said.failure)
    return found.group(1) if found else ""


def is_no_webhook(said: Said) -> bool:
    """Whether the flow has no webhook (any more)."""
    return said.failure.endswith(_NO_WEBHOOK)


def why_refused(target: Target, answer: HttpAnswer, said: Said) -> ProviderError | None:
    """The error when Flowise did not take the call; None when the flow ran, or when the status says it all."""
    host = host_of(target.url)
    is_unauthorized = answer.status == HTTPStatus.UNAUTHORIZED
    if is_unauthorized and target.is_webhook:
        return _no_signature(host, answer)
    if is_unauthorized or said.failure in _NO_KEY:
        return _no_key(host, answer)
    words = _words(host, answer.status, said.failure)
    if words is None:
        return None
    message, hint = words
    return ProviderRefused(
        message, hint=hint, provider=PROVIDER, operation=EXECUTE, remote_status=answer.status
    )


def _words(host: str, status: int, reason: str) -> tuple[str, str] | None:
    """What was wrong with the call, and what to do about it; None when nothing was."""
    if _IS_SCHEDULED in reason:
        return (
            f"The flow at {host} is started by its schedule only, so Flowise does not let anybody call it.",
            "Change the input type of its Start node to Chat Input, Form Input or Webhook Trigger.",
        )
    if reason.endswith(_NO_WEBHOOK):
        return (
            f"The flow at {host} has no webhook trigger, so its webhook cannot be called.",
            "Leave the address in the node empty: the prediction API is used then.",
        )
    if _NO_FLOW.search(reason):
        hint = "Check the id of the flow: it is the long id in the address of the flow's page."
        return f"Flowise at {host} does not take this call: {_sentence(reason)}", hint
    is_refusal = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if reason and is_refusal and status not in _ELSEWHERE:
        hint = "Send what the Start node of the flow asks for."
        return f"Flowise at {host} does not take this call: {_sentence(reason)}", hint
    return None


def _sentence(reason: str) -> str:
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."


def _no_key(host: str, answer: HttpAnswer) -> CredentialRefused:
    return CredentialRefused(
        f"The flow at {host} asks for an API key and did not get the right one.",
        hint="Flowise binds a flow to one key: enter that key in the connection, or take it off the flow.",
        provider=PROVIDER,
        operation=EXECUTE,
        remote_status=answer.status,
        lacks_permission=True,
    )


def _no_signature(host: str, answer: HttpAnswer) -> CredentialRefused:
    return CredentialRefused(
        f"The webhook of the flow at {host} asks for a signature and did not get the right one.",
        hint="Set its signature type in the Start node to Plain Token and send the token as a header of the node, or "
        "turn the check off.",
        provider=PROVIDER,
        operation=EXECUTE,
        remote_status=answer.status,
        lacks_permission=True,
    )
