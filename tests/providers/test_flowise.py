"""The Flowise provider against the fake, which answers as recorded."""

import uuid
from typing import Any

import pytest

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
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.flowise import FlowiseProvider
from tests.fakes.connections import flowise_connection, remote_call
from tests.fakes.flowise import FakeFlowise
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> FlowiseProvider:
    return FlowiseProvider(http_client)


@pytest.fixture
def flowise(fake_server: FakeServer) -> FakeFlowise:
    return fake_server.flowise


def question(flow_id: str, text: Any = "hello", **settings: Any):
    return remote_call("flowise", workflow_id=flow_id, body={"question": text}, **settings)


async def test_a_flow_is_asked_and_its_whole_answer_is_the_result(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow("Support")
    answer = await provider.execute(flowise_connection(flowise), question(flow.id))
    assert answer.state == "completed"
    assert isinstance(answer.output, dict)
    assert answer.output["text"] == "You said: hello"
    assert answer.remote_id == answer.output["executionId"]
    (call,) = fake_server.journal
    assert call.path == f"/flowise/api/v1/prediction/{flow.id}"
    assert call.headers["authorization"] == f"Bearer {flowise.key}"
    assert call.headers["x-correlation-id"] == "0192-run:node-1"
    assert uuid.UUID(call.json["chatId"])


async def test_the_chat_id_is_the_same_for_the_same_call_only(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow()
    for correlation in ("a", "a", "b"):
        await provider.execute(None, question(flow.id, url=flowise.base, correlation_id=correlation))
    first, again, other = [call.json["chatId"] for call in fake_server.journal]
    assert first == again != other


async def test_a_classic_chatflow_has_no_execution(flowise: FakeFlowise, provider: FlowiseProvider):
    flow = flowise.add_flow(is_agentflow=False)
    assert (await provider.execute(flowise_connection(flowise), question(flow.id))).remote_id == ""


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"question": "q", "chatId": "mine"}, {"question": "q", "chatId": "mine"}),
        ({"form": {"name": "Ann"}}, {"form": {"name": "Ann"}}),
        ("plain", {"question": "plain"}),
        ({"a": 1}, {"question": '{"a":1}'}),
    ],
)
async def test_anything_can_be_asked(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider, body: Any, asked: dict[str, Any]
):
    flow = flowise.add_flow()
    await provider.execute(None, remote_call("flowise", workflow_id=flow.id, url=flowise.base, body=body))
    assert asked.items() <= fake_server.journal[0].json.items()


@pytest.mark.parametrize("form", ["{base}", "{base}/", "{base}/api/v1", "{base}/api/v1/prediction/{flow}"])
async def test_an_address_may_be_that_of_the_server_or_of_the_flow(
    flowise: FakeFlowise, provider: FlowiseProvider, form: str
):
    flow = flowise.add_flow()
    url = form.format(base=flowise.base, flow=flow.id)
    assert (await provider.execute(None, question(flow.id, url=url))).state == "completed"


async def test_a_failed_flow_gives_its_own_reason(flowise: FakeFlowise, provider: FlowiseProvider):
    flow = flowise.add_flow(fails="NodeVM Execution Error: boom")
    answer = await provider.execute(flowise_connection(flowise), question(flow.id))
    assert (answer.state, answer.message, answer.status_code) == (
        "failed",
        "NodeVM Execution Error: boom",
        500,
    )


async def test_a_flow_that_asks_a_person_has_stopped(flowise: FakeFlowise, provider: FlowiseProvider):
    flow = flowise.add_flow(asks_person=True)
    answer = await provider.execute(flowise_connection(flowise), question(flow.id))
    assert answer.state == "failed"
    assert (
        answer.message
        == "the flow stopped at “Human Input” and waits for a person, who must answer in Flowise."
    )


