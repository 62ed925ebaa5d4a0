"""The history and the page of one run, used as pages use them."""

from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition
from orchestrator_app.errors import Unavailable
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.runs import Runs
from orchestrator_app.ui.pages.run import state as run_state
from orchestrator_app.ui.pages.run.rerun_state import RerunState
from orchestrator_app.ui.pages.run.state import RunPageState
from orchestrator_app.ui.pages.runs import state as runs_state
from orchestrator_app.ui.pages.runs.state import RunsState
from tests.builders import a_chain, a_definition, a_node, an_edge
from tests.ui.tabs import Tab, Tabs

WAIT = a_definition([a_node("first"), a_node("wait", "WaitForCallback", {})], [an_edge("first", "wait")])
FAIL = a_definition([a_node("map", "DataMapper", {"mappings": [{"from": "data.gone", "to": "x"}]})])


async def ran(tabs: Tabs, name: str = "Orders", graph: Definition | None = None, data: Any = None) -> str:
    definition = (graph or a_chain("a")).as_json()
    detail = await tabs.application.orchestrators.create(HERE, name=name, definition=definition)
    summary, _ = await tabs.application.runs.start(HERE, detail.id, data or {}, trigger="api")
    if graph is not WAIT:
        await tabs.application.runs.wait(HERE, summary.id, 10)
    return summary.id


def listed(tab: Tab) -> list[tuple[str, str]]:
    return [(row["orchestrator_name"], row["state"]) for row in tab.shows(RunsState, "rows")]


def shown(tab: Tab, name: str) -> Any:
    return tab.shows(RunPageState, name)


async def test_the_history_is_filtered_and_the_address_keeps_it(tabs: Tabs):
    await ran(tabs, "Orders")
    failed = await ran(tabs, "Invoices", FAIL)
    tab = await tabs.open("/runs")
    assert listed(tab) == [("Invoices", "FAILED"), ("Orders", "COMPLETED")]
    assert tab.shows(RunsState, "counts")[""] == 2
    assert "data.gone" in tab.shows(RunsState, "rows")[0]["failure"]
    await tab.send(RunsState.choose_state, "COMPLETED")
    assert listed(tab) == [("Orders", "COMPLETED")]
    assert "COMPLETED" in tab.said[-1]
    await tab.send(RunsState.choose_state, "NONSENSE")
    assert len(listed(tab)) == 2
    await tab.send(RunsState.search, "inv")
    assert listed(tab) == [("Invoices", "FAILED")]
    await tab.send(RunsState.show_everything)
    assert len(listed(tab)) == 2
    linked = await tabs.open(f"/runs?status=FAILED&q={failed[:8]}")
    assert listed(linked) == [("Invoices", "FAILED")]
    assert linked.shows(RunsState, "state_filter") == "FAILED"
    wrong = await tabs.open("/runs?status=<script>&q=")
    assert (wrong.shows(RunsState, "state_filter"), len(listed(wrong))) == ("", 2)


async def test_the_history_of_one_orchestrator_names_it_also_when_it_is_deleted(tabs: Tabs):
    await ran(tabs, "Orders")
    run = await tabs.application.runs.get(HERE, await ran(tabs, "Invoices"))
    orchestrator_id = run.summary.orchestrator_id
    tab = await tabs.open("/runs")
    await tab.go(f"/runs?orchestrator={orchestrator_id}")
    assert (listed(tab), tab.shows(RunsState, "orchestrator_name")) == (
        [("Invoices", "COMPLETED")],
        "Invoices",
    )
    await tab.send(RunsState.show_all_orchestrators)
    assert len(listed(tab)) == 2
    await tabs.application.orchestrators.delete(HERE, orchestrator_id)
    await tab.go(f"/runs?orchestrator={orchestrator_id}")
    assert tab.shows(RunsState, "orchestrator_name") == "Invoices"
    await tab.go("/runs?orchestrator=never-was")
    assert (listed(tab), tab.shows(RunsState, "orchestrator_name")) == ([], "a deleted orchestrator")


async def test_the_history_is_turned_forth_and_back_and_kept_true(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runs_state, "PAGE_SIZE", 2)
    for name in "abc":
        await ran(tabs, name)
    tab = await tabs.open("/runs")
    assert [name for name, _ in listed(tab)] == ["c", "b"]
    await tab.send(RunsState.next_page)
    await tab.send(RunsState.next_page)
    assert ([name for name, _ in listed(tab)], tab.shows(RunsState, "has_previous")) == (["a"], True)
    await tab.send(RunsState.previous_page)
    await tab.send(RunsState.previous_page)
    await ran(tabs, "d")
    await tab.until(lambda: listed(tab)[0] == ("d", "COMPLETED"))


async def test_the_history_outlives_trouble_with_the_database(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runs_state, "LOOK_AGAIN_SECONDS", 0.01)
    tab = await tabs.open("/runs")
    real, failures = Runs.counts, [1, 1]

    async def flaky(self: Runs, workspace_id: str) -> Any:
        if failures:
            failures.pop()
            raise Unavailable("The database is busy.")
        return await real(self, workspace_id)

    monkeypatch.setattr(Runs, "counts", flaky)
    await ran(tabs)
    await tab.until(lambda: tab.shows(RunsState, "load_error") != "")
    await tab.until(lambda: tab.shows(RunsState, "load_error") == "" and len(listed(tab)) == 1)


