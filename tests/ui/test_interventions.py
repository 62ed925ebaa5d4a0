"""What people do about runs on the pages: decide, retry, end a wait, run again otherwise."""

from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition
from orchestrator_app.errors import Unavailable
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.bulk import Bulk, BulkResult
from orchestrator_app.services.waiting import WaitView
from orchestrator_app.ui.pages.canvas.live_state import LiveState
from orchestrator_app.ui.pages.run.rerun_state import RerunState
from orchestrator_app.ui.pages.run.state import RunPageState
from orchestrator_app.ui.pages.runs.bulk_state import BulkState, result_text
from orchestrator_app.ui.pages.runs.state import RunsState, wait_text
from tests.builders import a_definition, a_node, an_edge
from tests.fakes.fixtures import fake_server
from tests.fakes.server import FakeServer
from tests.ui.tabs import OPEN, Tab, Tabs

__all__ = ["fake_server"]

WAIT = a_definition([a_node("wait", "WaitForCallback", {})])
COPY = a_definition([a_node("copy", "DataMapper", {"mappings": [{"from": "data", "to": "copy"}]})])


def calling(url: str) -> Definition:
    config = {"provider": "custom", "url": url, "retryAttempts": 0}
    return a_definition([a_node("call", "RemoteWebhook", config), a_node("last")], [an_edge("call", "last")])


async def ran(tabs: Tabs, graph: Definition, data: Any = None) -> tuple[str, str]:
    """The ids of a run that has ended or waits, and of its orchestrator."""
    detail = await tabs.application.orchestrators.create(HERE, name="Orders", definition=graph.as_json())
    summary, _ = await tabs.application.runs.start(HERE, detail.id, data or {}, trigger="api")
    if graph is not WAIT:
        await tabs.application.runs.wait(HERE, summary.id, 10)
    return summary.id, detail.id


def shown(tab: Tab, name: str, state: type[Any] = RunPageState) -> Any:
    return tab.shows(state, name)


async def test_an_unknown_outcome_is_decided_on_the_page_of_its_run(tabs: Tabs, fake_server: FakeServer):
    run_id, _ = await ran(tabs, calling(f"{fake_server.url}/drop"))
    tab = await tabs.open(f"/run/{run_id}")
    await tab.send(RunPageState.select, "call")
    assert shown(tab, "node_needs_decision") is True
    await tab.send(RunPageState.change_given, '{"n": ')
    assert "line 1" in shown(tab, "given_problem")
    await tab.send(RunPageState.decide, "done")
    assert shown(tab, "state") == "FAILED"
    await tab.send(RunPageState.change_given, '{"n": 1}')
    await tab.send(RunPageState.decide, "done")
    await tab.until(lambda: shown(tab, "state") == "COMPLETED")
    assert (shown(tab, "given_text"), shown(tab, "node_needs_decision")) == ("", False)
    assert '"n": 1' in shown(tab, "output_text")
    await tab.send(RunPageState.decide, "done")
    assert "has not failed" in tab.said[-1]


@pytest.mark.parametrize(("decision", "calls"), [("retry", 2), ("fail", 1)])
async def test_an_unknown_outcome_is_decided_in_the_drawer(
    tabs: Tabs, fake_server: FakeServer, decision: Any, calls: int
):
    run_id, orchestrator_id = await ran(tabs, calling(f"{fake_server.url}/drop"))
    tab = await tabs.open(f"/canvas/{orchestrator_id}")
    await tab.until(lambda: shown(tab, "run_state", LiveState) == "FAILED")
    await tab.send(LiveState.select_in_run, "call")
    assert shown(tab, "node_needs_decision", LiveState) is True
    # What was typed for another decision stands in no one's way.
    await tab.send(LiveState.change_given, "no JSON")
    await tab.send(LiveState.decide, decision)
    await tab.until(lambda: len(shown(tab, "node_logs", LiveState)) > 1)
    await tabs.settled(lambda: len(fake_server.calls("/drop")) == calls)
    if decision == "fail":
        await tab.until(lambda: shown(tab, "node_needs_decision", LiveState) is False)
    else:
        await tab.until(lambda: len(shown(tab, "node_attempts", LiveState)) == 2)
    assert (await tabs.application.runs.wait(HERE, run_id, 10)).summary.state == "FAILED"


