"""The shapes of requests and answers. What comes in is strict, what goes out is made of the services' views."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
BAD_TEXT = frozenset(["\x00", *map(chr, range(0xD800, 0xE000))])
MAX_LIMIT = 200


class Input(BaseModel):
    """Base of what callers send: nothing unknown, nothing converted."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class Filter(BaseModel):
    """Base of query parameters: nothing unknown; they are texts, so they are converted."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Output(BaseModel):
    """Base of what callers get; made from a view whose attributes have the same names."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
    )


def iso(milliseconds: int) -> str:
    """A time of ours as the API writes it."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    """The times of one answer lie close together."""
    return (EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds").removesuffix("+00:00")


def milliseconds_of(value: str) -> int:
    """A time as callers write it, as ours; one without a zone is taken as UTC."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("A time such as 2026-01-31T12:00:00Z is expected.") from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - EPOCH) // MILLISECOND


def plain_text(value: str) -> str:
    """Refuses what no database takes in a text."""
    if not BAD_TEXT.isdisjoint(value):
        raise ValueError("A text without NUL characters is expected.")
    return value


TIME_SCHEMA = WithJsonSchema(
    {"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00.000Z"]}
)
Time = Annotated[int, PlainSerializer(iso, return_type=str), TIME_SCHEMA]
TimeFilter = Annotated[int, BeforeValidator(milliseconds_of), TIME_SCHEMA]
SearchText = Annotated[str, BeforeValidator(plain_text), Field(max_length=500)]
Json = Annotated[Any, Field(description="Any JSON.")]

DEFINITION_EXAMPLE: dict[str, Any] = {
    "version": 1,
    "nodes": [
        {
            "id": "call",
            "type": "orchestratorNode",
            "position": {"x": 0, "y": 0},
            "data": {
                "label": "Call",
                "nodeType": "RemoteWebhook",
                "config": {"provider": "simulated", "workflowId": "echo"},
            },
        },
    ],
    "edges": [],
}
Definition = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "object",
            "description": "A graph in React Flow's shape: version, nodes and edges.",
            "properties": {
                "version": {"const": 1},
                "nodes": {"type": "array", "items": {"type": "object"}},
                "edges": {"type": "array", "items": {"type": "object"}},
            },
            "examples": [DEFINITION_EXAMPLE],
        }
    ),
]


class Problem(Output):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="Stable name of the kind of problem; in a browser it leads to its meaning.")
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(description="The status of the answer, again.")
    detail: str = Field(description="A sentence: what happened.")
    hint: str = Field(description="A sentence: what to do. May be empty.")
    code: str = Field(description="The stable name alone, for programs.")
    retryable: bool = Field(description="Whether trying again later may help.")
    errors: list[dict[str, Any]] = Field(
        description="One entry per wrong field (field, message) or per problem of a definition."
    )


# --- orchestrators ---


class PageFilter(Filter):
    """Which part of a list."""

    q: SearchText = Field("", description="Only those that contain this text.")
    cursor: SearchText = Field("", description="nextCursor of the page before.")
    limit: int = Field(50, ge=1, le=MAX_LIMIT, description="Most entries of the page.")


class OrchestratorNew(Input):
    """A new orchestrator."""

    name: str = Field(description="1 to 200 characters.", examples=["Order intake"])
    description: str = Field("", description="At most 5,000 characters.")
    definition: Definition = Field(None, description="Its graph; without one it starts empty.")


class OrchestratorChange(Input):
    """Changes; what is absent stays."""

    name: str | None = Field(None, description="1 to 200 characters.")
    description: str | None = Field(None, description="At most 5,000 characters.")
    definition: Definition = None
    version: int | None = Field(
        None, description="The version on which the change is based, if no If-Match header says it."
    )


class GraphProblem(Output):
    """One thing wrong with a definition, and where."""

    code: str
    message: str
    node_id: str
    edge_id: str
    field: str
    blocks: Literal["save", "run", "nothing"]


class OrchestratorSummary(Output):
    """A row of the list."""

    id: str
    workspace_id: str
    name: str
    description: str
    version: int
    node_count: int
    created_date: Time
    updated_date: Time
    last_run_id: str | None
    last_run_status: str | None = Field(validation_alias="last_run_state")
    last_run_date: Time | None


class Orchestrator(Output):
    """An orchestrator with its graph and everything wrong with it."""

    id: str
    workspace_id: str
    name: str
    description: str
    version: int
    definition: Definition
    problems: list[GraphProblem]
    can_run: bool
    created_date: Time
    updated_date: Time


class OrchestratorPage(Output):
    """One page of the list."""

    items: list[OrchestratorSummary]
    next_cursor: str | None = Field(description="Leads to the next page; null at the end.")


class Deleted(Output):
    """What a deletion left."""

    open_runs: int = Field(description="Runs still under way; they go on to their end.")


class Export(Output):
    """A document that import takes. It names connections by id and holds no secret."""

    kind: str
    name: str
    description: str
    definition: Definition


class Validation(Output):
    """What a check of a definition found."""

    can_save: bool
    can_run: bool
    problems: list[GraphProblem]


# --- health ---


class Live(Output):
    """The process answers."""

    status: Literal["live"] = "live"


class Ready(Output):
    """The process takes work."""

    status: Literal["ready"] = "ready"
    active_runs: int = Field(description="Runs that are being advanced at this moment.")
