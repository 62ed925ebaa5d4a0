"""The shapes of connections, of the platforms they lead to, and of the workflows there."""

from typing import Any, Literal

from pydantic import Field

from orchestrator_app.api.schemas import MAX_LIMIT, Filter, Input, Json, Output, SearchText, Time


class Credentials(Input):
    """What is needed to reach a platform. Secrets are never given out again."""

    credentials: dict[str, str] = Field(
        description="The fields that the platform asks for; `GET …/providers` lists them.",
        examples=[{"baseUrl": "http://127.0.0.1:5678", "apiKey": "…"}],
    )
    name: str = Field("", description="Name of the connection; without one it is called as the platform.")


class TriedCredentials(Input):
    """Credentials to try. Secrets are never given out again."""

    credentials: dict[str, str | None] = Field(
        description="The fields that the platform asks for; null tries without what is stored.",
        examples=[{"baseUrl": "http://127.0.0.1:5678", "apiKey": "…"}],
    )
    name: str = Field("", description="Counts for nothing here; it may be sent along.")
    connection_id: str = Field(
        "",
        description="A stored connection: what is absent is taken from it, and so is a secret that is empty, unless "
        "its address changed.",
    )


class ConnectionChange(Input):
    """Changes; what is absent stays. A changed address requires its secret again."""

    name: str | None = Field(None, description="1 to 200 characters.")
    credentials: dict[str, str | None] = Field(
        {},
        description="The fields that change. An empty secret stays as it is stored; null takes a field away.",
    )


class Sync(Output):
    """How the list of a connection's workflows was read last."""

    connection_id: str
    workflows: int = Field(description="How many are known.")
    is_syncing: bool = Field(description="Whether they are being read at this moment.")
    synced_date: Time | None = Field(description="When the list was last read to its end.")
    failed_date: Time | None = Field(description="When that went wrong since, if it did.")
    failure: str = Field(description="A sentence: why. May be empty.")


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
    capabilities: list[str] = Field(description="What can be done with this very connection.")
    sync: Sync | None = Field(description="Null when no workflows can be listed through it.")


class ConnectionList(Output):
    """All connections."""

    items: list[Connection]


class ConnectionUse(Output):
    """An orchestrator that uses a connection."""

    orchestrator_id: str
    name: str
    nodes: list[str] = Field(description="Labels of the nodes that use it.")


class ConnectionUsage(Output):
    """The orchestrators whose newest version uses a connection."""

    items: list[ConnectionUse]


class Choice(Output):
    """One option of a field."""

    value: str
    label: str


class Fact(Output):
    """Something worth knowing about a connection, for instance what its key permits."""

    label: str
    text: str


class ConnectionCheck(Output):
    """Outcome of a test."""

    status: str = Field(description="connected, refused, unreachable or untested.")
    detail: str = Field(description="A sentence: what works, or what to change.")
    choices: dict[str, list[Choice]] = Field(description="What was found for the fields that are discovered.")
    facts: list[Fact]


class ProviderField(Output):
    """A field of the platform's connection form."""

    key: str
    label: str
    help: str
    is_secret: bool
    is_origin: bool
    required: bool
    placeholder: str
    options: list[Choice] = Field(description="Makes it a choice; the first one counts while none is made.")
    is_discovered: bool = Field(description="Its options are found by a test of the connection.")
    takes_others: bool = Field(description="The options are suggestions only.")
    modes: list[str] = Field(
        description="It exists only if the field `mode` has one of these values, if any."
    )


class Provider(Output):
    """A platform: what it can do, what a connection needs, and how its connections fare."""

    key: str
    title: str
    capabilities: list[str] = Field(description="What it can do with its best kind of connection.")
    limits: dict[str, str] = Field(description="Of a capability: where it holds only partly.")
    refusals: dict[str, str] = Field(description="Of a capability that it has not: why.")
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
    """Which workflows, and in which order."""

    connection_id: SearchText = Field("", description="Only those of this connection.")
    q: SearchText = Field("", description="Only those whose name contains this text.")
    activity: Literal["", "active", "inactive"] = Field("", description="Only those that are on, or off.")
    tag: SearchText = Field("", description="Only those with this tag.")
    folder: SearchText = Field("", description="Only those in this folder.")
    team: SearchText = Field("", description="Only those of this team or project.")
    sort: Literal["name", "-name", "updated", "-updated"] = "name"
    cursor: SearchText = Field("", description="nextCursor of the page before.")
    limit: int = Field(100, ge=1, le=MAX_LIMIT)
    refresh: bool = Field(default=False, description="Read the list on the platform anew, and wait for it.")


class RemoteWorkflow(Output):
    """A workflow on a platform."""

    id: str
    name: str
    is_active: bool
    is_archived: bool
    updated_date: Time | None = Field(validation_alias="updated_at")
    tags: list[str]
    folder: str
    team: str
    kind: str = Field(description="What it is where a platform has several kinds. May be empty.")
    note: str = Field(description="A sentence: why it cannot run although it is there. May be empty.")
    link: str
    content_hash: str = Field(
        description="Digest of what it consists of. Empty when the list does not tell that."
    )


class ListedWorkflow(RemoteWorkflow):
    """A workflow in a list."""

    connection_id: str = Field(description="Through which connection it was seen; empty if none is needed.")


class WorkflowPage(Output):
    """One page of a platform's workflows, as they were listed last."""

    items: list[ListedWorkflow]
    next_cursor: str | None
    total: int = Field(description="How many there are on all pages.")
    syncs: list[Sync] = Field(description="How fresh the list of each connection is.")


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
    app: str


class PreviewEdge(Output):
    """A way between two steps."""

    source: str
    target: str
    label: str
    kind: str = Field(description="main, error or tool.")


class FormField(Output):
    """Something that a workflow asks for."""

    path: str = Field(description="Where it goes in the body.")
    label: str
    type: str
    required: bool
    default: Json
    options: list[str]
    help: str


class Completion(Output):
    """A way to learn that a workflow has ended."""

    key: str = Field(description="response, poll or callback.")
    works: bool
    reason: str = Field(description="A sentence: why it fits this workflow, or why it does not work for it.")


class WorkflowPreview(Output):
    """A remote workflow as a graph, and how to start it."""

    connection_id: str
    fetched_date: Time
    failure: str = Field(description="A sentence: why this is not fresh. Empty when it is.")
    workflow: RemoteWorkflow
    nodes: list[PreviewNode]
    edges: list[PreviewEdge]
    is_opaque: bool = Field(description="The platform does not show its steps.")
    url: str
    method: str
    completion: str = Field(description="The best completion.")
    completions: list[Completion] = Field(description="All completions, best first.")
    entry: str
    form: list[FormField]
    snippet: str = Field(description="Text for the platform's callback step. May be empty.")
    snippet_help: str
    facts: dict[str, Any]


class ChangeFilter(ConnectionFilter):
    """Since when."""

    since: SearchText = Field(description="contentHash of the workflow at that time.")


class WorkflowChange(Output):
    """What changed in a remote workflow."""

    sentences: list[str] = Field(description="What changed, in words.")
    steps: dict[str, str] = Field(description="Of each step, by its id: added, removed, changed or same.")
    content_hash: str = Field(description="Digest of what it is now. Empty when it is gone.")
    is_known: bool = Field(description="Whether it is known what it was.")
