"""Routes of platforms: connections to them, made, tried, changed and forgotten, and the workflows there."""

# ruff: noqa: FAST003 - addresses are in camelCase; ids.py says which name stands for which parameter

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response

from orchestrator_app.api.auth import AnyCaller
from orchestrator_app.api.body import JsonRoute
from orchestrator_app.api.connection_schemas import (
    ChangeFilter,
    Connection,
    ConnectionChange,
    ConnectionCheck,
    ConnectionFilter,
    ConnectionList,
    ConnectionUsage,
    Credentials,
    Provider,
    ProviderList,
    TriedCredentials,
    WorkflowChange,
    WorkflowFilter,
    WorkflowPage,
    WorkflowPreview,
)
from orchestrator_app.api.ids import ConnectionId, ProviderKey, WorkflowId
from orchestrator_app.api.openapi import PREFIX, operation_id, problems
from orchestrator_app.errors import BadRequest
from orchestrator_app.providers.connection import ConnectionCheck as Outcome
from orchestrator_app.services.workflow_views import WorkflowQuery

_OFFSET_DIGITS = 9

router = APIRouter(
    prefix=PREFIX, tags=["Platforms"], route_class=JsonRoute, generate_unique_id_function=operation_id
)


@router.get("/providers", summary="List platforms", responses=problems())
async def list_providers(caller: AnyCaller) -> ProviderList:
    """What each platform can do, the fields a connection needs, and how its connections fare."""
    found = await caller.services.connections.providers(caller.workspace_id)
    return ProviderList(items=[Provider.model_validate(view) for view in found])


@router.get(
    "/providers/{provider}/workflows", summary="List remote workflows", responses=problems(404, 422, 502)
)
async def list_workflows(
    caller: AnyCaller, provider: ProviderKey, wanted: Annotated[WorkflowFilter, Query()]
) -> WorkflowPage:
    """The workflows as they were listed last; an old list is read anew meanwhile, the first one is waited for."""
    offset = _offset(wanted.cursor)
    query = WorkflowQuery(
        text=wanted.q,
        connection_id=wanted.connection_id,
        activity=wanted.activity,
        tag=wanted.tag,
        folder=wanted.folder,
        team=wanted.team,
        sort=wanted.sort,
    )
    found = await caller.services.catalog.browse_fully(
        caller.workspace_id, provider, query, offset=offset, limit=wanted.limit, refresh=wanted.refresh
    )
    end = offset + len(found.rows)
    return WorkflowPage.model_validate(
        {
            "items": [asdict(row.workflow) | {"connection_id": row.connection_id} for row in found.rows],
            "next_cursor": str(end) if found.rows and end < found.total else None,
            "total": found.total,
            "syncs": found.syncs,
        }
    )


@router.get(
    "/providers/{provider}/workflows/{workflowId}/preview",
    summary="Look at a remote workflow",
    responses=problems(404, 422, 502),
)
async def preview_workflow(
    caller: AnyCaller,
    provider: ProviderKey,
    workflow_id: WorkflowId,
    wanted: Annotated[ConnectionFilter, Query()],
) -> WorkflowPreview:
    """The workflow as a graph, how it is started, and the best way to learn of its end."""
    found = await caller.services.catalog.look(
        caller.workspace_id, provider, workflow_id, connection_id=wanted.connection_id
    )
    return WorkflowPreview.model_validate(
        asdict(found.preview)
        | {
            "connection_id": found.connection_id,
            "fetched_date": found.fetched_date,
            "failure": found.failure,
        }
    )


