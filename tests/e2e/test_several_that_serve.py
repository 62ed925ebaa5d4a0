"""Two processes that serve, a worker and Redis: pages of either show the truth, and move from one to the other."""

import base64
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect

from tests.balancer import Balancer
from tests.databases import new_postgres_database
from tests.distribution.worker_process import WorkerProcess
from tests.e2e.browser import at_rest, drag, node, watched_page
from tests.fakes.server import FakeServer
from tests.processes import Program, free_port
from tests.redis_server import RedisServer, redis_program

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(redis_program() is None, reason="redis-server is not installed"),
    pytest.mark.timeout(300),  # four processes are started
]

LOST = "The connection to the server is lost."


@dataclass(frozen=True)
class Site:
    """Two processes of one installation, each with its own address, and one address before both."""

    one: Program
    other: Program
    balancer: Balancer
    redis: RedisServer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = Path(tmp_path_factory.mktemp("site"))
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(folder))
        database_url = stack.enter_context(new_postgres_database())
        port = free_port()
        settings = {
            "ORCHESTRATOR_WORKERS": "external",
            "ORCHESTRATOR_DEMO": "false",
            "ORCHESTRATOR_ENCRYPTION_KEY": base64.b64encode(os.urandom(32)).decode(),
            "ORCHESTRATOR_PUBLIC_URL": f"http://127.0.0.1:{port}",
        }
        one, other = (
            stack.enter_context(
                Program(
                    folder / name,
                    ORCHESTRATOR_DATABASE_URL=database_url,
                    ORCHESTRATOR_REDIS_URL=redis.url,
                    **settings,
                )
            )
            for name in ("one", "other")
        )
        stack.enter_context(WorkerProcess(folder / "worker", database_url, **settings))
        balancer = stack.enter_context(Balancer(port, [one.port, other.port]))
        yield Site(one, other, balancer, redis)


def two_calls(site: Site, fake: FakeServer, name: str, milliseconds: int = 400) -> str:
    """An orchestrator of two calls in a row."""

    def call(label: str, x: int) -> dict[str, Any]:
        config = {"provider": "custom", "method": "PUT", "url": f"{fake.url}/slow/{label}?ms={milliseconds}"}
        data = {"label": label, "nodeType": "RemoteWebhook", "config": config}
        return {"id": label, "type": "orchestratorNode", "position": {"x": x, "y": 0}, "data": data}

    edge = {"id": "e", "source": "first", "target": "second"}
    return site.one.create(name, [call("first", 0), call("second", 300)], [edge])


def name_of_tab(page: Page) -> str:
    return str(page.evaluate("sessionStorage.token"))


def place_of(site: Site, orchestrator_id: str, node_id: str) -> dict[str, float]:
    """Where the node stands in the newest version."""
    nodes = site.one.ask("GET", f"/{orchestrator_id}")["definition"]["nodes"]
    return next(item["position"] for item in nodes if item["id"] == node_id)


def open_canvas(page: Page, url: str, orchestrator_id: str) -> None:
    page.goto(f"{url}/canvas/{orchestrator_id}")
    at_rest(node(page, "first"))


def add_by_click(page: Page, kind: str, count: int) -> None:
    page.get_by_test_id(f"palette-{kind}").click()
    expect(page.locator(".react-flow__node")).to_have_count(count)
    expect(page.get_by_test_id("version")).to_have_text("Unsaved changes")


