"""Runs on the canvas: started in the dialog, shown live wherever they were started, taken off again."""

from typing import Any

import pytest

from orchestrator_app.domain.definition import Definition
from orchestrator_app.errors import Unavailable
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.runs import Runs
from orchestrator_app.ui.pages.canvas import live_state
from orchestrator_app.ui.pages.canvas.live_state import LiveState
from orchestrator_app.ui.pages.canvas.settings_state import SettingsState
from orchestrator_app.ui.pages.canvas.state import EditorState
from tests.builders import a_definition, a_node, an_edge
from tests.ui.tabs import CLOSED, Tab, Tabs

COPY = a_definition([a_node("copy", "DataMapper", {"mappings": [{"from": "data", "to": "copy"}]})])
WAIT = a_definition([a_node("first"), a_node("wait", "WaitForCallback", {})], [an_edge("first", "wait")])


async def opened(tabs: Tabs, definition: Definition = COPY) -> tuple[Tab, str]:
    detail = await tabs.application.orchestrators.create(HERE, name="Orders", definition=definition.as_json())
    return await tabs.open(f"/canvas/{detail.id}"), detail.id


def live(tab: Tab, name: str) -> Any:
    return tab.shows(LiveState, name)


async def start(tab: Tab, text: str = '{"a": 1}') -> None:
    await tab.send(LiveState.ask_for_input)
    await tab.send(LiveState.change_input, text)
    await tab.send(LiveState.start_run)


async def call_back(tabs: Tabs, run_id: str) -> None:
    detail = await tabs.application.runs.get(HERE, run_id)
    token = next(node.callback_url for node in detail.nodes if node.callback_url).partition("?token=")[2]
    await tabs.application.callbacks.receive(run_id, token, {"ok": True})


async def test_a_run_is_started_and_followed_to_its_end(tabs: Tabs):
    tab, _ = await opened(tabs)
    await tab.send(LiveState.ask_for_input)
    assert (live(tab, "is_asking"), live(tab, "run_input")) == (True, "{}")
    await start(tab)
    assert (live(tab, "is_asking"), live(tab, "is_starting")) == (False, False)
    await tab.until(lambda: live(tab, "run_state") == "COMPLETED")
    assert live(tab, "statuses")["copy"]["state"] == "COMPLETED"
    detail = await tabs.application.runs.get(HERE, live(tab, "run_id"))
    assert (detail.input, detail.summary.trigger) == ({"a": 1}, "ui")


async def test_what_is_not_saved_is_saved_before_a_run(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [{"op": "move", "id": "copy", "x": 7, "y": 7}])
    await start(tab)
    assert (tab.shows(EditorState, "has_changes"), tab.shows(EditorState, "version")) == (False, 2)
    assert (await tabs.application.orchestrators.get(HERE, orchestrator_id)).version == 2
    assert live(tab, "run_version") == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":', "line 1, column 6"),
        ("[1, NaN]", "NaN"),
        ('{"a": 1e999}', "too large"),
        ('{"a": 1, "a": 2}', "twice"),
        ("[" * 500 + "]" * 500, "nested deeper"),
        ("[" * 200_000, "nested deeper"),
        ("9" * 6_000, "beyond"),
        ('"\\ud800"', "half of a character"),
        ('"' + "x" * 1_100_000 + '"', "larger than"),
    ],
)
async def test_input_that_is_no_json_is_told_and_starts_nothing(tabs: Tabs, text: str, words: str):
    tab, orchestrator_id = await opened(tabs)
    await start(tab, text)
    assert words in live(tab, "input_problem")
    assert len(live(tab, "input_problem")) < 300
    assert (live(tab, "is_asking"), live(tab, "is_starting")) == (True, False)
    assert await tabs.application.runs.latest(HERE, orchestrator_id) is None
    await tab.send(LiveState.show_dialog, CLOSED)
    assert live(tab, "is_asking") is False


async def test_no_input_at_all_is_an_empty_object(tabs: Tabs):
    tab, _ = await opened(tabs)
    await start(tab, "  ")
    assert (await tabs.application.runs.get(HERE, live(tab, "run_id"))).input == {}


