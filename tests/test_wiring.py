import asyncio
import logging
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from orchestrator_app import wiring
from orchestrator_app.config import Settings
from orchestrator_app.errors import ConfigurationError, OrchestratorError
from orchestrator_app.services.application import Application
from orchestrator_app.services.drafts import Drafts
from orchestrator_app.services.views import RunDetail
from orchestrator_app.storage.database import Database, database_url
from orchestrator_app.storage.sql import text
from orchestrator_app.wiring import CALLBACK_PATH, open_application
from tests.fakes.server import FakeServer
from tests.processes import free_port
from tests.running import WORKSPACE, failure_of, graph, mapper, node, nodes_of, states_of, token_in, wait

OTHER_KEY = SecretStr("cGFzc3dvcmRzIGFyZSBub3QgcmFuZG9tIGJ5dGVzISE=")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", demo=False, port=free_port())


def changed(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update=values)


async def begun(application: Application, definition: Any, data: Any = None) -> str:
    """The id of a new run."""
    made = await application.orchestrators.create(WORKSPACE, name="Nightly", definition=definition.as_json())
    summary, _ = await application.runs.start(WORKSPACE, made.id, data, trigger="api")
    return summary.id


async def ended(application: Application, run_id: str) -> RunDetail:
    run = await application.runs.wait(WORKSPACE, run_id, 20)
    assert run.summary.ended_date is not None, states_of(run)
    return run


async def parked(application: Application, run_id: str) -> RunDetail:
    """The run once only waits are left of it."""
    async with asyncio.timeout(20), application.hub.subscribe(WORKSPACE, run_id=run_id) as changes:
        while (run := await application.runs.get(WORKSPACE, run_id)).summary.state != "WAITING":
            await changes.take(1)
    return run


@asynccontextmanager
async def served(application: Application) -> AsyncIterator[None]:
    """The callback address of the application, at the port of its settings."""

    async def call_back(request: web.Request) -> web.Response:
        try:
            await application.callbacks.receive(
                request.match_info["run"], request.query["token"], await request.json()
            )
        except OrchestratorError as error:
            return web.json_response({"message": error.message}, status=error.http_status)
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post(CALLBACK_PATH + "/{run}", call_back)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", application.settings.port).start()
        yield
    finally:
        await runner.cleanup()


async def test_the_first_start_makes_all_that_is_needed(settings: Settings, empty_url: str):
    async with open_application(changed(settings, demo=True, database_url=empty_url)) as application:
        (example,) = (await application.orchestrators.page(WORKSPACE)).items
        assert example.name.startswith("Example")
        assert await application.health.problems() == []
        run = await ended(application, await begun(application, graph([mapper("a", n="$sum([1, 2])")])))
        assert run.output == {"n": 3}
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((settings.data_dir / "encryption.key").stat().st_mode) == 0o600


async def test_what_was_kept_is_there_at_the_next_start(settings: Settings):
    with_example = changed(settings, demo=True)
    async with open_application(with_example) as application:
        (example,) = (await application.orchestrators.page(WORKSPACE)).items
        await application.orchestrators.delete(WORKSPACE, example.id)
        run_id = await begun(application, graph([wait("w")]))
        token = token_in((await parked(application, run_id)).nodes[0].callback_url)
    async with open_application(with_example) as application:
        assert [item.name for item in (await application.orchestrators.page(WORKSPACE)).items] == ["Nightly"]
        assert await application.callbacks.receive(run_id, token, {"n": 1}) == "accepted"
        assert (await ended(application, run_id)).output == {"n": 1}


async def test_the_example_runs_to_its_end_over_its_real_callback(settings: Settings):
    async with open_application(changed(settings, demo=True)) as application, served(application):
        (example,) = (await application.orchestrators.page(WORKSPACE)).items
        summary, _ = await application.runs.start(WORKSPACE, example.id, {}, trigger="ui")
        run = await ended(application, summary.id)
    assert run.summary.state == "COMPLETED", run.summary.failure
    states = states_of(run)
    assert {node_id for node_id, state in states.items() if state == "SKIPPED"} == {"rescue", "archive"}
    assert nodes_of(run)["worth"].handles == ("yes",)
    assert nodes_of(run)["approval"].output is not None
    assert isinstance(run.output, dict)
    assert run.output


async def test_a_second_program_may_not_use_the_same_folder(settings: Settings):
    async with open_application(settings):
        with pytest.raises(ConfigurationError, match="Another Orchestrator uses the data folder"):
            await open_application(settings).__aenter__()
    async with open_application(settings):
        pass


async def test_two_programs_with_folders_of_their_own_run_side_by_side(settings: Settings, tmp_path: Path):
    other = changed(settings, data_dir=tmp_path / "other")
    async with open_application(settings) as first, open_application(other) as second:
        await first.orchestrators.create(WORKSPACE, name="First")
        assert (await second.orchestrators.page(WORKSPACE)).items == ()


