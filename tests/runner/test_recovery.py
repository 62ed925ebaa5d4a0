"""The process is killed before and after every write and every call outside, and another one goes on from the disk.

Calls go over real HTTP, so that the journal of the server tells what was really sent.
"""

import re
from collections import Counter
from typing import Any

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.services.views import RunDetail
from tests.crashes import MortalWorld
from tests.fakes.server import FakeServer
from tests.reference_orchestrators import REPEATABLE, Build, call, calls_that_must_not_be_repeated
from tests.running import (
    ENDS,
    WORKSPACE,
    World,
    driven,
    failure_of,
    graph,
    messages_of,
    nodes_of,
    states_of,
)

pytestmark = pytest.mark.usefixtures("shortest_pauses")

# Every graph has at least two calls, each with the write before it; a process can die before and after each of these.
FEWEST_MOMENTS = 8
DATA: JsonValue = {"total": 7, "name": "Ada"}


def calls_of(server: FakeServer, run_id: str) -> Counter[str]:
    """How often each node of a run called the server, without looks at what it had begun."""
    ids = [
        request.headers["x-correlation-id"].partition(".")
        for request in server.journal
        if request.method != "GET"
    ]
    return Counter(node_id for run, _, node_id in ids if run == run_id)


def keys_of(server: FakeServer, run_id: str) -> dict[str, set[str]]:
    """The idempotency keys that each node of a run has sent."""
    found: dict[str, set[str]] = {}
    for request in server.journal:
        run, _, node_id = request.headers["x-correlation-id"].partition(".")
        if run == run_id and request.method != "GET":
            found.setdefault(node_id, set()).add(request.headers["idempotency-key"])
    return found


def outcome_of(run: RunDetail) -> dict[str, Any]:
    """All that counts of a run, without what differs from run to run."""
    nodes = {view.node_id: (view.state, view.handles, _steady(view.output)) for view in run.nodes}
    return {"state": run.summary.state, "output": _steady(run.output), "nodes": nodes, "edges": run.edges}


def _steady(value: Any) -> Any:
    """Without tokens, and without how often a job was looked at."""
    own = ("callbackUrl", "correlationToken", "result")
    if isinstance(value, dict):
        return {key: _steady(item) for key, item in value.items() if key not in own}
    return re.sub(r"'looks': \d+", "'looks': n", value) if isinstance(value, str) else value


def assert_consistent(run: RunDetail) -> None:
    """Everything has ended, and the attempts of a node are numbered without a gap."""
    assert run.summary.state in ENDS
    for view in run.nodes:
        assert view.state in {"COMPLETED", "FAILED", "SKIPPED", "CANCELLED"}, view
        assert view.ended_date is not None
        assert [attempt.number for attempt in view.attempts] == list(range(1, view.attempt + 1))
        assert all(attempt.ended_date is not None for attempt in view.attempts)
        assert not view.callback_url


async def journey(
    world: World, definition_id: str, key: str, accepted: list[str] | None = None
) -> RunDetail | None:
    """The run of this key from its start to its end. Whoever asks again with the same key gets the same run."""
    run, _ = await world.runs.start(WORKSPACE, definition_id, DATA, trigger="api", idempotency_key=key)
    if accepted is not None:
        accepted.append(run.id)
    return await driven(world, run.id)


async def on_disk(mortal: MortalWorld, definition_id: str) -> RunDetail | None:
    """The newest run of an orchestrator as a dead process has left it."""
    page = await mortal.witness.page(WORKSPACE, orchestrator_id=definition_id, limit=1)
    return await mortal.witness.get(WORKSPACE, page.items[0].id) if page.items else None


async def runs_on_disk(mortal: MortalWorld, definition_id: str) -> int:
    page = await mortal.witness.page(WORKSPACE, orchestrator_id=definition_id, limit=200)
    assert not page.cursor
    return len(page.items)


def assert_journaled(at_crash: RunDetail, calls: Counter[str]) -> None:
    """Nothing was sent of which the disk says nothing."""
    attempts = {view.node_id: len(view.attempts) for view in at_crash.nodes}
    assert all(attempts.get(node_id, 0) >= count for node_id, count in calls.items())


@pytest.fixture
def mortal(http_world: World) -> MortalWorld:
    return MortalWorld(http_world)


