"""Starting Zaps at their Catch Hooks: what is sent, what the reply means, and that the address stays secret."""

from typing import Any

import pytest

from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.errors import (
    AddressNotAllowed,
    NotSupported,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.zapier import ZapierProvider
from orchestrator_app.providers.zapier_hook import checked_address, without_address
from tests.fakes.connections import CORRELATION, remote_call, zapier_connection
from tests.fakes.server import FakeServer
from tests.fakes.zapier import FakeZapier
from tests.fakes.zapier_zap import FakeZap

CALLBACK = {
    "completion": "callback",
    "callback_url": "https://orch.example/cb?token=t0k",
    "callback_token": "t0k",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.fixture
def provider(http_client: HttpClient) -> ZapierProvider:
    return ZapierProvider(http_client)


@pytest.fixture
def zapier(fake_server: FakeServer) -> FakeZapier:
    return fake_server.zapier


@pytest.fixture
def zap(zapier: FakeZapier) -> FakeZap:
    return zapier.add_zap("Leads")


async def executed(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap, **settings: Any
) -> RemoteAnswer:
    connection = zapier_connection(zapier, mode="hook", accessToken="", hookUrl=zap.hook_url)
    return await provider.execute(connection, remote_call("zapier", **settings))


# --- the reply says only that the call was taken ---


async def test_a_call_that_a_callback_is_to_end_goes_on(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap
):
    answer = await executed(provider, zapier, zap, **CALLBACK)
    assert (answer.state, answer.status_code, answer.remote_id) == ("running", 200, "")
    assert isinstance(answer.output, dict)
    assert answer.output["status"] == "success"
    assert answer.output["attempt"] == answer.output["id"] == answer.output["request_id"]
    assert answer.link == "https://zapier.com/app/history"


async def test_a_call_without_a_wait_is_over_with_the_reply_and_says_what_that_means(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap
):
    answer = await executed(provider, zapier, zap)
    assert answer.state == "completed"
    assert "does not say whether the Zap ran" in answer.message


async def test_zapier_takes_calls_also_where_no_zap_listens(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap
):
    zap.is_enabled = False
    assert (await executed(provider, zapier, zap, **CALLBACK)).state == "running"
    assert zapier.runs == []


async def test_a_silent_hook_answers_with_nothing(provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap):
    answer = await executed(provider, zapier, zap, url=f"{zap.hook_url}silent", **CALLBACK)
    assert (answer.state, answer.output) == ("running", None)
    assert len(zapier.runs) == 1


async def test_a_reply_that_says_no_is_a_failure(provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap):
    zapier.hook_status = "error"
    answer = await executed(provider, zapier, zap, **CALLBACK)
    assert (answer.state, answer.message) == ("failed", "Zapier did not take the call: it answers “error”.")


# --- what is sent ---


async def test_a_zap_gets_flat_fields_to_map_where_a_callback_is_awaited(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap
):
    body = {"a": 1, "callbackUrl": CALLBACK["callback_url"], "correlationToken": "t0k"}
    await executed(provider, zapier, zap, body=body, **CALLBACK)
    assert zapier.runs[0].data_in == body | {
        "callback_url": "https://orch.example/cb?token=t0k",
        "correlation_token": "t0k",
        "correlation_id": CORRELATION,
    }


async def test_a_zap_gets_the_id_that_its_history_is_searched_for(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap
):
    connection = zapier_connection(zapier, hookUrl=zap.hook_url)
    await provider.execute(connection, remote_call("zapier", completion="poll"))
    marks = {"correlation_token": CORRELATION, "correlation_id": CORRELATION}
    assert zapier.runs[0].data_in == {"a": 1} | marks


async def test_a_zap_gets_only_the_users_data_where_nothing_is_awaited(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap
):
    await executed(provider, zapier, zap)
    assert zapier.runs[0].data_in == {"a": 1}


@pytest.mark.parametrize(
    ("body", "expected"),
    [([1, {"b": 2}], {"data": [1, {"b": 2}]}), ("text", {"data": "text"}), (0, {"data": 0}), (None, {})],
)
async def test_a_body_is_always_one_object_for_a_list_would_start_the_zap_many_times(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap, body: Any, expected: Any
):
    await executed(provider, zapier, zap, body=body)
    assert [run.data_in for run in zapier.runs] == [expected]


async def test_a_form_stays_a_form(provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap):
    text = {"body": None, "text_body": "email=ada%40x.example&source=form", "headers": FORM}
    await executed(provider, zapier, zap, **text)
    await executed(provider, zapier, zap, **text, **CALLBACK)
    plain, awaited = (run.data_in for run in zapier.runs)
    assert plain == {"email": "ada@x.example", "source": "form"}
    assert awaited == plain | {
        "callback_url": "https://orch.example/cb?token=t0k",
        "correlation_token": "t0k",
        "correlation_id": CORRELATION,
    }


async def test_a_raw_text_is_found_by_its_query(provider: ZapierProvider, zapier: FakeZapier):
    zap = zapier.add_zap("Raw", is_raw=True)
    connection = zapier_connection(zapier, hookUrl=zap.hook_url)
    text = {"body": None, "text_body": "<a/>", "headers": {"Content-Type": "application/xml"}}
    await provider.execute(connection, remote_call("zapier", completion="poll", **text))
    (run,) = zapier.runs
    assert run.data_in["raw_body"] == "<a/>"
    assert run.data_in["headers"]["content-type"] == "application/xml"
    assert run.data_in["querystring"] == {"correlation_id": CORRELATION}


async def test_a_get_sends_its_fields_in_the_query(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap, fake_server: FakeServer
):
    body = {"name": "Ada & Co", "n": 1, "more": {"b": [True, None]}}
    await executed(provider, zapier, zap, method="get", url=f"{zap.hook_url}?x=1", body=body)
    (call,) = fake_server.journal
    assert (call.method, call.body) == ("GET", b"")
    assert call.query == {"x": "1", "name": "Ada & Co", "n": "1", "more": '{"b": [true, null]}'}


async def test_put_is_taken_and_other_methods_are_refused_before_any_call(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap, fake_server: FakeServer
):
    await executed(provider, zapier, zap, method="PUT")
    assert [call.method for call in fake_server.journal] == ["PUT"]
    with pytest.raises(ProviderRefused, match="does not take DELETE"):
        await executed(provider, zapier, zap, method="DELETE")
    assert len(fake_server.journal) == 1


# --- where it is sent ---


async def test_the_address_of_the_node_comes_before_that_of_the_connection(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap
):
    other = zapier.add_zap("Other")
    await executed(provider, zapier, zap, url=other.hook_url)
    assert [run.zap for run in zapier.runs] == [other]


async def test_without_an_address_it_says_where_to_find_it(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap, fake_server: FakeServer
):
    for connection in (zapier_connection(zapier), None):
        with pytest.raises(ProviderRefused, match="is not known") as caught:
            await provider.execute(connection, remote_call("zapier", workflow_id=zap.id))
        assert "trigger" in caught.value.hint
    assert fake_server.journal == []


@pytest.mark.parametrize("with_connection", [True, False])
@pytest.mark.parametrize("path", ["/echo/hooks", "/zapier/hooks/catch/", "/zapier/api/v1/zaps/12345"])
async def test_other_addresses_are_refused_before_any_call(
    provider: ZapierProvider,
    fake_server: FakeServer,
    path: str,
    with_connection: bool,  # noqa: FBT001
):
    connection = zapier_connection(fake_server.zapier) if with_connection else None
    with pytest.raises(AddressNotAllowed) as caught:
        await provider.execute(connection, remote_call("zapier", url=fake_server.url + path))
    assert "hooks.zapier.com" in caught.value.message
    assert "Any web address" in caught.value.hint
    assert fake_server.journal == []


async def test_without_a_connection_only_zapiers_own_address_is_called(
    provider: ZapierProvider, zap: FakeZap, fake_server: FakeServer
):
    with pytest.raises(AddressNotAllowed):
        await provider.execute(None, remote_call("zapier", url=zap.hook_url))
    assert fake_server.journal == []


def test_zapiers_own_address_is_called_as_it_is_without_its_fragment():
    assert checked_address(" https://hooks.zapier.com/hooks/catch/1/t0ken/?a=1#x ") == (
        "https://hooks.zapier.com/hooks/catch/1/t0ken/?a=1"
    )


@pytest.mark.parametrize("mode", ["hook", "none"])
async def test_polling_without_a_token_is_refused_with_the_reason_before_any_call(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap, fake_server: FakeServer, mode: str
):
    connection = zapier_connection(zapier, mode="hook", hookUrl=zap.hook_url) if mode == "hook" else None
    call = remote_call("zapier", completion="poll", url=zap.hook_url)
    with pytest.raises(NotSupported, match="access token") as caught:
        await provider.execute(connection, call)
    assert "callback" in caught.value.hint
    with pytest.raises(NotSupported, match="access token"):
        await provider.poll(connection, call, {})
    assert fake_server.journal == []


# --- what goes wrong ---


async def test_a_busy_hook_says_when_to_try_again(provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap):
    zapier.refuse(429, hooks=True)
    with pytest.raises(ProviderBusy) as caught:
        await executed(provider, zapier, zap)
    assert caught.value.retry_after_seconds == 60
    assert zapier.runs == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, ProviderRefused), (410, ProviderRefused), (401, ProviderRefused), (413, ProviderRefused),
     (500, ProviderUnavailable), (301, ProviderRefused)],
)  # fmt: skip
async def test_each_refusal_of_a_hook_is_told_without_the_address(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap, status: int, expected: type[ProviderError]
):
    zapier.refuse(status, hooks=True)
    with pytest.raises(expected) as caught:
        await executed(provider, zapier, zap)
    error = caught.value
    assert error.hint
    assert (error.provider, error.operation, error.remote_status) == ("zapier", "execute", status)
    assert zap.path not in f"{error} {error.hint} {error.context}"


