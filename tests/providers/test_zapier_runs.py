"""Following Zaps in the history of runs: searched for by our id, as no reply of a Catch Hook names the run."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator_app.domain.remote import RemoteCall, RemoteLook
from orchestrator_app.errors import CredentialRefused, ProviderBusy, ProviderUnavailable, UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.zapier import ZapierProvider
from orchestrator_app.providers.zapier_runs import Memo, look_at
from tests.fakes.connections import CORRELATION, remote_call, zapier_connection
from tests.fakes.server import FakeServer
from tests.fakes.zapier import FakeZapier
from tests.fakes.zapier_zap import FakeZap

RUNS = "/zapier/api/v2/zap-runs"
ZAPS = "/zapier/api/v2/zaps"


@pytest.fixture
def provider(http_client: HttpClient) -> ZapierProvider:
    return ZapierProvider(http_client)


@pytest.fixture
def zapier(fake_server: FakeServer) -> FakeZapier:
    return fake_server.zapier


def now() -> int:
    return round(time.time() * 1000)


def polled(zap: FakeZap, **settings: Any) -> RemoteCall:
    defaults = {"completion": "poll", "workflow_id": zap.id, "started_at": now()}
    return remote_call("zapier", **defaults | settings)


async def started(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap, **settings: Any
) -> tuple[Connection, RemoteCall, dict[str, Any]]:
    """A call that is under way, and what polling remembers of it."""
    connection, call = zapier_connection(zapier, hookUrl=zap.hook_url), polled(zap, **settings)
    answer = await provider.execute(connection, call)
    assert answer.state == "running"
    return connection, call, answer.memo


async def looked(provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap) -> RemoteLook:
    return await provider.poll(*await started(provider, zapier, zap))


async def test_a_run_appears_with_delay_and_is_found_by_our_id(provider: ZapierProvider, zapier: FakeZapier):
    """Polling Zapier was “not supported” in the original."""
    zap = zapier.add_zap("Leads", looks_until_listed=2)
    connection, call, memo = await started(provider, zapier, zap)
    looks = []
    for _ in range(3):
        look = await provider.poll(connection, call, memo)
        looks.append(look)
        memo = look.memo
    assert [look.state for look in looks] == ["running", "running", "completed"]
    assert "does not list a run of this call yet" in looks[0].message
    last = looks[-1]
    assert (last.output, last.remote_id, last.is_certain) == ({"row": 7, "of": 1}, zapier.runs[0].id, True)
    assert last.link == f"https://zapier.com/app/history/{zapier.runs[0].id}"


async def test_the_search_names_our_id_the_number_of_the_zap_and_the_time(
    provider: ZapierProvider, zapier: FakeZapier, fake_server: FakeServer
):
    """The id of a Zap and the number by which its runs are listed are different things."""
    zap = zapier.add_zap("Leads", looks_until_listed=0)
    connection, call, memo = await started(provider, zapier, zap)
    await provider.poll(connection, call, memo)
    (search,) = fake_server.calls(RUNS)
    assert search.query["search"] == CORRELATION
    assert search.query["zap_id"] == "12345"
    since = datetime.fromisoformat(search.query["from_date"])
    assert timedelta(seconds=50) < datetime.now(UTC) - since < timedelta(seconds=70)
    assert zap.id != "12345"


async def test_the_number_of_a_zap_is_asked_for_once(
    provider: ZapierProvider, zapier: FakeZapier, fake_server: FakeServer
):
    zap = zapier.add_zap("Leads", looks_until_listed=5)
    connection, call, memo = await started(provider, zapier, zap)
    for _ in range(3):
        memo = (await provider.poll(connection, call, memo)).memo
    assert len(fake_server.calls(ZAPS)) == 1
    other = await provider.execute(connection, polled(zap))
    assert other.link == "https://zapier.com/app/history?root_id=12345"


@pytest.mark.parametrize("workflow_id", ["", "hook", "unknown-zap"])
async def test_a_call_without_a_known_zap_is_searched_for_in_all_of_them(
    provider: ZapierProvider, zapier: FakeZapier, fake_server: FakeServer, workflow_id: str
):
    zap = zapier.add_zap("Leads", looks_until_listed=1)
    connection, call, memo = await started(provider, zapier, zap, workflow_id=workflow_id)
    first = await provider.poll(connection, call, memo)
    second = await provider.poll(connection, call, first.memo)
    assert (second.state, second.is_certain) == ("completed", True)
    assert all("zap_id" not in search.query for search in fake_server.calls(RUNS))
    assert len(fake_server.calls(ZAPS)) <= 1


async def test_a_token_that_may_not_list_zaps_can_still_be_polled_with(
    provider: ZapierProvider, zapier: FakeZapier
):
    zap = zapier.add_zap("Leads", looks_until_listed=0)
    _, call, memo = await started(provider, zapier, zap)
    zapier.add_token("runs-only", "zap:runs")
    look = await provider.poll(zapier_connection(zapier, accessToken="runs-only"), call, memo)
    assert (look.state, look.is_certain) == ("completed", True)


async def test_an_address_of_another_zap_is_noticed(provider: ZapierProvider, zapier: FakeZapier):
    named, ran = zapier.add_zap("Named"), zapier.add_zap("Ran", looks_until_listed=0)
    connection, call, memo = await started(provider, zapier, ran, workflow_id=named.id)
    looks = []
    for _ in range(4):
        looks.append(await provider.poll(connection, call, memo))
        memo = looks[-1].memo
    assert [look.state for look in looks] == ["running", "running", "running", "completed"]
    assert not looks[-1].is_certain
    assert "started another Zap than the one of the node: “Ran”" in looks[-1].message


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("scheduled", "schedule"),
        ("pending", "under way"),
        ("delayed", "Delay step"),
        ("throttled", "later"),
        ("held", "until somebody resumes it"),
        ("something_new", "“something_new”"),
    ],
)
async def test_a_run_that_goes_on_says_what_it_waits_for(
    provider: ZapierProvider, zapier: FakeZapier, status: str, words: str
):
    zap = zapier.add_zap("Leads", status=status, looks_until_listed=0)
    connection, call, memo = await started(provider, zapier, zap)
    look = await provider.poll(connection, call, memo)
    assert (look.state, look.output) == ("running", None)
    assert words in look.message
    zapier.runs[0].status = "success"
    assert (await provider.poll(connection, call, look.memo)).state == "completed"


@pytest.mark.parametrize(
    ("status", "words"),
    [("filtered", "filter"), ("halted", "without an error"), ("skipped", "skipped"), ("error_handled", "error handler")],
)  # fmt: skip
async def test_a_run_that_was_stopped_on_purpose_is_completed_with_a_note(
    provider: ZapierProvider, zapier: FakeZapier, status: str, words: str
):
    look = await looked(provider, zapier, zapier.add_zap("Leads", status=status, looks_until_listed=0))
    assert look.state == "completed"
    assert words in look.message


@pytest.mark.parametrize("tells_why", [True, False])
async def test_a_failed_run_names_the_step(
    provider: ZapierProvider,
    zapier: FakeZapier,
    tells_why: bool,  # noqa: FBT001
):
    zap = zapier.add_zap("Leads", fails="The sheet is full", tells_why=tells_why, looks_until_listed=0)
    look = await looked(provider, zapier, zap)
    assert (look.state, look.output) == ("failed", None)
    reason = "step 2: The sheet is full" if tells_why else "step 2. Zapier does not say why"
    assert look.message.startswith(reason)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"steps": None, "error": "Broken"}, "Broken"),
        ({"steps": ["uag:1"], "errors": [{"detail": "Gone"}]}, "Gone"),
        ({"steps": [{"status": "failed", "message": "No"}]}, "step 1: No"),
        ({}, "Zapier does not say why here: open the run in the Zap history."),
    ],
)
def test_a_reason_is_looked_for_wherever_it_may_stand(run: dict[str, Any], message: str):
    row = {"id": "r", "status": "error", "data_in": {"x": CORRELATION}} | run
    assert look_at([row], CORRELATION, Memo()).message == message


def test_an_ended_run_in_a_state_that_nobody_knows_is_unknown():
    row: dict[str, Any] = {
        "id": "r",
        "status": "odd",
        "end_time": "2026-01-01T00:00:00Z",
        "data_in": [CORRELATION],
    }
    look = look_at([row], CORRELATION, Memo())
    assert (look.state, look.is_certain) == ("unknown", False)
    assert "“odd”" in look.message


# --- which run it is ---


async def test_of_several_runs_of_a_call_the_newest_counts_and_it_is_said(
    provider: ZapierProvider, zapier: FakeZapier
):
    zap = zapier.add_zap("Leads", looks_until_listed=0)
    connection, call, memo = await started(provider, zapier, zap)
    zap.output = lambda _: "second"
    await provider.execute(connection, call)
    zapier.runs[1].started_at += timedelta(seconds=1)
    zapier.runs.reverse()  # whatever the order of the list
    look = await provider.poll(connection, call, memo)
    assert (look.output, look.is_certain) == ("second", False)
    assert "2 runs have the id of this call" in look.message


async def test_a_run_of_a_longer_id_that_contains_ours_is_not_taken(
    provider: ZapierProvider, zapier: FakeZapier
):
    zap = zapier.add_zap("Leads", looks_until_listed=0)
    connection, call, memo = await started(provider, zapier, zap)
    await provider.execute(connection, replace(call, correlation_id=CORRELATION + "0", body={"a": 10}))
    assert (await provider.poll(connection, call, memo)).output == {"row": 7, "of": 1}
    del zapier.runs[0]
    assert (await provider.poll(connection, call, memo)).state == "running"


async def test_a_run_without_data_is_found_by_the_search_alone_and_it_is_said(
    provider: ZapierProvider, zapier: FakeZapier
):
    look = await looked(provider, zapier, zapier.add_zap("Leads", shows_data=False, looks_until_listed=0))
    assert (look.state, look.is_certain) == ("completed", False)
    assert "by Zapier's search alone" in look.message


async def test_raw_texts_and_forms_are_found_too(provider: ZapierProvider, zapier: FakeZapier):
    raw = zapier.add_zap("Raw", is_raw=True, looks_until_listed=0)
    form = zapier.add_zap("Form", looks_until_listed=0)
    for zap, content_type in ((raw, "text/csv"), (form, "application/x-www-form-urlencoded")):
        text = {"body": None, "text_body": "a=1", "headers": {"Content-Type": content_type}}
        connection, call, memo = await started(provider, zapier, zap, **text)
        look = await provider.poll(connection, call, memo)
        assert (look.state, look.is_certain) == ("completed", True)


# --- what polling remembers ---


async def test_a_call_that_was_cut_is_found_without_a_memo(provider: ZapierProvider, zapier: FakeZapier):
    zap = zapier.add_zap("Leads", looks_until_listed=0)
    connection, call, _ = await started(provider, zapier, zap)
    assert (await provider.poll(connection, call, {})).state == "completed"


async def test_runs_of_long_ago_are_not_taken(provider: ZapierProvider, zapier: FakeZapier):
    zap = zapier.add_zap("Leads", looks_until_listed=0)
    connection, call, memo = await started(provider, zapier, zap)
    zapier.runs[0].started_at -= timedelta(hours=1)
    assert (await provider.poll(connection, call, memo)).state == "running"


async def test_the_memo_is_small_and_holds_no_address(provider: ZapierProvider, zapier: FakeZapier):
    zap = zapier.add_zap("Leads")
    connection, call, memo = await started(provider, zapier, zap)
    look = await provider.poll(connection, call, memo)
    for kept in (memo, look.memo):
        assert set(kept) == {"since", "zap", "misses"}
        assert "hooks" not in str(kept)
    assert (look.memo["zap"], look.memo["misses"]) == ("12345", 1)


def test_the_time_is_zapiers_where_its_answer_shows_it():
    call = remote_call("zapier", started_at=1_000_000)
    assert Memo.read({}, call).since == 940_000
    assert Memo.read({}, remote_call("zapier")).since is None
    silent = HttpAnswer(200, {}, b"", "https://hooks.zapier.com")
    assert Memo.of_call(call, silent, 1.0).since == 940_000
    dated = replace(silent, headers={"date": "Thu, 01 Jan 1970 01:00:00 GMT"})
    assert Memo.of_call(call, dated, 1.5).since == 3_600_000 - 1_500 - 60_000
    assert Memo.read({"since": 7, "zap": "", "misses": 2}, call) == Memo(7, "", 2)


# --- what goes wrong ---


async def test_each_failure_of_a_look_is_told_apart(provider: ZapierProvider, zapier: FakeZapier):
    zap = zapier.add_zap("Leads")
    connection, call, memo = await started(provider, zapier, zap)
    zapier.refuse(429)
    with pytest.raises(ProviderBusy) as busy:
        await provider.poll(connection, call, memo)
    assert busy.value.retry_after_seconds == 60
    zapier.refuse(503)
    with pytest.raises(ProviderUnavailable):
        await provider.poll(connection, call, memo)
    zapier.is_there = False
    with pytest.raises(UnreadableAnswer):
        await provider.poll(connection, call, memo)
    zapier.is_there = True
    zapier.scopes.clear()
    for workflow_id in (zap.id, ""):
        with pytest.raises(CredentialRefused, match="does not accept the access token"):
            await provider.poll(connection, replace(call, workflow_id=workflow_id), memo)


async def test_a_token_that_may_not_read_the_history_does_not_end_the_wait_for_a_callback(
    provider: ZapierProvider, zapier: FakeZapier
):
    zap = zapier.add_zap("Leads", looks_until_listed=0)
    _, call, memo = await started(provider, zapier, zap)
    zapier.add_token("zaps-only", "zap")
    connection = zapier_connection(zapier, accessToken="zaps-only")
    with pytest.raises(CredentialRefused) as caught:
        await provider.poll(connection, call, memo)
    assert "zap:runs" in caught.value.hint
    waiting = replace(call, completion="callback")
    look = await provider.poll(connection, waiting, memo)
    assert (look.state, look.is_certain) == ("running", False)
    assert "may not do this" in look.message
    zapier.scopes.clear()
    with pytest.raises(CredentialRefused):
        await provider.poll(connection, waiting, memo)


async def test_a_call_that_a_callback_is_to_end_is_found_in_the_history_too(
    provider: ZapierProvider, zapier: FakeZapier
):
    zap = zapier.add_zap("Leads", looks_until_listed=0)
    callback = {
        "completion": "callback",
        "callback_url": "https://o.example/cb?token=t0k",
        "callback_token": "t0k",
    }
    connection, call, memo = await started(provider, zapier, zap, **callback)
    look = await provider.poll(connection, replace(call, callback_url="", callback_token=""), memo)
    assert (look.state, look.is_certain) == ("completed", True)


async def test_what_a_zap_calls_back_with_is_the_result_as_it_is(
    provider: ZapierProvider, zapier: FakeZapier, fake_server: FakeServer
):
    zap = zapier.add_zap("Leads", calls_back=True)
    url = f"{fake_server.url}/echo/cb?token=t0k"
    connection, call, memo = await started(
        provider, zapier, zap, completion="callback", callback_url=url, callback_token="t0k"
    )
    (received,) = await fake_server.arrived("/echo/cb", method="POST")
    body = {"token": "t0k", "status": "success", "result": {"row": 7, "of": 1}}
    assert received.json == body
    look = await provider.called_back(connection, call, memo, received.json)
    assert (look.state, look.output) == ("completed", body)
