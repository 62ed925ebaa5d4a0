"""The settings of an orchestrator in its dialog, and what the history says of the queue."""

from typing import Any

import pytest

from orchestrator_app.errors import Unavailable
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.orchestrator_settings import OrchestratorSettings, QueueEntry, QueueView
from orchestrator_app.ui.pages.canvas.limits_state import LimitsState
from orchestrator_app.ui.pages.runs.state import RunsState, queue_sentence
from tests.builders import a_definition, a_node
from tests.ui.tabs import CLOSED, Tab, Tabs

WAIT = a_definition([a_node("wait", "WaitForCallback", {})])


async def opened(tabs: Tabs) -> tuple[Tab, str]:
    detail = await tabs.application.orchestrators.create(HERE, name="Orders", definition=WAIT.as_json())
    tab = await tabs.open(f"/canvas/{detail.id}")
    await tab.send(LimitsState.open_limits)
    return tab, detail.id


def shown(tab: Tab, *names: str) -> tuple[Any, ...]:
    return tuple(tab.shows(LimitsState, name) for name in names)


async def test_limits_are_set_and_shown_in_the_unit_that_tells_them_best(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    assert shown(tab, "limits_of", "concurrency", "deadline", "deadline_unit") == (
        orchestrator_id,
        "",
        "",
        "minutes",
    )
    await tab.send(LimitsState.change_concurrency, " 2 ")
    await tab.send(LimitsState.change_deadline, "36")
    await tab.send(LimitsState.choose_unit, "hours")
    await tab.send(LimitsState.save_limits)
    assert shown(tab, "limits_of") == ("",)
    assert "Settings saved" in tab.said[-1]
    view = await tabs.application.orchestrator_settings.get(HERE, orchestrator_id)
    assert (view.concurrency, view.deadline_seconds) == (2, 36 * 3_600)
    for seconds, number, unit in ((86_400, "1", "days"), (90, "90", "seconds"), (120, "2", "minutes")):
        await tabs.application.orchestrator_settings.set_limits(
            HERE, orchestrator_id, concurrency=None, deadline_seconds=seconds
        )
        await tab.send(LimitsState.open_limits)
        assert shown(tab, "concurrency", "deadline", "deadline_unit") == ("", number, unit)
    await tab.send(LimitsState.change_deadline, "")
    await tab.send(LimitsState.save_limits)
    view = await tabs.application.orchestrator_settings.get(HERE, orchestrator_id)
    assert (view.concurrency, view.deadline_seconds) == (None, None)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "1001", "9" * 5_000, "٣"])
async def test_what_is_no_limit_is_told_and_not_kept(tabs: Tabs, text: str):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(LimitsState.change_concurrency, text)
    await tab.send(LimitsState.save_limits)
    assert shown(tab, "limits_of") == (orchestrator_id,)
    assert "from 1 to 1,000" in shown(tab, "limit_problems")[0]["concurrency"]
    await tab.send(LimitsState.change_concurrency, "")
    await tab.send(LimitsState.change_deadline, "367")
    await tab.send(LimitsState.choose_unit, "days")
    await tab.send(LimitsState.save_limits)
    problems = shown(tab, "limit_problems")[0]
    assert (problems["concurrency"], "366" in problems["deadline"]) == ("", True)
    view = await tabs.application.orchestrator_settings.get(HERE, orchestrator_id)
    assert view.updated_date is None


async def test_the_dialog_is_closed_without_keeping_anything(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    await tab.send(LimitsState.change_concurrency, "7")
    await tab.send(LimitsState.choose_unit, "years")
    await tab.send(LimitsState.show_limits, CLOSED)
    assert shown(tab, "limits_of", "deadline_unit") == ("", "minutes")
    assert (await tabs.application.orchestrator_settings.get(HERE, orchestrator_id)).concurrency is None
    await tab.send(LimitsState.open_limits)
    assert shown(tab, "concurrency") == ("",)


async def test_the_page_learns_whether_callbacks_are_signed_and_never_the_secret(tabs: Tabs):
    tab, orchestrator_id = await opened(tabs)
    secret = await tabs.application.orchestrator_settings.make_secret(HERE, orchestrator_id)
    await tab.send(LimitsState.read_signing)
    assert shown(tab, "signs_callbacks") == (True,)
    assert secret not in str(tab.vars)


async def test_a_database_that_is_away_is_told(tabs: Tabs, monkeypatch: pytest.MonkeyPatch):
    async def away(*_: object, **__: object) -> None:
        raise Unavailable("The database does not answer.")

    tab, orchestrator_id = await opened(tabs)
    with monkeypatch.context() as patch:
        patch.setattr(OrchestratorSettings, "set_limits", away)
        await tab.send(LimitsState.save_limits)
        assert "does not answer" in tab.said[-1]
        assert shown(tab, "limits_of") == (orchestrator_id,)
    await tab.send(LimitsState.show_limits, CLOSED)
    monkeypatch.setattr(OrchestratorSettings, "get", away)
    await tab.send(LimitsState.open_limits)
    assert shown(tab, "limits_of") == ("",)


async def test_the_history_says_how_many_wait_for_their_turn(tabs: Tabs):
    _tab, orchestrator_id = await opened(tabs)
    await tabs.application.orchestrator_settings.set_limits(
        HERE, orchestrator_id, concurrency=1, deadline_seconds=None
    )
    history = await tabs.open("/runs")
    assert history.shows(RunsState, "queue_text") == ""
    runs = [await tabs.application.runs.start(HERE, orchestrator_id, {}, trigger="api") for _ in range(3)]
    words = "2 runs wait for their turn: 2 of “Orders” (at most 1 at once)."
    await history.until(lambda: history.shows(RunsState, "queue_text") == words)
    await tabs.application.runs.cancel(HERE, runs[1][0].id)
    words = "1 run waits for its turn: 1 of “Orders” (at most 1 at once)."
    await history.until(lambda: history.shows(RunsState, "queue_text") == words)


def test_a_long_queue_names_the_longest_ones_only():
    entries = tuple(QueueEntry(str(n), f"O{n}", 5 - n, 1, 0, None) for n in range(6))
    text = queue_sentence(QueueView(15, 6, 0, entries))
    assert text == "15 runs wait for their turn: 5 of “O0”, 4 of “O1”, 3 of “O2”, others."