def test_what_happens_at_one_process_is_seen_on_the_pages_of_the_other(
    browser: Browser, site: Site, fake: FakeServer
):
    with (
        watched_page(browser) as canvas,
        watched_page(browser) as history,
        watched_page(browser) as listed,
        watched_page(browser) as connections,
        watched_page(browser) as watched_run,
    ):
        orchestrator_id = two_calls(site, fake, "Seen everywhere")
        open_canvas(canvas, site.other.url, orchestrator_id)
        history.goto(f"{site.other.url}/runs?orchestrator={orchestrator_id}")
        expect(history.get_by_text("No such runs")).to_be_visible()
        listed.goto(site.other.url)
        row = listed.get_by_role("row").filter(has_text="Seen everywhere")
        expect(row).to_be_visible()
        connections.goto(f"{site.other.url}/connections")
        expect(connections.get_by_role("heading", name="n8n")).to_be_visible()

        run = site.one.ask("POST", f"/{orchestrator_id}/run", {"n": 1})
        watched_run.goto(f"{site.other.url}/run/{run['id']}")
        kept = {"baseUrl": "http://127.0.0.1:9", "apiKey": "of-nothing"}
        site.one.ask("POST", "/providers/n8n/connect", {"name": "From the other", "credentials": kept})
        expect(node(canvas, "second").locator("[data-state='COMPLETED']")).to_be_visible()
        expect(history.get_by_role("row").filter(has_text="Completed")).to_be_visible()
        expect(row).to_contain_text("Completed")
        expect(watched_run.get_by_test_id("run-state")).to_have_attribute("data-state", "COMPLETED")
        expect(connections.get_by_text("From the other")).to_be_visible()


def test_who_edits_at_one_process_is_told_what_was_saved_at_the_other(
    browser: Browser, site: Site, fake: FakeServer
):
    orchestrator_id = two_calls(site, fake, "Edited twice")
    with watched_page(browser) as mine, watched_page(browser) as theirs:
        open_canvas(mine, site.one.url, orchestrator_id)
        open_canvas(theirs, site.other.url, orchestrator_id)
        add_by_click(mine, "DataMapper", 3)
        add_by_click(theirs, "Parallel", 3)
        theirs.keyboard.press("Control+s")
        expect(theirs.get_by_test_id("version")).to_have_text("Version 2")
        expect(mine.get_by_text("Version 2 was saved somewhere else")).to_be_visible()
        mine.keyboard.press("Control+s")
        expect(mine.get_by_role("dialog")).to_contain_text("Nothing was overwritten.")
        mine.get_by_role("button", name="Load theirs").click()
        expect(node(mine, "Parallel")).to_be_visible()
        mine.get_by_role("button", name="Undo").click()
        expect(node(mine, "Data mapper")).to_be_visible()


def is_welcome(frame: str | bytes) -> bool:
    """Whether it is what the editor says at the end of its load, when a page with changes has connected again."""
    return "Your unsaved changes are still here." in str(frame)


def test_a_page_that_moves_to_the_other_process_keeps_all_it_had(
    browser: Browser, site: Site, fake: FakeServer
):
    orchestrator_id = two_calls(site, fake, "On the move")
    welcomes: list[str | bytes] = []

    def listen(websocket: WebSocket) -> None:
        websocket.on("framereceived", lambda frame: welcomes.append(frame) if is_welcome(frame) else None)

    with watched_page(browser) as page:
        page.on("websocket", listen)
        open_canvas(page, site.balancer.url, orchestrator_id)
        name = name_of_tab(page)
        before = place_of(site, orchestrator_id, "second")
        add_by_click(page, "DataMapper", 3)
        # An edit that changes nothing else of what the page shows.
        drag(page, at_rest(node(page, "second")), page.locator(".react-flow__pane"))
        at_rest(node(page, "second"))
        for goes_to in (site.one, site.other, site.one):
            site.balancer.prefer(goes_to.port)
            before_cut = len(welcomes)
            site.balancer.cut()
            # A handshake that is cut as well puts the page off for long.
            while len(welcomes) == before_cut:
                page.wait_for_timeout(50)
            page.get_by_role("button", name="Undo").click()
            expect(page.get_by_role("button", name="Redo")).to_be_enabled()
            page.get_by_role("button", name="Redo").click()
            expect(page.get_by_role("button", name="Redo")).to_be_disabled()
        page.keyboard.press("Control+s")
        expect(page.get_by_test_id("version")).to_have_text("Version 2")
        assert name_of_tab(page) == name
        after = place_of(site, orchestrator_id, "second")
        assert (after["x"], after["y"]) != (before["x"], before["y"])


