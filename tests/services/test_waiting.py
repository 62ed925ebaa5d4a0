from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.errors import ProviderBusy
from orchestrator_app.services.waiting import Waiting, WaitView
from tests.running import WORKSPACE, World, graph, nodes_of, wait, webhook


async def test_runs_tell_what_they_wait_for(world: World):
    world.platform.on_call("polled", RemoteAnswer("running"))
    world.platform.on_call("busy", ProviderBusy("Wait.", retry_after_seconds=60))
    begun = world.clock.ms
    nodes = [wait("boss", timeout=10_000), webhook("polled", completion="poll"), webhook("busy")]
    several = await world.start(graph(nodes))
    run = await world.parked(several)
    other = await world.start(graph([wait("w")]))
    await world.parked(other)
    waits = await Waiting(world.database).of(WORKSPACE, [several, other])
    look_at = nodes_of(run)["polled"].wake_at
    assert look_at is not None
    assert set(waits[several]) == {
        WaitView("boss", "boss", "callback", begun, begun + 10_000),
        WaitView("busy", "busy", "retry", begun, begun + 60_000),
        WaitView("polled", "polled", "poll", begun, look_at),
    }
    assert [view.label for view in waits[other]] == ["w"]
    assert await Waiting(world.database).of(WORKSPACE, []) == {}
    assert await Waiting(world.database).of("another", [several]) == {}
