"""Workflows that become nodes: added behind the selected node, dropped, chosen for a node, brought by an address."""

import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition
from orchestrator_app.errors import ProviderUnavailable
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.catalog import Catalog
from orchestrator_app.services.workflow_views import NewNode
from orchestrator_app.ui.pages.canvas.live_state import LiveState
from orchestrator_app.ui.pages.canvas.state import EditorState
from orchestrator_app.ui.pages.canvas.workflow_state import WorkflowNodesState
from orchestrator_app.ui.workflows.state import BrowserState
from tests.builders import a_chain, a_definition, a_node, an_edge
from tests.fakes.server import FakeServer
from tests.ui.editors import created, graph_ids, opened, shown
from tests.ui.tabs import Tab, Tabs


async def definition(tab: Tab) -> Definition:
    return (await tab.state(EditorState))._document.definition


async def added(tab: Tab, *before: str) -> dict[str, Any]:
    """The node that came to those that were there, once it is on the canvas."""
    await tab.until(
        lambda: len(graph_ids(tab)) > len(before) and not tab.shows(WorkflowNodesState, "is_adding")
    )
    return next(node for node in shown(tab, "graph_push")["nodes"] if node["id"] not in before)


async def test_a_workflow_is_added_fully_configured_behind_the_selected_node_as_one_step(
    tabs: Tabs, fake_server: FakeServer
):
    n8n = fake_server.n8n2
    flow = n8n.add_workflow("Check order", mode="onReceived")
    credentials = {"baseUrl": n8n.base, "apiKey": n8n.key}
    view = await tabs.application.connections.connect(HERE, "n8n", name="Ours", credentials=credentials)
    tab, _ = await opened(tabs)
    await tab.send(EditorState.select, "b")
    await tab.send(WorkflowNodesState.take_workflow, "", "n8n", view.id, flow.id)
    node = await added(tab, "a", "b")
    stored = (await definition(tab)).node(node["id"])
    assert stored is not None
    assert (stored.label, stored.kind) == ("Check order", "RemoteWebhook")
    assert stored.config["workflowId"] == flow.id
    assert stored.config["connectionId"] == view.id
    assert stored.config["completion"] == "poll"
    assert stored.config["workflowHash"]
    last = (await definition(tab)).edges[-1]
    assert (last.source, last.source_handle, last.target) == ("b", "out", node["id"])
    assert shown(tab, "selected_id") == node["id"]
    assert "Added “Check order”" in tab.said[-1]
    await tab.send(EditorState.undo)
    assert graph_ids(tab) == ["a", "b"]
    await tab.send(EditorState.redo)
    assert node["id"] in graph_ids(tab)
    # It can be copied with all its settings.
    await tab.send(EditorState.copy_nodes, [node["id"]])
    copy = {"op": "add", "id": "copy", "kind": "RemoteWebhook", "label": "Again", "x": 0, "y": 0}
    await tab.send(EditorState.apply_ops, [copy | {"copyOf": node["id"]}])
    pasted = (await definition(tab)).node("copy")
    assert pasted is not None
    assert pasted.config == stored.config


async def test_a_dropped_workflow_stands_where_it_was_dropped_and_between_two_nodes_on_an_edge(tabs: Tabs):
    tab, _ = await opened(tabs)
    edge = (await definition(tab)).edges[0]
    dropped = {
        "provider": "simulated",
        "connectionId": "",
        "workflowId": "echo",
        "name": "Echo",
        "x": 48,
        "y": 96,
    }
    await tab.send(WorkflowNodesState.drop_workflow, dropped | {"edgeId": ""})
    first = await added(tab, "a", "b")
    assert (first["x"], first["y"]) == (48, 96)
    assert len((await definition(tab)).edges) == 1
    await tab.send(WorkflowNodesState.drop_workflow, dropped | {"edgeId": edge.id})
    second = await added(tab, "a", "b", first["id"])
    ways = {(way.source, way.target) for way in (await definition(tab)).edges}
    assert ways == {("a", second["id"]), (second["id"], "b")}
    assert second["label"] == "Echo 2"


