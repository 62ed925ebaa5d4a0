"""The workflows that nodes call: marks, the panel of the open node, what changed, and what the workflow asks for."""

import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.errors import ProviderUnavailable, Unavailable
from orchestrator_app.runner.hub import Change
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.catalog import Catalog
from orchestrator_app.services.workflow_views import PreviewView
from orchestrator_app.ui.pages.canvas import remote_state
from orchestrator_app.ui.pages.canvas.remote_shapes import calls_text
from orchestrator_app.ui.pages.canvas.remote_state import RemoteState
from orchestrator_app.ui.pages.canvas.settings_state import SettingsState
from orchestrator_app.ui.pages.canvas.state import EditorState
from tests.builders import a_definition, a_node
from tests.fakes.n8n_flow import FakeWorkflow
from tests.fakes.server import FakeServer
from tests.ui.editors import opened, shown
from tests.ui.tabs import CLOSED, Tab, Tabs


@pytest.fixture(autouse=True)
def _nobody_types_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_state, "TYPING_SECONDS", 0.01)


async def connected(tabs: Tabs, server: FakeServer) -> str:
    """The id of a connection to the fake n8n."""
    credentials = {"baseUrl": server.n8n2.base, "apiKey": server.n8n2.key}
    view = await tabs.application.connections.connect(HERE, "n8n", name="Ours", credentials=credentials)
    return view.id


async def with_node_of(tabs: Tabs, connection_id: str, flow: FakeWorkflow) -> Tab:
    """An editor in which the node “a” was made from the workflow."""
    new = await tabs.application.catalog.node_for(HERE, "n8n", flow.id, connection_id=connection_id)
    tab, _ = await opened(tabs, a_definition([a_node("a", new.kind, dict(new.config)), a_node("b")]))
    return tab


async def followed(tab: Tab, node_id: str = "a") -> None:
    """Open a node, and wait until its workflow was looked at; the browser notices such things by itself."""
    await tab.send(EditorState.select, node_id)
    await tab.send(RemoteState.follow)
    await tab.until(lambda: said(tab, "about") == node_id and not said(tab, "is_looking"))


def said(tab: Tab, name: str) -> Any:
    return tab.shows(RemoteState, name)


async def node_of(tab: Tab, node_id: str = "a") -> Node:
    node = (await tab.state(EditorState))._document.node(node_id)
    assert node is not None
    return node


async def listed_anew(tabs: Tabs, connection_id: str) -> None:
    """Read the list once more, as happens every few minutes."""
    await tabs.application.catalog.refresh(HERE, "n8n", connection_id=connection_id)


def marked(tab: Tab) -> str:
    """The state of the mark on node “a”, or nothing."""
    return str(said(tab, "marks").get("a", {}).get("state", ""))


def edit(flow: FakeWorkflow) -> None:
    """Change a workflow as its author would, so that it has another last step."""
    flow.last_node = ("Shout", "set")
    flow.updated_at += 60_000
    flow.version_id = "another-version"


# --- marks ---


async def test_a_node_is_marked_while_its_workflow_is_switched_off_and_when_it_is_gone(
    tabs: Tabs, fake_server: FakeServer
):
    flow = fake_server.n8n2.add_workflow("Check order")
    connection_id = await connected(tabs, fake_server)
    tab = await with_node_of(tabs, connection_id, flow)
    await listed_anew(tabs, connection_id)
    flow.is_active = False
    await listed_anew(tabs, connection_id)
    await tab.until(lambda: marked(tab) == "inactive")
    assert "“Check order” is switched off on n8n" in said(tab, "marks")["a"]["message"]
    flow.is_active = True
    await listed_anew(tabs, connection_id)
    await tab.until(lambda: said(tab, "marks") == {})
    del fake_server.n8n2.workflows[flow.id]
    await listed_anew(tabs, connection_id)
    await tab.until(lambda: marked(tab) == "deleted")