@pytest.mark.parametrize("key", ["", "another"])
async def test_a_flow_with_a_key_of_its_own_asks_for_that_one(
    flowise: FakeFlowise, provider: FlowiseProvider, key: str
):
    flow = flowise.add_flow(key="of-the-flow")
    with pytest.raises(CredentialRefused, match="did not get the right one"):
        await provider.execute(flowise_connection(flowise, apiKey=key), question(flow.id))
    good = flowise_connection(flowise, apiKey="of-the-flow")
    assert (await provider.execute(good, question(flow.id))).state == "completed"


@pytest.mark.parametrize(
    ("flow_id", "reason"),
    [("abc", "Invalid Chatflow ID"), (str(uuid.UUID(int=5)), "not found in the database!")],
)
async def test_an_unknown_flow_is_said_to_be_unknown(
    flowise: FakeFlowise, provider: FlowiseProvider, flow_id: str, reason: str
):
    with pytest.raises(ProviderRefused, match=reason) as caught:
        await provider.execute(flowise_connection(flowise), question(flow_id))
    assert "long id" in caught.value.hint


async def test_the_rate_limit_of_a_flow_is_honoured(flowise: FakeFlowise, provider: FlowiseProvider):
    flow = flowise.add_flow()
    flowise.rate_limited_times = 1
    with pytest.raises(ProviderBusy) as caught:
        await provider.execute(flowise_connection(flowise), question(flow.id))
    assert caught.value.retry_after_seconds == 7


async def test_a_key_never_leaves_for_another_address(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    call = question("f", url=fake_server.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(AddressNotAllowed) as caught:
        await provider.execute(flowise_connection(flowise), call)
    assert flowise.key not in str(caught.value)
    assert fake_server.journal == []


async def test_without_address_or_flow_nothing_is_sent(flowise: FakeFlowise, provider: FlowiseProvider):
    with pytest.raises(ProviderRefused, match="not known where Flowise is"):
        await provider.execute(None, question("f"))
    with pytest.raises(ProviderRefused, match="No flow is chosen"):
        await provider.execute(flowise_connection(flowise), question(""))


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/html", UnreadableAnswer),
        ("/text?text=[1]", UnreadableAnswer),
        ("/drop", OutcomeUnknown),
        ("/status/503", ProviderUnavailable),
        ("/status/401", CredentialRefused),
    ],
)
async def test_what_another_server_answers_is_told_as_such(
    fake_server: FakeServer, provider: FlowiseProvider, path: str, error: type[ProviderError]
):
    url = f"{fake_server.url}{path}{'&' if '?' in path else '?'}x=/api/v1/prediction/"
    with pytest.raises(error):
        await provider.execute(None, question("f", url=url + "f"))


# --- the connection test ---


async def test_a_good_connection_is_connected(flowise: FakeFlowise, provider: FlowiseProvider):
    check = await provider.test(flowise_connection(flowise))
    assert check.status == "connected"
    assert "accepts the API key" in check.detail


async def test_a_connection_without_a_key_reaches_open_flows(flowise: FakeFlowise, provider: FlowiseProvider):
    check = await provider.test(flowise_connection(flowise, apiKey=""))
    assert check.status == "connected"
    assert "open flows" in check.detail


async def test_a_bad_key_is_refused(flowise: FakeFlowise, provider: FlowiseProvider):
    check = await provider.test(flowise_connection(flowise, apiKey="wr0ng"))
    assert check.status == "refused"
    assert "wr0ng" not in check.detail


async def test_a_key_that_may_only_ask_is_good(flowise: FakeFlowise, provider: FlowiseProvider):
    flowise.add_key("few", may_list=False)
    check = await provider.test(flowise_connection(flowise, apiKey="few"))
    assert check.status == "connected"
    assert "may not list" in check.detail


async def test_another_server_is_not_taken_for_flowise(flowise: FakeFlowise, provider: FlowiseProvider):
    flowise.is_there = False
    assert (await provider.test(flowise_connection(flowise))).status == "unreachable"


async def test_nobody_at_the_address_is_unreachable(flowise: FakeFlowise, provider: FlowiseProvider):
    check = await provider.test(flowise_connection(flowise, baseUrl="http://127.0.0.1:1"))
    assert check.status == "unreachable"