def test_a_page_survives_the_kill_of_the_process_that_it_is_connected_to(
    browser: Browser, site: Site, fake: FakeServer
):
    orchestrator_id = two_calls(site, fake, "Survivor")
    with watched_page(browser) as moving, watched_page(browser) as faithful:
        dying, living = site.one, site.other
        site.balancer.prefer(dying.port)
        open_canvas(moving, site.balancer.url, orchestrator_id)
        name = name_of_tab(moving)
        add_by_click(moving, "DataMapper", 3)
        open_canvas(faithful, dying.url, orchestrator_id)
        own_name = name_of_tab(faithful)
        add_by_click(faithful, "Parallel", 3)
        expect(faithful.get_by_role("button", name="Undo")).to_be_enabled()
        dying.kill()
        try:
            expect(faithful.get_by_role("alert").filter(has_text=LOST)).to_be_visible()
            run = living.ask("POST", f"/{orchestrator_id}/run?wait=30", {})
            assert run["status"] == "COMPLETED"
            expect(node(moving, "second").locator("[data-state='COMPLETED']")).to_be_visible()
            moving.get_by_role("button", name="Undo").click()
            expect(moving.locator(".react-flow__node")).to_have_count(2)
            assert name_of_tab(moving) == name
        finally:
            dying.start()
        expect(faithful.get_by_role("alert").filter(has_text=LOST)).to_have_count(0)
        expect(node(faithful, "second").locator("[data-state='COMPLETED']")).to_be_visible()
        faithful.get_by_role("button", name="Undo").click()
        expect(faithful.locator(".react-flow__node")).to_have_count(2)
        assert name_of_tab(faithful) == own_name


def test_while_redis_is_away_pages_say_so_and_all_else_goes_on(
    browser: Browser, site: Site, fake: FakeServer
):
    orchestrator_id = two_calls(site, fake, "Without Redis")
    with watched_page(browser) as page:
        open_canvas(page, site.one.url, orchestrator_id)
        add_by_click(page, "DataMapper", 3)
        site.redis.stop()
        try:
            expect(page.get_by_role("alert").filter(has_text=LOST)).to_be_visible()
            assert site.one.ask("POST", f"/{orchestrator_id}/run?wait=30", {})["status"] == "COMPLETED"
            page.get_by_test_id("palette-Parallel").click()
        finally:
            site.redis.start()
        expect(page.get_by_role("alert").filter(has_text=LOST)).to_have_count(0)
        expect(node(page, "second").locator("[data-state='COMPLETED']")).to_be_visible()
        expect(page.locator(".react-flow__node")).to_have_count(4)
        # It may come back so soon that nobody notices that it was away, but without what it knew.
        site.redis.stop()
        with page.expect_websocket():
            site.redis.start()
        page.keyboard.press("Control+s")
        expect(page.get_by_test_id("version")).to_have_text("Version 2")
        assert len(site.one.ask("GET", f"/{orchestrator_id}")["definition"]["nodes"]) == 4


def test_a_duplicated_tab_has_a_name_and_edits_of_its_own(browser: Browser, site: Site, fake: FakeServer):
    orchestrator_id = two_calls(site, fake, "Twice open")
    with watched_page(browser) as page:
        open_canvas(page, site.one.url, orchestrator_id)
        add_by_click(page, "DataMapper", 3)
        with page.expect_popup() as opening:
            page.evaluate("window.open(location.href)")
        twin = opening.value
        expect(twin.locator(".react-flow__node")).to_have_count(2)
        assert name_of_tab(twin) != name_of_tab(page)
        page.reload()
        expect(page.locator(".react-flow__node")).to_have_count(3)