async def test_a_decision_that_was_not_offered_reaches_nothing(tabs: Tabs, fake_server: FakeServer):
    run_id, _ = await ran(tabs, calling(f"{fake_server.url}/drop"))
    tab = await tabs.open(f"/run/{run_id}")
    await tab.send(RunPageState.select, "call")
    await tab.send(RunPageState.decide, "perhaps")
    assert shown(tab, "node_needs_decision") is True
    await tab.send(RunPageState.change_given, "7")
    await tab.send(RunPageState.select, "last")
    assert shown(tab, "given_text") == ""


async def test_a_failed_run_is_retried_and_followed_again_wherever_its_page_is_open(
    tabs: Tabs, fake_server: FakeServer
):
    run_id, _ = await ran(tabs, calling(f"{fake_server.url}/flaky/x?fail=1"), {"n": 1})
    tab, other = await tabs.open(f"/run/{run_id}"), await tabs.open(f"/run/{run_id}")
    assert (shown(tab, "state"), shown(other, "state")) == ("FAILED", "FAILED")
    await tab.send(RunPageState.retry, "same")
    await tab.until(lambda: shown(tab, "state") == "COMPLETED")
    await other.until(lambda: shown(other, "state") == "COMPLETED")
    assert shown(tab, "failure")["message"] == ""
    await tab.send(RunPageState.retry, "same")
    assert "has not failed" in tab.said[-1]


async def test_a_failed_run_is_retried_on_the_newest_version(tabs: Tabs, fake_server: FakeServer):
    run_id, orchestrator_id = await ran(tabs, calling(f"{fake_server.url}/status/404"))
    newer = calling(f"{fake_server.url}/echo").as_json()
    await tabs.application.orchestrators.save(HERE, orchestrator_id, expected_version=1, definition=newer)
    tab = await tabs.open(f"/run/{run_id}")
    await tab.send(RunPageState.retry, "newest")
    newest = await tabs.application.runs.latest(HERE, orchestrator_id)
    assert newest is not None
    assert (newest.parent_run_id, newest.version) == (run_id, 2)
    assert f"/run/{newest.id}" in tab.said[-1]


async def test_a_wait_is_ended_by_hand(tabs: Tabs):
    run_id, _ = await ran(tabs, WAIT)
    tab = await tabs.open(f"/run/{run_id}")
    await tab.until(lambda: shown(tab, "state") == "WAITING")
    await tab.send(RunPageState.select, "wait")
    await tab.send(RunPageState.change_given, "{")
    await tab.send(RunPageState.resume)
    assert "line 1" in shown(tab, "given_problem")
    await tab.send(RunPageState.change_given, '{"approved": true}')
    await tab.send(RunPageState.resume)
    await tab.until(lambda: shown(tab, "state") == "COMPLETED")
    assert ("approved" in shown(tab, "output_text"), shown(tab, "given_text")) == (True, "")
    await tab.send(RunPageState.resume)
    assert "does not wait" in tab.said[-1]


async def test_a_run_is_run_again_with_edited_input_on_the_version_of_choice(tabs: Tabs):
    run_id, orchestrator_id = await ran(tabs, COPY, {"a": 1})
    other = a_definition([a_node("other")]).as_json()
    await tabs.application.orchestrators.save(HERE, orchestrator_id, expected_version=1, definition=other)
    tab = await tabs.open(f"/run/{run_id}")
    await tab.send(RerunState.ask_how_to_rerun)
    assert shown(tab, "rerun_input", RerunState) == '{\n  "a": 1\n}'
    for text, words in (("{", "line 1"), ("null", "null stands for")):
        await tab.send(RerunState.change_rerun_input, text)
        assert words in shown(tab, "rerun_problem", RerunState)
        await tab.send(RerunState.rerun)
    assert len((await tabs.application.runs.page(HERE)).items) == 1
    await tab.send(RerunState.change_rerun_input, '{"b": 2}')
    await tab.send(RerunState.choose_definition, "same")
    await tab.send(RerunState.rerun)
    newest = await tabs.application.runs.latest(HERE, orchestrator_id)
    assert newest is not None
    again = await tabs.application.runs.wait(HERE, newest.id, 10)
    assert (again.output, again.summary.version) == ({"copy": {"b": 2}}, 1)
    assert shown(tab, "is_asking", RerunState) is False
    await tab.send(RerunState.show_rerun_dialog, OPEN)
    await tab.send(RerunState.choose_definition, "nonsense")
    assert shown(tab, "rerun_definition", RerunState) == "newest"


