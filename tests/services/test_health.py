import pytest

from orchestrator_app.services import health as probing
from orchestrator_app.services.health import Health
from orchestrator_app.storage.database import Database
from tests.running import World, graph, webhook


async def test_a_process_that_can_take_work_has_no_problems(world: World):
    assert await Health(world.database, world.dispatcher).problems() == []


async def test_the_runs_under_way_are_counted(world: World):
    health = Health(world.database, world.dispatcher)
    assert health.active_runs == 0
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a")]))
    await world.platform.called("a")
    assert health.active_runs == 1
    held.answer({})
    await world.ended(run_id)


async def test_a_stopping_process_says_so(world: World):
    await world.life.engine.stop(0)
    assert await Health(world.database, world.dispatcher).problems() == ["Orchestrator is shutting down."]


async def test_a_database_that_is_away_is_a_problem(world: World, fresh_sqlite_url: str):
    closed = Database(fresh_sqlite_url)
    closed.close()
    assert await Health(closed, world.dispatcher).problems() == ["Orchestrator is shutting down."]


async def test_a_database_that_answers_nonsense_is_a_problem(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probing, "is_ready", lambda _: False)
    assert await Health(world.database, world.dispatcher).problems() == ["The database does not answer."]
