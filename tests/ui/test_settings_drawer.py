"""The drawer: every change goes into the graph at once, or is told beside its control."""

from typing import Any

import pytest

from orchestrator_app.domain.definition import Edge
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.ui.pages.canvas.settings_state import MAX_ROWS, SettingsState
from orchestrator_app.ui.pages.canvas.state import EditorState
from tests.builders import a_definition, a_node
from tests.fakes.server import FakeServer
from tests.ui.tabs import ON, Tab, Tabs


async def opened(tabs: Tabs, kind: str, config: dict[str, Any], *edges: Edge) -> Tab:
    graph = a_definition([a_node("a", kind, config), a_node("t1"), a_node("t2")], edges)
    detail = await tabs.application.orchestrators.create(HERE, name="Orders", definition=graph.as_json())
    tab = await tabs.open(f"/canvas/{detail.id}")
    await tab.send(EditorState.select, "a")
    return tab


async def config(tab: Tab) -> dict[str, Any]:
    node = (await tab.state(EditorState))._document.node("a")
    assert node is not None
    return node.config


def shown(tab: Tab, name: str) -> Any:
    return tab.shows(EditorState, name)


async def test_label_notes_and_switch_go_into_the_graph(tabs: Tabs):
    tab = await opened(tabs, "DataMapper", {})
    await tab.send(SettingsState.change_label, "Card")
    await tab.send(SettingsState.change_notes, "why")
    await tab.send(SettingsState.switch_disabled, ON)
    node = (await tab.state(EditorState))._document.node("a")
    assert node is not None
    assert (node.label, node.notes, node.disabled) == ("Card", "why", True)
    assert shown(tab, "patches")["a"]["label"] == "Card"
    assert shown(tab, "patches")["a"]["disabled"] is True


async def test_a_value_goes_into_the_graph_and_onto_the_card(tabs: Tabs):
    tab = await opened(tabs, "RemoteWebhook", {})
    revision = shown(tab, "form_revision")
    await tab.send(SettingsState.change_field, "url", "http://example.org/")
    await tab.send(SettingsState.change_field, "timeout", "5 000")
    assert await config(tab) == {"url": "http://example.org/", "timeout": 5000}
    assert shown(tab, "patches")["a"]["summary"] == "POST http://example.org/"
    assert shown(tab, "form_revision") == revision
    await tab.send(SettingsState.change_field, "timeout", "")
    assert await config(tab) == {"url": "http://example.org/"}


async def test_a_wrong_number_is_told_until_it_is_right_and_never_taken(tabs: Tabs):
    tab = await opened(tabs, "RemoteWebhook", {"url": "http://example.org/", "timeout": 5})
    await tab.send(SettingsState.change_field, "timeout", "soon")
    await tab.send(SettingsState.change_field, "method", "GET")
    assert "“soon” is no whole number" in shown(tab, "field_problems")["timeout"]
    assert (await config(tab))["timeout"] == 5
    await tab.send(SettingsState.change_field, "timeout", "6")
    assert shown(tab, "field_problems") == {}
    assert (await config(tab))["timeout"] == 6


async def test_what_was_told_of_one_node_is_not_told_of_the_next(tabs: Tabs):
    tab = await opened(tabs, "WaitForCallback", {})
    await tab.send(SettingsState.change_field, "schema", "{")
    assert "This is not JSON" in shown(tab, "field_problems")["schema"]
    await tab.send(EditorState.select, "t1")
    assert shown(tab, "field_problems") == {}


async def test_fields_that_the_node_does_not_have_are_left_alone(tabs: Tabs):
    tab = await opened(tabs, "DataMapper", {})
    await tab.send(SettingsState.change_field, "url", "http://example.org/")
    await tab.send(SettingsState.change_field, "mappings", "x")
    await tab.send(SettingsState.add_row, "cases")
    await tab.send(SettingsState.add_row, "nonsense")
    await tab.send(SettingsState.change_row, "nonsense", "1", "from", "x")
    await tab.send(EditorState.select, "")
    await tab.send(SettingsState.change_field, "mode", "extend")
    await tab.send(SettingsState.add_row, "mappings")
    await tab.send(SettingsState.change_label, "x")
    assert await config(tab) == {}
    assert shown(tab, "has_changes") is False


