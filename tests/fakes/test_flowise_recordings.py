"""The fake Flowise answers predictions as the recorded one did."""

import re
from typing import Any

import pytest

from tests.fakes.recordings import differences, names, recording, send
from tests.fakes.server import FakeServer

NOT_REPLAYED = {
    "predict_aborted": "Orchestrator does not abort flows yet",
    "predict_form": "forms come with the complete adapter",
    "predict_form_missing": "forms come with the complete adapter",
    "predict_func": "the steps of a flow differ; the adapter hands them on as they are",
    "predict_http": "the steps of a flow differ; the adapter hands them on as they are",
    "predict_http500": "the steps of a flow differ; the adapter hands them on as they are",
    "predict_human_resume": "answering a person's question comes with the complete adapter",
    "predict_slow": "the steps of a flow differ; the adapter hands them on as they are",
    "predict_stream": "streaming comes with the complete adapter",
    "predict_stream_error": "streaming comes with the complete adapter",
    "chatflows_list_agentflow": "listing comes with the complete adapter",
    "chatflows_list_chatflow": "listing comes with the complete adapter",
    "chatflows_list_paged": "listing comes with the complete adapter",
}

FLOWS: dict[str, dict[str, Any]] = {
    "predict_chatflow": {"is_agentflow": False, "text": lambda _: "chatflow: {{question}}"},
    "predict_error": {"fails": "Error: NodeVM Execution Error: Error: rig flowise boom"},
    "predict_human": {"asks_person": True},
    "predict_keyed_none": {"key": "key-of-the-flow"},
    "predict_keyed_wrong": {"key": "key-of-the-flow"},
    "predict_keyed_ok": {"key": "key-of-the-flow", "text": "keyed: {}".format},
    "predict_unknown": {"id": "00000000-0000-4000-8000-000000000000"},
}


@pytest.mark.parametrize("name", [name for name in names("flowise") if name not in NOT_REPLAYED])
def test_the_fake_answers_as_the_recorded_server(name: str):
    recorded = recording("flowise", name)
    request, wanted = recorded["request"], recorded["response"]
    with FakeServer() as server:
        flowise = server.flowise
        asked = re.search(r"/prediction/([0-9a-f-]{36})", request["url"])
        flowise.add_flow("Asked", **({"id": asked[1]} if asked else {}) | FLOWS.get(name, {}))

        places = {"<base>": flowise.base, "<api key>": flowise.key, "<flow key>": "key-of-the-flow"}
        status, headers, body = send(request, places)

    assert status == wanted["status"]
    assert headers.get("content-type", "").lower() == wanted["headers"].get("content-type", "").lower()
    if isinstance(body, str):
        assert body[:15] == wanted["body"][:15]
    elif status >= 400:
        assert body == wanted["body"]
    else:
        assert differences(wanted["body"], body) == []
        if "text" in body:
            assert body["text"] == wanted["body"]["text"]


def test_every_reason_for_not_replaying_names_a_recording():
    assert NOT_REPLAYED.keys() <= set(names("flowise"))
