"""The list of orchestrators, used as a page uses it."""

import json
from typing import Any

import pytest

from orchestrator_app.errors import Unavailable
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.orchestrators import Orchestrators
from orchestrator_app.ui.pages.orchestrators import state as orchestrators_state
from orchestrator_app.ui.pages.orchestrators.state import OrchestratorsState
from tests.builders import a_chain, a_definition, a_node
from tests.ui.tabs import CLOSED, OPEN, Tab, Tabs

WAIT = a_definition([a_node("wait", "WaitForCallback", {})]).as_json()


def shown(tab: Tab, name: str) -> Any:
    return tab.shows(OrchestratorsState, name)


def names(tab: Tab) -> list[str]:
    return [row["name"] for row in shown(tab, "rows")]


async def create(tabs: Tabs, name: str, definition: dict[str, Any] | None = None) -> str:
    graph = definition or a_chain().as_json()
    return (await tabs.application.orchestrators.create(HERE, name=name, definition=graph)).id


async def test_the_list_is_searched_and_the_address_keeps_the_words(tabs: Tabs):
    for name in ("Orders", "Invoices"):
        await create(tabs, name)
    tab = await tabs.open("/")
    assert names(tab) == ["Invoices", "Orders"]
    await tab.send(OrchestratorsState.search, " ord ")
    assert (names(tab), shown(tab, "query")) == (["Orders"], "ord")
    assert "history.replaceState" in tab.said[-1]
    linked = await tabs.open("/?q=inv")
    assert (names(linked), shown(linked, "query")) == (["Invoices"], "inv")


