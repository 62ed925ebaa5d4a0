"""Routes for runs that need a person: decide an unknown outcome, retry what has failed, end a wait."""

# ruff: noqa: FAST003 - addresses are in camelCase; ids.py says which name stands for which parameter

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import Field

from orchestrator_app.api.auth import AnyCaller
from orchestrator_app.api.body import AnyJsonOrEmpty, JsonRoute, any_json_in_openapi
from orchestrator_app.api.ids import NodeId, RunId
from orchestrator_app.api.openapi import PREFIX, operation_id, problems
from orchestrator_app.api.run_schemas import CallbackAnswer, Run
from orchestrator_app.api.schemas import Input, Json, Output, SearchText, TimeFilter
from orchestrator_app.services.bulk import BulkAction, RunsWanted

TRIGGER = "api"

router = APIRouter(
    prefix=PREFIX, tags=["Runs"], route_class=JsonRoute, generate_unique_id_function=operation_id
)


class Decision(Input):
    """What became of a call whose outcome is not known."""

    decision: Literal["done", "retry", "fail"] = Field(
        description="done: it had its effect, and the run goes on with the given output; retry: it had none, so it "
        "is made again; fail: the node stays failed."
    )
    output: Json = Field(None, description="What the node gives on when the call is done.")


class Retry(Input):
    """How to retry."""

    definition: Literal["same", "newest"] = Field(
        "same",
        description="same: this run goes on; newest: a new run of the newest version begins, with the results that "
        "still hold for it.",
    )


class BulkFilter(Input):
    """Which runs, as in the list of runs."""

    status: list[str] = Field([], description="Only runs in these states.", examples=[["WAITING"]])
    orchestrator_id: str = Field("", description="Only runs of this orchestrator.")
    from_: TimeFilter | None = Field(
        None, alias="from", description="Only runs created at this time or later."
    )
    to: TimeFilter | None = Field(None, description="Only runs created before this time.")
    q: SearchText = Field("", description="Only those that contain this text.")


class Bulk(Input):
    """What to do to which runs."""

    action: BulkAction = Field(description="cancel: end open runs; retry: go on with failed ones.")
    filter: BulkFilter = Field(
        description="Which runs; an empty object means all that it can be done to.",
        examples=[{"status": ["WAITING"]}],
    )
    cursor: SearchText = Field("", description="nextCursor of the call before, when runs were left.")


class BulkDone(Output):
    """What came of it."""

    done: int = Field(description="How many runs it was done to.")
    refused: int = Field(description="How many it could not be done to.")
    reasons: list[str] = Field(description="Why not; each reason once.")
    left: int = Field(description="How many runs of the filter were not reached by this call.")
    next_cursor: str | None = Field(description="Leads on to those that are left; null when there are none.")


@router.post("/runs/bulk", summary="Cancel or retry many runs", responses=problems(422))
async def bulk(caller: AnyCaller, what: Bulk) -> BulkDone:
    """Does the same to the runs of a filter, each as if by hand; the newest 1,000 in one call.

    A run whose state has changed meanwhile, or with a call whose outcome is not known, is left as it is and counted.
    """
    wanted = what.filter
    result = await caller.services.bulk.carry_out(
        caller.workspace_id,
        what.action,
        RunsWanted(
            [state.strip().upper() for state in wanted.status],
            wanted.orchestrator_id,
            wanted.from_,
            wanted.to,
            wanted.q,
        ),
        cursor=what.cursor,
        trigger=TRIGGER,
    )
    return BulkDone(
        done=result.done,
        refused=result.refused,
        reasons=list(result.reasons),
        left=result.left,
        next_cursor=result.cursor or None,
    )


@router.post(
    "/runs/{runId}/nodes/{nodeId}/decide",
    status_code=202,
    summary="Decide an unknown outcome",
    responses=problems(404, 409, 422),
)
async def decide(caller: AnyCaller, run_id: RunId, node_id: NodeId, what: Decision) -> Run:
    """Says what became of a call that may or may not have had its effect. Unless it failed, the run goes on.

    Each outcome is decided once. The run must have ended, and failed because of this node.
    """
    view = await caller.services.interventions.decide(
        caller.workspace_id, run_id, node_id, what.decision, output=what.output, trigger=TRIGGER
    )
    return Run.model_validate(view)


@router.post(
    "/runs/{runId}/retry",
    status_code=202,
    summary="Retry a failed run",
    responses=problems(404, 409, 422),
)
async def retry(caller: AnyCaller, run_id: RunId, response: Response, how: Retry | None = None) -> Run:
    """Goes on from the failed nodes: what has a result keeps it, everything else begins anew.

    The numbers of attempts go on, and the attempts made so far stay to be seen. A run with a call whose outcome is
    not known is refused until that is decided.
    """
    view = await caller.services.interventions.retry(
        caller.workspace_id, run_id, definition=how.definition if how else "same", trigger=TRIGGER
    )
    response.headers["Location"] = f"{PREFIX}/runs/{view.id}"
    return Run.model_validate(view)


@router.post(
    "/runs/{runId}/nodes/{nodeId}/resume",
    status_code=202,
    summary="End a wait by hand",
    responses=problems(404, 409, 422),
    openapi_extra=any_json_in_openapi(
        "What the callback would have said: any JSON. No body is an empty object.",
        {"approved": True},
        required=False,
    ),
)
async def resume(caller: AnyCaller, run_id: RunId, node_id: NodeId, data: AnyJsonOrEmpty) -> CallbackAnswer:
    """Lets a node that waits for a callback go on, as if one with this body had arrived. The log says who did it."""
    await caller.services.callbacks.resume(caller.workspace_id, run_id, node_id, data, trigger=TRIGGER)
    return CallbackAnswer(status="accepted")
