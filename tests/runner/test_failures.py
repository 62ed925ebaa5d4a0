import datetime as dt

import pytest

from orchestrator_app.errors import (
    ExpressionError,
    NodeFailed,
    OrchestratorError,
    OutcomeUnknown,
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
    Unavailable,
)
from orchestrator_app.runner.failures import (
    MAX_RETRY_DELAY_SECONDS,
    failure_of,
    may_retry,
    retry_delay_seconds,
    unexpected,
)

DOWN = ProviderUnavailable("Down.")


def test_a_failure_says_what_happened_where_and_what_to_do():
    error = ProviderRefused(
        "No such order.",
        hint="Check it.",
        provider="n8n",
        operation="execute",
        remote_status=404,
        context={"id": 7},
    )
    failure = failure_of(error)
    assert (failure.code, failure.message, failure.hint) == (
        "provider_refused",
        "No such order.",
        "Check it.",
    )
    assert failure.detail == {"provider": "n8n", "operation": "execute", "remoteStatus": 404, "id": 7}


def test_what_is_not_known_is_left_out():
    assert failure_of(ProviderRefused("No.")).detail == {}
    assert failure_of(ExpressionError("No.", context={"index": 0})).detail == {"index": 0}


def test_a_nodes_own_reason_is_the_code():
    assert failure_of(NodeFailed("Late.", code="poll_timeout")).code == "poll_timeout"


def test_facts_that_are_no_json_become_text():
    when = dt.datetime(2030, 1, 2, tzinfo=dt.UTC)
    assert failure_of(NodeFailed("No.", context={"when": when})).detail == {
        "when": "2030-01-02 00:00:00+00:00"
    }


def test_a_mistake_of_ours_shows_nothing_but_where_to_look():
    assert failure_of(unexpected("ab12")).hint == "The log of the server has the details under ab12."


@pytest.mark.parametrize(
    ("error", "if_idempotent", "otherwise"),
    [
        (DOWN, True, True),
        (ProviderBusy("Busy."), True, True),
        (Unavailable("Away."), True, True),
        (OutcomeUnknown("No answer."), True, False),
        (ProviderRefused("No."), False, False),
        (NodeFailed("No."), False, False),
        (ExpressionError("No."), False, False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: OrchestratorError, *, if_idempotent: bool, otherwise: bool):
    assert may_retry(error, is_idempotent=True) is if_idempotent
    assert may_retry(error, is_idempotent=False) is otherwise


@pytest.mark.parametrize("attempt", [1, 2, 3, 6, 10])
def test_pauses_are_drawn_between_nothing_and_a_bound_that_doubles(attempt: int):
    bound = min(2.0 * 2 ** (attempt - 1), MAX_RETRY_DELAY_SECONDS)
    drawn = [retry_delay_seconds(DOWN, attempt=attempt, base_seconds=2.0) for _ in range(300)]
    assert all(0 <= pause <= bound for pause in drawn)
    assert min(drawn) < bound * 0.2
    assert max(drawn) > bound * 0.8


def test_a_base_longer_than_the_usual_bound_is_kept():
    drawn = [
        retry_delay_seconds(DOWN, attempt=attempt, base_seconds=3_600.0)
        for attempt in (1, 5)
        for _ in range(200)
    ]
    assert 3_000 < max(drawn) <= 3_600


def test_what_the_platform_asks_for_wins():
    assert (
        retry_delay_seconds(ProviderBusy("Busy.", retry_after_seconds=7.5), attempt=3, base_seconds=1.0)
        == 7.5
    )
    assert (
        retry_delay_seconds(ProviderBusy("Busy.", retry_after_seconds=0.0), attempt=3, base_seconds=1.0) == 0
    )
    assert retry_delay_seconds(ProviderBusy("Busy."), attempt=1, base_seconds=1.0) <= 1
