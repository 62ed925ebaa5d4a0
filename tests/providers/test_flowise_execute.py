"""Flowise: flows that stream, webhooks, questions to a person, and calls whose answer is lost."""

from typing import Any

import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    UnreadableAnswer,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.flowise import FlowiseProvider
from tests.fakes.connections import flowise_connection, remote_call
from tests.fakes.flowise import FakeFlowise
from tests.fakes.server import FakeServer
from tests.providers.raw_server import RawServer, answer

TOKEN = "cb_token-of-this-callback-and-no-other"


@pytest.fixture
def provider(http_client: HttpClient) -> FlowiseProvider:
    return FlowiseProvider(http_client)


@pytest.fixture
def flowise(fake_server: FakeServer) -> FakeFlowise:
    return fake_server.flowise


def ask(flow_id: str, **settings: Any):
    return remote_call("flowise", **{"workflow_id": flow_id, "body": {"question": "hello"}} | settings)


def stream(flow_id: str, **settings: Any):
    return ask(flow_id, body={"question": "hello", "streaming": True}, **settings)


# --- streams ---


async def test_a_stream_is_read_to_its_end_and_gives_the_same_as_an_answer_in_one_piece(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(text=lambda asked: f"{asked}\n\nÄ “{asked}” \u2028 and more")
    whole = await provider.execute(flowise_connection(flowise), ask(flow.id))
    streamed = await provider.execute(flowise_connection(flowise), stream(flow.id))
    assert streamed.state == "completed"
    assert isinstance(whole.output, dict)
    assert isinstance(streamed.output, dict)
    for name in ("text", "question", "chatId", "sessionId", "agentFlowExecutedData"):
        assert streamed.output[name] == whole.output[name]


async def test_a_flow_that_cannot_stream_answers_in_one_piece(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(streams=False)
    answer = await provider.execute(flowise_connection(flowise), stream(flow.id))
    assert isinstance(answer.output, dict)
    assert answer.output["text"] == "You said: hello"
    assert answer.remote_id


async def test_an_error_in_the_middle_of_a_stream_fails_with_its_reason(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(fails="No model.")
    answer = await provider.execute(flowise_connection(flowise), stream(flow.id))
    assert (answer.state, answer.message, answer.status_code) == ("failed", "No model.", 200)


async def test_a_stream_that_breaks_off_says_that_the_outcome_is_unknown(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(breaks_off=True)
    with pytest.raises(OutcomeUnknown, match="broke off before the flow had ended"):
        await provider.execute(flowise_connection(flowise), stream(flow.id))


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (
            'message\r\ndata:{"event":"token","data":"a"}\r\n\r\n:heartbeat\r\n\r\ndata: {"event":"end"}\r\n\r\n',
            "a",
        ),
        ('data:{"event":"start","data":"x"}\n\ndata:{"event":"end","data":"[DONE]"}\n\n', ""),
        ('data:{"event":"token","data":7}\n\ndata:["x"]\n\ndata:{"event":"end"}', ""),
        (
            'data:{"event":"agentFlowExecutedData","data":[{"data":{"output":{"content":"last"}}}]}\n\n{end}',
            "last",
        ),
    ],
)
async def test_the_pieces_of_a_stream_may_be_written_in_other_ways(
    provider: FlowiseProvider, frames: str, text: str
):
    frames = frames.replace("{end}", 'data:{"event":"end"}\n\n')
    sent = answer(frames.encode(), headers="Content-Type: text/event-stream; charset=utf-8\r\n")
    async with RawServer(sent) as server:
        got = await provider.execute(None, stream("f", url=server.url))
    assert isinstance(got.output, dict)
    assert (got.state, got.output["text"]) == ("completed", text)


async def test_a_stream_that_was_aborted_is_cancelled(provider: FlowiseProvider):
    frames = b'message\ndata:{"event":"abort","data":"[DONE]"}\n\nmessage\ndata:{"event":"end","data":"[DONE]"}\n\n'
    async with RawServer(answer(frames, headers="Content-Type: text/event-stream\r\n")) as server:
        got = await provider.execute(None, stream("f", url=server.url))
    assert (got.state, got.message) == ("cancelled", "the flow was stopped in Flowise.")


async def test_what_is_no_event_of_flowise_is_unreadable(provider: FlowiseProvider):
    frames = b"data: hello\n\n"
    async with RawServer(answer(frames, headers="Content-Type: text/event-stream\r\n")) as server:
        with pytest.raises(UnreadableAnswer, match="not JSON"):
            await provider.execute(None, stream("f", url=server.url))


# --- webhooks ---


async def test_a_webhook_flow_is_found_out_and_called_with_the_body_as_it_is(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(start="webhook", text=lambda _: "hooked")
    for _ in range(2):
        got = await provider.execute(None, ask(flow.id, url=flowise.base, body={"a": 1}))
        assert isinstance(got.output, dict)
        assert (got.state, got.output["text"]) == ("completed", "hooked")
    paths = [call.path.removeprefix("/flowise/api/v1/").partition("/")[0] for call in fake_server.journal]
    assert paths == ["prediction", "webhook", "webhook"]
    assert fake_server.journal[1].json["a"] == 1
    assert fake_server.journal[1].json["chatId"] == fake_server.journal[0].json["chatId"]


async def test_a_flow_that_got_another_start_is_asked_the_other_way_again(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(start="webhook")
    await provider.execute(flowise_connection(flowise), ask(flow.id))
    flow.start = "chat"
    got = await provider.execute(flowise_connection(flowise), ask(flow.id))
    assert isinstance(got.output, dict)
    assert got.output["text"] == "You said: hello"


async def test_the_method_of_a_webhook_is_the_one_that_flowise_names(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(start="webhook", inputs={"webhookMethod": "PUT"})
    assert (await provider.execute(flowise_connection(flowise), ask(flow.id))).state == "completed"
    assert fake_server.journal[-1].method == "PUT"


@pytest.mark.parametrize("address", ["{base}/api/v1/webhook/{flow}", "{base}/api/v1/webhook/{flow}?a=1"])
async def test_the_address_of_a_webhook_is_called_as_it_is(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider, address: str
):
    flow = flowise.add_flow(start="webhook")
    url = address.format(base=flowise.base, flow=flow.id)
    for settings in ({"body": [1, 2]}, {"text_body": "hello"}, {"body": None}):
        call = remote_call("flowise", url=url, headers={"Content-Type": "application/json"}, **settings)
        if settings == {"text_body": "hello"}:
            with pytest.raises(ProviderRefused, match="Unexpected end of JSON input"):
                await provider.execute(None, call)
        else:
            assert (await provider.execute(None, call)).state == "completed"
    one, text, nothing = fake_server.journal
    assert (one.json, text.text) == ([1, 2], "hello")
    assert list(nothing.json) == ["chatId"]


async def test_a_webhook_may_stream(flowise: FakeFlowise, provider: FlowiseProvider):
    flow = flowise.add_flow(start="webhook", webhook_mode="stream", text=lambda _: "in pieces")
    got = await provider.execute(flowise_connection(flowise), ask(flow.id))
    assert isinstance(got.output, dict)
    assert got.output["text"] == "in pieces"


@pytest.mark.parametrize(
    ("completion", "key", "state"),
    [("response", "", "completed"), ("response", "key", "running"), ("poll", "key", "running")],
)
async def test_a_webhook_that_works_on_is_polled_where_that_is_possible(
    flowise: FakeFlowise, provider: FlowiseProvider, completion: str, key: str, state: str
):
    flow = flowise.add_flow(start="webhook", webhook_mode="async")
    connection = flowise_connection(flowise, apiKey=key and flowise.key)
    got = await provider.execute(connection, ask(flow.id, completion=completion))
    assert (got.state, got.status_code, got.memo) == (state, 202, {})
    assert isinstance(got.output, dict)
    assert got.output["status"] == "PROCESSING"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {
                "inputs": {
                    "webhookEnableValidation": True,
                    "webhookBodyParams": [{"name": "id", "required": True}],
                }
            },
            "Missing required webhook body parameters: id.",
        ),
        (
            {"inputs": {"webhookContentType": "application/x-www-form-urlencoded"}},
            "Expected application/x-www",
        ),
    ],
)
async def test_what_a_webhook_does_not_take_is_refused_with_its_reason(
    flowise: FakeFlowise, provider: FlowiseProvider, settings: dict[str, Any], reason: str
):
    flow = flowise.add_flow(start="webhook", **settings)
    with pytest.raises(ProviderRefused, match=reason) as caught:
        await provider.execute(flowise_connection(flowise), ask(flow.id))
    assert "Start node" in caught.value.hint
    assert flowise.runs == []


async def test_a_webhook_that_wants_a_signature_says_so(flowise: FakeFlowise, provider: FlowiseProvider):
    flow = flowise.add_flow(start="webhook", signature="s3cret")
    with pytest.raises(CredentialRefused, match="asks for a signature"):
        await provider.execute(flowise_connection(flowise), ask(flow.id))
    call = ask(flow.id, headers={"X-Webhook-Signature": "s3cret"})
    assert (await provider.execute(flowise_connection(flowise), call)).state == "completed"


async def test_a_webhook_that_is_none_and_a_flow_with_a_schedule_are_told_as_such(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    chat, scheduled = flowise.add_flow(), flowise.add_flow(start="schedule")
    url = f"{flowise.base}/api/v1/webhook/{chat.id}"
    with pytest.raises(ProviderRefused, match="has no webhook trigger"):
        await provider.execute(flowise_connection(flowise), ask("", url=url))
    with pytest.raises(ProviderRefused, match="started by its schedule only"):
        await provider.execute(flowise_connection(flowise), ask(scheduled.id))
    with pytest.raises(ProviderRefused, match="started by its schedule only"):
        await provider.execute(flowise_connection(flowise), stream(scheduled.id))


# --- a person is asked ---


@pytest.mark.parametrize("how", [ask, stream])
async def test_a_flow_that_asks_a_person_is_waited_for(
    flowise: FakeFlowise, provider: FlowiseProvider, how: Any
):
    flow = flowise.add_flow(asks_person=True)
    got = await provider.execute(flowise_connection(flowise), how(flow.id))
    assert (got.state, got.message) == ("running", "waits for a person at “Human Input” in Flowise")
    assert got.memo == ({"executionId": flowise.runs[0].id} if how is ask else {})


async def test_without_a_key_a_flow_that_asks_a_person_has_failed(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(asks_person=True)
    got = await provider.execute(None, ask(flow.id, url=flowise.base))
    assert (got.state, got.message) == (
        "failed",
        "the flow stopped at “Human Input” and waits for a person, who must answer in Flowise.",
    )


async def test_the_answer_of_a_person_can_be_sent_by_a_node(flowise: FakeFlowise, provider: FlowiseProvider):
    flow = flowise.add_flow(asks_person=True)
    connection = flowise_connection(flowise)
    await provider.execute(connection, ask(flow.id, body={"question": "hello", "chatId": "ours"}))
    told = {"type": "proceed", "startNodeId": "humanInputAgentflow_0", "feedback": "ok"}
    got = await provider.execute(connection, ask(flow.id, body={"chatId": "ours", "humanInput": told}))
    assert got.state == "completed"
    assert got.remote_id == flowise.runs[0].id


# --- answers that are lost ---


@pytest.mark.parametrize("completion", ["poll", "callback"])
async def test_a_call_that_was_cut_is_followed_by_its_session(
    flowise: FakeFlowise, provider: FlowiseProvider, completion: str
):
    flow = flowise.add_flow()
    flowise.dropped_times = 1
    body = {"question": "hello", "overrideConfig": {"sessionId": "ours"}}
    call = ask(flow.id, body=body, completion=completion, callback_token=TOKEN)
    got = await provider.execute(flowise_connection(flowise), call)
    assert (got.state, got.memo) == ("running", {"sessionId": "ours"})
    assert "gave no complete answer" in got.message


@pytest.mark.parametrize(("completion", "key"), [("response", "key"), ("callback", "")])
async def test_a_call_that_was_cut_and_cannot_be_followed_is_unclear(
    flowise: FakeFlowise, provider: FlowiseProvider, completion: str, key: str
):
    flow = flowise.add_flow()
    flowise.dropped_times = 1
    connection = flowise_connection(flowise, apiKey=key and flowise.key)
    with pytest.raises(OutcomeUnknown):
        await provider.execute(connection, ask(flow.id, completion=completion))


async def test_a_flow_that_takes_too_long_is_polled_further(flowise: FakeFlowise, provider: FlowiseProvider):
    flow = flowise.add_flow(seconds=None)
    call = ask(flow.id, completion="poll", timeout_seconds=0.3)
    got = await provider.execute(flowise_connection(flowise), call)
    assert (got.state, got.memo) == ("running", {})
    (run,) = flowise.runs
    flowise.finish(run)


@pytest.mark.parametrize("status", [502, 503])
async def test_a_proxy_in_trouble_is_no_failure_of_the_flow(
    fake_server: FakeServer, provider: FlowiseProvider, status: int
):
    url = f"{fake_server.url}/status/{status}?message=down&x=/api/v1/prediction/f"
    with pytest.raises(ProviderError) as caught:
        await provider.execute(None, ask("f", url=url))
    assert caught.value.retryable


async def test_a_redirect_is_not_followed(fake_server: FakeServer, provider: FlowiseProvider):
    url = f"{fake_server.url}/redirect?to=https://elsewhere.example/&x=/api/v1/prediction/f"
    with pytest.raises(ProviderRefused, match="redirects are not followed"):
        await provider.execute(None, ask("f", url=url))


# --- callbacks ---


async def test_for_a_callback_the_chat_id_is_the_token_and_comes_back_in_no_output(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(start="webhook", text=lambda _: f"I was given {TOKEN}")
    url = f"https://us.example/api/v1/orchestrator/callback?token={TOKEN}"
    body = {"a": 1, "chatId": "mine", "callbackUrl": url, "correlationToken": TOKEN}
    call = ask(flow.id, body=body, completion="callback", callback_url=url, callback_token=TOKEN)
    got = await provider.execute(flowise_connection(flowise), call)
    assert fake_server.journal[-1].json["chatId"] == TOKEN
    assert got.state == "running"
    assert TOKEN not in str(got)
    assert got.memo == {"executionId": flowise.runs[0].id}
    assert isinstance(got.output, dict)
    assert got.output["text"] == "I was given ***"
    assert "chatId" not in got.output


async def test_a_callback_needs_a_body_that_can_carry_the_chat_id(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(start="webhook", webhook_mode="async")
    url = f"{flowise.base}/api/v1/webhook/{flow.id}"
    call = ask("", url=url, body=[1], completion="callback", callback_token=TOKEN)
    with pytest.raises(ProviderRefused, match="has to be a JSON object"):
        await provider.execute(flowise_connection(flowise), call)
    assert flowise.runs == []
