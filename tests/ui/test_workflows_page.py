"""The browser of workflows, used as its page uses it."""

import asyncio
from typing import Any

import pytest

from orchestrator_app.errors import ProviderUnavailable, Unavailable
from orchestrator_app.providers.simulated import SimulatedProvider
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.application import Application
from orchestrator_app.services.catalog import Catalog
from orchestrator_app.services.connections import Connections
from orchestrator_app.ui.pages.workflows.state import PlacingState
from orchestrator_app.ui.workflows.state import STRETCH_ROWS, BrowserState
from tests.fakes.n8n import FakeN8n
from tests.fakes.server import FakeServer
from tests.ui.tabs import CLOSED, OPEN, Tab, Tabs

SIMULATED = "/workflows?provider=simulated"


async def connected(application: Application, n8n: FakeN8n, name: str = "Ours") -> str:
    credentials = {"baseUrl": n8n.base, "apiKey": n8n.key}
    return (await application.connections.connect(HERE, "n8n", name=name, credentials=credentials)).id


def shown(tab: Tab, name: str) -> Any:
    return tab.shows(BrowserState, name)


def names(tab: Tab) -> list[str]:
    return [row["name"] for row in shown(tab, "stretch").get("rows", [])]


async def read_once(tab: Tab, count: int) -> None:
    await tab.until(lambda: shown(tab, "total") == count and not shown(tab, "is_syncing"))


async def test_what_is_chosen_stands_in_the_address_and_a_link_shows_the_same(tabs: Tabs):
    tab = await tabs.open(SIMULATED)
    every = names(tab)
    assert len(every) == shown(tab, "total") > 5
    await tab.send(BrowserState.search, " score ")
    assert names(tab) == ["Sales: score lead"]
    assert "provider=simulated" in tab.said[-1].replace('": "', "=").replace('"', "")
    await tab.send(BrowserState.narrow, "tag", "mail")
    assert names(tab) == []
    await tab.send(BrowserState.clear_filters)
    await tab.send(BrowserState.narrow, "sort", "-name")
    assert names(tab) == every[::-1]
    assert "-name" in tab.said[-1]
    linked = await tabs.open(f"{SIMULATED}&q=e&tag=sales&sort=-name&active=active")
    assert [shown(linked, name) for name in ("search_text", "tag", "sort", "activity")] == [
        "e",
        "sales",
        "-name",
        "active",
    ]
    assert names(linked) == ["Sales: score lead", "CRM: look up customer"]


async def test_filters_that_do_not_exist_are_none(tabs: Tabs):
    tab = await tabs.open(f"{SIMULATED}&active=<script>&sort=drop&nonsense=1")
    assert (shown(tab, "activity"), shown(tab, "sort")) == ("", "name")
    every = names(tab)
    await tab.send(BrowserState.narrow, "is_loaded", "x")
    await tab.send(BrowserState.narrow, "activity", "sometimes")
    assert (shown(tab, "is_loaded"), names(tab)) == (True, every)
    await tab.send(BrowserState.narrow, "tag", "nobody has this")
    assert "nobody has this" in shown(tab, "tags")
    assert names(tab) == []


async def test_a_long_list_travels_in_stretches(tabs: Tabs, fake_server: FakeServer):
    for number in range(250):
        fake_server.n8n2.add_workflow(f"Flow {number:03}")
    await connected(tabs.application, fake_server.n8n2)
    tab = await tabs.open("/workflows?provider=n8n")
    await read_once(tab, 250)
    assert (len(names(tab)), names(tab)[0]) == (STRETCH_ROWS, "Flow 000")
    key = shown(tab, "stretch")["key"]
    await tab.send(BrowserState.bring, key, 200)
    assert (shown(tab, "stretch")["offset"], names(tab)) == (200, [f"Flow {i}" for i in range(200, 250)])
    sent = len([update for update in tab.updates if "stretch" in update])
    await tab.send(BrowserState.bring, key, 200)
    # Whoever asks waits for an answer, also for the same one.
    assert len([update for update in tab.updates if "stretch" in update]) == sent + 1
    await tab.send(BrowserState.search, "Flow 1")
    assert (shown(tab, "total"), names(tab)[0]) == (100, "Flow 100")
    # What was asked for of the list as it was before is no longer wanted.
    await tab.send(BrowserState.bring, key, 200)
    assert names(tab)[0] == "Flow 100"
    assert tab.shows(BrowserState, "platforms")[1]["count"] == 250


