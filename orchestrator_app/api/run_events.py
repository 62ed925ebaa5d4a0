"""The live stream of one run: server-sent events, one per change, until the run has ended."""

# ruff: noqa: FAST003 - addresses are in camelCase; ids.py says which name stands for which parameter

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse

from orchestrator_app.api.auth import AnyCaller, Caller
from orchestrator_app.api.ids import RunId
from orchestrator_app.api.openapi import PREFIX, Answers, operation_id, problems
from orchestrator_app.api.problems import problem_document
from orchestrator_app.api.run_schemas import RunLive
from orchestrator_app.domain.runs import RunState
from orchestrator_app.errors import OrchestratorError
from orchestrator_app.services import views

PAUSE_SECONDS = 0.1
HEARTBEAT_SECONDS = 15.0
STREAM = "text/event-stream"
MAX_SEQ_DIGITS = 18
HEARTBEAT = ": still here\n\n"
_BEFORE_EVERYTHING = -1

router = APIRouter(prefix=PREFIX, tags=["Runs"], generate_unique_id_function=operation_id)

_EVENTS: Answers = {
    200: {
        "description": "The stream; each event `run` carries the run, the status of its nodes and edges as JSON",
        "content": {
            STREAM: {"schema": {"type": "string"}, "example": 'id: 7\nevent: run\ndata: {"run": …}\n\n'}
        },
    },
    204: {"description": "It has ended, and Last-Event-ID has seen its end: do not connect again"},
}


@router.get(
    "/runs/{runId}/events",
    response_model=None,
    response_class=StreamingResponse,
    summary="Follow a run",
    responses=_EVENTS | problems(404),
)
async def follow_run(
    caller: AnyCaller,
    run_id: RunId,
    last_event_id: Annotated[
        str,
        Header(
            alias="Last-Event-ID", description="The id of the last event seen; only a newer state is sent."
        ),
    ] = "",
) -> Response:
    """Sends the present state, then every newer one (at most ten a second) until the run has ended.

    The last state is never left out. A comment every 15 seconds keeps the connection open. After a break, a browser
    sends `Last-Event-ID` by itself and misses nothing.
    """
    live = await caller.services.runs.live(caller.workspace_id, run_id)
    seen = _seen(last_event_id)
    if _has_ended(live) and seen >= live.summary.seq:
        return Response(status_code=204)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_events(caller, run_id, seen), headers=headers, media_type=STREAM)


async def _events(caller: Caller, run_id: str, seen: int) -> AsyncGenerator[str]:
    runs = caller.services.runs
    async with caller.services.hub.subscribe(caller.workspace_id, run_id=run_id) as changes:
        try:
            while True:
                live = await runs.live(caller.workspace_id, run_id)
                if live.summary.seq > seen:
                    seen = live.summary.seq
                    yield _event("run", RunLive.model_validate(live).model_dump_json(), seen)
                if _has_ended(live):
                    return
                await asyncio.sleep(PAUSE_SECONDS)
                # Nothing for so long: say so, and look whether a change went by unnoticed.
                if not await changes.take(HEARTBEAT_SECONDS):
                    yield HEARTBEAT
        except OrchestratorError as error:
            yield _event("problem", json.dumps(problem_document(error), ensure_ascii=False), seen)


def _event(kind: str, data: str, seq: int) -> str:
    return f"id: {seq}\nevent: {kind}\ndata: {data}\n\n"


def _has_ended(live: views.RunLive) -> bool:
    return RunState(live.summary.state).is_end


def _seen(last_event_id: str) -> int:
    """The newest state that the caller has seen; what we did not hand out counts as none."""
    if last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) <= MAX_SEQ_DIGITS:
        return int(last_event_id)
    return _BEFORE_EVERYTHING
