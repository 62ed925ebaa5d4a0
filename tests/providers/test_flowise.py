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
from orchestrator_app.providers.base import Capability
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
        ({"a": 1, "streaming": False}, {"question": '{"a":1}', "streaming": False}),
        ({"question": "q", "overrideConfig": {"vars": {"a": 1}}}, {"overrideConfig": {"vars": {"a": 1}}}),
        (None, {"question": "null"}),
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


@pytest.mark.parametrize("key", ["", "another"])
async def test_a_flow_with_a_key_of_its_own_asks_for_that_one(
    flowise: FakeFlowise, provider: FlowiseProvider, key: str
):
    flow = flowise.add_flow(key="of-the-flow")
    for streaming in (False, True):
        call = remote_call("flowise", workflow_id=flow.id, body={"question": "hello", "streaming": streaming})
        with pytest.raises(CredentialRefused, match="did not get the right one"):
            await provider.execute(flowise_connection(flowise, apiKey=key), call)
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
        ("/status/403", CredentialRefused),
    ],
)
async def test_what_another_server_answers_is_told_as_such(
    fake_server: FakeServer, provider: FlowiseProvider, path: str, error: type[ProviderError]
):
    url = f"{fake_server.url}{path}{'&' if '?' in path else '?'}x=/api/v1/prediction/"
    with pytest.raises(error):
        await provider.execute(None, question("f", url=url + "f"))


async def test_a_chatflow_with_a_structured_output_gives_that(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(is_agentflow=False, json={"score": 3})
    answer = await provider.execute(flowise_connection(flowise), question(flow.id))
    assert isinstance(answer.output, dict)
    assert answer.output["json"] == {"score": 3}


async def test_a_form_is_filled_in(flowise: FakeFlowise, provider: FlowiseProvider):
    fields = [{"type": "string", "label": "Name", "name": "name"}]
    flow = flowise.add_flow(start="form", form=fields, text=lambda _: "Hello Ann")
    call = remote_call("flowise", workflow_id=flow.id, body={"form": {"name": "Ann"}})
    answer = await provider.execute(flowise_connection(flowise), call)
    assert isinstance(answer.output, dict)
    assert (answer.output["text"], answer.output["form"]) == ("Hello Ann", {"name": "Ann"})


async def test_an_older_release_that_says_not_found_with_500_is_understood(
    fake_server: FakeServer, provider: FlowiseProvider
):
    words = "Error: predictionsServices.buildChatflow - Chatflow 7 not found".replace(" ", "%20")
    url = f"{fake_server.url}/status/500?message={words}&x=/api/v1/prediction/7"
    with pytest.raises(ProviderRefused, match="Chatflow 7 not found"):
        await provider.execute(None, question("7", url=url))


def test_without_a_key_only_what_is_open_to_everybody_can_be_done(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    open_to_all = {Capability.EXECUTE, Capability.RESPONSE, Capability.CALLBACK, Capability.CANCEL}
    assert provider.capabilities_of(None) == open_to_all
    keyless = flowise_connection(flowise, apiKey="")
    assert provider.capabilities_of(keyless) == open_to_all | {Capability.TEST}


async def test_what_needs_a_key_says_so_before_any_call(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    keyless = flowise_connection(flowise, apiKey="")
    attempts = [
        lambda: provider.workflows(keyless),
        lambda: provider.preview(keyless, "f"),
        lambda: provider.poll(keyless, question("f"), {}),
        lambda: provider.poll(None, question("f"), {}),
        lambda: provider.execute(keyless, question("f", completion="poll")),
    ]
    for attempt in attempts:
        with pytest.raises(CredentialRefused, match="needs a connection to Flowise"):
            await attempt()
    assert fake_server.journal == []