async def test_pages_are_turned_forth_and_back(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(orchestrators_state, "PAGE_SIZE", 2)
    for name in "abcde":
        await create(tabs, name)
    tab = await tabs.open("/")
    seen = [names(tab)]
    while shown(tab, "has_next"):
        await tab.send(OrchestratorsState.next_page)
        seen.append(names(tab))
    assert seen == [["e", "d"], ["c", "b"], ["a"]]
    await tab.send(OrchestratorsState.next_page)
    assert names(tab) == ["a"]
    await tab.send(OrchestratorsState.previous_page)
    assert (names(tab), shown(tab, "has_next"), shown(tab, "has_previous")) == (["c", "b"], True, True)
    for _ in range(3):
        await tab.send(OrchestratorsState.previous_page)
    assert (names(tab), shown(tab, "has_previous")) == (["e", "d"], False)


async def test_what_happens_elsewhere_shows_and_what_stays_the_same_is_not_sent_again(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(orchestrators_state, "LOOK_AGAIN_SECONDS", 0.01)
    tab = await tabs.open("/")
    await create(tabs, "Elsewhere")
    await tab.until(lambda: names(tab) == ["Elsewhere"])
    tab.updates.clear()
    await create(tabs, "Another")
    await tab.until(lambda: len(names(tab)) == 2)
    assert all(update.keys() <= {"rows"} for update in tab.updates)
    assert len([update for update in tab.updates if "rows" in update]) == 1


async def test_trouble_with_the_database_is_shown_and_passes(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(orchestrators_state, "LOOK_AGAIN_SECONDS", 0.01)
    tab = await tabs.open("/")
    real, failures = Orchestrators.page, [1, 1, 1]

    async def flaky(self: Orchestrators, workspace_id: str, **values: Any) -> Any:
        if failures:
            failures.pop()
            raise Unavailable("The database is busy.", hint="Wait.")
        return await real(self, workspace_id, **values)

    monkeypatch.setattr(Orchestrators, "page", flaky)
    await create(tabs, "Elsewhere")
    await tab.until(lambda: shown(tab, "load_error") == "The database is busy. Wait.")
    await tab.until(lambda: shown(tab, "load_error") == "")
    assert names(tab) == ["Elsewhere"]


async def test_a_new_one_is_made_and_opened(tabs: Tabs):
    tab = await tabs.open("/")
    await tab.send(OrchestratorsState.ask_name, OPEN)
    assert shown(tab, "is_naming") is True
    await tab.send(OrchestratorsState.change_name, "x" * 300)
    await tab.send(OrchestratorsState.create)
    assert "1 to 200 characters" in shown(tab, "name_problem")
    await tab.send(OrchestratorsState.change_name, "Mine")
    assert shown(tab, "name_problem") == ""
    await tab.send(OrchestratorsState.create)
    assert shown(tab, "is_naming") is False
    (made,) = (await tabs.application.orchestrators.page(HERE)).items
    assert made.name == "Mine"
    assert f"/canvas/{made.id}" in tab.said[-1]


async def test_one_without_a_name_gets_one(tabs: Tabs):
    tab = await tabs.open("/")
    await tab.send(OrchestratorsState.create)
    assert (await tabs.application.orchestrators.page(HERE)).items[0].name == "Untitled orchestrator"


async def test_one_is_duplicated(tabs: Tabs):
    tab = await tabs.open("/")
    await tab.send(OrchestratorsState.duplicate, await create(tabs, "Orders"))
    assert names(tab) == ["Orders (copy)", "Orders"]
    await tab.send(OrchestratorsState.duplicate, "gone")
    await tab.until_said("no such orchestrator")


async def test_one_is_deleted_after_a_question(tabs: Tabs):
    orchestrator_id = await create(tabs, "Orders", WAIT)
    tab = await tabs.open("/")
    await tab.send(OrchestratorsState.run, orchestrator_id)
    assert "“Orders” runs" in tab.said[-1]
    await tab.send(OrchestratorsState.ask_delete, orchestrator_id, "Orders")
    assert (shown(tab, "is_deleting"), shown(tab, "deleting_name")) == (True, "Orders")
    await tab.send(OrchestratorsState.show_delete, CLOSED)
    assert (shown(tab, "is_deleting"), names(tab)) == (False, ["Orders"])
    await tab.send(OrchestratorsState.ask_delete, orchestrator_id, "Orders")
    await tab.send(OrchestratorsState.delete)
    assert (shown(tab, "is_deleting"), names(tab)) == (False, [])
    assert "1 of its runs go on" in tab.said[-1]
    await tab.send(OrchestratorsState.delete)
    assert "stay in the history" in tab.said[-1]


async def test_a_run_uses_the_last_input_or_says_why_not(tabs: Tabs):
    orchestrator_id = await create(tabs, "Orders")
    broken = await create(tabs, "Broken", a_definition([a_node("a", "RemoteWebhook", {})]).as_json())
    await tabs.application.runs.start(HERE, orchestrator_id, {"a": 1}, trigger="api")
    tab = await tabs.open("/")
    await tab.send(OrchestratorsState.run, orchestrator_id)
    newest = await tabs.application.runs.latest(HERE, orchestrator_id)
    assert newest is not None
    assert (await tabs.application.runs.get(HERE, newest.id)).input == {"a": 1}
    await tab.send(OrchestratorsState.run, broken)
    assert "cannot run yet" in tab.said[-1]
    await tab.until(lambda: {row["last_run_state"] for row in shown(tab, "rows")} == {"COMPLETED", ""})


# --- import ---


async def imported(tab: Tab, text: str) -> list[str]:
    await tab.send(OrchestratorsState.ask_import, OPEN)
    await tab.send(OrchestratorsState.change_import, text)
    await tab.send(OrchestratorsState.import_document)
    return shown(tab, "import_problems")


async def test_an_export_and_a_bare_definition_are_imported(tabs: Tabs):
    export = await tabs.application.orchestrators.export(HERE, await create(tabs, "Orders"))
    tab = await tabs.open("/")
    assert await imported(tab, json.dumps(export)) == []
    assert await imported(tab, json.dumps(a_chain().as_json())) == []
    assert shown(tab, "is_importing") is False
    assert "/canvas/" in tab.said[-1]
    stored = (await tabs.application.orchestrators.page(HERE)).items
    assert sorted(item.name for item in stored) == ["Imported orchestrator", "Orders", "Orders"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ('{"nodes": [', "line 1, column 12"),
        ("[1, 2]", "no export of an orchestrator"),
        ("NaN", "NaN"),
        ("[" * 100_000, "nested deeper"),
        ('{"definition": "no json"}', "not JSON"),
        ('{"a": 1, "a": 2}', "twice"),
        ('"' + "x" * 1_100_000 + '"', "larger than"),
        (json.dumps({"nodes": [{"id": "a"}, {"id": "b"}], "edges": []}), "Node"),
        (json.dumps({"name": "x" * 300, "nodes": [], "edges": []}), "1 to 200 characters"),
    ],
)
async def test_what_cannot_be_imported_is_told_with_its_place(tabs: Tabs, text: str, words: str):
    tab = await tabs.open("/")
    problems = await imported(tab, text)
    assert words in problems[0]
    assert all(len(problem) < 400 for problem in problems)
    assert shown(tab, "is_importing") is True
    assert (await tabs.application.orchestrators.page(HERE)).items == ()
    await tab.send(OrchestratorsState.change_import, "{")
    assert shown(tab, "import_problems") == []
