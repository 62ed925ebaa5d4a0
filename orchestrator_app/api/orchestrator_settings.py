"""Routes of what is set for single orchestrators, and of the queue that follows from it."""

# ruff: noqa: FAST003 - addresses are in camelCase; ids.py says which name stands for which parameter

from fastapi import APIRouter
from pydantic import Field

from orchestrator_app.api.auth import AnyCaller
from orchestrator_app.api.body import JsonRoute
from orchestrator_app.api.ids import OrchestratorId
from orchestrator_app.api.openapi import PREFIX, operation_id, problems
from orchestrator_app.api.schemas import Input, Output, Time
from orchestrator_app.services.orchestrator_settings import MAX_CONCURRENCY, MAX_DEADLINE_SECONDS

router = APIRouter(
    prefix=PREFIX, tags=["Limits"], route_class=JsonRoute, generate_unique_id_function=operation_id
)


class Limits(Input):
    """How the runs of an orchestrator are limited; `null` means no limit of its own."""

    concurrency: int | None = Field(
        ge=1, le=MAX_CONCURRENCY, description="Runs under way at once; others wait in order.", examples=[1]
    )
    deadline_seconds: int | None = Field(
        ge=1,
        le=MAX_DEADLINE_SECONDS,
        description="Seconds after which a run is ended, from its beginning.",
        examples=[3600],
    )


class OrchestratorSettings(Output):
    """What is set for an orchestrator."""

    concurrency: int | None
    deadline_seconds: int | None
    signs_callbacks: bool = Field(description="Whether callbacks must carry a signature besides the token.")
    updated_date: Time | None


class SigningSecret(Output):
    """The secret, shown this once."""

    secret: str = Field(description="`whsec_` and base64, as Standard Webhooks has it.")


class QueueEntry(Output):
    """The open runs of one orchestrator."""

    orchestrator_id: str
    orchestrator_name: str
    queued: int = Field(description="PENDING: they wait for their turn.")
    running: int
    waiting: int = Field(description="WAITING: for a callback, a retry or an execution outside.")
    concurrency: int | None = Field(description="How many may be under way at once.")


class Queue(Output):
    """All open runs. Orchestrators with the longest queue come first; those without an open run are left out."""

    running: int
    queued: int
    waiting: int
    by_orchestrator: list[QueueEntry]


@router.get("/queue", summary="Read the queue", responses=problems())
async def read_queue(caller: AnyCaller) -> Queue:
    """How many runs are under way, and how many wait for their turn."""
    return Queue.model_validate(await caller.services.orchestrator_settings.queue(caller.workspace_id))


@router.get("/{id}/settings", summary="Read the settings of an orchestrator", responses=problems(404))
async def read_settings(caller: AnyCaller, orchestrator_id: OrchestratorId) -> OrchestratorSettings:
    """Its limits, and whether its callbacks must be signed."""
    view = await caller.services.orchestrator_settings.get(caller.workspace_id, orchestrator_id)
    return OrchestratorSettings.model_validate(view)


@router.put("/{id}/settings", summary="Limit the runs of an orchestrator", responses=problems(404, 422))
async def change_settings(
    caller: AnyCaller, orchestrator_id: OrchestratorId, limits: Limits
) -> OrchestratorSettings:
    """Counts for all its versions at once. Runs under way go on, with the deadline they began with."""
    view = await caller.services.orchestrator_settings.set_limits(
        caller.workspace_id,
        orchestrator_id,
        concurrency=limits.concurrency,
        deadline_seconds=limits.deadline_seconds,
    )
    return OrchestratorSettings.model_validate(view)


@router.post(
    "/{id}/signing-secret", status_code=201, summary="Make a signing secret", responses=problems(404)
)
async def make_signing_secret(caller: AnyCaller, orchestrator_id: OrchestratorId) -> SigningSecret:
    """From now on callbacks of this orchestrator must be signed with it; an earlier secret is not taken any more.

    A signed callback carries `webhook-id`, `webhook-timestamp` and `webhook-signature` as Standard Webhooks describes
    them, besides its token. Without a right signature the answer is the same 404 as without a right token.
    """
    secret = await caller.services.orchestrator_settings.make_secret(caller.workspace_id, orchestrator_id)
    return SigningSecret(secret=secret)


@router.delete(
    "/{id}/signing-secret", status_code=204, summary="Remove the signing secret", responses=problems(404)
)
async def remove_signing_secret(caller: AnyCaller, orchestrator_id: OrchestratorId) -> None:
    """Callbacks need no signature any more; their token is still needed."""
    await caller.services.orchestrator_settings.remove_secret(caller.workspace_id, orchestrator_id)