@pytest.mark.parametrize("wrong", [{"x": "left"}, {"y": None}, {"x": 1e30}])
async def test_a_place_that_is_none_is_told_and_changes_nothing(tabs: Tabs, wrong: dict[str, Any]):
    tab, _ = await opened(tabs)
    dropped = {"provider": "simulated", "connectionId": "", "workflowId": "echo", "x": 0, "y": 0}
    await tab.send(WorkflowNodesState.drop_workflow, dropped | wrong)
    await tab.until_said("a number")
    await tab.until(lambda: not tab.shows(WorkflowNodesState, "is_adding"))
    assert (graph_ids(tab), shown(tab, "has_changes")) == (["a", "b"], False)


async def test_what_does_not_name_a_workflow_begins_nothing(tabs: Tabs):
    tab, _ = await opened(tabs)
    await tab.send(WorkflowNodesState.drop_workflow, {"provider": 1, "workflowId": "echo", "x": 0, "y": 0})
    await tab.send(WorkflowNodesState.take_workflow, "", "simulated", "", "")
    assert tab.shows(WorkflowNodesState, "is_adding") is False


async def test_a_workflow_that_cannot_be_read_is_told_and_not_added(tabs: Tabs):
    tab, _ = await opened(tabs)
    await tab.send(WorkflowNodesState.take_workflow, "", "simulated", "", "never-was")
    await tab.until_said("never-was")
    await tab.until(lambda: not tab.shows(WorkflowNodesState, "is_adding"))
    assert graph_ids(tab) == ["a", "b"]


async def test_a_workflow_that_comes_when_the_tab_has_left_its_orchestrator_is_not_added_to_another(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
):
    tab, _ = await opened(tabs)
    other = await created(tabs.application, a_chain("c"), "Other")
    release = asyncio.Event()

    async def late(*_: object, **__: object) -> NewNode:
        await release.wait()
        return NewNode("RemoteWebhook", "Late")

    monkeypatch.setattr(Catalog, "node_for", late)
    await tab.send(WorkflowNodesState.take_workflow, "", "simulated", "", "echo")
    await tab.go(f"/canvas/{other}")
    release.set()
    await tab.until(lambda: graph_ids(tab) == ["c"] and not tab.shows(WorkflowNodesState, "is_adding"))
    assert [node.id for node in (await definition(tab)).nodes] == ["c"]


async def test_a_node_takes_another_workflow_and_keeps_what_is_its_own(tabs: Tabs):
    config = {
        "provider": "n8n",
        "workflowId": "old",
        "url": "https://old.example.org/",
        "method": "GET",
        "timeout": 5_000,
        "headers": {"X-Own": "1"},
    }
    graph = a_definition([a_node("a", "RemoteWebhook", config), a_node("b")], [an_edge("a", "b")])
    tab, _ = await opened(tabs, graph)
    await tab.send(EditorState.select, "a")
    await tab.send(BrowserState.choose_for, "a", "a", "simulated", "")
    assert tab.shows(BrowserState, "for_node") == "a"
    await tab.send(WorkflowNodesState.take_workflow, "a", "simulated", "", "polling")
    await tab.until(lambda: tab.shows(BrowserState, "is_open") is False)
    node = (await definition(tab)).node("a")
    assert node is not None
    assert (
        node.config.items() >= {"workflowId": "polling", "timeout": 5_000, "headers": {"X-Own": "1"}}.items()
    )
    assert not {"url", "method"} & node.config.keys()
    assert (node.label, shown(tab, "values")["workflowId"]) == ("a", "polling")
    assert len((await definition(tab)).edges) == 1
    await tab.send(EditorState.undo)
    before = (await definition(tab)).node("a")
    assert before is not None
    assert before.config == config
    await tab.send(WorkflowNodesState.take_workflow, "gone", "simulated", "", "echo")
    await tab.until_said("is gone")