async def test_a_list_that_changed_is_told_by_its_revision_and_a_refresh_reads_it(
    tabs: Tabs, fake_server: FakeServer
):
    n8n = fake_server.n8n2
    n8n.add_workflow("First")
    await connected(tabs.application, n8n)
    tab = await tabs.open("/workflows?provider=n8n")
    await read_once(tab, 1)
    before = shown(tab, "stretch")
    n8n.add_workflow("Second")
    await tab.send(BrowserState.refresh)
    await read_once(tab, 2)
    after = shown(tab, "stretch")
    assert (after["key"], names(tab)) == (before["key"], ["First", "Second"])
    assert after["revision"] > before["revision"]
    assert shown(tab, "synced_date") > 0


async def test_a_platform_that_is_down_shows_its_last_list_with_the_reason(
    tabs: Tabs, fake_server: FakeServer
):
    n8n = fake_server.n8n2
    flow = n8n.add_workflow("Orders")
    connection_id = await connected(tabs.application, n8n)
    tab = await tabs.open("/workflows?provider=n8n")
    await read_once(tab, 1)
    await tab.send(BrowserState.open_workflow, connection_id, flow.id)
    await tab.until(lambda: shown(tab, "preview")["name"] == "Orders")
    n8n.drop(times=100)
    await tab.send(BrowserState.refresh)
    await tab.until(lambda: bool(shown(tab, "failures")))
    (failure,) = shown(tab, "failures")
    assert (failure["connection"], names(tab)) == ("Ours", ["Orders"])
    assert failure["message"]
    assert failure["synced_date"] > 0
    await tab.send(BrowserState.look_again)
    await tab.until(lambda: bool(shown(tab, "preview")["failure"]))
    assert shown(tab, "preview")["step_count"] > 0


async def test_platforms_say_why_nothing_can_be_listed(tabs: Tabs):
    tab = await tabs.open("/workflows?provider=custom")
    assert shown(tab, "why_no_list")
    assert (names(tab), shown(tab, "is_unconnected")) == ([], False)
    await tab.send(BrowserState.refresh)
    await tab.send(BrowserState.choose_platform, "n8n")
    assert (shown(tab, "why_no_list"), shown(tab, "is_unconnected")) == ("", True)
    assert shown(tab, "provider_title") == "n8n"
    await tab.send(BrowserState.choose_platform, "nonsense")
    assert shown(tab, "provider") == "simulated"


async def test_a_new_connection_brings_its_workflows_without_a_reload(tabs: Tabs, fake_server: FakeServer):
    fake_server.n8n2.add_workflow("Orders")
    tab = await tabs.open("/workflows?provider=n8n")
    assert shown(tab, "is_unconnected") is True
    await connected(tabs.application, fake_server.n8n2)
    await tab.until(lambda: names(tab) == ["Orders"])
    assert [item["color"] for item in shown(tab, "platforms") if item["key"] == "n8n"] == ["green"]


async def test_a_list_can_be_narrowed_to_one_of_several_connections(tabs: Tabs, fake_server: FakeServer):
    fake_server.n8n2.add_workflow("Of two")
    fake_server.n8n1.add_workflow("Of one")
    await connected(tabs.application, fake_server.n8n2, "Two")
    one = await connected(tabs.application, fake_server.n8n1, "One")
    tab = await tabs.open("/workflows?provider=n8n")
    await read_once(tab, 2)
    assert {row["connection"] for row in shown(tab, "stretch")["rows"]} == {"One", "Two"}
    await tab.send(BrowserState.narrow, "connection_id", one)
    assert names(tab) == ["Of one"]
    await tab.send(BrowserState.choose_platform, "simulated")
    assert shown(tab, "connection_id") == ""
    fake_server.n8n1.key = "changed"
    fake_server.n8n1.keys = {"changed": None}
    await tabs.application.connections.check(HERE, one)
    await tab.until(lambda: "1 of 2 connections work" in str(shown(tab, "platforms")))


