"""The shapes of connections, of the platforms they lead to, and of the workflows there."""

from typing import Any

from pydantic import Field

from orchestrator_app.api.schemas import Filter, Input, Output, SearchText, Time


class Credentials(Input):
    """What is needed to reach a platform. Secrets are never given out again."""

    credentials: dict[str, str] = Field(
        description="The fields that the platform asks for; `GET …/providers` lists them.",
        examples=[{"baseUrl": "http://127.0.0.1:5678", "apiKey": "…"}],
    )
    name: str = Field("", description="Name of the connection; without one it is called as the platform.")


class ConnectionChange(Input):
    """Changes; what is absent stays. A changed address requires its secret again."""

    name: str | None = Field(None, description="1 to 200 characters.")
    credentials: dict[str, str] = Field({}, description="The fields that change.")


class Connection(Output):
    """A stored connection without its secrets."""

    id: str
    provider: str
    name: str
    settings: dict[str, str] = Field(description="What is not secret.")
    secrets_set: list[str] = Field(description="Names of the secrets that are stored.")
    status: str = Field(description="connected, refused, unreachable, untested or unreadable.")
    status_detail: str
    checked_date: Time | None
    created_date: Time
    updated_date: Time


class ConnectionList(Output):
    """All connections."""

    items: list[Connection]


class ConnectionCheck(Output):
    """Outcome of a test."""

    status: str
    detail: str


class ProviderField(Output):
    """A field of the platform's connection form."""

    key: str
    label: str
    help: str
    is_secret: bool
    is_origin: bool
    required: bool
    placeholder: str


class Provider(Output):
    """A platform: what it can do, what a connection needs, and how its connections fare."""

    key: str
    title: str
    capabilities: list[str]
    fields: list[ProviderField]
    connections: list[Connection]


class ProviderList(Output):
    """All platforms."""

    items: list[Provider]


class ConnectionFilter(Filter):
    """Through which connection."""

    connection_id: SearchText = Field(
        "", description="Not needed when the platform has exactly one connection."
    )


class WorkflowFilter(ConnectionFilter):
    """Which workflows."""

    q: SearchText = Field("", description="Only those whose name contains this text.")
    cursor: SearchText = Field("", description="nextCursor of the page before.")


class RemoteWorkflow(Output):
    """A workflow on a platform."""

    id: str
    name: str
    is_active: bool
    is_archived: bool
    updated_date: Time | None = Field(validation_alias="updated_at")
    tags: list[str]
    link: str


class WorkflowPage(Output):
    """One page of a platform's workflows."""

    items: list[RemoteWorkflow]
    next_cursor: str | None


class PreviewNode(Output):
    """A step of a remote workflow."""

    id: str
    label: str
    kind: str
    x: float
    y: float
    is_disabled: bool
    is_trigger: bool
    notes: str


class PreviewEdge(Output):
    """A way between two steps."""

    source: str
    target: str
    label: str


class WorkflowPreview(Output):
    """A remote workflow as a graph, and how to start it."""

    workflow: RemoteWorkflow
    nodes: list[PreviewNode]
    edges: list[PreviewEdge]
    url: str
    method: str
    completion: str
    entry: str
    facts: dict[str, Any]