async def test_a_wrong_key_stops_the_start_and_changes_nothing(settings: Settings):
    async with open_application(settings) as application:
        run_id = await begun(application, graph([wait("w")]))
        await parked(application, run_id)
    with pytest.raises(ConfigurationError, match="is not the one with which this database's secrets"):
        await open_application(changed(settings, encryption_key=OTHER_KEY)).__aenter__()
    async with open_application(settings) as application:
        assert (await parked(application, run_id)).nodes[0].callback_url
    database = Database(database_url("", settings.data_dir))
    count = text("SELECT count(*) FROM setting WHERE name = 'encryption_key_check'")
    assert await database.read(lambda connection: connection.execute(count).scalar_one()) == 1
    database.close()


async def test_callbacks_arrive_at_the_public_address(settings: Settings):
    async with open_application(
        changed(settings, public_url="https://flows.example.org/base/")
    ) as application:
        run_id = await begun(application, graph([wait("w")]))
        url = (await parked(application, run_id)).nodes[0].callback_url
    assert url.startswith(f"https://flows.example.org/base{CALLBACK_PATH}/{run_id}?token=cb_")


async def test_a_run_reaches_the_outside_but_not_this_very_program(
    settings: Settings, fake_server: FakeServer
):
    outside = node("a", "RemoteWebhook", url=f"{fake_server.url}/echo")
    inside = node("b", "RemoteWebhook", url=f"http://127.0.0.1:{settings.port}/api/v1/orchestrator")
    async with open_application(settings) as application, served(application):
        assert (await ended(application, await begun(application, graph([outside]), {"n": 1}))).output == {
            "n": 1
        }
        run = await ended(application, await begun(application, graph([inside])))
    assert failure_of(nodes_of(run)["b"])["code"] == "address_not_allowed"


async def test_an_open_page_hears_of_every_step(settings: Settings):
    async with open_application(settings) as application, application.hub.subscribe(WORKSPACE) as changes:
        run_id = await begun(application, graph([mapper("a", n="=1")]))
        run = await ended(application, run_id)
        seen = 0
        while seen < run.summary.seq:
            seen = max([change.seq for change in await changes.take(5) if change.id == run_id], default=seen)
        assert seen == run.summary.seq


async def test_what_is_switched_off_runs_nothing_until_it_is_switched_on(settings: Settings):
    async with open_application(changed(settings, enabled=False)) as application:
        run_id = await begun(application, graph([mapper("a", n="=1")]))
        assert application.health.active_runs == 0
    async with open_application(settings) as application:
        assert (await ended(application, run_id)).output == {"n": 1}


async def test_connections_that_were_never_tried_are_tried_unless_everything_is_switched_off(
    settings: Settings, fake_server: FakeServer
):
    credentials = {"baseUrl": fake_server.n8n2.base, "apiKey": fake_server.n8n2.key}
    async with open_application(settings) as application:
        made = await application.connections.connect(WORKSPACE, "n8n", name="", credentials=credentials)
    forget = text("UPDATE provider_connection SET status = 'untested', checked_date = NULL, updated_date = 1")
    database = Database(database_url(settings.database_url, settings.data_dir))
    await database.write(lambda connection: connection.execute(forget))
    database.close()
    async with open_application(changed(settings, enabled=False)) as application:
        assert "connection watch" not in {task.get_name() for task in asyncio.all_tasks()}
        assert (await application.connections.get(WORKSPACE, made.id)).status == "untested"
    async with open_application(settings) as application, asyncio.timeout(20):
        async with application.hub.subscribe(WORKSPACE) as changes:
            while (await application.connections.get(WORKSPACE, made.id)).status == "untested":
                await changes.take(1)
        assert (await application.connections.get(WORKSPACE, made.id)).status == "connected"


async def test_a_stop_cuts_calls_after_the_grace_and_the_next_start_takes_them_up(
    settings: Settings, fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wiring, "STOP_GRACE_SECONDS", 0.01)
    slow = node("a", "RemoteWebhook", url=f"{fake_server.url}/slow/a?ms=60000", method="PUT")
    async with open_application(settings) as application:
        run_id = await begun(application, graph([slow]), {"n": 1})
        await fake_server.arrived("/slow/a")
    async with open_application(settings) as application:
        await fake_server.arrived("/slow/a", count=2)
        await application.runs.cancel(WORKSPACE, run_id)


async def test_what_does_not_stop_in_time_is_left_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def hang(_: Drafts) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(wiring, "CLOSE_SECONDS", 0.01)
    monkeypatch.setattr(Drafts, "close", hang)
    async with open_application(settings):
        pass
    assert "did not stop in time" in caplog.text


async def test_a_stop_leaves_no_process_and_says_nothing(
    settings: Settings, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        async with open_application(settings) as application:
            run_id = await begun(application, graph([mapper(name, n="$sum([1, 2])") for name in "abc"]))
            await ended(application, run_id)
    assert caplog.text == ""
