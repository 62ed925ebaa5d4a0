from dataclasses import replace

import pytest

from orchestrator_app.domain.looks import (
    MAX_OUTAGE_MS,
    MAX_UNKNOWN_LOOKS,
    Watch,
    after_look,
    after_miss,
    remote_failure,
)
from orchestrator_app.domain.remote import RemoteCall, RemoteLook
from orchestrator_app.domain.runs import Failure
from orchestrator_app.errors import (
    OrchestratorError,
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)

NOW = 1_700_000_000_000
RUNNING = RemoteLook("running", memo={"id": 1})
DOWN = ProviderUnavailable("It is down.")
WATCH = Watch(
    RemoteCall("n8n", "c", "w", completion="poll"),
    {"id": 0},
    interval_ms=2_000,
    most_interval_ms=30_000,
    deadline=NOW + 60_000,
)
FALLBACK = replace(WATCH, call=replace(WATCH.call, completion="callback"))


def missed(watch: Watch, error: OrchestratorError, now: int = NOW):
    return after_miss(watch, error, Failure(error.code, error.message), now, 0)


def test_what_a_node_remembers_outlives_the_process():
    watch = replace(
        WATCH,
        call=replace(WATCH.call, url="https://x", status_url="https://y", started_at=5, is_idempotent=True),
        done_condition="a",
        failed_condition="b",
        looks=3,
        unknown=1,
        outage_since=9,
        remote_id="77",
        link="https://z",
        says="It waits.",
    )
    assert Watch.from_json(watch.as_json()) == watch
    look = RemoteLook("completed", {"n": 1}, remote_id="77", link="https://z", message="m", is_certain=False)
    for over in (replace(watch, result=look), replace(watch, failure=Failure("c", "m", "h", {"d": 1}))):
        assert Watch.from_json(over.as_json()) == over
        assert over.is_over
    assert not watch.is_over


def test_the_token_of_a_callback_is_never_part_of_it():
    watch = replace(FALLBACK, call=replace(FALLBACK.call, callback_token="cb_secret", is_idempotent=True))
    assert "cb_secret" not in str(watch.as_json())
    assert Watch.from_json(watch.as_json(), callback_token="cb_secret") == watch


def test_the_first_look_is_an_interval_away_but_not_beyond_the_deadline():
    assert WATCH.first_look(NOW, 0.1) == NOW + 2_200
    assert WATCH.first_look(NOW, -0.1) == NOW + 1_800
    assert WATCH.first_look(NOW + 59_000, 0) == NOW + 60_000
    assert WATCH.first_look(NOW + 99_000, 0) == NOW + 99_000


def test_an_execution_that_goes_on_is_looked_at_again_a_little_later_each_time():
    seen = after_look(WATCH, RUNNING, NOW, 0)
    assert (seen.look_at, seen.is_news, seen.says) == (NOW + 2_000, False, "")
    assert (seen.watch.interval_ms, seen.watch.looks, seen.watch.memo) == (2_500, 1, {"id": 1})
    slow = after_look(replace(WATCH, interval_ms=29_000), RUNNING, NOW, 0.1)
    assert (slow.watch.interval_ms, slow.look_at) == (30_000, NOW + 31_900)


def test_there_is_a_last_look_at_the_deadline():
    late = after_look(WATCH, RUNNING, NOW + 59_000, 0)
    assert late.look_at == NOW + 60_000
    over = after_look(late.watch, RUNNING, NOW + 60_000, 0)
    assert over.watch.failure == Failure(
        "poll_timeout",
        "After 2 looks there was no result. The remote workflow is still running.",
        "Allow a longer polling timeout, or look at the workflow on its platform.",
    )
    assert (over.look_at, over.is_news) == (None, True)
    alone = after_look(WATCH, RUNNING, NOW + 60_000, 0).watch.failure
    assert alone is not None
    assert alone.message.startswith("After one look")


def test_what_has_ended_at_the_deadline_counts():
    seen = after_look(WATCH, RemoteLook("completed", {"n": 1}, remote_id="7"), NOW + 99_000, 0)
    assert seen.watch.result is not None
    assert (seen.watch.result.output, seen.watch.remote_id, seen.look_at) == ({"n": 1}, "7", None)


def test_where_an_execution_is_stays_known():
    found = after_look(WATCH, RemoteLook("running", remote_id="7", link="l"), NOW, 0).watch
    failure = after_look(found, RemoteLook("failed", message="Boom."), NOW, 0).watch.failure
    assert failure == remote_failure("failed", "Boom.", {"executionId": "7", "link": "l"})


@pytest.mark.parametrize("watch", [WATCH, FALLBACK])
def test_a_bad_end_is_an_end(watch: Watch):
    failure = after_look(watch, RemoteLook("cancelled"), NOW, 0).watch.failure
    assert failure is not None
    assert (failure.code, failure.message) == ("remote_cancelled", "The remote workflow was cancelled.")


def test_an_execution_is_given_time_to_appear():
    seen = after_look(WATCH, RemoteLook("unknown"), NOW, 0)
    assert seen.watch.failure is None
    assert after_look(seen.watch, RUNNING, NOW, 0).watch.unknown == 0
    never = replace(WATCH, unknown=MAX_UNKNOWN_LOOKS - 1)
    failure = after_look(never, RemoteLook("unknown"), NOW, 0).watch.failure
    assert failure is not None
    assert failure.code == "outcome_unknown"
    assert after_look(replace(never, call=FALLBACK.call), RemoteLook("unknown"), NOW, 0).watch.failure is None


