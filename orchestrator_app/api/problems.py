"""Answers that refuse: problem documents of RFC 9457, made from the program's errors."""

import json
import math
from typing import Any

from fastapi import Response

from orchestrator_app.api.error_codes import ERROR_CODES
from orchestrator_app.errors import (
    InvalidInput,
    NotFound,
    OrchestratorError,
    OutdatedVersion,
    ProviderBusy,
    ProviderError,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
ERRORS_PATH = "/api/docs/errors"
RETRY_AFTER_SECONDS = 5


def problem_type(code: str) -> str:
    """The stable name of a kind of problem; in a browser it leads to what it means."""
    return f"{ERRORS_PATH}#{code}"


def problem_document(error: OrchestratorError) -> dict[str, Any]:
    """What is told about an error. Its context stays inside: it is made for logs."""
    document: dict[str, Any] = {
        "type": problem_type(error.code),
        "title": ERROR_CODES[error.code].title,
        "status": error.http_status,
        "detail": error.message,
        "hint": error.hint,
        "code": error.code,
        "retryable": error.retryable,
        "errors": error.errors if isinstance(error, InvalidInput) else [],
    }
    if isinstance(error, OutdatedVersion):
        document["currentVersion"] = error.context.get("version")
    if isinstance(error, ProviderError):
        document |= {"provider": error.provider, "remoteStatus": error.remote_status}
    return document


def problem_response(error: OrchestratorError, headers: dict[str, str] | None = None) -> Response:
    """The answer for an error."""
    sent = dict(headers or {})
    if isinstance(error, Unavailable):
        sent["Retry-After"] = str(RETRY_AFTER_SECONDS)
    elif isinstance(error, ProviderBusy) and error.retry_after_seconds is not None:
        sent["Retry-After"] = str(math.ceil(error.retry_after_seconds))
    return document_response(problem_document(error), sent)


def unexpected_document(reference: str) -> dict[str, Any]:
    """What is told when something went wrong that nobody thought of: a number to find it in the log."""
    error = OrchestratorError(
        "An unexpected error happened inside Orchestrator.",
        hint=f"The log of the server has the details under {reference}.",
    )
    return problem_document(error) | {"reference": reference}


def document_response(document: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """The answer that carries a problem document."""
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(content, document["status"], headers=headers, media_type=MEDIA_TYPE)


def nothing_here() -> NotFound:
    """What is told about an address of the API that does not exist."""
    return NotFound("There is nothing at this address.", hint="All addresses are listed at /api/docs.")
