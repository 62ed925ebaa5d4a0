"""An API that is away as a whole knows no execution either: that is an outage, and says nothing of what was started."""

from collections.abc import Callable

import pytest

from tests.fakes.server import FakeServer
from tests.runner.outside import DATA, Platforms
from tests.running import driven, graph, messages_of

POLLED = [
    "n8n 2, poll",
    "n8n 1, poll",
    "Make, run",
    "Make, webhook",
    "Zapier with a token",
    "Flowise, webhook",
]


async def assert_waited_for(platforms: Platforms, name: str, lose: Callable[..., None]) -> None:
    """The run waits while the API is away, says so once, and goes on when the API is back."""
    world = platforms.world
    workflow = await platforms.workflow(name)
    workflow.node.config["completion"] = "poll"
    run_id = await world.start(graph([workflow.node]), DATA)
    run = await world.parked(run_id)
    lose(away=True)
    for _ in range(12):
        world.advance(30_000)
        run = await world.parked(run_id)
    (said,) = [
        line for line in messages_of(run) if line.startswith("Polling goes on although a look failed:")
    ]
    assert "it answers 404 also for what every" in said
    lose(away=False)
    run = await driven(world, run_id)
    assert run is not None
    assert run.summary.state == "COMPLETED", run.summary.failure
    assert len(workflow.executions()) == 1


@pytest.mark.parametrize("name", POLLED)
async def test_a_proxy_that_has_lost_the_platform_is_an_outage(
    platforms: Platforms, fake_server: FakeServer, name: str
):
    await assert_waited_for(platforms, name, lambda away: setattr(fake_server, "is_lost", away))


@pytest.mark.parametrize("name", ["n8n 2, poll", "n8n 1, poll"])
async def test_an_n8n_whose_api_is_switched_off_is_an_outage(
    platforms: Platforms, fake_server: FakeServer, name: str
):
    n8n = fake_server.n8n1 if name.startswith("n8n 1") else fake_server.n8n2
    await assert_waited_for(platforms, name, lambda away: setattr(n8n, "is_api_open", not away))
