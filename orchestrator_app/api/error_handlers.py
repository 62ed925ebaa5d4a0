"""Turns what routes raise into problem documents."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from orchestrator_app.api.problems import nothing_here, problem_response
from orchestrator_app.api.refusals import MethodNotAllowed
from orchestrator_app.errors import BadRequest, InvalidInput, NotFound, OrchestratorError

MOST_ERRORS = 50
LONGEST_NAME = 100

# What Pydantic says, in words for a person. Values are never repeated.
_SENTENCES = {
    "missing": "This is missing.",
    "extra_forbidden": "There is no such field here.",
    "string_type": "A text is expected.",
    "int_type": "A whole number is expected.",
    "int_parsing": "A whole number is expected.",
    "int_parsing_size": "The number has too many digits.",
    "int_from_float": "A whole number is expected.",
    "float_type": "A number is expected.",
    "float_parsing": "A number is expected.",
    "finite_number": "A finite number is expected.",
    "bool_type": "true or false is expected.",
    "list_type": "A list is expected.",
    "dict_type": "An object is expected.",
    "model_type": "An object is expected.",
    "model_attributes_type": "An object is expected.",
}


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    app.add_exception_handler(OrchestratorError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_error(_request: Request, error: Exception) -> Response:
    return problem_response(cast("OrchestratorError", error))


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    found = cast("Sequence[Mapping[str, Any]]", cast("RequestValidationError", error).errors())
    errors = [_entry(item) for item in found[:MOST_ERRORS]]
    first = errors[0]
    place = f"{first['in']}, field {first['field']}" if first["field"] else first["in"]
    more = f" {len(found) - 1} more, see errors." if len(found) > 1 else ""
    message = f"The request is not acceptable ({place}): {first['message']}{more}"
    return problem_response(InvalidInput(message, hint="Correct the fields in errors.", errors=errors))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """What the web framework refuses by itself."""
    refused = cast("HTTPException", error)
    if refused.status_code == MethodNotAllowed.http_status:
        headers = dict(refused.headers or {})
        allowed = headers.get("Allow", "another one")
        message = f"{request.method} cannot be used at this address."
        return problem_response(MethodNotAllowed(message, hint=f"Use {allowed}."), headers)
    if refused.status_code == NotFound.http_status:
        return problem_response(nothing_here())
    return problem_response(BadRequest(f"The request could not be read: {refused.detail}."))


def _entry(item: Mapping[str, Any]) -> dict[str, str]:
    where, *path = [str(part)[:LONGEST_NAME] for part in item["loc"]]
    return {"field": ".".join(path), "in": where, "message": _sentence(item)}


def _sentence(item: Mapping[str, Any]) -> str:
    known = _SENTENCES.get(item["type"])
    if known:
        return known
    message = str(item["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return message if message.endswith(".") else f"It must be {message}."
