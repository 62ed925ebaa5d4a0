"""Workflows of n8n that begin with a form or a chat."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import CredentialRefused, ProviderRefused
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.n8n import N8nProvider
from orchestrator_app.providers.remote_workflow import FormField
from tests.fakes.connections import n8n_connection, remote_call
from tests.fakes.n8n import FakeN8n
from tests.fakes.n8n_flow import FakeWorkflow, now
from tests.fakes.server import FakeServer

FIELDS: list[dict[str, Any]] = [
    {"fieldLabel": "Name", "requiredField": True, "placeholder": "Ada"},
    {"fieldLabel": "Ignored", "fieldType": "html", "html": "<p>Hello</p>"},
    {"fieldLabel": "Age", "fieldType": "number"},
    {
        "fieldLabel": "Size",
        "fieldType": "dropdown",
        "fieldOptions": {"values": [{"option": "S"}, {"option": "L"}]},
    },
    {"fieldLabel": "Toppings", "fieldType": "checkbox", "fieldOptions": {"values": [{"option": "Ham"}]}},
    {"fieldLabel": "Pay", "fieldType": "radio", "fieldOptions": {"values": [{"option": "Card"}]}},
    {"fieldType": "hiddenField", "fieldName": "source", "fieldValue": "web"},
    {"fieldLabel": "No. of the house"},
]


@pytest.fixture
def provider(http_client: HttpClient) -> N8nProvider:
    return N8nProvider(http_client)


@pytest.fixture(params=[2, 1], ids=["2.41.1", "1.123.81"])
def n8n(request: pytest.FixtureRequest, fake_server: FakeServer) -> FakeN8n:
    return fake_server.n8n2 if request.param == 2 else fake_server.n8n1


def form(n8n: FakeN8n, **settings: Any) -> FakeWorkflow:
    defaults: dict[str, Any] = {"trigger": "form", "mode": "onReceived", "form_fields": FIELDS}
    return n8n.add_workflow("Pizza", **defaults | settings)


def to(flow: FakeWorkflow, body: Any, **settings: Any) -> RemoteCall:
    return remote_call("n8n", workflow_id=flow.id, body=body, started_at=now(), **settings)


async def test_a_form_says_what_it_asks_for(n8n: FakeN8n, provider: N8nProvider):
    flow = form(n8n)
    preview = await provider.preview(n8n_connection(n8n), flow.id)
    assert preview.form == (
        FormField("Name", "Name", required=True, help="Ada"),
        FormField("Age", "Age", "number"),
        FormField("Size", "Size", "choice", options=("S", "L")),
        FormField("Toppings", "Toppings", "choice", options=("Ham",), help="Several values: give a list."),
        FormField("Pay", "Pay", "choice", options=("Card",)),
        FormField("source", "source", default="web"),
        FormField("field-7", "No. of the house"),  # a dot would make an object of it
    )
    assert preview.url == flow.url
    assert "form node" in preview.entry


async def test_a_chat_asks_for_a_message(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Talk", trigger="chat")
    preview = await provider.preview(n8n_connection(n8n), flow.id)
    assert [(field.path, field.required) for field in preview.form] == [
        ("chatInput", True),
        ("sessionId", False),
    ]
    assert preview.url == flow.url


@pytest.mark.parametrize("has_url", [False, True])
async def test_a_form_is_filled_in_and_its_result_polled(
    n8n: FakeN8n, provider: N8nProvider, *, has_url: bool
):
    flow = form(n8n)
    body = {
        "Name": "Ädä \r\n--form-x",
        "Age": 36,
        "Toppings": ["Ham"],
        "Pay": "Card",
        "field-7": "7b",
        "unasked": 1,
    }
    call = to(flow, body, completion="poll", url=flow.url if has_url else "")
    connection = n8n_connection(n8n)
    answer = await provider.execute(connection, call)
    assert answer.state == "running"
    (run,) = flow.executions
    filled = {name: value for name, value in run.trigger.items() if name in {*body, "source", "Size"}}
    assert filled == {
        "Name": "Ädä \r\n--form-x",
        "Age": 36.0,
        "Size": None,
        "Toppings": ["Ham"],
        "Pay": "Card",
        "source": "web",
    }
    assert run.trigger["No. of the house"] == "7b"
    assert "headers" not in run.trigger
    look = await provider.poll(connection, replace(call, body=None), answer.memo)
    assert (look.state, look.remote_id) == ("completed", "1")


async def test_two_forms_filled_in_at_once_are_told_apart(n8n: FakeN8n, provider: N8nProvider):
    flow = form(n8n)
    calls = [to(flow, {"Name": name}, completion="poll", correlation_id=f"run:{name}") for name in ("a", "b")]
    for call in calls:
        await provider.execute(n8n_connection(n8n), call)
    found = [(await provider.poll(n8n_connection(n8n), call, {})).remote_id for call in calls]
    assert found == ["1", "2"]


async def test_a_form_that_answers_at_the_end_says_whether_it_failed(n8n: FakeN8n, provider: N8nProvider):
    good = form(n8n, mode="lastNode")
    answer = await provider.execute(n8n_connection(n8n), to(good, {"Name": "a"}))
    assert (answer.state, answer.output) == ("completed", None)
    bad = form(n8n, mode="lastNode", path="bad", fails="oven is cold")
    answer = await provider.execute(n8n_connection(n8n), to(bad, {"Name": "a"}))
    assert (answer.state, answer.message) == ("failed", "node “Stop”: oven is cold")


async def test_a_form_with_further_pages_tells_its_execution(n8n: FakeN8n, provider: N8nProvider):
    flow = form(n8n, pages_follow=True)
    answer = await provider.execute(n8n_connection(n8n), to(flow, {"Name": "a"}, completion="poll"))
    assert (answer.state, answer.remote_id) == ("running", "1")


@pytest.mark.parametrize("body", [{}, {"Name": ""}, {"name": "a"}, "a", None])
async def test_a_required_field_that_is_empty_is_refused_before_the_call(
    n8n: FakeN8n, provider: N8nProvider, body: Any
):
    flow = form(n8n)
    with pytest.raises(ProviderRefused, match="asks for “Name”, and the data has none"):
        await provider.execute(n8n_connection(n8n), to(flow, body))
    assert flow.executions == []


async def test_a_form_with_one_field_takes_a_plain_text(n8n: FakeN8n, provider: N8nProvider):
    flow = form(n8n, form_fields=[{"fieldLabel": "Name"}])
    await provider.execute(n8n_connection(n8n), to(flow, None, text_body="Ada"))
    assert flow.executions[0].trigger["Name"] == "Ada"


async def test_a_file_cannot_be_sent_and_is_not_asked_for(n8n: FakeN8n, provider: N8nProvider):
    flow = form(n8n, form_fields=[{"fieldLabel": "Photo", "fieldType": "file"}])
    await provider.execute(n8n_connection(n8n), to(flow, {}))
    assert flow.executions[0].trigger["Photo"] is None
    with pytest.raises(ProviderRefused, match="takes a file in “Photo”"):
        await provider.execute(n8n_connection(n8n), to(flow, {"Photo": "x"}))


async def test_a_form_that_nobody_listens_to_is_told_as_such(n8n: FakeN8n, provider: N8nProvider):
    flow = form(n8n)
    await provider.execute(n8n_connection(n8n), to(flow, {"Name": "a"}))
    flow.is_active = False
    with pytest.raises(ProviderRefused, match="is not active in n8n") as caught:
        await provider.execute(n8n_connection(n8n), to(flow, {"Name": "a"}))
    assert "DOCTYPE" not in caught.value.message


async def test_the_address_of_a_form_alone_does_not_say_what_it_asks_for(n8n: FakeN8n, provider: N8nProvider):
    flow = form(n8n)
    with pytest.raises(ProviderRefused, match="what the form asks for is not known"):
        await provider.execute(None, remote_call("n8n", url=flow.url))
    assert flow.executions == []
    webhook = n8n.add_workflow("Orders", path="form/orders")
    assert (await provider.execute(None, remote_call("n8n", url=webhook.url))).state == "completed"


async def test_a_form_with_credentials_gets_them(n8n: FakeN8n, provider: N8nProvider):
    flow = form(n8n, auth=("basicAuth", "ann", "s3cret"))
    with pytest.raises(CredentialRefused):
        await provider.execute(n8n_connection(n8n), to(flow, {"Name": "a"}))
    good = n8n_connection(n8n, webhookUser="ann", webhookPassword="s3cret")
    assert (await provider.execute(good, to(flow, {"Name": "a"}))).state == "completed"


async def test_old_forms_listen_among_the_webhooks(n8n: FakeN8n, provider: N8nProvider):
    flow = form(n8n)
    node = flow.webhook_node
    node["typeVersion"] = 1
    node["parameters"]["path"] = "pizza"
    old = n8n.add_workflow("Old", own_nodes=[node], own_connections={})
    await provider.execute(n8n_connection(n8n), to(old, {"Name": "a"}))
    assert old.executions[0].trigger["Name"] == "a"
    assert old.url.endswith("/webhook/pizza/n8n-form")


@pytest.mark.parametrize("has_url", [False, True])
@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"a": 1}, '{"a": 1}'),
        ({"a": 1, "callbackUrl": "http://x", "correlationToken": "t"}, '{"a": 1}'),
        ("hello", "hello"),
        ([1], "[1]"),
        ({"chatInput": "hi", "sessionId": "s"}, "hi"),
        ({"chatInput": "hi", "sessionId": ""}, "hi"),
    ],
)
async def test_a_chat_gets_the_data_as_a_message(
    n8n: FakeN8n, provider: N8nProvider, body: Any, text: str, *, has_url: bool
):
    flow = n8n.add_workflow("Talk", trigger="chat", items=lambda run: [{"output": run.trigger["chatInput"]}])
    answer = await provider.execute(n8n_connection(n8n), to(flow, body, url=flow.url if has_url else ""))
    assert (answer.state, answer.output) == ("completed", {"output": text})
    sent = flow.executions[0].trigger
    assert sent["action"] == "sendMessage"
    is_own = isinstance(body, dict) and body.get("sessionId")
    assert sent["sessionId"] == ("s" if is_own else "0192-run:node-1")
    assert sent.get("callbackUrl") == (body.get("callbackUrl") if isinstance(body, dict) else None)


async def test_an_address_that_only_looks_like_a_chat_gets_the_body_as_it_is(
    n8n: FakeN8n, provider: N8nProvider
):
    flow = n8n.add_workflow("Orders", path="team/chat")
    other = n8n.add_workflow("Other")
    await provider.execute(n8n_connection(n8n), to(other, {"a": 1}, url=flow.url))
    assert flow.executions[0].trigger["body"] == {"a": 1}


async def test_a_chat_is_polled_by_the_id_in_its_message(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Talk", trigger="chat", items=lambda _: [{"output": "hi"}])
    body = {"chatInput": "hi", "sessionId": "one for all"}
    calls = [to(flow, body, completion="poll", correlation_id=f"run:{number}") for number in (1, 2)]
    for call in calls:
        await provider.execute(n8n_connection(n8n), call)
    found = [await provider.poll(n8n_connection(n8n), call, {}) for call in calls]
    assert [(look.remote_id, look.output) for look in found] == [
        ("1", {"output": "hi"}),
        ("2", {"output": "hi"}),
    ]


async def test_a_chat_that_is_not_public_is_refused_before_the_call(n8n: FakeN8n, provider: N8nProvider):
    chat = n8n.add_workflow("Talk", trigger="chat").webhook_node
    chat["parameters"]["public"] = False
    flow = n8n.add_workflow("Closed", own_nodes=[chat], own_connections={})
    with pytest.raises(ProviderRefused, match="chat is not public"):
        await provider.execute(n8n_connection(n8n), to(flow, "hi"))