async def test_a_change_is_marked_shown_step_by_step_seen_and_undone(tabs: Tabs, fake_server: FakeServer):
    flow = fake_server.n8n2.add_workflow("Check order")
    connection_id = await connected(tabs, fake_server)
    tab = await with_node_of(tabs, connection_id, flow)
    await followed(tab)
    known = (await node_of(tab)).config["workflowHash"]
    edit(flow)
    await tab.send(RemoteState.look_again)
    await tab.until(lambda: marked(tab) == "changed")

    await tab.send(RemoteState.open_change)
    assert said(tab, "is_comparing") is True
    await tab.until(lambda: not said(tab, "is_reading_change"))
    change = said(tab, "change")
    assert "The step “Shout” was added." in change["sentences"] or "“Shout” now" in str(change["sentences"])
    states = {step["label"]: step["change"] for step in change["now"]["nodes"]}
    assert states["Webhook"] == "same"
    assert states["Shout"] in {"added", "changed"}
    assert change["has_was"] is change["has_now"] is change["can_be_taken_over"] is True

    await tab.send(RemoteState.take_over_change)
    assert said(tab, "is_comparing") is False
    taken = (await node_of(tab)).config["workflowHash"]
    assert taken != known
    assert shown(tab, "has_changes") is True
    await tab.send(RemoteState.follow)
    await tab.until(lambda: said(tab, "marks") == {})
    await tab.send(EditorState.undo)
    assert (await node_of(tab)).config["workflowHash"] == known
    await tab.send(RemoteState.follow)
    await tab.until(lambda: marked(tab) == "changed")
    await tab.send(EditorState.redo)
    # What was seen is kept, so that the next change can be compared with it.
    edit(flow)
    flow.last_node = ("Whisper", "set")
    await tab.send(RemoteState.follow)
    await tab.send(RemoteState.look_again)
    await tab.until(lambda: marked(tab) == "changed")
    await tab.send(RemoteState.open_change)
    await tab.until(lambda: not said(tab, "is_reading_change"))
    assert "Shout" in str(said(tab, "change")["was"])
    await tab.send(RemoteState.show_change, CLOSED)
    assert said(tab, "is_comparing") is False


async def test_a_workflow_that_is_gone_is_compared_and_cannot_be_taken_over(
    tabs: Tabs, fake_server: FakeServer
):
    flow = fake_server.n8n2.add_workflow("Check order")
    connection_id = await connected(tabs, fake_server)
    tab = await with_node_of(tabs, connection_id, flow)
    await followed(tab)
    del fake_server.n8n2.workflows[flow.id]
    await tab.send(RemoteState.look_again)
    await tab.until(lambda: "no workflow" in said(tab, "remote_error"))
    await tab.send(RemoteState.open_change)
    await tab.until(lambda: not said(tab, "is_reading_change"))
    change = said(tab, "change")
    assert "was deleted" in change["sentences"][0]
    assert (change["has_was"], change["has_now"], change["can_be_taken_over"]) == (True, False, False)
    assert {step["change"] for step in change["was"]["nodes"]} == {"removed"}
    before = (await node_of(tab)).config
    await tab.send(RemoteState.take_over_change)
    assert (await node_of(tab)).config == before


async def test_what_was_seen_cannot_be_kept_for_a_connection_that_is_gone(
    tabs: Tabs, fake_server: FakeServer
):
    flow = fake_server.n8n2.add_workflow("Check order")
    connection_id = await connected(tabs, fake_server)
    tab = await with_node_of(tabs, connection_id, flow)
    await followed(tab)
    before = (await node_of(tab)).config
    await tabs.application.connections.delete(HERE, connection_id)
    await tab.send(RemoteState.take_over_content)
    await tab.until(lambda: len(tab.said) > 0)
    assert (await node_of(tab)).config == before


