"""The editor, used as a page uses it: opened, drawn in, saved, left and opened again."""

import pytest

from orchestrator_app.errors import Unavailable
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.orchestrators import Orchestrators
from orchestrator_app.ui.pages.canvas import state as canvas_state
from orchestrator_app.ui.pages.canvas.settings_state import SettingsState
from orchestrator_app.ui.pages.canvas.state import EditorState
from tests.builders import a_chain, a_definition, a_node
from tests.ui.editors import add, graph_ids, move, opened, saved_elsewhere, shown
from tests.ui.tabs import Tabs


async def test_the_page_shows_the_orchestrator_of_its_address(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    assert shown(tab, "orchestrator_id") == orchestrator_id
    assert (shown(tab, "name"), shown(tab, "version"), shown(tab, "is_loaded")) == ("Orders", 1, True)
    assert graph_ids(tab) == ["a", "b"]
    assert shown(tab, "graph_push")["fit"] is True
    assert shown(tab, "kinds")[0]["name"] == "RemoteWebhook"


async def test_an_address_that_leads_nowhere_says_so(tabs: Tabs):
    tab, _ = await opened(tabs)
    await tab.go("/canvas/no-such-one")
    assert (shown(tab, "is_missing"), shown(tab, "is_loaded"), shown(tab, "name")) == (True, True, "")
    await tab.send(EditorState.save)
    await tab.until_said("no such orchestrator")
    await tab.send(EditorState.rename_orchestrator, "Mine now")
    assert shown(tab, "name") == ""


async def test_what_is_drawn_is_not_sent_back_but_counts(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(canvas_state, "SENT_BACK_SECONDS", 0.0)
    tab, _ = await opened(tabs)
    revision = shown(tab, "graph_push")["rev"]
    await tab.send(EditorState.apply_ops, [move(), add("n")])
    assert shown(tab, "graph_push")["rev"] == revision
    assert (shown(tab, "has_changes"), shown(tab, "can_undo"), shown(tab, "node_count")) == (True, True, 3)
    assert shown(tab, "patches") == {}


async def test_what_was_drawn_before_the_page_was_loaded_again_comes_back_into_sight(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.go(f"/canvas/{orchestrator_id}")
    await tab.send(EditorState.select, "a")
    revision = shown(tab, "form_revision")
    await tab.send(EditorState.apply_ops, [add("late")])
    assert graph_ids(tab) == ["a", "b", "late"]
    assert (shown(tab, "selected_id"), shown(tab, "form_revision")) == ("a", revision)


async def test_the_canvas_learns_what_became_of_a_label_and_of_a_copy(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(canvas_state, "SENT_BACK_SECONDS", 0.0)
    tab, _ = await opened(tabs, a_definition([a_node("a", "DataMapper", disabled=True)]))
    await tab.send(EditorState.copy_nodes, ["a"])
    await tab.send(EditorState.apply_ops, [add("n", label="a"), add("m", kind="DataMapper", copyOf="a")])
    patches = shown(tab, "patches")
    assert patches["n"]["label"] == "a 2"
    assert (patches["m"]["summary"], patches["m"]["disabled"]) == ("1 mapping", True)


async def test_a_refused_edit_gives_the_canvas_the_graph_as_it_is(tabs: Tabs):
    tab, _ = await opened(tabs)
    revision = shown(tab, "graph_push")["rev"]
    edge = {
        "op": "connect",
        "id": "x",
        "source": "b",
        "target": "a",
        "sourceHandle": "out",
        "targetHandle": "",
    }
    await tab.send(EditorState.apply_ops, [move(), edge])
    assert "back to where it came from" in tab.said[-1]
    assert shown(tab, "graph_push")["rev"] != revision
    assert shown(tab, "graph_push")["nodes"][0]["x"] == 0
    assert shown(tab, "has_changes") is False


async def test_undo_and_redo_show_the_whole_graph(tabs: Tabs):
    tab, _ = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("n")])
    await tab.send(EditorState.undo)
    assert (graph_ids(tab), shown(tab, "has_changes"), shown(tab, "can_redo")) == (["a", "b"], False, True)
    await tab.send(EditorState.redo)
    assert graph_ids(tab) == ["a", "b", "n"]
    revision = shown(tab, "graph_push")["rev"]
    await tab.send(EditorState.redo)
    assert shown(tab, "graph_push")["rev"] == revision


async def test_a_node_is_opened_and_closed_and_closes_when_it_is_gone(tabs: Tabs):
    tab, _ = await opened(tabs)
    await tab.send(EditorState.select, "a")
    assert (shown(tab, "selected_id"), shown(tab, "selected_kind")) == ("a", "Parallel")
    await tab.send(EditorState.apply_ops, [{"op": "disable", "id": "a", "disabled": True}])
    assert shown(tab, "selected_disabled") is True
    await tab.send(EditorState.apply_ops, [{"op": "remove", "id": "a"}])
    assert shown(tab, "selected_id") == ""
    await tab.send(EditorState.select, "b")
    await tab.send(EditorState.select, "gone")
    assert shown(tab, "selected_id") == ""


async def test_problems_are_shown_at_their_nodes_and_in_the_list(tabs: Tabs):
    tab, _ = await opened(tabs, a_definition([a_node("a", "RemoteWebhook", {}), a_node("b")]))
    assert list(shown(tab, "problems")) == ["a"]
    assert shown(tab, "blocking") == 1
    assert shown(tab, "problem_list")[0]["label"] == "a"
    assert shown(tab, "field_problems") == {}
    await tab.send(EditorState.select, "a")
    assert list(shown(tab, "field_problems")) == ["url"]
    await tab.send(SettingsState.change_field, "url", "http://example.org/")
    assert (shown(tab, "problems"), shown(tab, "blocking"), shown(tab, "field_problems")) == ({}, 0, {})


# --- saving ---


async def test_save_keeps_the_graph_as_a_new_version(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("n")])
    await tab.send(EditorState.save)
    assert (shown(tab, "version"), shown(tab, "has_changes"), shown(tab, "is_saving")) == (2, False, False)
    assert "Saved as version 2" in tab.said[-1]
    stored = await tabs.application.orchestrators.get(HERE, orchestrator_id)
    assert len(stored.definition["nodes"]) == 3


async def test_a_graph_that_cannot_be_saved_is_not_lost(tabs: Tabs):
    tab, _ = await opened(tabs)
    (await tab.state(EditorState))._document.change("a", {"n": "x" * 200_000})
    for kind, config in (("DataMapper", {"mode": "x" * 10}),):
        document = (await tab.state(EditorState))._document
        document.apply([add("m", kind=kind)])
        document.change("m", config)
    await tab.send(EditorState.save)
    assert "Not saved yet" in tab.said[-1]
    assert (shown(tab, "has_changes"), shown(tab, "is_saving"), shown(tab, "version")) == (True, False, 1)


async def test_an_outdated_save_is_refused_with_a_choice(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("mine")])
    await saved_elsewhere(tabs.application, orchestrator_id, a_chain("theirs"))
    await tab.until(lambda: shown(tab, "newer_version") == 2)
    await tab.send(EditorState.save)
    assert (shown(tab, "is_outdated"), shown(tab, "has_changes"), shown(tab, "is_saving")) == (
        True,
        True,
        False,
    )
    await tab.send(EditorState.dismiss_outdated)
    assert shown(tab, "is_outdated") is False
    await tab.send(EditorState.reload)
    assert (graph_ids(tab), shown(tab, "version"), shown(tab, "newer_version")) == (["theirs"], 2, 0)
    await tab.send(EditorState.undo)
    assert graph_ids(tab) == ["a", "b", "mine"]
    await tab.send(EditorState.save)
    assert shown(tab, "version") == 3