async def test_a_web_page_and_a_cut_connection_are_told_without_the_address(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap
):
    zapier.is_there = False
    with pytest.raises(UnreadableAnswer) as page:
        await executed(provider, zapier, zap)
    assert zap.path not in f"{page.value} {page.value.hint} {page.value.context}"
    zapier.is_there = True
    zapier.drop(hooks=True)
    with pytest.raises(OutcomeUnknown) as cut:
        await executed(provider, zapier, zap)
    assert zap.path not in f"{cut.value} {cut.value.hint} {cut.value.context}"


async def test_the_address_is_in_nothing_that_is_kept(
    provider: ZapierProvider, zapier: FakeZapier, zap: FakeZap
):
    for settings in (CALLBACK, {}):
        answer = await executed(provider, zapier, zap, **settings)
        assert zap.path not in str(answer)
        assert zap.path.partition("/")[2] not in str(answer)


def test_an_answer_that_repeats_the_address_is_told_without_it():
    address = "https://hooks.zapier.com/hooks/catch/1234567/abc12de/silent"
    echo = HttpAnswer(
        404, {"location": address, "x-hook": "abc12de"}, f"{address} abc12de 12345".encode(), address
    )
    clean = without_address(echo, address)
    assert clean.text() == "*** *** 12345"
    assert clean.headers == {"location": "***", "x-hook": "***"}
