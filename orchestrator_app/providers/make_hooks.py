"""Calling a custom webhook of Make: it takes the data, answers “Accepted” at once, and tells no id of what it starts."""

from http import HTTPStatus

from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall
from orchestrator_app.errors import (
    AddressNotAllowed,
    CredentialRefused,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
)
from orchestrator_app.providers.answers import HttpAnswer, host_of, raise_for_answer
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.calls import kept_headers, origin_of, read_output
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.make_api import API_PATH, PROVIDER, hook_origins, wait_seconds

_EXECUTE = Capability.EXECUTE.value
_KEY_HEADER = "x-make-apikey"
_NOBODY_LISTENS = "no scenario listening"
_QUEUE_FULL = "queue is full"
_FAILED = "Scenario failed to complete"
_WINDOW_SECONDS = 10.0  # a webhook takes 300 calls in it
_QUEUE_SECONDS = 60.0
_LONGEST_REASON = 200
_TIMEOUTS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT})


def hook_headers(connection: Connection | None, url: str) -> dict[str, str]:
    """The key that the webhook asks for. The API token never goes to a webhook.

    Raises:
        AddressNotAllowed: The address is no webhook of the connection's zone; nothing was sent.
        ProviderRefused: The address is one of the API.
    """
    if f"{API_PATH}/" in url:
        raise ProviderRefused(
            "This is an address of Make's API, not of a webhook.",
            hint="Choose connection and scenario in the node, and leave the address empty.",
            provider=PROVIDER,
            operation=_EXECUTE,
        )
    key = connection.values.get("hookApiKey", "").strip() if connection else ""
    if not key or connection is None:
        return {}
    if origin_of(url) not in hook_origins(connection):
        raise AddressNotAllowed(
            f"The connection “{connection.name}” keeps its webhook key for the webhooks of its zone, but this call goes "
            f"to {host_of(url)}.",
            hint="Choose another connection for this node, or none.",
            provider=PROVIDER,
            operation=_EXECUTE,
        )
    return {_KEY_HEADER: key}


def answer_of_hook(call: RemoteCall, answer: HttpAnswer) -> RemoteAnswer:
    """What the webhook says: a failed run, the result of a Webhook response module, or only that the data was taken.

    Raises:
        ProviderError: The webhook did not take the call.
    """
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and _FAILED in _words(answer):
        return RemoteAnswer(
            "failed",
            status_code=answer.status,
            headers=kept_headers(answer),
            message=f"Make says “{_words(answer)}”.",
        )
    if refusal := _why_refused(call, answer):
        raise refusal
    raise_for_answer(answer, PROVIDER, _EXECUTE)
    return RemoteAnswer(
        "completed" if call.completion == "response" else "running",
        read_output(answer, provider=PROVIDER),
        status_code=answer.status,
        headers=kept_headers(answer),
    )


def _why_refused(call: RemoteCall, answer: HttpAnswer) -> ProviderError | None:
    """The error for a refusal of the webhook itself, or None if the answer is none of them."""
    words, host = _words(answer), host_of(answer.url)
    told = f": “{words}”." if words else "."
    if answer.status == HTTPStatus.GONE or _NOBODY_LISTENS in words:
        return ProviderRefused(
            f"No active scenario listens at this webhook of {host}{told}",
            hint="Activate the scenario in Make. A webhook that no scenario used for five days is switched off.",
            provider=PROVIDER,
            operation=_EXECUTE,
            remote_status=answer.status,
        )
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return CredentialRefused(
            f"The webhook at {host} asks for a key and did not get the right one{told}",
            hint="Enter the webhook's API key in the connection.",
            provider=PROVIDER,
            operation=_EXECUTE,
            remote_status=answer.status,
            lacks_permission=True,
        )
    is_full = _QUEUE_FULL in words.lower()
    if is_full or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return ProviderBusy(
            f"The webhook at {host} takes no more for the moment{told}",
            hint="Its queue is full: let the scenario catch up."
            if is_full
            else "It takes 300 calls in 10 seconds.",
            provider=PROVIDER,
            operation=_EXECUTE,
            remote_status=answer.status,
            retry_after_seconds=wait_seconds(answer, _QUEUE_SECONDS if is_full else _WINDOW_SECONDS),
        )
    if answer.status in _TIMEOUTS and not call.is_idempotent:
        return OutcomeUnknown(
            f"The webhook at {host} stopped waiting for its scenario, which may go on in Make.",
            hint="Choose the completion callback for scenarios that take long.",
            provider=PROVIDER,
            operation=_EXECUTE,
            remote_status=answer.status,
        )
    return None


def _words(answer: HttpAnswer) -> str:
    """What a refusal says in plain text; empty for anything else."""
    is_text = answer.headers.get("content-type", "text/plain").startswith("text/plain")
    refuses = answer.status >= HTTPStatus.BAD_REQUEST
    return answer.text().strip().rstrip(".")[:_LONGEST_REASON] if is_text and refuses else ""
