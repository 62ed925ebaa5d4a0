"""The clock of the machine is moved by an hour or a day, both ways: nothing happens early, and nothing twice."""

from typing import Any

import pytest

from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import ProviderBusy
from tests.running import World, driven, graph, nodes_of, states_of, wait, webhook

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
PATIENCE_MS = 2 * HOUR_MS
JUMPS = [HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS]


class Times:
    """When each thing happened, by the clock of the machine."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.of: dict[str, list[int]] = {}

    def noting(self, name: str, *steps: Any) -> Any:
        """What becomes of a call or look, and its time noted; the last step counts for all further ones."""

        async def step(_: RemoteCall) -> Any:
            times = self.of.setdefault(name, [])
            times.append(self._world.clock.ms)
            return steps[min(len(times), len(steps)) - 1]

        return step


@pytest.mark.parametrize("meanwhile", ["alive", "killed"])
@pytest.mark.parametrize("jump", JUMPS, ids=["+1h", "-1h", "+1d", "-1d"])
async def test_after_a_jump_of_the_clock_nothing_happens_early_and_nothing_twice(
    world: World, jump: int, meanwhile: str
):
    times = Times(world)
    platform = world.platform
    platform.on_call("busy", times.noting("busy", ProviderBusy("Wait.", retry_after_seconds=5_400), {"b": 1}))
    platform.on_call("job", times.noting("job", RemoteAnswer("running", remote_id="7")))
    platform.on_look("job", times.noting("look", RemoteLook("completed", {"j": 1})))
    platform.on_call("last", times.noting("last", {"l": 1}))
    nodes = [
        wait("patience", timeout=PATIENCE_MS, onTimeout="continue"),
        webhook("busy", retryAttempts=1),
        webhook("job", completion="poll", pollingInterval=60_000, pollingTimeout=2 * DAY_MS),
        webhook("last"),
    ]
    begun = world.clock.ms
    run_id = await world.start(graph(nodes, "patience last, busy last, job last"))
    await world.parked(run_id)
    # The first look comes after the interval and its jitter; the other two are due to the millisecond.
    due = {"look": begun + 54_000, "busy": begun + 5_400_000, "last": begun + PATIENCE_MS}
    assert {name: len(seen) for name, seen in times.of.items()} == {"busy": 1, "job": 1}

    for moved in (jump, -jump):
        world.advance(moved)
        await world.at_rest()
        if meanwhile == "killed":
            await world.restart()
            await world.at_rest()
        now = max(begun, begun + jump)  # the latest that it ever was
        assert len(times.of.get("look", [])) == (now >= due["look"])
        assert len(times.of["busy"]) == 1 + (now >= due["busy"])
        assert len(times.of.get("last", [])) == (now >= due["last"])

    run = await driven(world, run_id, answered=())
    assert run is not None
    assert run.summary.state == "COMPLETED"
    assert set(states_of(run).values()) == {"COMPLETED"}
    counts = {name: len(seen) for name, seen in times.of.items()}
    assert counts == {"busy": 2, "job": 1, "look": 1, "last": 1}
    assert times.of["look"][0] >= due["look"]
    assert times.of["busy"][1] >= due["busy"]
    assert times.of["last"][0] >= due["last"]
    assert (nodes_of(run)["patience"].ended_date or 0) >= due["last"]
