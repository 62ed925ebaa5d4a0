"""Remote workflows and their graphs as they are kept in the database, and back."""

from dataclasses import asdict, replace
from typing import Any

from orchestrator_app.providers.remote_workflow import (
    CompletionChoice,
    FormField,
    PreviewEdge,
    PreviewNode,
    RemoteWorkflow,
    WorkflowPreview,
    content_hash,
)
from orchestrator_app.storage.payloads import dumps, loads
from orchestrator_app.storage.workflows import CachedWorkflow


def row_of(connection_id: str, workflow: RemoteWorkflow) -> CachedWorkflow:
    """The row of a listed workflow."""
    return CachedWorkflow(
        connection_id=connection_id,
        workflow_id=workflow.id,
        name=workflow.name,
        is_active=workflow.is_active,
        updated_at=workflow.updated_at,
        tags=workflow.tags,
        folder=workflow.folder,
        team=workflow.team,
        kind=workflow.kind,
        note=workflow.note,
        link=workflow.link,
        content_hash=workflow.content_hash,
    )


def workflow_of(row: CachedWorkflow) -> RemoteWorkflow:
    """The workflow of a row."""
    return RemoteWorkflow(
        id=row.workflow_id,
        name=row.name,
        is_active=row.is_active,
        updated_at=row.updated_at,
        tags=row.tags,
        link=row.link,
        folder=row.folder,
        team=row.team,
        kind=row.kind,
        note=row.note,
        content_hash=row.content_hash,
    )


def with_content_hash(preview: WorkflowPreview) -> WorkflowPreview:
    """The preview with a digest of its content; where the platform's adapter made none, that of its graph."""
    if preview.workflow.content_hash:
        return preview
    digest = content_hash(
        [
            [[node.id, node.label, node.kind, node.digest, node.is_disabled] for node in preview.nodes],
            [[edge.source, edge.target, edge.label, edge.kind] for edge in preview.edges],
        ]
    )
    return replace(preview, workflow=replace(preview.workflow, content_hash=digest))


def preview_text(preview: WorkflowPreview) -> str:
    """A graph as JSON text."""
    return dumps(asdict(preview))


def preview_of(text: str) -> WorkflowPreview | None:
    """The graph of JSON text; None when another release of Orchestrator wrote it in another shape."""
    raw: dict[str, Any] = loads(text)
    try:
        workflow: dict[str, Any] = {**raw["workflow"], "tags": tuple(raw["workflow"]["tags"])}
        form: list[dict[str, Any]] = [{**field, "options": tuple(field["options"])} for field in raw["form"]]
        parts: dict[str, Any] = {
            "workflow": RemoteWorkflow(**workflow),
            "nodes": tuple(PreviewNode(**node) for node in raw["nodes"]),
            "edges": tuple(PreviewEdge(**edge) for edge in raw["edges"]),
            "completions": tuple(CompletionChoice(**choice) for choice in raw["completions"]),
            "form": tuple(FormField(**field) for field in form),
        }
        return WorkflowPreview(**raw | parts)
    except (KeyError, TypeError):
        return None
