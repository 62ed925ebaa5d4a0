import pytest

from orchestrator_app.domain.looks import Watch
from orchestrator_app.domain.open_calls import correlation_id, open_call
from orchestrator_app.domain.remote import RemoteCall
from tests.builders import a_node

RUN = "0190a2b4-0000-7000-8000-000000000001"


def test_a_call_under_way_is_told_by_what_its_node_says():
    node = a_node(
        kind="RemoteWebhook",
        config={"provider": "n8n", "connectionId": "c", "workflowId": "w", "timeout": 1_500},
    )
    found = open_call(RUN, node, {}, callback_token="cb_1", started_at=7)
    assert found is not None
    call = found.call
    assert (found.node_id, found.memo) == (node.id, {})
    assert (call.provider, call.connection_id, call.workflow_id) == ("n8n", "c", "w")
    assert (call.callback_token, call.started_at, call.timeout_seconds) == ("cb_1", 7, 1.5)
    assert call.correlation_id == correlation_id(RUN, node.id)
    assert call.is_idempotent


def test_a_flow_is_told_by_its_own_keys():
    for connection, provider in (("c", "flowise"), ("simulated", "simulated")):
        node = a_node(kind="LocalFlow", config={"flowId": "f", "connectionId": connection, "timeout": [1]})
        found = open_call(RUN, node, {}, callback_token="", started_at=0)
        assert found is not None
        assert (found.call.provider, found.call.workflow_id, found.call.timeout_seconds) == (provider, "f", 0)


@pytest.mark.parametrize(("kind", "key"), [("LocalFlow", "baseURL"), ("RemoteWebhook", "url")])
@pytest.mark.parametrize(
    ("address", "told"),
    [(" https://x/flow ", "https://x/flow"), ("https://{{ vars.host }}/", ""), (None, "")],
)
def test_an_address_that_is_the_same_for_every_run_is_told(
    kind: str, key: str, *, address: str | None, told: str
):
    node = a_node(kind=kind, config={key: address})
    found = open_call(RUN, node, {}, callback_token="", started_at=0)
    assert found is not None
    assert found.call.url == told


def test_a_call_that_is_waited_for_is_told_by_what_its_node_remembers():
    watch = Watch(RemoteCall("make", "c", "w", url="https://x/***"), {"executionId": "9"}, 1, 1, 1)
    node = a_node(kind="RemoteWebhook", config={"provider": "n8n"})
    found = open_call(RUN, node, watch.as_json(), callback_token="cb_1", started_at=0)
    assert found is not None
    assert (found.call.provider, found.call.callback_token, found.memo) == (
        "make",
        "cb_1",
        {"executionId": "9"},
    )


def test_other_nodes_have_no_calls():
    assert open_call(RUN, a_node(kind="WaitForCallback"), {}, callback_token="", started_at=0) is None
