"""Routes of runs: start, list, read, cancel and run again."""

# ruff: noqa: FAST003 - addresses are in camelCase; ids.py says which name stands for which parameter

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from orchestrator_app.api.auth import AnyCaller, Caller
from orchestrator_app.api.body import (
    JSON,
    AnyJsonOrEmpty,
    JsonRoute,
    any_json_in_openapi,
)
from orchestrator_app.api.ids import OrchestratorId, RunId
from orchestrator_app.api.openapi import PREFIX, Answers, operation_id, problems
from orchestrator_app.api.run_document import run_document
from orchestrator_app.api.run_schemas import (
    Rerun,
    Run,
    RunDetail,
    RunFilter,
    RunHistoryFilter,
    RunPage,
    WaitQuery,
)
from orchestrator_app.domain.runs import RunState
from orchestrator_app.services import views

TRIGGER = "api"

router = APIRouter(
    prefix=PREFIX, tags=["Runs"], route_class=JsonRoute, generate_unique_id_function=operation_id
)

_STARTED: Answers = {
    200: {"model": RunDetail, "description": "It ended in time, or was started before with this key"},
    202: {"model": Run, "description": "It is on disk and will be carried out"},
}
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]*$",
        description="A second start with the same key and input returns the first run with status 200.",
    ),
]


@router.get("/runs", summary="List runs", responses=problems(422))
async def list_runs(caller: AnyCaller, wanted: Annotated[RunFilter, Query()]) -> RunPage:
    """The history of all orchestrators, newest first."""
    return await _page(caller, wanted, wanted.orchestrator_id)


@router.get("/runs/{runId}", summary="Read a run", responses=problems(404))
async def read_run(caller: AnyCaller, run_id: RunId) -> RunDetail:
    """Everything about a run: input, output, every node with its attempts, and the log."""
    return RunDetail.of(await caller.services.runs.get(caller.workspace_id, run_id))


@router.post("/runs/{runId}/cancel", summary="Cancel a run", responses=problems(404, 409))
async def cancel_run(caller: AnyCaller, run_id: RunId) -> Run:
    """Ends a run now. Calls under way are cut; whether they had an effect outside stays unknown."""
    return Run.model_validate(await caller.services.runs.cancel(caller.workspace_id, run_id))


@router.post("/runs/{runId}/rerun", status_code=202, summary="Run again", responses=problems(404, 422))
async def rerun(caller: AnyCaller, run_id: RunId, response: Response, how: Rerun | None = None) -> Run:
    """Starts a new run of the orchestrator's newest version or of the same one, with the same input or the given one."""
    view = await caller.services.runs.rerun(
        caller.workspace_id,
        run_id,
        data=how.input if how else None,
        trigger=TRIGGER,
        definition=how.definition if how else "newest",
    )
    response.headers["Location"] = _address(view)
    return Run.model_validate(view)


@router.get("/{id}/runs", summary="List the runs of an orchestrator", responses=problems(422))
async def list_runs_of_orchestrator(
    caller: AnyCaller, orchestrator_id: OrchestratorId, wanted: Annotated[RunHistoryFilter, Query()]
) -> RunPage:
    """Newest first. The history of a deleted orchestrator is still there."""
    return await _page(caller, wanted, orchestrator_id)


async def start_run(
    caller: AnyCaller,
    orchestrator_id: OrchestratorId,
    data: AnyJsonOrEmpty,
    waiting: WaitQuery,
    idempotency_key: IdempotencyKey = "",
) -> Response:
    """Starts a run of the newest version. Once answered, the run is on disk and will be carried out.

    With `wait`, the answer comes when the run has ended, then as 200 with everything about it, or else as 202 after
    the given seconds. A run that waits for a callback goes on after the answer.
    """
    runs = caller.services.runs
    if waiting.wait:
        detail = await runs.start_and_wait(
            caller.workspace_id,
            orchestrator_id,
            data,
            trigger=TRIGGER,
            seconds=waiting.wait,
            idempotency_key=idempotency_key,
        )
        if RunState(detail.summary.state).is_end:
            return _answer(run_document(detail), 200, detail.summary)
        return _answer(_json(detail.summary), 202, detail.summary)
    view, is_new = await runs.start(
        caller.workspace_id, orchestrator_id, data, trigger=TRIGGER, idempotency_key=idempotency_key
    )
    return _answer(_json(view), 202 if is_new else 200, view)


router.add_api_route(
    "/{id}/run",
    start_run,
    methods=["POST"],
    status_code=202,
    response_model=None,
    summary="Start a run",
    responses=_STARTED | problems(404, 409, 422),
    openapi_extra=any_json_in_openapi(
        "The run's input: any JSON. No body is an empty object.", {"order": {"id": 7}}, required=False
    ),
)


async def _page(caller: Caller, wanted: RunHistoryFilter, orchestrator_id: str) -> RunPage:
    found = await caller.services.runs.page(
        caller.workspace_id,
        states=wanted.states,
        orchestrator_id=orchestrator_id,
        from_ms=wanted.from_,
        to_ms=wanted.to,
        query=wanted.q,
        cursor=wanted.cursor,
        limit=wanted.limit,
    )
    items = [Run.model_validate(view) for view in found.items]
    return RunPage(items=items, next_cursor=found.cursor or None)


def _json(view: views.RunSummary) -> bytes:
    return Run.model_validate(view).model_dump_json().encode()


def _answer(content: bytes, status: int, view: views.RunSummary) -> Response:
    return Response(content, status, headers={"Location": _address(view)}, media_type=JSON)


def _address(view: views.RunSummary) -> str:
    return f"{PREFIX}/runs/{view.id}"
