"""Routes of platforms: connections to them, made, tried, changed and forgotten, and the workflows there."""

# ruff: noqa: FAST003 - addresses are in camelCase; ids.py says which name stands for which parameter

from typing import Annotated

from fastapi import APIRouter, Query, Response

from orchestrator_app.api.auth import AnyCaller
from orchestrator_app.api.body import JsonRoute
from orchestrator_app.api.connection_schemas import (
    Connection,
    ConnectionChange,
    ConnectionCheck,
    ConnectionFilter,
    ConnectionList,
    Credentials,
    Provider,
    ProviderList,
    WorkflowFilter,
    WorkflowPage,
    WorkflowPreview,
)
from orchestrator_app.api.ids import ConnectionId, ProviderKey, WorkflowId
from orchestrator_app.api.openapi import PREFIX, operation_id, problems

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
    """The workflows on the platform, read there at this moment."""
    found = await caller.services.catalog.workflows(
        caller.workspace_id,
        provider,
        connection_id=wanted.connection_id,
        query=wanted.q,
        cursor=wanted.cursor,
    )
    return WorkflowPage.model_validate({"items": found.workflows, "next_cursor": found.cursor or None})


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
    found = await caller.services.catalog.preview(
        caller.workspace_id, provider, workflow_id, connection_id=wanted.connection_id
    )
    return WorkflowPreview.model_validate(found)


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
async def try_credentials(caller: AnyCaller, provider: ProviderKey, given: Credentials) -> ConnectionCheck:
    """Tries credentials without storing them."""
    return ConnectionCheck.model_validate(await caller.services.connections.test(provider, given.credentials))


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
    """Forgets the connection and its secrets."""
    await caller.services.connections.delete(caller.workspace_id, connection_id)
