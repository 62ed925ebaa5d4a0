from dataclasses import replace

import pytest

from orchestrator_app.domain.looks import MAX_OUTAGE_MS, MAX_UNKNOWN_LOOKS, Search, Watch
from orchestrator_app.domain.reconciliation import (
    SEARCH_INTERVAL_MS,
    SEARCH_MS,
    after_missed_search,
    after_search,
)
from orchestrator_app.domain.remote import RemoteCall, RemoteLook
from orchestrator_app.domain.runs import Failure
from orchestrator_app.errors import (
    CredentialRefused,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
    UnreadableAnswer,
)

NOW = 1_700_000_000_000
LOST = Failure("outcome_unknown", "No answer came.", "Look there.", {"provider": "n8n"})
SEARCH = Search(LOST, until=NOW + SEARCH_MS, is_first=True, interval_ms=5_000)
WATCH = Watch(
    RemoteCall("n8n", "c", "w", completion="poll", correlation_id="run.a"),
    {},
    interval_ms=SEARCH_INTERVAL_MS,
    most_interval_ms=30_000,
    deadline=NOW + 60_000,
    search=SEARCH,
)
NOT_SEEN = RemoteLook("running", message="Not seen yet.", is_certain=False, memo={"misses": 1})
UNKNOWN = RemoteLook("unknown", is_certain=False)


def test_a_search_outlives_the_process():
    assert Watch.from_json(WATCH.as_json(), callback_token="") == replace(
        WATCH, call=replace(WATCH.call, is_idempotent=True)
    )


@pytest.mark.parametrize("look", [NOT_SEEN, UNKNOWN, RemoteLook("completed", {"n": 1}, is_certain=False)])
def test_what_is_not_certainly_the_call_is_looked_for_again_until_the_time_is_over(look: RemoteLook):
    watch, now, looks = WATCH, NOW + SEARCH_INTERVAL_MS, 0
    while True:
        seen = after_search(watch, SEARCH, look, now, 0)
        looks += 1
        if seen.look_at is None:
            break
        assert (seen.says, seen.is_news, seen.watch.is_over) == ("", False, False)
        watch, now = seen.watch, seen.look_at
    assert (now, looks) == (NOW + SEARCH_MS, 7)
    assert looks > MAX_UNKNOWN_LOOKS
    message = f"No answer came. It was looked for on n8n and not found. {look.message}".rstrip()
    assert seen.watch.failure == replace(LOST, message=message)
    assert seen.is_news


def test_who_has_to_decide_is_told_where_to_look():
    look = RemoteLook(
        "running", link="https://make/16/scenarios/9/logs", message="See there.", is_certain=False
    )
    seen = after_search(WATCH, SEARCH, look, NOW, 0)
    late = after_search(seen.watch, SEARCH, replace(look, link=""), NOW + SEARCH_MS, 0).watch.failure
    assert late is not None
    assert late.detail == LOST.detail | {"link": look.link}


def test_where_a_platform_cannot_tell_the_callback_is_still_awaited():
    watch = replace(WATCH, call=replace(WATCH.call, completion="callback"))
    look = replace(UNKNOWN, message="It keeps no ids.", link="https://make/logs")
    early = after_search(watch, SEARCH, look, NOW, 0)
    assert early.look_at == NOW + SEARCH_INTERVAL_MS
    seen = after_search(early.watch, SEARCH, look, NOW + SEARCH_MS, 0)
    assert (seen.look_at, seen.watch.is_over, seen.level) == (None, False, "warning")
    why = "It was looked for on n8n and not found. It keeps no ids."
    assert seen.says == f"{why} Its callback is still awaited."
    assert seen.watch.search is not None
    # With this the node ends when the time for the callback is over.
    assert seen.watch.search.failure == replace(
        LOST, message=f"No answer came. {why}", detail=LOST.detail | {"link": "https://make/logs"}
    )