@pytest.mark.parametrize("build", REPEATABLE, ids=lambda build: build.__name__)
async def test_wherever_the_process_is_killed_the_outcome_is_the_same(
    mortal: MortalWorld, fake_server: FakeServer, build: Build
):
    world = mortal.world
    definition_id = await world.keep(build(fake_server.url))
    await mortal.crash()
    await mortal.begin()
    undisturbed = await journey(world, definition_id, "undisturbed")
    await mortal.crash()
    assert undisturbed is not None
    assert undisturbed.summary.state == "COMPLETED"
    moment, has_survived = 0, False
    # Branches that work side by side share a write or do not, so the number of moments is known at the end only.
    while not has_survived:
        runs_before = await runs_on_disk(mortal, definition_id)
        await mortal.begin(dies_at=moment)
        accepted: list[str] = []
        lived = await mortal.lived_through(journey(world, definition_id, f"{moment}", accepted))
        has_survived = lived is not None
        where = f"killed at moment {moment}: {' | '.join(mortal.life.moments[-3:])}"
        await mortal.crash()
        is_stored = await runs_on_disk(mortal, definition_id) > runs_before
        assert is_stored or not accepted, where
        at_crash = await on_disk(mortal, definition_id) if is_stored else None
        recorded: list[str] = []
        calls_at_crash: Counter[str] = Counter()
        if at_crash is not None:
            calls_at_crash = calls_of(fake_server, at_crash.summary.id)
            assert_journaled(at_crash, calls_at_crash)
            recorded = [view.node_id for view in at_crash.nodes if view.state in {"COMPLETED", "FAILED"}]
        await mortal.begin()
        run = await journey(world, definition_id, f"{moment}")
        await mortal.crash()
        assert run is not None, where
        assert await runs_on_disk(mortal, definition_id) == runs_before + 1, where
        assert outcome_of(run) == outcome_of(undisturbed), where
        assert_consistent(run)
        calls = calls_of(fake_server, run.summary.id)
        assert [calls[name] for name in recorded] == [calls_at_crash[name] for name in recorded], where
        assert all(len(keys) == 1 for keys in keys_of(fake_server, run.summary.id).values()), where
        waits = sum(view.kind == "WaitForCallback" or view.node_id == "own" for view in run.nodes)
        assert messages_of(run).count("A callback arrived.") <= waits, where
        moment += 1
    assert moment >= FEWEST_MOMENTS


async def test_wherever_the_process_is_killed_no_call_that_must_not_be_is_repeated(
    mortal: MortalWorld, fake_server: FakeServer
):
    world = mortal.world
    definition_id = await world.keep(calls_that_must_not_be_repeated(fake_server.url))
    await mortal.crash()
    moment, unclear, has_survived = 0, 0, False
    while not has_survived:
        await mortal.begin(dies_at=moment)
        has_survived = await mortal.lived_through(journey(world, definition_id, f"{moment}")) is not None
        where = f"killed at moment {moment}: {' | '.join(mortal.life.moments[-3:])}"
        await mortal.crash()
        at_crash = await on_disk(mortal, definition_id)
        views = at_crash.nodes if at_crash else ()
        under_way = {view.node_id for view in views for attempt in view.attempts if not attempt.ended_date}
        await mortal.begin()
        run = await journey(world, definition_id, f"{moment}")
        await mortal.crash()
        assert run is not None, where
        assert_consistent(run)
        calls = calls_of(fake_server, run.summary.id)
        assert max(calls.values(), default=0) <= 1, where
        failed = {view.node_id: view for view in run.nodes if view.state == "FAILED"}
        # What was under way at the crash is unclear, and nothing else is.
        assert set(failed) == under_way, where
        if failed:
            unclear += 1
            assert run.summary.state == "FAILED"
            assert failure_of(run.summary)["code"] == "outcome_unknown"
        else:
            assert run.summary.state == "COMPLETED", where
            assert calls == {"a": 1, "b": 1, "c": 1, "d": 1}
        for view in failed.values():
            assert failure_of(view)["code"] == "outcome_unknown"
            assert failure_of(view)["message"].startswith(
                "Orchestrator stopped while this call was under way"
            )
            assert view.attempts[0].failure == view.failure
        moment += 1
    # Each of the four calls was cut at least before it left and after its answer had come.
    assert unclear >= 6


async def test_an_interrupted_call_leaves_its_attempt_in_the_journal(
    http_world: World, fake_server: FakeServer
):
    world = http_world
    definition = graph([call("a", f"{fake_server.url}/slow/a?ms=60000")])
    await world.begin()
    run_id = await world.start(definition, DATA)
    await fake_server.arrived("/slow/a")
    await world.restart()
    await fake_server.arrived("/slow/a", count=2)
    run = await world.runs.get(WORKSPACE, run_id)
    first, second = nodes_of(run)["a"].attempts
    assert failure_of(first)["code"] == "outcome_unknown"
    assert (first.next_try_at, second.ended_date) == (world.clock.ms, None)
    keys = {request.headers["idempotency-key"] for request in fake_server.calls("/slow/a")}
    assert len(keys) == 1
    await world.runs.cancel(WORKSPACE, run_id)
    assert states_of(await world.ended(run_id)) == {"a": "CANCELLED"}
