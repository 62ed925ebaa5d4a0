"""Timers by the real clock: none is early, and none is late by more than two seconds while the program is up."""

import asyncio
from datetime import datetime
from typing import Any

import httpx

from tests.api.calls import ROOT, create, definition, node

TIMERS = 40
# Longer than a run lingers over a pause, so that the run is parked and woken.
PATIENCE_MS = 2_500
MOST_LATE_MS = 2_000


def milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


async def test_no_timer_is_early_and_none_is_late_by_more_than_two_seconds(api: httpx.AsyncClient):
    graph = definition(node("wait", "WaitForCallback", timeout=PATIENCE_MS, onTimeout="continue"))
    orchestrator_id = await create(api, graph)

    async def late_ms() -> int:
        answer = await api.post(f"{ROOT}/{orchestrator_id}/run?wait=30")
        assert answer.status_code == 200, answer.text
        run: dict[str, Any] = answer.json()
        (waited,) = run["nodes"]
        return milliseconds(waited["endedDate"]) - milliseconds(waited["startedDate"]) - PATIENCE_MS

    late = await asyncio.gather(*(late_ms() for _ in range(TIMERS)))
    assert min(late) >= 0, late
    assert max(late) <= MOST_LATE_MS, late