@pytest.mark.parametrize(
    ("key", "text", "dropped"),
    [
        ("provider", "make", {"connectionId", "workflowId", "workflowHash"}),
        ("connectionId", "other", {"workflowHash"}),
        ("workflowId", "other", {"workflowHash"}),
        ("workflowId", "w", set[str]()),
    ],
)
async def test_what_does_not_fit_another_workflow_goes_with_it_in_one_step(
    tabs: Tabs, key: str, text: str, dropped: set[str]
):
    before = {"provider": "n8n", "connectionId": "c", "workflowId": "w", "workflowHash": "h", "timeout": 5}
    tab = await opened(tabs, "RemoteWebhook", before)
    await tab.send(SettingsState.change_field, key, text)
    assert await config(tab) == {name: before[name] for name in before.keys() - dropped} | {key: text}
    assert {name: shown(tab, "values")[name] for name in (key, *dropped)} == {key: text} | dict.fromkeys(
        dropped, ""
    )
    await tab.send(EditorState.undo)
    assert await config(tab) == before


async def test_rows_are_added_filled_moved_and_removed(tabs: Tabs):
    tab = await opened(tabs, "DataMapper", {})
    await tab.send(SettingsState.add_row, "mappings")
    await tab.send(SettingsState.add_row, "mappings")
    first, second = (row["id"] for row in shown(tab, "mappings"))
    await tab.send(SettingsState.change_row, "mappings", first, "from", "data.a")
    await tab.send(SettingsState.change_row, "mappings", first, "to", "x")
    await tab.send(SettingsState.change_row, "mappings", second, "to", "y")
    await tab.send(SettingsState.change_row, "mappings", second, "id", "stolen")
    await tab.send(SettingsState.change_row, "mappings", "gone", "to", "z")
    await tab.send(SettingsState.move_row, "mappings", second, -1)
    for by in (-1, 5, 0):
        await tab.send(SettingsState.move_row, "mappings", second, by)
    assert await config(tab) == {"mappings": [{"from": "", "to": "y"}, {"from": "data.a", "to": "x"}]}
    assert [row["id"] for row in shown(tab, "mappings")] == [second, first]
    await tab.send(SettingsState.remove_row, "mappings", second)
    await tab.send(SettingsState.remove_row, "mappings", "gone")
    assert await config(tab) == {"mappings": [{"from": "data.a", "to": "x"}]}
    await tab.send(SettingsState.remove_row, "mappings", first)
    assert await config(tab) == {}


async def test_a_problem_of_a_row_is_shown_at_the_row(tabs: Tabs):
    tab = await opened(
        tabs, "DataMapper", {"mappings": [{"from": "data", "to": "a"}, {"from": "", "to": "b"}]}
    )
    assert list(shown(tab, "row_problems")) == ["mappings[1]"]
    assert shown(tab, "field_problems") == {}


async def test_a_second_header_of_a_name_is_told_and_kept_in_the_form(tabs: Tabs):
    tab = await opened(tabs, "RemoteWebhook", {"url": "http://x.y/", "headers": {"A": "1"}})
    await tab.send(SettingsState.add_row, "headers")
    row = shown(tab, "headers")[1]["id"]
    await tab.send(SettingsState.change_row, "headers", row, "name", "A")
    await tab.send(SettingsState.change_row, "headers", row, "value", "2")
    assert (await config(tab))["headers"] == {"A": "1"}
    assert "not taken" in shown(tab, "row_problems")["headers[1]"]
    assert shown(tab, "headers")[1]["value"] == "2"
    await tab.send(SettingsState.change_row, "headers", row, "name", "B")
    assert (await config(tab))["headers"] == {"A": "1", "B": "2"}
    assert shown(tab, "row_problems") == {}