async def test_a_preview_is_drawn_and_told_in_words(tabs: Tabs):
    tab = await tabs.open(f"{SIMULATED}&workflow=echo")
    await tab.until(lambda: shown(tab, "preview")["name"] == "Echo")
    preview = shown(tab, "preview")
    assert preview["step_count"] == len(preview["graph"]["nodes"]) > 0
    assert [row["is_best"] for row in preview["completions"]].count(True) == 1
    assert (shown(tab, "selected"), shown(tab, "is_looking")) == ("/echo", False)
    await tab.send(BrowserState.enlarge, OPEN)
    assert shown(tab, "is_enlarged") is True
    await tab.send(BrowserState.close_preview)
    assert (shown(tab, "selected"), shown(tab, "preview")["name"], shown(tab, "is_enlarged")) == (
        "",
        "",
        False,
    )
    await tab.send(BrowserState.look_again)
    assert shown(tab, "is_looking") is False
    await tab.send(BrowserState.open_workflow, "", "never-was")
    await tab.until(lambda: bool(shown(tab, "preview_error")))
    assert shown(tab, "is_looking") is False


async def test_a_preview_that_comes_late_does_not_replace_the_one_that_is_wanted(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
):
    tab = await tabs.open(SIMULATED)
    release, real = asyncio.Event(), SimulatedProvider.preview

    async def late(self: SimulatedProvider, connection: Any, workflow_id: str) -> Any:
        if workflow_id == "slow":
            await release.wait()
        return await real(self, connection, workflow_id)

    monkeypatch.setattr(SimulatedProvider, "preview", late)
    await tab.send(BrowserState.open_workflow, "", "slow")
    # The tab goes on while the platform thinks.
    await tab.send(BrowserState.search, "echo")
    await tab.send(BrowserState.open_workflow, "", "echo")
    await tab.until(lambda: shown(tab, "preview")["name"] == "Echo")
    release.set()
    await tab.send(BrowserState.search, "")
    assert (shown(tab, "preview")["name"], shown(tab, "selected")) == ("Echo", "/echo")


async def test_trouble_with_the_database_is_told_and_what_is_shown_stays(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
):
    tab = await tabs.open(SIMULATED)
    every = names(tab)

    async def broken(*_: object, **__: object) -> None:
        raise Unavailable("The disk is full.", hint="Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(Catalog, "browse", broken)
        await tab.send(BrowserState.search, "x")
        assert shown(tab, "load_error") == "The disk is full. Make room."
        assert names(tab) == every
        patch.setattr(Connections, "providers", broken)
        other = await tabs.open(SIMULATED)
        assert (shown(other, "load_error"), shown(other, "is_loaded")) == (
            "The disk is full. Make room.",
            True,
        )
    await tab.send(BrowserState.search, "")
    assert (shown(tab, "load_error"), names(tab)) == ("", every)


async def test_a_workflow_is_added_to_an_orchestrator_that_exists_or_to_a_new_one(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
):
    orders = await tabs.application.orchestrators.create(HERE, name="Orders")
    await tabs.application.orchestrators.create(HERE, name="Invoices")
    tab = await tabs.open(SIMULATED)
    await tab.send(PlacingState.choose, orders.id)
    assert not any("canvas" in sentence for sentence in tab.said)
    await tab.send(PlacingState.ask_where, "simulated", "", "echo", "Echo")
    await tab.send(PlacingState.search, "ord")
    assert [item["name"] for item in tab.shows(PlacingState, "offered")] == ["Orders"]
    await tab.send(PlacingState.choose, orders.id)
    assert f"/canvas/{orders.id}?add=simulated%3A%3Aecho&at=" in tab.said[-1]
    assert tab.shows(PlacingState, "is_asking") is False

    await tab.send(PlacingState.ask_where, "simulated", "", "echo", "Echo")
    await tab.send(PlacingState.change_name, " ")
    await tab.send(PlacingState.create)
    assert tab.shows(PlacingState, "name_problem")
    await tab.send(PlacingState.change_name, "Fresh")
    await tab.send(PlacingState.create)
    page = await tabs.application.orchestrators.page(HERE, query="Fresh")
    assert f"/canvas/{page.items[0].id}?add=" in tab.said[-1]
    await tab.send(PlacingState.show_dialog, CLOSED)

    async def broken(*_: object, **__: object) -> None:
        raise ProviderUnavailable("Away.", hint="Later.")

    monkeypatch.setattr(type(tabs.application.orchestrators), "page", broken)
    await tab.send(PlacingState.ask_where, "simulated", "", "echo", "Echo")
    assert "Away." in tab.said[-1]
    assert tab.shows(PlacingState, "is_asking") is False
