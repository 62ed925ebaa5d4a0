"""Routes for probes: whether the process lives, and whether it takes work."""

from fastapi import APIRouter

from orchestrator_app.api.auth import AnyCaller
from orchestrator_app.api.openapi import operation_id, problems
from orchestrator_app.api.schemas import Live, Ready
from orchestrator_app.errors import Unavailable

router = APIRouter(prefix="/health", tags=["Health"], generate_unique_id_function=operation_id)


@router.get("/live", summary="Does the process answer?", responses=problems())
async def live() -> Live:
    """Answers as long as the process runs, also when the feature is switched off."""
    return Live()


@router.get("/ready", summary="Does the process take work?", responses=problems(503))
async def ready(caller: AnyCaller) -> Ready:
    """Answers 503 with the reason while the process starts or stops, or when the database does not answer."""
    health = caller.services.health
    sentences = await health.problems()
    if sentences:
        raise Unavailable(" ".join(sentences), hint="Try again in a moment.")
    return Ready(active_runs=health.active_runs)
