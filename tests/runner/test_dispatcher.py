import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator_app.domain.ports import ClaimedRun, OpenRun
from orchestrator_app.domain.runs import RunState
from orchestrator_app.errors import Unavailable
from orchestrator_app.runner import dispatcher as dispatching
from orchestrator_app.runner.dispatcher import LocalDispatcher
from tests.steered import PATIENCE_SECONDS, SteeredClock


class Rows:
    """What the dispatcher asks of the store."""

    def __init__(self) -> None:
        self.open: list[OpenRun] = []
        self.due: list[str] = []
        self.errors: list[Exception] = []
        self.sweeps = 0
        self.swept = asyncio.Event()

    async def open_runs(self) -> list[OpenRun]:
        return self.open

    async def due_runs(self, now: int) -> list[str]:
        self.sweeps += 1
        self.swept.set()
        if self.errors:
            raise self.errors.pop(0)
        return self.due


class Office:
    """A dispatcher with an ``advance`` that notes what it is given."""

    def __init__(self, concurrency: int = 2) -> None:
        self.clock = SteeredClock()
        self.rows = Rows()
        store: Any = self.rows
        self.dispatcher = LocalDispatcher(store, self.clock, concurrency=concurrency)
        self.advanced: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._news = asyncio.Event()

    async def advance(self, run_id: str, claimed: ClaimedRun | None = None) -> None:
        self.dispatcher.seen(run_id)
        self.advanced.append(run_id)
        self._news.set()
        await self.gate.wait()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def at_rest(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while tasks := self.dispatcher._tasks:
                await asyncio.wait(tasks)

    async def swept(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.rows.sweeps < count:
                self.rows.swept.clear()
                await self.rows.swept.wait()

    def move_clock(self, milliseconds: int) -> None:
        """Set the wall clock; nobody is told."""
        self.clock.ms += milliseconds


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    opened = Office()
    yield opened
    await opened.dispatcher.stop(0)


async def test_at_the_start_all_open_runs_are_taken_up(office: Office):
    now = office.clock.ms
    office.rows.open = [
        OpenRun("new", RunState.PENDING, None),
        OpenRun("interrupted", RunState.RUNNING, None),
        OpenRun("due", RunState.WAITING, now - 5),
        OpenRun("later", RunState.WAITING, now + 60_000),
        OpenRun("awaits-a-callback", RunState.WAITING, None),
    ]
    await office.dispatcher.start(office.advance)
    await office.until(lambda: len(office.advanced) == 3)
    assert sorted(office.advanced) == ["due", "interrupted", "new"]


async def test_nothing_is_taken_before_the_start(office: Office):
    office.dispatcher.enqueue("a")
    assert not office.dispatcher.is_crowded
    await office.dispatcher.start(office.advance)
    assert office.advanced == []


async def test_no_more_runs_are_advanced_at_once_than_allowed(office: Office):
    await office.dispatcher.start(office.advance)
    office.gate.clear()
    for name in "abcd":
        office.dispatcher.enqueue(name)
    assert office.dispatcher.is_crowded
    await office.until(lambda: len(office.advanced) == 2)
    assert office.dispatcher.active == 2
    assert office.dispatcher.is_crowded
    office.gate.set()
    await office.until(lambda: len(office.advanced) == 4)
    assert office.advanced == ["a", "b", "c", "d"]


async def test_a_run_is_never_advanced_twice_at_once(office: Office):
    await office.dispatcher.start(office.advance)
    office.gate.clear()
    office.dispatcher.enqueue("a")
    office.dispatcher.enqueue("a")
    await office.until(lambda: office.advanced == ["a"])
    nudge = office.dispatcher.nudge("a")
    assert not nudge.is_set()
    office.dispatcher.enqueue("a")
    office.dispatcher.enqueue("a")
    assert nudge.is_set()
    assert office.dispatcher.active == 1
    office.gate.set()
    await office.at_rest()
    assert office.advanced == ["a", "a"]


async def test_what_the_worker_has_seen_is_not_advanced_again(office: Office):
    await office.dispatcher.start(office.advance)
    office.gate.clear()
    office.dispatcher.enqueue("a")
    await office.until(lambda: office.advanced == ["a"])
    office.dispatcher.enqueue("a")
    office.dispatcher.seen("a")
    office.gate.set()
    await office.at_rest()
    assert office.advanced == ["a"]


async def test_runs_wake_in_the_order_of_their_times(office: Office):
    await office.dispatcher.start(office.advance)
    now = office.clock.ms
    for name, at in (("c", 30), ("a", 10), ("b", 20)):
        office.dispatcher.wake_at(name, now + at)
    await asyncio.sleep(0)
    assert office.advanced == []
    office.move_clock(20)
    await office.until(lambda: len(office.advanced) == 2)
    assert office.advanced == ["a", "b"]
    office.move_clock(10)
    await office.until(lambda: len(office.advanced) == 3)


async def test_a_clock_set_forward_wakes_what_is_due_by_then(office: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dispatching, "SWEEP_SECONDS", 0.02)
    await office.dispatcher.start(office.advance)
    office.dispatcher.wake_at("a", office.clock.ms + 3_600_000)
    await office.swept(1)
    assert office.advanced == []
    office.move_clock(4_000_000)
    await office.until(lambda: office.advanced == ["a"])


async def test_a_clock_set_back_puts_no_sweep_off(office: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dispatching, "SWEEP_SECONDS", 0.02)
    await office.dispatcher.start(office.advance)
    await office.swept(1)
    office.move_clock(-86_400_000)
    office.rows.due = ["a"]
    await office.until(lambda: "a" in office.advanced)
    office.rows.due = []
    office.dispatcher.wake_at("b", office.clock.ms + 10)
    office.move_clock(10)
    await office.until(lambda: "b" in office.advanced)


async def test_a_sweep_finds_what_no_timer_knows(office: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dispatching, "SWEEP_SECONDS", 0.01)
    office.rows.due = ["lost"]
    await office.dispatcher.start(office.advance)
    await office.until(lambda: "lost" in office.advanced)


@pytest.mark.parametrize("error", [Unavailable("The database is away."), RuntimeError("a mistake of ours")])
async def test_a_sweep_that_fails_ends_no_timer(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
):
    monkeypatch.setattr(dispatching, "SWEEP_SECONDS", 0.01)
    office.rows.errors = [error]
    await office.dispatcher.start(office.advance)
    await office.swept(2)
    assert "due runs could not be read" in caplog.text
    office.dispatcher.wake_at("a", office.clock.ms)
    await office.until(lambda: office.advanced == ["a"])


async def test_a_run_that_cannot_be_advanced_now_gets_another_turn(
    office: Office, caplog: pytest.LogCaptureFixture
):
    failures: list[Exception] = [Unavailable("The database is away."), RuntimeError("a mistake of ours")]

    async def advance(run_id: str, claimed: ClaimedRun | None = None) -> None:
        await office.advance(run_id, claimed)
        if failures:
            raise failures.pop(0)

    await office.dispatcher.start(advance)
    office.dispatcher.enqueue("a")
    await office.at_rest()
    assert "run a pauses: The database is away." in caplog.text
    office.move_clock(1_000)
    office.dispatcher.wake_at("nobody", office.clock.ms + 1_000_000)
    await office.until(lambda: len(office.advanced) == 2)
    await office.at_rest()
    assert "advancing run a failed" in caplog.text
    office.move_clock(30_000)
    office.dispatcher.wake_at("nobody", office.clock.ms + 1_000_000)
    await office.until(lambda: len(office.advanced) == 3)


async def test_a_cancel_hint_stops_the_work_on_that_run_alone(
    office: Office, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    await office.dispatcher.start(office.advance)
    office.gate.clear()
    office.dispatcher.enqueue("a")
    office.dispatcher.enqueue("b")
    await office.until(lambda: len(office.advanced) == 2)
    office.dispatcher.enqueue("a")
    office.dispatcher.cancel_hint("a")
    office.dispatcher.cancel_hint("unknown")
    await asyncio.wait({office.dispatcher._active["a"]})
    assert office.dispatcher.active == 1
    assert "stopped working on run a" in caplog.text
    office.gate.set()
    await office.at_rest()
    assert office.advanced == ["a", "b"]


async def test_a_stop_takes_nothing_more(office: Office):
    await office.dispatcher.start(office.advance)
    office.gate.clear()
    for name in "abc":
        office.dispatcher.enqueue(name)
    await office.until(lambda: len(office.advanced) == 2)
    nudge = office.dispatcher.nudge("a")
    stopping = asyncio.create_task(office.dispatcher.stop(PATIENCE_SECONDS))
    await nudge.wait()
    assert office.dispatcher.is_stopping
    office.dispatcher.enqueue("d")
    office.gate.set()
    await stopping
    assert office.advanced == ["a", "b"]
    assert office.dispatcher.active == 0


async def test_after_the_grace_what_works_is_cut(office: Office):
    await office.dispatcher.start(office.advance)
    office.gate.clear()
    office.dispatcher.enqueue("a")
    await office.until(lambda: office.advanced == ["a"])
    await office.dispatcher.stop(0.01)
    assert office.dispatcher.active == 0


async def test_a_dispatcher_that_never_started_can_be_stopped():
    await Office().dispatcher.stop(0)


async def test_a_run_is_stored_as_claimed_only_while_there_is_room_for_it():
    office = Office(concurrency=1)
    assert office.dispatcher.claim_name() == ""
    await office.dispatcher.start(office.advance)
    assert office.dispatcher.claim_name() == office.dispatcher.owner
    office.gate.clear()
    office.dispatcher.enqueue("r1")
    await office.until(lambda: office.advanced == ["r1"])
    assert office.dispatcher.claim_name() == ""
    office.gate.set()
    await office.at_rest()
    await office.dispatcher.stop(0)
    assert office.dispatcher.claim_name() == ""


async def test_a_run_that_was_claimed_while_everything_stopped_is_left_to_the_next_start():
    office = Office()
    claimed: Any = SimpleNamespace(run_id="r1")
    office.dispatcher.begin(claimed)
    await office.dispatcher.start(office.advance)
    office.dispatcher.begin(claimed)
    await office.at_rest()
    assert office.advanced == ["r1"]
    await office.dispatcher.stop(0)
    office.dispatcher.begin(claimed)
    assert not office.dispatcher._tasks