async def test_the_dialog_remembers_the_last_input_of_this_orchestrator_only(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tabs.application.runs.start(HERE, orchestrator_id, {"ä": 1}, trigger="api")
    await tab.send(LiveState.ask_for_input)
    assert live(tab, "run_input") == '{\n  "ä": 1\n}'
    await tab.send(LiveState.change_input, '{"mine": true}')
    await tab.send(LiveState.show_dialog, CLOSED)
    await tab.send(LiveState.ask_for_input)
    assert live(tab, "run_input") == '{"mine": true}'
    other = await tabs.application.orchestrators.create(HERE, name="Other", definition=COPY.as_json())
    await tab.go(f"/canvas/{other.id}")
    await tab.until(lambda: not live(tab, "is_asking"))
    await tab.send(LiveState.ask_for_input)
    assert live(tab, "run_input") == "{}"


async def test_a_graph_with_problems_is_not_run(tabs: Tabs):
    tab, _ = await opened(tabs, a_definition([a_node("a", "RemoteWebhook", {})]))
    await tab.send(LiveState.ask_for_input)
    assert live(tab, "is_asking") is False
    await tab.send(LiveState.start_run)
    assert "cannot run yet" in tab.said[-1]
    assert live(tab, "is_starting") is False


async def test_a_run_is_not_started_upon_somebody_elses_version(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(EditorState.apply_ops, [{"op": "move", "id": "copy", "x": 7, "y": 7}])
    await tabs.application.orchestrators.save(HERE, orchestrator_id, expected_version=1, name="Theirs")
    await start(tab)
    assert tab.shows(EditorState, "is_outdated") is True
    assert (live(tab, "is_asking"), live(tab, "is_starting")) == (False, False)
    assert await tabs.application.runs.latest(HERE, orchestrator_id) is None


async def test_trouble_with_the_database_is_told_and_the_dialog_stays(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
):
    tab, _ = await opened(tabs)

    async def broken(*_: object, **__: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(Runs, "start", broken)
    await start(tab)
    assert "The disk is full." in tab.said[-1]
    assert (live(tab, "is_asking"), live(tab, "is_starting")) == (True, False)


async def test_a_run_started_elsewhere_is_shown_and_goes_on_by_a_callback(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs, WAIT)
    summary, _ = await tabs.application.runs.start(HERE, orchestrator_id, {}, trigger="api")
    await tab.until(lambda: live(tab, "run_state") == "WAITING")
    assert (live(tab, "run_id"), live(tab, "run_trigger")) == (summary.id, "api")
    assert live(tab, "edge_states") == {"first-wait": "taken"}
    assert "Waits for a callback" in live(tab, "statuses")["wait"]["note"]
    await call_back(tabs, summary.id)
    await tab.until(lambda: live(tab, "run_state") == "COMPLETED")
    assert live(tab, "run_ended") >= live(tab, "run_started") > 0


async def test_a_run_can_be_cancelled_and_taken_off_the_canvas(tabs: Tabs):
    tab, _ = await opened(tabs, WAIT)
    await tab.send(LiveState.cancel_run)
    await start(tab)
    await tab.until(lambda: live(tab, "run_state") == "WAITING")
    await tab.send(LiveState.cancel_run)
    await tab.until(lambda: live(tab, "run_state") == "CANCELLED")
    await tab.send(LiveState.cancel_run)
    assert "has ended already" in tab.said[-1]
    run_id = live(tab, "run_id")
    await tab.send(LiveState.dismiss_run)
    assert (live(tab, "run_id"), live(tab, "statuses"), live(tab, "node_state")) == ("", {}, "")
    await tabs.application.orchestrators.save(
        HERE, tab.shows(EditorState, "orchestrator_id"), expected_version=1, name="Changed"
    )
    await tab.until(lambda: tab.shows(EditorState, "newer_version") == 2)
    assert live(tab, "run_id") == ""
    await start(tab)
    assert live(tab, "run_id") not in {"", run_id}


async def test_what_happened_to_a_node_is_shown_and_kept_true(tabs: Tabs):
    tab, _ = await opened(tabs, WAIT)
    await tab.send(LiveState.select_in_run, "wait")
    await tab.send(LiveState.show_tab, "run")
    assert live(tab, "node_state") == ""
    await start(tab)
    await tab.until(lambda: live(tab, "node_callback_url") != "")
    assert live(tab, "node_state") == "WAITING"
    await tab.send(LiveState.show_tab, "run")
    await call_back(tabs, live(tab, "run_id"))
    await tab.until(lambda: live(tab, "node_state") == "COMPLETED")
    assert live(tab, "node_output") == '{\n  "ok": true\n}'
    assert live(tab, "node_callback_url") == ""
    await tab.send(LiveState.select_in_run, "first")
    assert live(tab, "node_input") == '{\n  "a": 1\n}'
    await tab.send(EditorState.apply_ops, [{"op": "add", "id": "n", "kind": "Parallel", "x": 0, "y": 0}])
    await tab.send(LiveState.select_in_run, "n")
    assert (live(tab, "node_state"), live(tab, "node_input")) == ("", "")
    await tab.send(LiveState.show_tab, "nonsense")
    assert live(tab, "tab") == "settings"


async def test_an_old_run_is_not_shown_as_something_new(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    detail = await tabs.application.orchestrators.create(HERE, name="Orders", definition=COPY.as_json())
    summary, _ = await tabs.application.runs.start(HERE, detail.id, {}, trigger="api")
    await tabs.application.runs.wait(HERE, summary.id, 10)
    recent = await tabs.open(f"/canvas/{detail.id}")
    await recent.until(lambda: live(recent, "run_id") == summary.id)
    monkeypatch.setattr(live_state, "RECENT_MS", -60_000)
    later = await tabs.open(f"/canvas/{detail.id}")
    await tabs.application.orchestrators.save(HERE, detail.id, expected_version=1, name="Changed")
    await later.until(lambda: later.shows(EditorState, "newer_version") == 2)
    assert live(later, "run_id") == ""


async def test_live_updates_outlive_trouble_with_the_database(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    tab, orchestrator_id = await opened(tabs, WAIT)
    real = {"latest": Runs.latest, "get": Runs.get}
    failures = dict.fromkeys(real, 3)

    def flaky(name: str) -> Any:
        async def call(self: Runs, *values: str) -> Any:
            if failures[name]:
                failures[name] -= 1
                raise Unavailable("The database is busy.")
            return await real[name](self, *values)

        return call

    await tab.send(LiveState.select_in_run, "wait")
    for name in real:
        monkeypatch.setattr(Runs, name, flaky(name))
    monkeypatch.setattr(live_state, "LOOK_AGAIN_SECONDS", 0.02)
    await tabs.application.runs.start(HERE, orchestrator_id, {}, trigger="api")
    await tab.until(lambda: live(tab, "run_state") == "WAITING")
    assert failures["latest"] == 0


async def test_a_watcher_ends_when_its_tab_leaves_closes_or_loads_again(tabs: Tabs):
    hub = tabs.application.hub
    tab, orchestrator_id = await opened(tabs)
    # The canvas watches the orchestrator and the workflows of its nodes; the browser beside it watches the lists.
    await tabs.settled(lambda: hub.subscribers == 3)
    await tab.go(f"/canvas/{orchestrator_id}")
    await tabs.settled(lambda: hub.subscribers == 3)
    for path in ("/", "/workflows", "/runs", "/connections", "/runs?q=a"):
        await tab.go(path)
        await tabs.settled(lambda: hub.subscribers == 1)
    other = await tabs.open("/")
    await tabs.settled(lambda: hub.subscribers == 2)
    other.close()
    await tabs.settled(lambda: hub.subscribers == 1)


async def test_only_an_opened_page_begins_to_watch(tabs: Tabs, caplog: pytest.LogCaptureFixture):
    tab = await tabs.open("/no-such-page")
    await tab.send(LiveState.watch)
    assert "it is not meant for browsers" in caplog.text
    assert tabs.application.hub.subscribers == 0


async def test_the_state_of_a_run_never_reaches_settings_of_other_tabs(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    other = await tabs.open(f"/canvas/{orchestrator_id}")
    await tab.send(LiveState.select_in_run, "copy")
    await tab.send(SettingsState.change_label, "Mine")
    assert other.shows(EditorState, "selected_id") == ""
