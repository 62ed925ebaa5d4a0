"""What services hand out: frozen values without secrets, made for screens and the API. Times: UTC epoch ms."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from orchestrator_app.domain.definition import Problem
from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.services.workflow_views import SyncView

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; ``cursor`` leads to the next one and is empty at the end."""

    items: tuple[Item, ...]
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class OrchestratorSummary:
    """A row of the list."""

    id: str
    workspace_id: str
    name: str
    description: str
    version: int
    node_count: int
    created_date: int
    updated_date: int
    last_run_id: str | None = None
    last_run_state: str | None = None
    last_run_date: int | None = None


@dataclass(frozen=True, slots=True)
class OrchestratorDetail:
    """An orchestrator with its graph and everything wrong with it."""

    id: str
    workspace_id: str
    name: str
    description: str
    version: int
    definition: dict[str, Any]
    problems: tuple[Problem, ...]
    created_date: int
    updated_date: int

    @property
    def can_run(self) -> bool:
        """Whether nothing stands in the way of a run."""
        return all(problem.blocks == "nothing" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A row of the history."""

    id: str
    workspace_id: str
    orchestrator_id: str
    orchestrator_name: str
    version: int
    state: str
    trigger: str
    seq: int
    created_date: int
    started_date: int | None = None
    ended_date: int | None = None
    wake_at: int | None = None
    parent_run_id: str | None = None
    failure: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One call of a node."""

    number: int
    request: JsonObject
    response: JsonObject | None
    status_code: int | None
    failure: JsonObject | None
    next_try_at: int | None
    started_date: int
    ended_date: int | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a run's log."""

    at: int
    level: str
    message: str
    node_id: str
    node_label: str


@dataclass(frozen=True, slots=True)
class CallbackView:
    """The newest callback token of a node.

    Attributes:
        url: The complete address, token included, while the callback is awaited; else empty.
        since: When the token was made.
        until: When the node stops waiting; None for never.
        must_be_signed: Whether a signature is needed besides the token.
        arrived_date: When something arrived on it; then ``body`` is what it was.
    """

    url: str
    since: int
    until: int | None = None
    must_be_signed: bool = False
    arrived_date: int | None = None
    body: JsonValue = None


@dataclass(frozen=True, slots=True)
class NodeRunView:
    """A node of a run, with everything known about it.

    ``callback_url`` is there while its callback is awaited. A node ``needs_decision`` when its run has failed because
    nobody knows what became of its call.
    """

    node_id: str
    label: str
    kind: str
    state: str
    attempt: int = 0
    input: JsonValue = None
    output: JsonValue = None
    handles: tuple[str, ...] = ()
    failure: JsonObject | None = None
    wait_reason: str | None = None
    wake_at: int | None = None
    started_date: int | None = None
    ended_date: int | None = None
    attempts: tuple[AttemptView, ...] = ()
    callback_url: str = ""
    needs_decision: bool = False
    callback: CallbackView | None = None


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What the canvas shows of a node while it runs.

    While it waits for an execution outside, ``says`` is what the last look said of it, and ``waits_since`` tells when
    the execution was started.
    """

    node_id: str
    state: str
    attempt: int
    started_date: int | None
    ended_date: int | None
    wait_reason: str | None
    message: str
    says: str = ""
    waits_since: int | None = None


@dataclass(frozen=True, slots=True)
class RunLive:
    """A run as the canvas follows it. ``edges`` maps edge ids to open, taken or not_taken."""

    summary: RunSummary
    statuses: tuple[NodeStatus, ...]
    edges: dict[str, str]


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with everything known about it; nodes are in breadth-first order, PENDING ones included."""

    summary: RunSummary
    input: JsonValue
    output: JsonValue
    definition: dict[str, Any]
    nodes: tuple[NodeRunView, ...]
    edges: dict[str, str]
    logs: tuple[LogLine, ...]


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A stored connection without its secrets; ``secrets_set`` names those that are stored.

    ``capabilities`` are those of this very connection. ``sync`` is None when it lists no workflows.
    """

    id: str
    provider: str
    name: str
    settings: dict[str, str]
    secrets_set: tuple[str, ...]
    status: str
    status_detail: str
    checked_date: int | None
    created_date: int
    updated_date: int
    capabilities: tuple[str, ...] = ()
    sync: SyncView | None = None


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A platform: what it can do, the fields of its form, and how its connections fare.

    ``limits`` says of a capability where it holds only partly, ``refusals`` why one is missing.
    """

    key: str
    title: str
    capabilities: tuple[str, ...]
    fields: tuple[dict[str, Any], ...]
    connections: tuple[ConnectionView, ...] = field(default=())
    limits: dict[str, str] = field(default_factory=dict[str, str])
    refusals: dict[str, str] = field(default_factory=dict[str, str])