async def test_a_run_is_cancelled_in_the_history(tabs: Tabs):
    run_id = await ran(tabs, graph=WAIT)
    tab = await tabs.open("/runs")
    await tab.send(RunsState.cancel, run_id)
    assert listed(tab) == [("Orders", "CANCELLED")]
    await tab.send(RunsState.cancel, run_id)
    assert "has ended already" in tab.said[-1]


# --- one run ---


async def test_a_run_is_read_with_all_its_nodes(tabs: Tabs):
    run_id = await ran(tabs, graph=FAIL, data={"ä": 1})
    tab = await tabs.open(f"/run/{run_id}")
    assert (shown(tab, "id"), shown(tab, "state"), shown(tab, "is_loaded")) == (run_id, "FAILED", True)
    assert "data.gone" in shown(tab, "failure")["message"]
    assert (shown(tab, "input_text"), shown(tab, "output_text")) == ('{\n  "ä": 1\n}', "")
    assert shown(tab, "graph")["rev"] == run_id
    assert [(node["label"], node["state"]) for node in shown(tab, "nodes")] == [("map", "FAILED")]
    await tab.send(RunPageState.select, "map")
    assert (shown(tab, "selected_label"), shown(tab, "node_state")) == ("map", "FAILED")
    assert "data.gone" in shown(tab, "node_failure")["message"]
    await tab.send(RunPageState.select, "gone")
    assert (shown(tab, "selected_id"), shown(tab, "node_state")) == ("", "")


async def test_a_run_is_followed_live_and_what_stays_the_same_is_sent_once(tabs: Tabs):
    run_id = await ran(tabs, graph=WAIT, data={"long": "x" * 10_000})
    tab = await tabs.open(f"/run/{run_id}")
    await tab.until(lambda: shown(tab, "state") == "WAITING")
    await tab.send(RunPageState.select, "wait")
    token = shown(tab, "node_callback_url").partition("?token=")[2]
    tab.updates.clear()
    await tabs.application.callbacks.receive(run_id, token, {"ok": True})
    await tab.until(lambda: shown(tab, "state") == "COMPLETED")
    assert shown(tab, "node_callback_url") == ""
    assert not any({"input_text", "graph", "orchestrator_name"} & update.keys() for update in tab.updates)


async def test_a_run_that_is_not_there_says_so_and_leaves_nothing_of_another(tabs: Tabs):
    run_id = await ran(tabs)
    tab = await tabs.open(f"/run/{run_id}")
    await tab.send(RunPageState.select, "a")
    await tab.go("/run/never-was")
    assert (shown(tab, "is_missing"), shown(tab, "is_loaded"), shown(tab, "id")) == (True, True, "")
    assert (shown(tab, "nodes"), shown(tab, "node_output"), shown(tab, "selected_id")) == ([], "", "")
    await tab.send(RunPageState.select, "a")
    await tab.go(f"/run/{run_id}")
    assert (shown(tab, "is_missing"), shown(tab, "id")) == (False, run_id)


async def test_the_page_fills_when_the_database_is_back(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run_state, "LOOK_AGAIN_SECONDS", 0.01)
    run_id = await ran(tabs)
    real, failures = Runs.get, [1, 1, 1]

    async def flaky(self: Runs, workspace_id: str, wanted: str) -> Any:
        if failures:
            failures.pop()
            raise Unavailable("The database is busy.")
        return await real(self, workspace_id, wanted)

    monkeypatch.setattr(Runs, "get", flaky)
    tab = await tabs.open(f"/run/{run_id}")
    await tab.until(lambda: shown(tab, "is_loaded") and shown(tab, "state") == "COMPLETED")
    assert "The database is busy." in "".join(tab.said)


async def test_a_run_is_cancelled_and_run_again(tabs: Tabs):
    run_id = await ran(tabs, graph=WAIT, data={"a": 1})
    tab = await tabs.open(f"/run/{run_id}")
    await tab.send(RunPageState.cancel)
    await tab.until(lambda: shown(tab, "state") == "CANCELLED")
    await tab.send(RunPageState.cancel)
    assert "has ended already" in tab.said[-1]
    await tab.send(RerunState.ask_how_to_rerun)
    await tab.send(RerunState.rerun)
    newest = await tabs.application.runs.latest(HERE, shown(tab, "orchestrator_id"))
    assert newest is not None
    assert f"/run/{newest.id}" in tab.said[-1]
    assert newest.parent_run_id == run_id
    await tab.go(f"/run/{newest.id}")
    assert (shown(tab, "parent_id"), shown(tab, "input_text")) == (run_id, '{\n  "a": 1\n}')
    await tabs.application.orchestrators.delete(HERE, shown(tab, "orchestrator_id"))
    await tab.send(RerunState.ask_how_to_rerun)
    await tab.send(RerunState.rerun)
    assert "no such orchestrator" in tab.said[-1]