@router.get(
    "/providers/{provider}/workflows/{workflowId}/changes",
    summary="See what changed in a remote workflow",
    responses=problems(404, 422, 502),
)
async def compare_workflow(
    caller: AnyCaller,
    provider: ProviderKey,
    workflow_id: WorkflowId,
    wanted: Annotated[ChangeFilter, Query()],
) -> WorkflowChange:
    """What changed since the workflow had this content, for instance since a node was made from it."""
    found = await caller.services.catalog.change_since(
        caller.workspace_id, provider, workflow_id, wanted.since, connection_id=wanted.connection_id
    )
    return WorkflowChange(
        sentences=list(found.sentences),
        steps=dict(found.steps),
        content_hash=found.content_hash,
        is_known=found.before is not None,
    )


@router.post(
    "/providers/{provider}/connect",
    status_code=201,
    summary="Make a connection",
    responses=problems(404, 409, 422),
)
async def connect(
    caller: AnyCaller, provider: ProviderKey, new: Credentials, response: Response
) -> Connection:
    """Stores and tries a connection. Its secrets are encrypted and never given out again."""
    view = await caller.services.connections.connect(
        caller.workspace_id, provider, name=new.name, credentials=new.credentials
    )
    response.headers["Location"] = f"{PREFIX}/connections/{view.id}"
    return Connection.model_validate(view)


@router.post("/providers/{provider}/test", summary="Try credentials", responses=problems(404, 422))
async def try_credentials(
    caller: AnyCaller, provider: ProviderKey, given: TriedCredentials
) -> ConnectionCheck:
    """Tries credentials without storing them."""
    outcome = await caller.services.connections.test(
        provider, given.credentials, workspace_id=caller.workspace_id, connection_id=given.connection_id
    )
    return _check(outcome)


@router.get("/connections", summary="List connections", responses=problems())
async def list_connections(caller: AnyCaller) -> ConnectionList:
    """All connections, without their secrets."""
    found = await caller.services.connections.list(caller.workspace_id)
    return ConnectionList(items=[Connection.model_validate(view) for view in found])


@router.get("/connections/{id}", summary="Read a connection", responses=problems(404))
async def read_connection(caller: AnyCaller, connection_id: ConnectionId) -> Connection:
    """One connection, without its secrets."""
    return Connection.model_validate(
        await caller.services.connections.get(caller.workspace_id, connection_id)
    )


@router.get("/connections/{id}/usage", summary="See who uses a connection", responses=problems(404))
async def read_usage(caller: AnyCaller, connection_id: ConnectionId) -> ConnectionUsage:
    """The orchestrators whose newest version uses the connection."""
    found = await caller.services.connections.usage(caller.workspace_id, connection_id)
    return ConnectionUsage.model_validate({"items": found})


@router.post("/connections/{id}/test", summary="Try a connection", responses=problems(404, 409))
async def try_connection(caller: AnyCaller, connection_id: ConnectionId) -> ConnectionCheck:
    """Tries the stored connection now and remembers how it fares."""
    return _check(await caller.services.connections.check(caller.workspace_id, connection_id))


@router.put("/connections/{id}", summary="Change a connection", responses=problems(404, 409, 422))
async def change_connection(
    caller: AnyCaller, connection_id: ConnectionId, change: ConnectionChange
) -> Connection:
    """What is absent stays; but a changed address requires its secret again."""
    view = await caller.services.connections.update(
        caller.workspace_id, connection_id, name=change.name, credentials=change.credentials
    )
    return Connection.model_validate(view)


@router.delete("/connections/{id}", status_code=204, summary="Delete a connection", responses=problems(404))
async def delete_connection(caller: AnyCaller, connection_id: ConnectionId) -> None:
    """Forgets the connection and its secrets, also while orchestrators use it."""
    await caller.services.connections.delete(caller.workspace_id, connection_id)


def _check(outcome: Outcome) -> ConnectionCheck:
    return ConnectionCheck.model_validate(
        {
            "status": outcome.status,
            "detail": outcome.detail,
            "choices": outcome.choices,
            "facts": [{"label": label, "text": text} for label, text in outcome.facts],
        }
    )


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _OFFSET_DIGITS):
        raise BadRequest("This page of the list cannot be found.", hint="Go back to the first page.")
    return int(cursor)
