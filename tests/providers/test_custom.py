"""The custom provider against a real HTTP server."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import (
    AddressNotAllowed,
    CredentialRefused,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.custom import CustomProvider
from tests.fakes.connections import remote_call
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> CustomProvider:
    return CustomProvider(http_client)


def connection(origin: str) -> Connection:
    values = {"origin": origin, "headerName": "Authorization", "headerValue": "Bearer s3cret"}
    return Connection("c", "custom", "Our API", values)


async def test_a_2xx_answer_is_the_result(fake_server: FakeServer, provider: CustomProvider):
    answer = await provider.execute(None, remote_call("custom", url=fake_server.url + "/echo/a"))

    assert (answer.state, answer.output, answer.status_code) == ("completed", {"a": 1}, 200)
    assert answer.headers["content-type"] == "application/json"
    (call,) = fake_server.journal
    assert (call.method, call.json) == ("POST", {"a": 1})
    assert call.headers["x-correlation-id"] == "0192-run:node-1"
    assert call.headers["idempotency-key"] == "key-1"
    assert call.headers["traceparent"].startswith("00-")


async def test_with_a_callback_to_come_the_answer_is_only_the_beginning(
    fake_server: FakeServer, provider: CustomProvider
):
    call = remote_call("custom", url=fake_server.url + "/echo", completion="callback")
    answer = await provider.execute(None, call)
    assert (answer.state, answer.output) == ("running", {"a": 1})


def test_without_a_connection_there_is_nothing_to_test(provider: CustomProvider):
    assert provider.capabilities - provider.capabilities_of(None) == {Capability.TEST}
    assert provider.capabilities_of(connection("http://127.0.0.1:1")) == provider.capabilities


@pytest.mark.parametrize(
    ("path", "output"),
    [
        ("/empty", None),
        ("/status/204", None),
        ("/text?text=done", "done"),
        ("/status/201", {"message": "status 201"}),
    ],
)
async def test_nothing_and_text_are_results_too(
    fake_server: FakeServer, provider: CustomProvider, path: str, output: JsonValue
):
    answer = await provider.execute(None, remote_call("custom", url=fake_server.url + path))
    assert (answer.state, answer.output) == ("completed", output)


@pytest.mark.parametrize(
    ("path", "error", "sentence"),
    [
        ("/status/400?message=bad+thing", ProviderRefused, "bad thing"),
        ("/status/401", CredentialRefused, "401"),
        ("/status/403", CredentialRefused, "403"),
        ("/status/404", ProviderRefused, "404"),
        ("/status/429?retry_after=7", ProviderBusy, "429"),
        ("/status/500", ProviderUnavailable, "500"),
        ("/status/503", ProviderUnavailable, "503"),
        ("/redirect?to=/echo", ProviderRefused, "redirect"),
        ("/html", UnreadableAnswer, "web page"),
        ("/bad-json", UnreadableAnswer, "not JSON"),
        ("/binary", UnreadableAnswer, "image/png"),
        ("/drop", OutcomeUnknown, ""),
        ("/cut", OutcomeUnknown, ""),
        ("/garbage", UnreadableAnswer, "HTTP"),
        ("/slow?ms=60000", OutcomeUnknown, ""),
    ],
)
async def test_everything_else_is_a_clear_error(
    fake_server: FakeServer, provider: CustomProvider, path: str, error: type[ProviderError], sentence: str
):
    timeout = 0.1 if "slow" in path else 5.0
    with pytest.raises(error) as caught:
        await provider.execute(
            None, remote_call("custom", url=fake_server.url + path, timeout_seconds=timeout)
        )
    assert sentence in caught.value.message
    assert caught.value.provider == "custom"
    assert len(fake_server.journal) == 1


async def test_the_time_a_server_asks_for_is_handed_on(fake_server: FakeServer, provider: CustomProvider):
    with pytest.raises(ProviderBusy) as caught:
        await provider.execute(None, remote_call("custom", url=fake_server.url + "/status/429?retry_after=7"))
    assert caught.value.retry_after_seconds == 7


async def test_a_broken_connection_of_a_repeatable_call_may_be_retried(
    fake_server: FakeServer, provider: CustomProvider
):
    with pytest.raises(ProviderUnavailable):
        await provider.execute(None, remote_call("custom", url=fake_server.url + "/drop", is_idempotent=True))


async def test_a_secret_goes_along_to_its_own_address(fake_server: FakeServer, provider: CustomProvider):
    call = remote_call("custom", url=fake_server.url + "/echo", headers={"authorization": "Bearer mine"})
    await provider.execute(connection(fake_server.url), call)
    assert fake_server.journal[0].headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("origin", ["http://localhost:1", "https://api.example.com", "", "nonsense"])
async def test_a_secret_never_leaves_for_another_address(
    fake_server: FakeServer, provider: CustomProvider, origin: str
):
    with pytest.raises(AddressNotAllowed) as caught:
        await provider.execute(connection(origin), remote_call("custom", url=fake_server.url + "/echo"))
    assert "s3cret" not in str(caught.value)
    assert fake_server.journal == []


# --- polling ---


def started(fake_server: FakeServer, **settings: Any) -> RemoteCall:
    url = fake_server.url + "/job/a?looks=2"
    return remote_call("custom", url=url, completion="poll", **settings)


async def test_a_job_is_begun_and_its_status_address_read(fake_server: FakeServer, provider: CustomProvider):
    call = started(fake_server)
    answer = await provider.execute(None, call)
    assert (answer.state, answer.output) == ("running", {"status": "queued"})
    assert answer.headers["location"] == "/job/a?looks=2"
    assert answer.location == f"{fake_server.url}/job/a?looks=2"
    looking = replace(call, url="", body=None, status_url=answer.location)
    looks = [await provider.poll(None, looking, {"kept": 1}) for _ in range(2)]
    assert [look.output for look in looks] == [
        {"status": "running"},
        {"status": "done", "result": {"looks": 2}},
    ]
    # Only the node's condition can say what an end looks like.
    assert [(look.state, look.memo) for look in looks] == [("running", {"kept": 1})] * 2
    seen = fake_server.calls(method="GET")
    assert {call.headers["x-correlation-id"] for call in seen} == {"0192-run:node-1"}
    assert {call.body for call in seen} == {b""}


async def test_without_a_status_address_polling_says_that_one_is_needed(
    fake_server: FakeServer, provider: CustomProvider
):
    with pytest.raises(ProviderRefused, match="cannot be polled") as caught:
        await provider.poll(None, started(fake_server), {})
    assert "status address" in caught.value.hint
    assert fake_server.journal == []


async def test_while_a_callback_is_awaited_there_is_nothing_to_look_at(
    fake_server: FakeServer, provider: CustomProvider
):
    call = remote_call("custom", url=fake_server.url + "/echo", completion="callback")
    look = await provider.poll(None, call, {"kept": 1})
    assert (look.state, look.output, look.memo) == ("running", None, {"kept": 1})
    assert fake_server.journal == []


async def test_the_secret_goes_along_to_a_status_address_of_its_own_origin_only(
    fake_server: FakeServer, provider: CustomProvider
):
    ours = connection(fake_server.url)
    await provider.poll(ours, started(fake_server, status_url=fake_server.url + "/job/a"), {})
    assert fake_server.journal[0].headers["authorization"] == "Bearer s3cret"
    elsewhere = fake_server.url.replace("127.0.0.1", "localhost") + "/job/a"
    with pytest.raises(AddressNotAllowed) as caught:
        await provider.poll(ours, started(fake_server, status_url=elsewhere), {})
    assert "s3cret" not in str(caught.value)
    assert len(fake_server.journal) == 1


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/status/404", ProviderRefused),
        ("/status/401", CredentialRefused),
        ("/status/429?retry_after=7", ProviderBusy),
        ("/status/503", ProviderUnavailable),
        ("/drop", ProviderUnavailable),
        ("/html", UnreadableAnswer),
        ("/redirect?to=/echo", ProviderRefused),
    ],
)
async def test_trouble_with_the_status_address_is_told_by_kind(
    fake_server: FakeServer, provider: CustomProvider, path: str, error: type[ProviderError]
):
    with pytest.raises(error) as caught:
        await provider.poll(None, started(fake_server, status_url=fake_server.url + path), {})
    assert (caught.value.provider, caught.value.operation) == ("custom", "poll")
    if isinstance(caught.value, ProviderBusy):
        assert caught.value.retry_after_seconds == 7


async def test_without_an_address_there_is_nothing_to_call(provider: CustomProvider):
    with pytest.raises(ProviderRefused, match="no address"):
        await provider.execute(None, remote_call("custom"))


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/echo", "connected", "answers"),
        ("/status/405", "connected", "405"),
        ("/status/401", "refused", "refuses the header"),
        ("/status/403", "refused", "refuses the header"),
        ("/status/500", "unreachable", "error of its own"),
        ("/drop", "unreachable", ""),
    ],
)
async def test_a_connection_is_tested_by_asking_for_the_first_page(
    fake_server: FakeServer, provider: CustomProvider, path: str, status: str, sentence: str
):
    check = await provider.test(connection(fake_server.url + path))
    assert check.status == status
    assert sentence in check.detail
    assert "s3cret" not in check.detail
    assert fake_server.journal[0].headers["authorization"] == "Bearer s3cret"


async def test_an_address_where_nobody_listens_is_unreachable(provider: CustomProvider):
    check = await provider.test(connection("http://127.0.0.1:1"))
    assert check.status == "unreachable"


async def test_a_connection_without_a_header_sends_none(fake_server: FakeServer, provider: CustomProvider):
    bare = Connection("c", "custom", "Our API", {"origin": fake_server.url, "headerName": " "})
    await provider.execute(bare, remote_call("custom", url=fake_server.url + "/echo"))
    assert "authorization" not in fake_server.journal[0].headers
