"""The description of the API that programs read (OpenAPI), with problem documents for every refusal."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from orchestrator_app.api.problems import MEDIA_TYPE
from orchestrator_app.api.schemas import Problem

Answers = dict[int | str, dict[str, Any]]

PREFIX = "/api/v1/orchestrator"
TAGS = [
    {"name": "Orchestrators", "description": "Graphs: kept, changed, checked, brought in and out."},
    {"name": "Runs", "description": "Started, followed, listed, cancelled and run again."},
    {
        "name": "Limits",
        "description": "How many runs at once, how long each may take, and who waits for a turn.",
    },
    {"name": "Callbacks", "description": "Where platforms report back to a waiting run."},
    {"name": "Platforms", "description": "Platforms, the connections to them, and the workflows there."},
    {"name": "Health", "description": "For probes."},
]

_SAYS_NOTHING = "Successful Response"
_REFUSALS = {
    400: "It cannot be read",
    404: "There is no such thing",
    409: "It collides with the present state",
    412: "Somebody saved in between",
    413: "It is too large",
    415: "It has the wrong content type",
    422: "It is not acceptable",
    428: "The version is missing",
    502: "The platform did not do it",
    503: "It cannot be done now",
}


class Api(FastAPI):
    """A FastAPI application whose description knows problem documents."""

    def openapi(self) -> dict[str, Any]:
        """See FastAPI."""
        if self.openapi_schema is None:
            self.openapi_schema = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=self.routes,
                tags=TAGS,
            )
            for operations in self.openapi_schema["paths"].values():
                for operation in operations.values():
                    for answer in operation["responses"].values():
                        if answer["description"] == _SAYS_NOTHING:
                            answer["description"] = "It is done"
            schemas = self.openapi_schema["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema(mode="serialization")
            self.openapi_schema["components"]["schemas"] = dict(sorted(schemas.items()))
        return self.openapi_schema


def problems(*statuses: int) -> Answers:
    """Refusals that an operation may answer with; any other one looks the same."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answers: Answers = {status: {"description": _REFUSALS[status], "content": content} for status in statuses}
    answers["default"] = {"description": "Any other refusal", "content": content}
    return answers


def operation_id(route: APIRoute) -> str:
    """What programs made from the description call the operation."""
    return to_camel(route.name)
