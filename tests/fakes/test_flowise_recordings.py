"""The fake Flowise answers as the recorded one did: each recorded request is sent to it in the same situation."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.fakes.flowise import FakeFlowise
from tests.fakes.flowise_flow import FakeFlow
from tests.fakes.recordings import differences, names, recording, send
from tests.fakes.server import FakeServer

NOT_REPLAYED = {
    "chatmessage_list": "chat messages are not read: an execution says more, and a chatflow that fails leaves none",
    "webhook_async_callback_received": "what Flowise sent, not what it answered: compared below",
}

FORM = [
    {"type": "string", "label": "Name", "name": "name"},
    {"type": "number", "label": "Age", "name": "age"},
]
ERROR = "Error: NodeVM Execution Error: Error: rig flowise boom"
FUNCTION = '{\n  "up": "HELLO",\n  "n": 42\n}'
FLOWS: dict[str, dict[str, Any]] = {
    "predict_aborted": {"seconds": None},
    "predict_chatflow": {"is_agentflow": False, "text": lambda _: "chatflow: {{question}}"},
    "predict_error": {"fails": ERROR},
    "predict_form": {"start": "form", "form": FORM, "text": lambda _: "Hello Ann, 3"},
    "predict_form_missing": {
        "start": "form",
        "form": FORM,
        "text": lambda _: "Hello {{ $form.name }}, {{ $form.age }}",
    },
    "predict_func": {"middle": "function", "text": lambda _: FUNCTION},
    "predict_http": {"middle": "http", "text": lambda _: '{"q":"hello","n":1}'},
    "predict_http500": {"middle": "http", "text": lambda _: "never"},
    "predict_human": {"asks_person": True},
    "predict_human_resume": {"asks_person": True, "text": lambda _: "approved ok"},
    "predict_keyed_none": {"key": "key-of-the-flow"},
    "predict_keyed_wrong": {"key": "key-of-the-flow"},
    "predict_keyed_ok": {"key": "key-of-the-flow", "text": "keyed: {}".format},
    "predict_slow": {"middle": "function", "seconds": 0.02, "text": lambda _: "slow done"},
    "predict_stream_error": {"fails": ERROR},
    "predict_unknown": {"id": "00000000-0000-4000-8000-000000000000"},
    "chatflow_get_unknown": {"id": "00000000-0000-4000-8000-000000000000"},
    "execution_get": {"asks_person": True},
    "executions_by_flow": {"fails": ERROR},
    "executions_list": {"asks_person": True},
    "webhook_async": {"start": "webhook", "webhook_mode": "async", "seconds": None},
    "webhook_sync": {"start": "webhook", "text": lambda _: "hooked 1"},
    "webhook_unknown": {"id": "00000000-0000-4000-8000-000000000000"},
}
# The recorded server had executions of several flows.
OTHER_ROWS = frozenset({"executions_list"})


def prepared(flowise: FakeFlowise, name: str, request: dict[str, Any]) -> FakeFlow:
    """The flow that was asked, as it stood when the request was recorded."""
    named = re.search(r"(?:/prediction/|/webhook/|/chatflows/|agentflowId=)([0-9a-f-]{36})", request["url"])
    settings = ({"id": named[1]} if named else {}) | FLOWS.get(name, {})
    flow = flowise.add_flow("Asked", **settings)
    if name.startswith("chatflows_list"):
        flowise.add_flow("Chat", is_agentflow=False)
        flowise.add_flow("Another")
        flowise.add_flow("Third")
    places = {"<base>": flowise.base, "<api key>": flowise.key}
    call = {"method": "POST", "url": f"<base>/api/v1/prediction/{flow.id}", "headers": {}}
    if name == "predict_human_resume":
        send(call | {"body": {"question": "hello", "chatId": request["body"]["chatId"]}}, places)
    elif name in {"execution_get", "executions_by_flow", "executions_list"}:
        send(call | {"body": {"question": "hello"}}, places)
        send(call | {"body": {"question": "hello"}}, places)
        if flow.asks_person:
            flowise.runs[-1].decide("proceed", "ok")
        if name == "execution_get":
            flowise.runs[-1].id = request["url"].rpartition("/")[2]
    return flow


@pytest.mark.parametrize("name", [name for name in names("flowise") if name not in NOT_REPLAYED])
def test_the_fake_answers_as_the_recorded_server(name: str):
    recorded = recording("flowise", name)
    request, wanted = recorded["request"], recorded["response"]
    with FakeServer() as server:
        flowise = server.flowise
        flow = prepared(flowise, name, request)
        places = {"<base>": flowise.base, "<api key>": flowise.key, "<flow key>": "key-of-the-flow"}
        if name == "predict_aborted":
            status, headers, body = aborted_while_asked(request, flow.id, places)
        else:
            status, headers, body = send(request, places)

    assert status == wanted["status"]
    assert headers.get("content-type", "").lower() == wanted["headers"].get("content-type", "").lower()
    compare(name, wanted["body"], body)


def aborted_while_asked(
    request: dict[str, Any], flow_id: str, places: dict[str, str]
) -> tuple[int, dict[str, str], Any]:
    """The answer to a request of a flow that is aborted meanwhile."""
    url = f"<base>/api/v1/chatmessage/abort/{flow_id}/{request['body']['chatId']}"
    abort = recording("flowise", "abort")["request"] | {"url": url}
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(send, request, places)
        while not asked.done():
            send(abort, places)
        return asked.result()


def compare(name: str, wanted: Any, body: Any) -> None:
    if isinstance(wanted, str) and wanted.startswith("message:"):
        assert differences_of_events(wanted, body) == []
    elif isinstance(body, str):
        assert body[:15] == wanted[:15]
    elif isinstance(body, dict) and "stack" in body:
        assert body == wanted
    else:
        assert differences(wanted, body) == []
        if not isinstance(wanted, dict):
            return
        assert body.get("text") == wanted.get("text")
        for row, other in zip(body.get("data", [body]), wanted.get("data", [wanted]), strict=False):
            if isinstance(other, dict) and "executionData" in other and name not in OTHER_ROWS:
                assert differences(json.loads(other["executionData"]), json.loads(row["executionData"])) == []


def differences_of_events(wanted: str, seen: str) -> list[str]:
    """Where the events of two streams differ; a text may come in any number of pieces."""
    one, other = events(wanted), events(seen)
    assert [event["event"] for event in one] == [event["event"] for event in other]
    return [text for pair in zip(one, other, strict=True) for text in differences(*pair)]


def events(stream: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in stream.split("\n"):
        if not line.startswith("data:"):
            continue
        event = json.loads(line.removeprefix("data:"))
        if event["event"] == "token" and found and found[-1]["event"] == "token":
            found[-1]["data"] += event["data"]
        else:
            found.append(event)
    return found


def test_the_fake_calls_back_as_the_recorded_server():
    path = "/echo/called-back"
    wanted = recording("flowise", "webhook_async_callback_received")["received"]["body"]
    request = recording("flowise", "webhook_async")["request"]
    with FakeServer() as server:
        flow = server.flowise.add_flow(
            "Hook",
            start="webhook",
            webhook_mode="async",
            middle="function",
            callback_url=server.url + path,
            text=lambda _: "async done",
        )
        url = f"<base>/api/v1/webhook/{flow.id}"
        _, _, accepted = send(request | {"url": url}, {"<base>": server.flowise.base})
        (received,) = server.wait_for(path, method="POST")
    assert received.json["chatId"] == accepted["chatId"]
    assert received.json["data"]["text"] == wanted["data"]["text"]
    assert differences(wanted, received.json) == []


def test_every_reason_for_not_replaying_names_a_recording():
    assert NOT_REPLAYED.keys() <= set(names("flowise"))


def test_every_situation_is_that_of_a_recording():
    assert FLOWS.keys() | OTHER_ROWS <= set(names("flowise"))
