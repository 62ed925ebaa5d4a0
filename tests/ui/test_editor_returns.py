"""The editor left and come back to: reloads, restarts, lost connections and other orchestrators lose nothing."""

from typing import Any

import pytest

from orchestrator_app.errors import Unavailable
from orchestrator_app.services.orchestrators import Orchestrators
from orchestrator_app.ui.pages.canvas import state as canvas_state
from orchestrator_app.ui.pages.canvas.state import EditorState
from tests.builders import a_chain, a_definition, a_node
from tests.ui.editors import add, created, graph_ids, move, opened, saved_elsewhere, shown
from tests.ui.tabs import Tabs


async def test_a_reload_keeps_unsaved_changes_and_the_way_back(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("n")])
    await tab.go(f"/canvas/{orchestrator_id}")
    assert (graph_ids(tab), shown(tab, "has_changes"), shown(tab, "can_undo")) == (
        ["a", "b", "n"],
        True,
        True,
    )
    assert "Your unsaved changes are still here" in "".join(tab.said)


async def test_a_lost_connection_costs_neither_the_selection_nor_the_way_back(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("n")])
    await tab.send(EditorState.save)
    await tab.send(EditorState.select, "a")
    await tab.go(f"/canvas/{orchestrator_id}")
    assert (shown(tab, "can_undo"), shown(tab, "selected_id"), shown(tab, "version")) == (True, "a", 2)
    assert shown(tab, "graph_push")["fit"] is False


async def test_a_reload_takes_the_newest_version_when_nothing_was_changed(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.go("/")
    await saved_elsewhere(tabs.application, orchestrator_id, a_chain("theirs"))
    await tab.go(f"/canvas/{orchestrator_id}")
    assert (graph_ids(tab), shown(tab, "version"), shown(tab, "newer_version")) == (["theirs"], 2, 0)


async def test_a_reload_with_changes_tells_of_a_newer_version(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("n")])
    await tab.go("/")
    await saved_elsewhere(tabs.application, orchestrator_id, a_chain("theirs"))
    await tab.go(f"/canvas/{orchestrator_id}")
    assert (graph_ids(tab), shown(tab, "version"), shown(tab, "newer_version")) == (["a", "b", "n"], 1, 2)


async def test_unsaved_changes_wait_while_another_orchestrator_is_open(tabs: Tabs):
    tab, first = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("n")])
    await tab.send(EditorState.select, "a")
    second = await created(tabs.application, a_chain("z"), "Second")
    await tab.go(f"/canvas/{second}")
    assert (graph_ids(tab), shown(tab, "has_changes"), shown(tab, "selected_id")) == (["z"], False, "")
    await tab.go(f"/canvas/{first}")
    assert (graph_ids(tab), shown(tab, "has_changes"), shown(tab, "name")) == (
        ["a", "b", "n"],
        True,
        "Orders",
    )
    await tab.send(EditorState.undo)
    assert (graph_ids(tab), shown(tab, "has_changes")) == (["a", "b"], False)


async def test_a_restart_of_the_server_loses_no_unsaved_changes(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("n")])
    root = await tab.state(EditorState)
    root._get_root_state().reset()
    assert root._document.orchestrator_id == ""
    await tab.go(f"/canvas/{orchestrator_id}")
    assert (graph_ids(tab), shown(tab, "has_changes")) == (["a", "b", "n"], True)
    await tab.send(EditorState.save)
    root._get_root_state().reset()
    await tab.go(f"/canvas/{orchestrator_id}")
    assert (shown(tab, "has_changes"), shown(tab, "can_undo"), shown(tab, "version")) == (False, False, 2)


async def test_what_was_copied_can_be_pasted_in_another_orchestrator(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(canvas_state, "SENT_BACK_SECONDS", 0.0)
    tab, _ = await opened(tabs, a_definition([a_node("a", "DataMapper")]))
    await tab.send(EditorState.copy_nodes, ["a"])
    second = await created(tabs.application, a_chain("z"), "Second")
    await tab.go(f"/canvas/{second}")
    await tab.send(EditorState.apply_ops, [add("m", kind="DataMapper", copyOf="a")])
    assert shown(tab, "patches")["m"]["summary"] == "1 mapping"


async def test_a_page_that_could_not_be_filled_is_filled_as_soon_as_it_can(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
):
    orchestrator_id = await created(tabs.application)
    real, failures = Orchestrators.get, [1]

    async def flaky(self: Orchestrators, workspace_id: str, wanted: str) -> Any:
        if failures:
            failures.pop()
            raise Unavailable("The database is busy.")
        return await real(self, workspace_id, wanted)

    monkeypatch.setattr(Orchestrators, "get", flaky)
    tab = await tabs.open(f"/canvas/{orchestrator_id}")
    await tab.until_said("The database is busy.")
    await tab.until(lambda: shown(tab, "is_loaded"))
    assert graph_ids(tab) == ["a", "b"]


async def test_each_tab_has_a_graph_of_its_own_also_before_any_page_is_open(tabs: Tabs):
    first, second = await tabs.open("/"), await tabs.open("/")
    await first.send(EditorState.apply_ops, [add("n")])
    await first.send(EditorState.copy_nodes, ["n"])
    assert (await first.state(EditorState))._document is not (await second.state(EditorState))._document
    await first.send(EditorState.save)
    assert first.said == []
    await second.go(f"/canvas/{await created(tabs.application)}")
    assert graph_ids(second) == ["a", "b"]


async def test_what_was_drawn_while_the_server_was_away_is_carried_out(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("before")])
    (await tab.state(EditorState))._get_root_state().reset()
    await tab.send(EditorState.apply_ops, [add("meanwhile")])
    await tab.send(EditorState.apply_ops, [{"op": "move", "id": "meanwhile", "x": 7, "y": 7}])
    await tab.go(f"/canvas/{orchestrator_id}")
    assert graph_ids(tab) == ["a", "b", "before", "meanwhile"]
    assert shown(tab, "graph_push")["nodes"][3]["x"] == 7


async def test_what_was_saved_while_the_server_was_away_is_saved_when_it_is_back(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    (await tab.state(EditorState))._get_root_state().reset()
    await tab.send(EditorState.apply_ops, [add("meanwhile")])
    await tab.send(EditorState.save)
    await tab.go(f"/canvas/{orchestrator_id}")
    await tab.until(lambda: shown(tab, "version") == 2)
    assert (graph_ids(tab), shown(tab, "has_changes")) == (["a", "b", "meanwhile"], False)


async def test_what_was_drawn_meanwhile_and_does_not_fit_any_more_is_told(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    (await tab.state(EditorState))._get_root_state().reset()
    await tab.send(EditorState.apply_ops, [move("gone")])
    await tab.go(f"/canvas/{orchestrator_id}")
    assert graph_ids(tab) == ["a", "b"]
    assert "This node is gone" in "".join(tab.said)