def test_an_execution_that_goes_on_is_watched_from_then_on():
    look = RemoteLook("running", remote_id="77", link="https://n8n/77", memo={"execution": "77"})
    seen = after_search(WATCH, SEARCH, look, NOW, 0)
    assert (seen.watch.search, seen.watch.remote_id, seen.watch.memo) == (None, "77", {"execution": "77"})
    # From then on as often as its node wants.
    assert (seen.look_at, seen.is_news) == (NOW + 5_000, True)
    assert seen.says == (
        "The call that got no answer was found on n8n: execution 77 https://n8n/77 (running)."
    )


def test_an_execution_that_has_ended_gives_its_result():
    look = RemoteLook("completed", {"n": 1}, message="It took long.")
    seen = after_search(WATCH, SEARCH, look, NOW, 0)
    assert (seen.watch.result, seen.look_at) == (look, None)
    assert seen.says == (
        "The call that got no answer was found on n8n: its execution (completed). It took long."
    )


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_bad_end_counts_only_when_no_earlier_attempt_can_be_meant(state: str):
    look = RemoteLook(state, message="It broke.", remote_id="77")  # pyright: ignore[reportArgumentType]
    first = after_search(WATCH, SEARCH, look, NOW, 0).watch.failure
    assert first is not None
    assert first.code == f"remote_{state}"
    again = replace(SEARCH, is_first=False)
    watch = replace(WATCH, search=again)
    seen = after_search(watch, again, look, NOW, 0)
    assert (seen.watch.failure, seen.watch.search) == (None, again)
    assert after_search(watch, again, RemoteLook("completed", 1), NOW, 0).watch.result is not None


@pytest.mark.parametrize("error", [ProviderUnavailable("It is down."), UnreadableAnswer("A web page.")])
def test_while_a_platform_is_away_the_time_of_the_search_does_not_pass(error: ProviderError):
    first = after_missed_search(WATCH, SEARCH, error, NOW, 0)
    assert (first.look_at, first.level, first.is_news) == (NOW + SEARCH_INTERVAL_MS, "warning", True)
    assert first.says == f"The call cannot be looked for on n8n yet: {error.message}"
    later = NOW + 10 * SEARCH_MS
    second = after_missed_search(first.watch, SEARCH, error, later, 0)
    assert (second.says, second.is_news, second.watch.is_over) == ("", False, False)
    assert second.look_at == later + first.watch.interval_ms
    back = after_search(second.watch, SEARCH, NOT_SEEN, later, 0)
    assert back.watch.search == replace(SEARCH, until=SEARCH.until + 10 * SEARCH_MS)
    assert (back.watch.outage_since, back.watch.is_over) == (None, False)
    found = after_search(second.watch, SEARCH, RemoteLook("running", remote_id="77"), later, 0)
    assert found.watch.deadline == WATCH.deadline + 10 * SEARCH_MS


def test_an_outage_without_end_ends_the_search():
    down = ProviderUnavailable("It is down.")
    watch = replace(WATCH, outage_since=NOW, interval_ms=30_000)
    last = after_missed_search(watch, SEARCH, down, NOW + MAX_OUTAGE_MS - 1_000, 0)
    assert (last.look_at, last.watch.interval_ms) == (NOW + MAX_OUTAGE_MS, 30_000)
    seen = after_missed_search(watch, SEARCH, down, NOW + MAX_OUTAGE_MS, 0)
    message = "No answer came. It could not be looked for on n8n: It is down."
    assert seen.watch.failure == replace(LOST, message=message)


@pytest.mark.parametrize(
    ("seconds", "pause"), [(10, 10_000), (3_600, MAX_OUTAGE_MS), (None, SEARCH_INTERVAL_MS)]
)
def test_a_busy_platform_is_asked_when_it_says(seconds: float | None, pause: int):
    busy = ProviderBusy("Wait.", retry_after_seconds=seconds)
    assert after_missed_search(WATCH, SEARCH, busy, NOW, 0).look_at == NOW + pause


def test_a_platform_that_refuses_to_tell_is_not_asked_again():
    seen = after_missed_search(WATCH, SEARCH, CredentialRefused("The key is wrong."), NOW, 0)
    assert seen.look_at is None
    assert seen.watch.failure is not None
    assert seen.watch.failure.code == "outcome_unknown"
    assert seen.watch.failure.message.endswith("It could not be looked for on n8n: The key is wrong.")
