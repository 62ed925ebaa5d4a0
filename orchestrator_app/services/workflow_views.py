"""What the catalog hands out about the workflows on the platforms: rows, previews, nodes made from them, changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.providers.remote_workflow import RemoteWorkflow, WorkflowPreview

Activity = Literal["", "active", "inactive"]
WorkflowSort = Literal["name", "-name", "updated", "-updated"]
MarkState = Literal["deleted", "inactive", "changed"]
StepState = Literal["added", "removed", "changed", "same"]


@dataclass(frozen=True, slots=True)
class WorkflowQuery:
    """Which workflows of a platform, and in which order. Empty fields do not filter."""

    text: str = ""
    connection_id: str = ""
    activity: Activity = ""
    tag: str = ""
    folder: str = ""
    team: str = ""
    sort: WorkflowSort = "name"


@dataclass(frozen=True, slots=True)
class SyncView:
    """How the list of one connection's workflows fares. Times: UTC epoch ms; ``failure`` is a sentence or empty."""

    connection_id: str
    workflows: int = 0
    is_syncing: bool = False
    synced_date: int | None = None
    failed_date: int | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A workflow in the list, and the connection through which it was seen."""

    connection_id: str
    connection_name: str
    workflow: RemoteWorkflow


@dataclass(frozen=True, slots=True)
class WorkflowList:
    """A stretch of a platform's workflows from the cache, with how fresh it is and what can be filtered by."""

    rows: tuple[WorkflowRow, ...]
    total: int
    offset: int
    syncs: tuple[SyncView, ...]
    tags: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreviewView:
    """A workflow's graph. ``failure`` says why it is not fresh: then it is the one of ``fetched_date``."""

    connection_id: str
    preview: WorkflowPreview
    fetched_date: int
    failure: str = ""


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node made from a remote workflow, ready to be put on the canvas."""

    kind: str
    label: str
    config: JsonObject = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class WorkflowMark:
    """What became of the remote workflow of a node since the node was made. ``message`` is a sentence."""

    node_id: str
    state: MarkState
    message: str


@dataclass(frozen=True, slots=True)
class WorkflowChange:
    """What changed in a remote workflow since a node was made from it.

    Attributes:
        before: As it was; None when that graph is not known any more.
        after: As it is now; None when it was deleted.
        steps: State of each step of both graphs, by its id.
        sentences: What changed, in words.
        content_hash: Digest of ``after``; the node takes it over when the user has seen the change.
    """

    before: WorkflowPreview | None
    after: WorkflowPreview | None
    steps: Mapping[str, StepState]
    sentences: tuple[str, ...]
    content_hash: str


@dataclass(frozen=True, slots=True)
class ConnectionUsage:
    """An orchestrator that uses a connection, and the labels of the nodes that do."""

    orchestrator_id: str
    name: str
    nodes: tuple[str, ...]
