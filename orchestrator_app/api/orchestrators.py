"""Routes of orchestrators: list, create, read, change, delete, check, import and export."""

# ruff: noqa: FAST003 - addresses are in camelCase; ids.py says which name stands for which parameter

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Response

from orchestrator_app.api.auth import AnyCaller
from orchestrator_app.api.body import AnyJson, JsonRoute, any_json_in_openapi
from orchestrator_app.api.ids import OrchestratorId
from orchestrator_app.api.openapi import PREFIX, operation_id, problems
from orchestrator_app.api.refusals import PreconditionRequired
from orchestrator_app.api.schemas import (
    DEFINITION_EXAMPLE,
    Deleted,
    Export,
    Orchestrator,
    OrchestratorChange,
    OrchestratorNew,
    OrchestratorPage,
    OrchestratorSummary,
    PageFilter,
    Validation,
)
from orchestrator_app.errors import BadRequest
from orchestrator_app.services import views

ANY_VERSION = "*"
_ENTITY_TAG = re.compile(r'(?:W/)?"?(\d{1,9})"?')

router = APIRouter(
    prefix=PREFIX, tags=["Orchestrators"], route_class=JsonRoute, generate_unique_id_function=operation_id
)


@router.get("", summary="List orchestrators", responses=problems())
async def list_orchestrators(caller: AnyCaller, page: Annotated[PageFilter, Query()]) -> OrchestratorPage:
    """Newest change first. `q` looks into names and descriptions."""
    found = await caller.services.orchestrators.page(
        caller.workspace_id, query=page.q, cursor=page.cursor, limit=page.limit
    )
    items = [OrchestratorSummary.model_validate(view) for view in found.items]
    return OrchestratorPage(items=items, next_cursor=found.cursor or None)


@router.post("", status_code=201, summary="Create an orchestrator", responses=problems(422))
async def create_orchestrator(caller: AnyCaller, new: OrchestratorNew, response: Response) -> Orchestrator:
    """A definition that cannot run yet may be kept as a draft; `problems` says what is missing."""
    view = await caller.services.orchestrators.create(
        caller.workspace_id, name=new.name, description=new.description, definition=new.definition
    )
    return _created(view, response)


@router.post(
    "/validate",
    summary="Check a definition",
    responses=problems(),
    openapi_extra=any_json_in_openapi("A definition.", DEFINITION_EXAMPLE, required=True),
)
async def validate_definition(caller: AnyCaller, definition: AnyJson) -> Validation:
    """Says everything that is wrong with a definition, and keeps nothing."""
    return Validation.model_validate(caller.services.orchestrators.validate(definition))


@router.post(
    "/import",
    status_code=201,
    summary="Import an orchestrator",
    responses=problems(422),
    openapi_extra=any_json_in_openapi(
        "An export, or a definition alone.",
        {"name": "Order intake", "definition": DEFINITION_EXAMPLE},
        required=True,
    ),
)
async def import_orchestrator(caller: AnyCaller, document: AnyJson, response: Response) -> Orchestrator:
    """Creates an orchestrator from an export, or from a bare definition with nodes and edges."""
    view = await caller.services.orchestrators.import_document(caller.workspace_id, document)
    return _created(view, response)


@router.get("/{id}", summary="Read an orchestrator", responses=problems(404))
async def read_orchestrator(
    caller: AnyCaller, orchestrator_id: OrchestratorId, response: Response
) -> Orchestrator:
    """The header `ETag` names the version, for a later change."""
    view = await caller.services.orchestrators.get(caller.workspace_id, orchestrator_id)
    return _answered(view, response)


@router.put("/{id}", summary="Change an orchestrator", responses=problems(404, 412, 422, 428))
async def change_orchestrator(
    caller: AnyCaller,
    orchestrator_id: OrchestratorId,
    change: OrchestratorChange,
    response: Response,
    if_match: Annotated[
        list[str] | None,
        Header(
            alias="If-Match",
            description='The version on which the change is based: "3". `*` overwrites any version.',
        ),
    ] = None,
) -> Orchestrator:
    """Keeps changes as a new version; what is absent stays.

    The version on which the change is based is named by `If-Match` or by `version`. If somebody saved in between,
    nothing is written and the answer is 412 with `currentVersion`.
    """
    view = await caller.services.orchestrators.save(
        caller.workspace_id,
        orchestrator_id,
        expected_version=_expected_version(if_match or [], change.version),
        name=change.name,
        description=change.description,
        definition=change.definition,
    )
    return _answered(view, response)


@router.delete("/{id}", summary="Delete an orchestrator", responses=problems(404))
async def delete_orchestrator(caller: AnyCaller, orchestrator_id: OrchestratorId) -> Deleted:
    """Its history stays, and runs under way go on to their end."""
    open_runs = await caller.services.orchestrators.delete(caller.workspace_id, orchestrator_id)
    return Deleted(open_runs=open_runs)


@router.get("/{id}/export", summary="Export an orchestrator", responses=problems(404))
async def export_orchestrator(
    caller: AnyCaller, orchestrator_id: OrchestratorId, response: Response
) -> Export:
    """A document for import. It names connections by their ids and holds no secret."""
    document = await caller.services.orchestrators.export(caller.workspace_id, orchestrator_id)
    name = quote(f"{document['name']}.json", safe="")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    return Export.model_validate(document)


def _created(view: views.OrchestratorDetail, response: Response) -> Orchestrator:
    response.headers["Location"] = f"{PREFIX}/{view.id}"
    return _answered(view, response)


def _answered(view: views.OrchestratorDetail, response: Response) -> Orchestrator:
    response.headers["ETag"] = f'"{view.version}"'
    return Orchestrator.model_validate(view)


def _expected_version(if_match: list[str], in_body: int | None) -> int | None:
    """The version on which a change is based; None stands for any.

    Raises:
        BadRequest: The header is no version, or contradicts the body.
        PreconditionRequired: Neither says it.
    """
    if not if_match:
        if in_body is None:
            raise PreconditionRequired(
                "The version on which this change is based is missing.",
                hint='Send the version you read: the header If-Match: "3", or the field version.',
            )
        return in_body
    named = if_match[0].strip()
    if len(if_match) == 1 and named == ANY_VERSION:
        return in_body
    found = _ENTITY_TAG.fullmatch(named)
    if found is None or len(if_match) > 1:
        raise BadRequest("The header If-Match does not name one version.", hint='Send If-Match: "3".')
    if in_body is not None and int(found[1]) != in_body:
        raise BadRequest(
            "The header If-Match and the field version name two versions.", hint="Send one of them."
        )
    return int(found[1])
