"""From what the catalog hands out to what the browser of workflows shows. Empty texts and zeros stand for nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.providers.remote_workflow import FormField, RemoteWorkflow, WorkflowPreview
from orchestrator_app.services.views import ConnectionView, ProviderView
from orchestrator_app.services.workflow_views import PreviewView, SyncView, WorkflowRow

LIST = "list"
COMPLETION_TITLES = {
    "response": "With the answer",
    "poll": "Poll for the result",
    "callback": "When it calls back",
}
_FORM_TYPES = {"text": "text", "longtext": "long text", "boolean": "yes or no", "json": "JSON"}
_DEFAULT_LENGTH = 60


@dataclass(frozen=True)
class PlatformTab:
    """A platform as a tab. ``color`` is that of the dot, and ``hint`` the same in words."""

    key: str
    title: str
    color: str
    hint: str
    count: int


@dataclass(frozen=True)
class ConnectionOption:
    """A connection that the list can be narrowed to."""

    id: str
    name: str


@dataclass(frozen=True)
class SyncFailure:
    """A connection whose list could not be read anew."""

    connection: str
    message: str
    synced_date: int


@dataclass(frozen=True)
class CompletionRow:
    """A way to learn that the workflow has ended."""

    key: str
    title: str
    reason: str
    works: bool
    is_best: bool


@dataclass(frozen=True)
class FormRow:
    """Something that the workflow asks for."""

    path: str
    label: str
    type: str
    required: bool
    default: str
    help: str


@dataclass(frozen=True)
class PreviewShape:
    """A workflow as the panel shows it."""

    provider: str = ""
    connection_id: str = ""
    workflow_id: str = ""
    name: str = ""
    is_active: bool = False
    note: str = ""
    link: str = ""
    place: str = ""
    kind: str = ""
    tags: list[str] = field(default_factory=list[str])
    entry: str = ""
    address: str = ""
    completions: list[CompletionRow] = field(default_factory=list[CompletionRow])
    form: list[FormRow] = field(default_factory=list[FormRow])
    snippet: str = ""
    snippet_help: str = ""
    is_opaque: bool = False
    step_count: int = 0
    updated_date: int = 0
    fetched_date: int = 0
    failure: str = ""
    graph: dict[str, Any] = field(default_factory=dict[str, Any])


def can_list(view: ProviderView) -> bool:
    """Whether one of the platform's connections, or the platform without any, can list workflows."""
    if LIST not in view.capabilities:
        return False
    return not view.fields or any(LIST in connection.capabilities for connection in view.connections)


def why_no_list(view: ProviderView) -> str:
    """Why the platform's workflows cannot be listed: a sentence; empty when they can, or nothing is connected yet."""
    if LIST not in view.capabilities:
        return view.refusals.get(LIST, "") or f"{view.title} has no list of workflows."
    if not view.connections or can_list(view):
        return ""
    limit = view.limits.get(LIST, "")
    which = "This connection" if len(view.connections) == 1 else "None of these connections"
    verb = "does not list" if len(view.connections) == 1 else "lists"
    return f"{which} {verb} workflows" + (f": {limit}." if limit else ".")


def platform_tab(view: ProviderView, counts: Mapping[str, int]) -> PlatformTab:
    """The tab of a platform, with how its connections fare."""
    color, hint = _state_of(view)
    return PlatformTab(view.key, view.title, color, hint, counts.get(view.key, 0))


def _state_of(view: ProviderView) -> tuple[str, str]:
    if not view.fields:
        return "green", "Built in"
    if not view.connections:
        return "gray", "Not connected"
    working = sum(connection.status == "connected" for connection in view.connections)
    if working == len(view.connections):
        return "green", "Connected"
    if working:
        return "amber", f"{working} of {len(view.connections)} connections work"
    return ("gray", "Never tested") if all(map(_is_untested, view.connections)) else ("red", "Does not work")


def _is_untested(connection: ConnectionView) -> bool:
    return connection.status == "untested"


def place_of(workflow: RemoteWorkflow) -> str:
    """Team and folder in one line."""
    return " / ".join(part for part in (workflow.team, workflow.folder) if part)


def row_shape(row: WorkflowRow) -> dict[str, Any]:
    """A row of the list as the browser draws it."""
    workflow = row.workflow
    return {
        "id": workflow.id,
        "connectionId": row.connection_id,
        "connection": row.connection_name,
        "name": workflow.name,
        "isActive": workflow.is_active,
        "note": workflow.note,
        "tags": list(workflow.tags),
        "place": place_of(workflow),
        "kind": workflow.kind,
        "changedDate": workflow.updated_at or 0,
    }


def sync_failures(syncs: Sequence[SyncView], names: Mapping[str, str]) -> list[SyncFailure]:
    """Which lists could not be read anew, and why."""
    return [
        SyncFailure(names.get(sync.connection_id, ""), sync.failure, sync.synced_date or 0)
        for sync in syncs
        if sync.failure
    ]


def preview_shape(provider: str, view: PreviewView) -> PreviewShape:
    """A workflow's preview as the panel shows it."""
    preview, workflow = view.preview, view.preview.workflow
    return PreviewShape(
        provider=provider,
        connection_id=view.connection_id,
        workflow_id=workflow.id,
        name=workflow.name,
        is_active=workflow.is_active,
        note=workflow.note,
        link=workflow.link,
        place=place_of(workflow),
        kind=workflow.kind,
        tags=list(workflow.tags),
        entry=preview.entry,
        address=f"{preview.method} {preview.url}" if preview.url else "",
        completions=[
            CompletionRow(
                key=choice.key,
                title=COMPLETION_TITLES.get(choice.key, choice.key),
                reason=choice.reason,
                works=choice.works,
                is_best=choice.works and choice.key == preview.completion,
            )
            for choice in preview.completions
        ],
        form=[_form_row(item) for item in preview.form],
        snippet=preview.snippet,
        snippet_help=preview.snippet_help,
        is_opaque=preview.is_opaque,
        step_count=len(preview.nodes),
        updated_date=workflow.updated_at or 0,
        fetched_date=view.fetched_date,
        failure=view.failure,
        graph=drawn_graph(preview),
    )


def drawn_graph(preview: WorkflowPreview) -> dict[str, Any]:
    """The steps of a workflow and the ways between them, for ``workflow_graph``."""
    return {
        "nodes": [
            {
                "id": node.id,
                "label": node.label,
                "kind": node.app or node.kind,
                "isDisabled": node.is_disabled,
                "isTrigger": node.is_trigger,
                "notes": node.notes,
            }
            for node in preview.nodes
        ],
        "edges": [
            {"source": edge.source, "target": edge.target, "label": edge.label, "kind": edge.kind}
            for edge in preview.edges
        ],
    }


def _form_row(item: FormField) -> FormRow:
    return FormRow(
        path=item.path,
        label=item.label,
        type=f"one of: {', '.join(item.options)}" if item.options else _FORM_TYPES.get(item.type, item.type),
        required=item.required,
        default=_short(item.default),
        help=item.help,
    )


def _short(value: JsonValue) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _DEFAULT_LENGTH else f"{text[: _DEFAULT_LENGTH - 1]}…"