async def test_a_node_without_a_name_of_its_own_takes_that_of_its_workflow(tabs: Tabs):
    graph = a_definition(
        [a_node("a", "RemoteWebhook", {}, label="Remote webhook 2"), a_node("b", label="Echo")]
    )
    tab, _ = await opened(tabs, graph)
    await tab.send(WorkflowNodesState.take_workflow, "a", "simulated", "", "echo")
    await tab.until(lambda: "Echo 2" in str(shown(tab, "graph_push")))


async def test_an_address_adds_its_workflow_once(tabs: Tabs):
    orchestrator_id = await created(tabs.application)
    tab = await tabs.open(f"/canvas/{orchestrator_id}?add=simulated%3A%3Aecho&at=1")
    node = await added(tab, "a", "b")
    assert node["label"] == "Echo"
    # Behind the last node of the graph, where nothing is covered.
    assert all(node["x"] > other["x"] for other in shown(tab, "graph_push")["nodes"] if other != node)
    assert shown(tab, "has_changes") is True
    assert any(f"/canvas/{orchestrator_id}" in sentence for sentence in tab.said)
    await tab.go(f"/canvas/{orchestrator_id}?add=simulated%3A%3Aecho&at=1")
    assert len(graph_ids(tab)) == 3
    await tab.go(f"/canvas/{orchestrator_id}?add=simulated%3A%3Aecho&at=2")
    await added(tab, "a", "b", node["id"])
    # What was added is a draft until it is saved, and survives the tab's server.
    await tabs.settled(lambda: len(graph_ids(tab)) == 4)
    again = await tabs.open(f"/canvas/{orchestrator_id}")
    assert len(graph_ids(again)) == 2


@pytest.mark.parametrize("wanted", ["", "simulated", "simulated:", "simulated::"])
async def test_an_address_that_names_no_workflow_adds_nothing(tabs: Tabs, wanted: str):
    orchestrator_id = await created(tabs.application)
    tab = await tabs.open(f"/canvas/{orchestrator_id}?add={wanted}")
    assert (graph_ids(tab), shown(tab, "has_changes")) == (["a", "b"], False)


async def test_the_panel_opens_closes_and_gives_way_to_the_settings_of_a_node(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    assert tab.shows(BrowserState, "is_docked") is True
    await tab.send(BrowserState.open_panel)
    assert tab.shows(BrowserState, "is_open") is True
    assert tab.shows(BrowserState, "total") > 0
    said = len(tab.said)
    await tab.send(BrowserState.search, "echo")
    # The address is that of the editor.
    assert len(tab.said) == said
    await tab.go(f"/canvas/{orchestrator_id}")
    assert tab.shows(BrowserState, "is_open") is True
    await tab.send(LiveState.select_in_run, "a")
    await tab.send(BrowserState.give_way, "")
    assert tab.shows(BrowserState, "is_open") is True
    await tab.send(BrowserState.give_way, "a")
    assert tab.shows(BrowserState, "is_open") is False
    await tab.send(BrowserState.open_panel)
    await tab.send(BrowserState.open_panel)
    assert tab.shows(BrowserState, "is_open") is False
    await tab.send(BrowserState.open_panel)
    await tab.send(BrowserState.close_panel)
    assert tab.shows(BrowserState, "is_open") is False
    await tab.send(BrowserState.open_panel)
    await tab.go("/workflows?provider=simulated")
    assert (tab.shows(BrowserState, "is_docked"), tab.shows(BrowserState, "is_open")) == (False, False)


async def test_an_unexpected_end_leaves_the_button_usable(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    tab, _ = await opened(tabs)

    async def away(*_: object, **__: object) -> None:
        raise ProviderUnavailable("n8n is away.")

    monkeypatch.setattr(Catalog, "node_for", away)
    await tab.send(WorkflowNodesState.take_workflow, "", "simulated", "", "echo")
    await tab.until_said("n8n is away.")
    await tab.until(lambda: tab.shows(WorkflowNodesState, "is_adding") is False)