def test_what_a_look_says_is_news_once():
    waiting = RemoteLook("running", message="It waits.")
    seen = after_look(WATCH, waiting, NOW, 0)
    assert (seen.says, seen.level, seen.is_news, seen.watch.says) == ("It waits.", "info", True, "It waits.")
    assert not after_look(seen.watch, waiting, NOW, 0).is_news
    gone = after_look(seen.watch, RUNNING, NOW, 0)
    assert (gone.says, gone.is_news, gone.watch.says) == ("", True, "")


def test_an_outage_does_not_count():
    first = missed(WATCH, DOWN)
    assert (first.look_at, first.level, first.is_news) == (NOW + 2_000, "warning", True)
    assert first.says == "Polling goes on although a look failed: It is down."
    second = missed(first.watch, DOWN, NOW + 600_000)
    assert (second.look_at, second.says, second.is_news) == (NOW + 602_000, "", False)
    assert (second.watch.looks, second.watch.outage_since) == (0, NOW)
    back = after_look(second.watch, RUNNING, NOW + 602_000, 0)
    assert (back.watch.deadline, back.watch.outage_since) == (NOW + 662_000, None)
    assert back.look_at == NOW + 604_000


def test_a_clock_set_back_during_an_outage_brings_the_deadline_no_nearer():
    down = missed(WATCH, DOWN)
    back = after_look(down.watch, RUNNING, NOW - 86_400_000, 0)
    assert back.watch.deadline == WATCH.deadline
    assert back.watch.failure is None


def test_a_web_page_instead_of_data_is_an_outage_while_something_is_looked_at():
    page = UnreadableAnswer("It answered with a web page.")
    seen = missed(WATCH, page)
    assert (seen.watch.failure, seen.watch.outage_since) == (None, NOW)
    too_long = replace(WATCH, outage_since=NOW - MAX_OUTAGE_MS - 1)
    assert missed(too_long, page).watch.failure == Failure(page.code, page.message)


def test_an_outage_without_end_and_a_refusal_are_ends():
    down = replace(WATCH, outage_since=NOW - MAX_OUTAGE_MS)
    assert missed(down, DOWN).watch.failure is None
    for watch, error in (
        (replace(down, outage_since=NOW - MAX_OUTAGE_MS - 1), DOWN),
        (WATCH, ProviderRefused("No.")),
    ):
        seen = missed(watch, error)
        assert seen.watch.failure == Failure(error.code, error.message)
        assert (seen.look_at, seen.is_news) == (None, True)


@pytest.mark.parametrize(("seconds", "pause"), [(None, 2_000), (1, 2_000), (90.5, 90_500)])
def test_a_busy_platform_says_when(seconds: float | None, pause: int):
    busy = ProviderBusy("Busy.", retry_after_seconds=seconds)
    assert missed(WATCH, busy).look_at == NOW + pause
    assert missed(FALLBACK, busy).look_at == (NOW + pause if pause < 60_000 else None)


def test_a_busy_platform_is_asked_less_often_until_the_time_of_the_node_is_over():
    busy = ProviderBusy("Busy.")
    watch = replace(WATCH, deadline=NOW + 2 * MAX_OUTAGE_MS, remote_id="7")
    seen = missed(watch, busy)
    assert (seen.says, seen.level, seen.is_news) == ("Polling goes on, less often: Busy.", "warning", True)
    now, pauses = NOW, []
    while seen.look_at is not None:
        assert Watch.from_json(seen.watch.as_json()).is_busy
        pauses.append(seen.look_at - now)
        now = seen.look_at
        seen = missed(seen.watch, busy, now)
        assert (seen.says, seen.watch.outage_since) == ("", None)
    assert now == NOW + 2 * MAX_OUTAGE_MS
    assert pauses[:-1] == sorted(pauses[:-1])
    assert max(pauses) == 30_000
    assert seen.watch.failure == Failure(
        "poll_timeout",
        f"After {len(pauses) + 1} looks there was no result. Busy.",
        "Allow a longer polling timeout, or look at the workflow on its platform.",
        {"executionId": "7"},
    )


def test_a_busy_platform_is_back_from_an_outage():
    down = missed(WATCH, DOWN)
    seen = missed(down.watch, ProviderBusy("Busy."), NOW + 600_000)
    assert (seen.watch.deadline, seen.watch.outage_since) == (WATCH.deadline + 600_000, None)
    assert not after_look(seen.watch, RUNNING, NOW + 601_000, 0).watch.is_busy


def test_what_was_kept_by_an_older_release_is_read():
    kept = WATCH.as_json()
    del kept["isBusy"]
    assert not Watch.from_json(kept).is_busy


def test_a_callback_stays_awaited_whatever_looks_see():
    assert after_look(FALLBACK, RUNNING, NOW + 60_000, 0) == after_look(FALLBACK, RUNNING, NOW + 60_000, 0)
    assert after_look(FALLBACK, RUNNING, NOW + 60_000, 0).look_at is None
    assert after_look(FALLBACK, RUNNING, NOW + 60_000, 0).watch.failure is None
    down = missed(replace(FALLBACK, outage_since=NOW - 2 * MAX_OUTAGE_MS), DOWN)
    assert (down.look_at, down.watch.failure, down.is_news) == (NOW + 2_000, None, False)
    assert missed(FALLBACK, DOWN, NOW + 59_000).look_at is None
    refused = missed(FALLBACK, ProviderRefused("No."))
    assert (refused.look_at, refused.watch.failure, refused.level) == (None, None, "warning")
    assert refused.says == "It is not looked at any more, only the callback is awaited: No."