# --- many at once ---


async def test_all_runs_of_a_filter_are_cancelled_after_a_question(tabs: Tabs):
    for _ in range(2):
        await ran(tabs, WAIT)
    await ran(tabs, COPY)
    tab = await tabs.open("/runs?status=WAITING")
    await tab.until(lambda: len(tab.shows(RunsState, "rows")) == 2)
    await tab.send(BulkState.ask, "cancel")
    assert (shown(tab, "bulk_count", BulkState), shown(tab, "is_asking", BulkState)) == (2, True)
    await tab.send(BulkState.carry_out)
    assert "2 runs were cancelled." in tab.said[-1]
    assert (tab.shows(RunsState, "rows"), tab.shows(RunsState, "counts")["CANCELLED"]) == ([], 2)
    await tab.send(BulkState.ask, "cancel")
    assert "no run to cancel among these" in tab.said[-1]
    assert shown(tab, "is_asking", BulkState) is False
    await tab.send(BulkState.show_dialog, OPEN)
    assert shown(tab, "is_asking", BulkState) is True


async def test_all_failed_runs_are_retried_but_those_that_must_be_decided(
    tabs: Tabs, fake_server: FakeServer
):
    await ran(tabs, calling(f"{fake_server.url}/drop"))
    run_id, _ = await ran(tabs, calling(f"{fake_server.url}/flaky/x?fail=1"), {"n": 1})
    tab = await tabs.open("/runs?status=FAILED")
    await tab.send(BulkState.ask, "retry")
    await tab.send(BulkState.carry_out)
    assert "1 run was retried. 1 could not be: It is not known" in tab.said[-1]
    assert (await tabs.application.runs.wait(HERE, run_id, 10)).summary.state == "COMPLETED"
    assert len(fake_server.calls("/drop")) == 1


async def test_trouble_with_many_runs_is_told(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    await ran(tabs, WAIT)
    tab = await tabs.open("/runs")
    await tab.send(BulkState.ask, "cancel")

    async def busy(*_: Any, **__: Any) -> Any:
        raise Unavailable("The database is busy.")

    monkeypatch.setattr(Bulk, "carry_out", busy)
    await tab.send(BulkState.carry_out)
    assert "The database is busy." in tab.said[-1]
    assert shown(tab, "is_working", BulkState) is False


def test_what_came_of_many_runs_is_told_in_sentences():
    assert result_text("cancel", BulkResult(1_000, 0, (), 234, "x")) == (
        "1,000 runs were cancelled. 234 are left: at most 1,000 are done at once."
    )


async def test_the_history_tells_what_runs_wait_for(tabs: Tabs):
    await ran(tabs, WAIT)
    tab = await tabs.open("/runs?status=WAITING")
    await tab.until(lambda: len(tab.shows(RunsState, "rows")) == 1)
    (row,) = tab.shows(RunsState, "rows")
    assert row["waits"].startswith("“wait” waits for a callback since ")
    assert ", at most until " in row["waits"]


def test_each_wait_is_told_with_its_times():
    assert wait_text(WaitView("a", "A", "retry", 0, 61_000)) == (
        "“A” waits to try again since Jan 01 00:00:00 UTC, at Jan 01 00:01:01 UTC"
    )
    assert wait_text(WaitView("a", "A", "poll", None, None)) == "“A” waits for its result"