async def test_marks_stay_while_they_cannot_be_read(
    tabs: Tabs, fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    flow = fake_server.n8n2.add_workflow("Check order", is_active=False)
    connection_id = await connected(tabs, fake_server)
    tab = await with_node_of(tabs, connection_id, flow)
    await listed_anew(tabs, connection_id)
    await tab.until(lambda: marked(tab) == "inactive")
    asked = asyncio.Event()

    async def away(*_: object) -> None:
        asked.set()
        raise Unavailable("The database is busy.")

    monkeypatch.setattr(Catalog, "marks", away)
    tabs.application.hub.publish(Change("workflows", HERE, connection_id))
    await asked.wait()
    assert marked(tab) == "inactive"


def test_what_nodes_call_differs_only_when_they_call_something_else():
    config = {"provider": "n8n", "connectionId": "c", "workflowId": "w", "workflowHash": "h"}
    first = a_definition([a_node("a", "RemoteWebhook", config), a_node("b")])

    def changed(**values: Any) -> str:
        return calls_text(a_definition([a_node("a", "RemoteWebhook", config | values), a_node("b")]))

    assert calls_text(Definition()) == ""
    assert changed(timeout=5) == calls_text(first)
    assert (
        len({calls_text(first), changed(workflowId="v"), changed(workflowHash="i"), changed(provider="make")})
        == 4
    )
    assert changed(workflowId=" ") == changed(connectionId="") == ""


# --- the panel ---


async def test_the_panel_tells_name_state_link_and_the_ways_to_learn_the_end(
    tabs: Tabs, fake_server: FakeServer
):
    flow = fake_server.n8n2.add_workflow("Check order", mode="onReceived")
    connection_id = await connected(tabs, fake_server)
    tab = await with_node_of(tabs, connection_id, flow)
    await followed(tab)
    remote = said(tab, "remote")
    assert (remote["name"], remote["is_active"], said(tab, "remote_title")) == ("Check order", True, "n8n")
    assert flow.id in remote["link"]
    assert [row["key"] for row in remote["completions"] if row["is_best"]] == ["poll"]
    assert {row["key"] for row in remote["completions"]} == {"response", "poll", "callback"}
    assert all(row["reason"] for row in remote["completions"])
    assert said(tab, "knows_content") is True
    # Its steps are not sent: nothing in the drawer draws them.
    assert remote["graph"] == {}
    await followed(tab, "b")
    assert (said(tab, "calls_workflow"), said(tab, "remote")["name"]) == (False, "")


async def test_what_is_typed_as_the_id_is_looked_at_once_the_typing_pauses(
    tabs: Tabs, fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    flow = fake_server.n8n2.add_workflow("Check order")
    connection_id = await connected(tabs, fake_server)
    config = {"provider": "n8n", "connectionId": connection_id, "workflowId": ""}
    tab, _ = await opened(tabs, a_definition([a_node("a", "RemoteWebhook", config)]))
    await followed(tab)
    assert said(tab, "calls_workflow") is False
    monkeypatch.setattr(remote_state, "TYPING_SECONDS", 0.2)
    for end in (3, 9, len(flow.id)):
        await tab.send(SettingsState.change_field, "workflowId", flow.id[:end])
        await tab.send(RemoteState.follow)
    await tab.until(lambda: said(tab, "remote")["name"] == "Check order")
    asked = fake_server.calls(f"{fake_server.n8n2.prefix}/api/v1/workflows/{flow.id[:3]}")
    assert asked == []
    # Nobody made the node from it, so it knows no content; that can be begun.
    assert said(tab, "knows_content") is False
    await tab.send(RemoteState.take_over_content)
    assert (await node_of(tab)).config["workflowHash"]
    assert said(tab, "knows_content") is True


async def test_a_platform_that_is_away_is_told_in_the_panel(
    tabs: Tabs, fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    flow = fake_server.n8n2.add_workflow("Check order")
    connection_id = await connected(tabs, fake_server)
    tab = await with_node_of(tabs, connection_id, flow)

    async def away(*_: object, **__: object) -> None:
        raise ProviderUnavailable("n8n is away.", hint="Try later.")

    monkeypatch.setattr(Catalog, "look", away)
    monkeypatch.setattr(Catalog, "change", away)
    await followed(tab)
    assert said(tab, "remote_error") == "n8n is away. Try later."
    await tab.send(RemoteState.open_change)
    await tab.until(lambda: not said(tab, "is_reading_change"))
    assert said(tab, "change_error") == "n8n is away. Try later."


async def test_what_comes_late_is_not_shown_for_another_node(
    tabs: Tabs, fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    flow = fake_server.n8n2.add_workflow("Check order")
    connection_id = await connected(tabs, fake_server)
    tab = await with_node_of(tabs, connection_id, flow)
    view = await tabs.application.catalog.look(HERE, "n8n", flow.id, connection_id=connection_id)
    release, gone = asyncio.Event(), asyncio.Event()

    async def late(*_: object, **__: object) -> PreviewView:
        try:
            await release.wait()
            return view
        finally:
            gone.set()

    monkeypatch.setattr(Catalog, "look", late)
    await tab.send(EditorState.select, "a")
    await tab.send(RemoteState.follow)
    assert said(tab, "is_looking") is True
    await tab.send(EditorState.select, "b")
    await tab.send(RemoteState.follow)
    release.set()
    await gone.wait()
    await tab.send(RemoteState.follow)
    assert (said(tab, "about"), said(tab, "remote")["name"], said(tab, "is_looking")) == ("b", "", False)


async def test_without_an_open_workflow_nothing_is_looked_at_compared_or_taken_over(tabs: Tabs):
    tab, _ = await opened(tabs)
    await followed(tab)
    for handler in (
        RemoteState.look_again,
        RemoteState.open_change,
        RemoteState.take_over_change,
        RemoteState.take_over_content,
    ):
        await tab.send(handler)
    await tab.send(RemoteState.add_input, "email")
    assert (said(tab, "is_looking"), said(tab, "is_comparing"), shown(tab, "has_changes")) == (
        False,
        False,
        False,
    )


# --- what it asks for ---

FIELDS = [
    {"fieldLabel": "Name", "requiredField": True},
    {"fieldLabel": "Size", "fieldType": "number"},
    {"fieldLabel": "Photo", "fieldType": "file"},
]


async def test_what_the_workflow_asks_for_is_offered_and_becomes_a_row(tabs: Tabs, fake_server: FakeServer):
    flow = fake_server.n8n2.add_workflow("Requests", trigger="form", mode="onReceived", form_fields=FIELDS)
    connection_id = await connected(tabs, fake_server)
    tab = await with_node_of(tabs, connection_id, flow)
    await followed(tab)
    asked = {row["label"]: row for row in said(tab, "asked")}
    assert list(asked) == ["Name", "Size", "Photo"]
    assert (asked["Name"]["required"], asked["Size"]["type"]) == (True, "number")
    paths = {label: row["path"] for label, row in asked.items()}
    assert said(tab, "asked_by_name")[paths["Name"]]["label"] == "Name"
    # The node came with what must be filled in; the rest is added on demand, once.
    assert [row["name"] for row in shown(tab, "inputs")] == [paths["Name"]]
    for name in (paths["Size"], paths["Size"], paths["Name"], "nonsense"):
        await tab.send(RemoteState.add_input, name)
    assert [row["name"] for row in shown(tab, "inputs")] == [paths["Name"], paths["Size"]]
    inputs = (await node_of(tab)).config["inputs"]
    assert isinstance(inputs, dict)
    assert str(inputs[paths["Name"]]).startswith("{{ data.")
    assert inputs[paths["Size"]] == ""


async def test_a_flow_of_flowise_keeps_its_question_apart_from_its_inputs(
    tabs: Tabs, fake_server: FakeServer
):
    form = [{"name": "city", "label": "City", "type": "string"}]
    flow = fake_server.flowise.add_flow("Ask", start="form", form=form)
    credentials = {"baseUrl": fake_server.flowise.base, "apiKey": fake_server.flowise.key}
    view = await tabs.application.connections.connect(HERE, "flowise", name="Ours", credentials=credentials)
    config = {"flowId": flow.id, "connectionId": view.id}
    tab, _ = await opened(tabs, a_definition([a_node("a", "LocalFlow", config)]))
    await followed(tab)
    assert said(tab, "remote_title") == "Flowise"
    assert "question" not in said(tab, "asked_by_name")
    city = next(row["path"] for row in said(tab, "asked") if row["label"] == "City")
    await tab.send(RemoteState.add_input, city)
    assert city in str((await node_of(tab)).config["inputs"])


async def test_a_workflow_inside_the_program_needs_no_connection(tabs: Tabs):
    config = {"provider": "simulated", "workflowId": "echo"}
    tab, _ = await opened(tabs, a_definition([a_node("a", "RemoteWebhook", config)]))
    await followed(tab)
    assert said(tab, "remote")["name"]
    await tab.send(RemoteState.take_over_content)
    assert "workflowHash" not in (await node_of(tab)).config
