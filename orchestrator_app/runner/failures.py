"""From errors to the failures that the journal keeps, and whether another try makes sense."""

import json
from typing import Any

from tenacity import RetryCallState, Retrying, wait_random_exponential

from orchestrator_app.domain.runs import Failure
from orchestrator_app.errors import (
    NodeFailed,
    OrchestratorError,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
)

# Pauses grow up to this, or stay at the base if that is longer.
MAX_RETRY_DELAY_SECONDS = 60.0


def failure_of(error: OrchestratorError) -> Failure:
    """The journal's form of an error: code, sentence, hint and facts without secrets."""
    detail = dict(error.context)
    code = error.code
    if isinstance(error, NodeFailed):
        code = error.reason
    if isinstance(error, ProviderError):
        named = {
            "provider": error.provider,
            "operation": error.operation,
            "remoteStatus": error.remote_status,
        }
        detail = {key: value for key, value in named.items() if value not in {"", None}} | detail
    # What is no JSON must not keep the failure from being written down.
    facts: dict[str, Any] = json.loads(json.dumps(detail, default=str))
    return Failure(code, error.message, error.hint, facts)


def unexpected(reference: str) -> NodeFailed:
    """The error that stands for a mistake of ours, whose details only the server's log has."""
    return NodeFailed(
        "An unexpected error happened inside Orchestrator.",
        code="internal_error",
        hint=f"The log of the server has the details under {reference}.",
    )


def may_retry(error: OrchestratorError, *, is_idempotent: bool) -> bool:
    """Whether the call may be sent again.

    A complete answer, also 429 or 5xx, is a clear outcome; after an unclear one only an idempotent call is repeated.
    """
    if isinstance(error, OutcomeUnknown):
        return is_idempotent
    return error.retryable


def retry_delay_seconds(error: OrchestratorError, *, attempt: int, base_seconds: float) -> float:
    """The pause before the next try: what the platform asked for, else exponential with full jitter.

    Args:
        error: Why the last try failed.
        attempt: Number of that try, from 1.
        base_seconds: The pause's upper bound after the first try; it doubles with each.
    """
    if isinstance(error, ProviderBusy) and error.retry_after_seconds is not None:
        return error.retry_after_seconds
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    most = max(MAX_RETRY_DELAY_SECONDS, base_seconds)
    return wait_random_exponential(multiplier=base_seconds, max=most)(state)