async def test_ones_own_graph_can_be_saved_over_a_newer_one(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("mine")])
    await saved_elsewhere(tabs.application, orchestrator_id, a_chain("theirs"))
    await tab.send(EditorState.save_over)
    assert (shown(tab, "version"), shown(tab, "has_changes"), shown(tab, "newer_version")) == (3, False, 0)


async def test_two_tabs_edit_without_overwriting_each_other(tabs: Tabs):
    first, orchestrator_id = await opened(tabs)
    second = await tabs.open(f"/canvas/{orchestrator_id}")
    await first.send(EditorState.apply_ops, [add("first")])
    await second.send(EditorState.apply_ops, [add("second")])
    await first.send(EditorState.save)
    await second.until(lambda: shown(second, "newer_version") == 2)
    await second.send(EditorState.save)
    assert shown(second, "is_outdated") is True
    stored = await tabs.application.orchestrators.get(HERE, orchestrator_id)
    assert [node["id"] for node in stored.definition["nodes"]] == ["a", "b", "first"]


async def test_a_deleted_orchestrator_is_told_and_cannot_be_saved(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("n")])
    await tabs.application.orchestrators.delete(HERE, orchestrator_id)
    await tab.until(lambda: shown(tab, "is_deleted"))
    await tab.send(EditorState.save)
    assert (shown(tab, "is_deleted"), shown(tab, "is_saving"), shown(tab, "has_changes")) == (
        True,
        False,
        True,
    )
    assert "no such orchestrator" in tab.said[-1]
    await tab.send(EditorState.reload)
    assert shown(tab, "has_changes") is True
    await tab.go(f"/canvas/{orchestrator_id}")
    assert (shown(tab, "is_deleted"), shown(tab, "is_missing"), graph_ids(tab)) == (
        True,
        False,
        ["a", "b", "n"],
    )


async def test_trouble_with_the_database_keeps_the_edits(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    tab, _ = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("n")])

    async def broken(*_: object, **__: object) -> None:
        raise Unavailable("The disk is full.", hint="Make room.")

    monkeypatch.setattr(Orchestrators, "save", broken)
    await tab.send(EditorState.save)
    assert "The disk is full." in tab.said[-1]
    assert (shown(tab, "is_saving"), shown(tab, "has_changes")) == (False, True)
    await tab.send(EditorState.rename_orchestrator, "Other")
    assert shown(tab, "name") == "Orders"


async def test_the_orchestrator_is_renamed_at_once(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [add("n")])
    await tab.send(EditorState.rename_orchestrator, " Invoices ")
    assert (shown(tab, "name"), shown(tab, "version"), shown(tab, "has_changes")) == ("Invoices", 2, True)
    for name in ("Invoices", "  "):
        await tab.send(EditorState.rename_orchestrator, name)
    assert shown(tab, "version") == 2
    await tab.send(EditorState.rename_orchestrator, "x" * 201)
    assert "1 to 200 characters" in tab.said[-1]
    await saved_elsewhere(tabs.application, orchestrator_id, a_chain("theirs"))
    await tab.send(EditorState.rename_orchestrator, "Late")
    assert (shown(tab, "is_outdated"), shown(tab, "name")) == (True, "Invoices")


# --- leaving and coming back ---