async def test_there_is_an_end_to_rows(tabs: Tabs):
    rows = [{"from": "data", "to": f"a{number}"} for number in range(MAX_ROWS)]
    tab = await opened(tabs, "DataMapper", {"mappings": rows})
    await tab.send(SettingsState.add_row, "mappings")
    assert len((await config(tab))["mappings"]) == MAX_ROWS


# --- branches ---

YES = {"cases": [{"expression": "true", "handle": "yes"}, {"expression": "true", "handle": "no"}]}


def edges_of(tab: Tab) -> list[str]:
    return [edge["sourceHandle"] for edge in shown(tab, "graph_push")["edges"]]


async def test_each_new_case_has_a_branch_of_its_own(tabs: Tabs):
    tab = await opened(tabs, "Condition", {"defaultHandle": "case2"})
    await tab.send(SettingsState.add_row, "cases")
    await tab.send(SettingsState.add_row, "cases")
    assert [case["handle"] for case in (await config(tab))["cases"]] == ["case1", "case3"]


async def test_typing_a_branch_name_letter_by_letter_never_loses_its_edges(tabs: Tabs):
    tab = await opened(tabs, "Condition", YES, Edge("1", "a", "t1", "yes"), Edge("2", "a", "t2", "no"))
    row, revision = shown(tab, "cases")[0]["id"], shown(tab, "form_revision")
    # It passes through nothing at all, the other branch's name, the default's and the reserved one.
    for text in ("", "n", "no", "nom", "default", "error", "error!", "large"):
        await tab.send(SettingsState.change_row, "cases", row, "handle", text)
        assert shown(tab, "cases")[0]["handle"] == text
        names = {case["handle"] for case in (await config(tab))["cases"]}
        assert len(names) == 2
        assert set(edges_of(tab)) == names
        assert bool(shown(tab, "row_problems")) is (text in {"", "no", "default", "error"})
    assert edges_of(tab) == ["large", "no"]
    assert shown(tab, "cases")[0]["id"] == row
    assert shown(tab, "form_revision") == revision


async def test_the_default_branch_takes_its_edges_along_and_keeps_apart_from_the_cases(tabs: Tabs):
    tab = await opened(tabs, "Condition", YES, Edge("1", "a", "t1", "yes"), Edge("2", "a", "t2", "default"))
    for text in ("e", "else", "yes", "error", "yes2"):
        await tab.send(SettingsState.change_field, "defaultHandle", text)
        assert bool(shown(tab, "field_problems")) is (text in {"yes", "error"})
    assert edges_of(tab) == ["yes", "yes2"]
    await tab.send(SettingsState.change_field, "defaultHandle", "")
    assert edges_of(tab) == ["yes", "default"]


async def test_an_edit_that_moves_no_edge_does_not_send_the_graph(tabs: Tabs):
    tab = await opened(tabs, "Condition", YES)
    revision = shown(tab, "graph_push")["rev"]
    row = shown(tab, "cases")[0]["id"]
    await tab.send(SettingsState.change_row, "cases", row, "expression", "data.a")
    assert shown(tab, "graph_push")["rev"] == revision


# --- what can be chosen ---


async def test_the_connections_of_the_workspace_can_be_chosen(tabs: Tabs, fake_server: FakeServer):
    fake = fake_server.n8n2
    credentials = {"baseUrl": fake.base, "apiKey": fake.key}
    view = await tabs.application.connections.connect(HERE, "n8n", name="Ours", credentials=credentials)
    tab = await opened(tabs, "RemoteWebhook", {"provider": "n8n"})
    assert tab.shows(SettingsState, "connections") == [
        {"id": view.id, "name": "Ours", "provider": "n8n", "status": "connected"}
    ]
    assert fake.key not in str(tab.vars)
