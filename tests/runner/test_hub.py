import asyncio

from orchestrator_app.runner import hub as hubs
from orchestrator_app.runner.hub import Change, Hub


def run_change(run_id: str, seq: int = 1, *, workspace: str = "w", orchestrator: str = "o") -> Change:
    return Change("run", workspace, run_id, seq, orchestrator)


async def test_every_reader_gets_what_happens_in_its_workspace():
    hub = Hub()
    async with hub.subscribe("w") as first, hub.subscribe("w") as second, hub.subscribe("other") as third:
        hub.publish(run_change("r1"))
        assert await first.take(1) == await second.take(1) == [run_change("r1")]
        assert await third.take(0) == []


async def test_of_several_changes_of_a_thing_the_newest_is_taken():
    hub = Hub()
    async with hub.subscribe("w") as changes:
        for seq in (1, 2, 3):
            hub.publish(run_change("r1", seq))
        hub.publish(run_change("r2"))
        hub.publish(Change("connection", "w", "r1"))
        assert await changes.take(1) == [
            run_change("r1", 3),
            run_change("r2"),
            Change("connection", "w", "r1"),
        ]
        assert await changes.take(0) == []


async def test_a_reader_may_care_for_one_run():
    hub = Hub()
    async with hub.subscribe("w", run_id="r1") as changes:
        hub.publish(run_change("r2"))
        assert await changes.take(0) == []
        hub.publish(run_change("r1"))
        assert await changes.take(1) == [run_change("r1")]


async def test_a_reader_may_care_for_one_orchestrator_and_its_runs():
    hub = Hub()
    async with hub.subscribe("w", orchestrator_id="o") as changes:
        hub.publish(run_change("r1", orchestrator="other"))
        hub.publish(run_change("r2"))
        hub.publish(Change("orchestrator", "w", "o", 7))
        assert await changes.take(1) == [run_change("r2"), Change("orchestrator", "w", "o", 7)]


async def test_a_reader_is_woken_while_it_waits():
    hub = Hub()
    async with hub.subscribe("w") as changes:
        taking = asyncio.create_task(changes.take(20))
        await asyncio.sleep(0)
        hub.publish(run_change("r1"))
        assert await taking == [run_change("r1")]


async def test_who_has_left_hears_nothing_more():
    hub = Hub()
    async with hub.subscribe("w") as changes:
        assert hub.subscribers == 1
    hub.publish(run_change("r1"))
    assert hub.subscribers == 0
    assert await changes.take(0) == []


async def test_a_reader_that_takes_nothing_fills_no_memory(monkeypatch):
    monkeypatch.setattr(hubs, "PENDING_LIMIT", 3)
    hub = Hub()
    async with hub.subscribe("w") as changes:
        for number in range(5):
            hub.publish(run_change(f"r{number}"))
        hub.publish(run_change("r0", 9))
        # It looks at the rows anyway; that something happened is what it must learn.
        assert await changes.take(1) == [run_change("r0", 9), run_change("r1"), run_change("r2")]


async def test_who_listens_to_all_workspaces_hears_of_every_one_and_is_no_reader():
    hub = Hub()
    async with hub.subscribe("") as changes:
        hub.publish(Change("run", "here", "r1", 1))
        hub.publish(Change("run", "there", "r2", 1))
        assert [change.id for change in await changes.take(1)] == ["r1", "r2"]
        assert hub.subscribers == 0


async def test_what_is_noted_after_the_end_of_a_run_does_not_hide_its_end():
    hub = Hub()
    async with hub.subscribe("here", run_id="r1") as changes:
        hub.publish(Change("run", "here", "r1", 7, is_end=True))
        hub.publish(Change("run", "here", "r1", 8))
        assert await changes.take(1) == [Change("run", "here", "r1", 8, is_end=True)]
