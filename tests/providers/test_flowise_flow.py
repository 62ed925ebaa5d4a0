"""Flows of Flowise drawn: graphs, forms, entries and the ways to learn their end."""

from typing import Any

import pytest

from orchestrator_app.errors import ProviderRefused
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.flowise import FlowiseProvider
from orchestrator_app.providers.remote_workflow import FormField, PreviewEdge, WorkflowPreview
from tests.fakes.connections import flowise_connection
from tests.fakes.flowise import FakeFlowise
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> FlowiseProvider:
    return FlowiseProvider(http_client)


@pytest.fixture
def flowise(fake_server: FakeServer) -> FakeFlowise:
    return fake_server.flowise


async def drawn(provider: FlowiseProvider, flowise: FakeFlowise, **settings: Any) -> WorkflowPreview:
    flow = flowise.add_flow("Drawn", **settings)
    return await provider.preview(flowise_connection(flowise), flow.id)


def step(name: str, kind: str, *, component: bool = False, **more: Any) -> dict[str, Any]:
    data = {"id": name, "name": kind, "label": name.title(), "inputs": more.pop("inputs", {})}
    at = more.pop("at", (0, 0))
    place = {"x": at[0], "y": at[1]}
    node = {"id": name, "type": "customNode" if component else "agentFlow", "position": place, "data": data}
    return node | more


def way(source: str, target: str, output: str = "", into: str = "") -> dict[str, Any]:
    return {
        "source": source,
        "target": target,
        "type": "agentFlow" if not into else "buttonedge",
        "sourceHandle": f"{source}-output-{output}",
        "targetHandle": into or target,
        "data": {},
    }


async def test_a_flow_that_was_deleted_is_gone(flowise: FakeFlowise, provider: FlowiseProvider):
    for flow_id in ("00000000-0000-4000-8000-000000000005", "abc"):
        with pytest.raises(ProviderRefused, match="has no flow") as caught:
            await provider.preview(flowise_connection(flowise), flow_id)
        assert caught.value.remote_status == 404


# --- graphs ---


async def test_an_agentflow_is_drawn_with_its_branches(flowise: FakeFlowise, provider: FlowiseProvider):
    scenarios = [{"scenario": "The customer is angry"}]
    nodes = [
        step("start", "startAgentflow", inputs={"startInputType": "chatInput"}),
        step("check", "conditionAgentflow", inputs={"conditions": [{"a": 1}]}),
        step("mood", "conditionAgentAgentflow", inputs={"conditionAgentScenarios": scenarios}),
        step("ask", "humanInputAgentflow", at=(300, 40)),
        step("note", "stickyNoteAgentflow"),
        {"id": "old", "type": "stickyNote", "position": {"x": 1, "y": 1}, "data": {}},
    ]
    edges = [
        way("start", "check"),
        way("check", "mood", "0"),
        way("check", "ask", "1"),
        way("mood", "ask", "0"),
        way("ask", "start", "0"),
        way("ask", "check", "1"),
        way("note", "ask"),
    ]
    preview = await drawn(provider, flowise, graph={"nodes": nodes, "edges": edges})
    cards = {node.id: node for node in preview.nodes}
    assert list(cards) == ["start", "check", "mood", "ask"]
    assert [node.id for node in preview.nodes if node.is_trigger] == ["start"]
    assert (cards["ask"].label, cards["ask"].kind) == ("Ask", "humanInputAgentflow")
    assert (cards["ask"].x, cards["ask"].y) == (300.0, 40.0)
    assert preview.edges == (
        PreviewEdge("start", "check"),
        PreviewEdge("check", "mood", "case 1"),
        PreviewEdge("check", "ask", "else"),
        PreviewEdge("mood", "ask", "The customer is angry"),
        PreviewEdge("ask", "start", "proceed"),
        PreviewEdge("ask", "check", "reject"),
    )


async def test_steps_within_a_step_are_placed_in_it_and_led_to(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    nodes = [
        step("loop", "iterationAgentflow", at=(100, 50)),
        step("one", "llmAgentflow", at=(10, 20), parentNode="loop"),
        step("two", "llmAgentflow", at=(30, 20), parentNode="loop"),
    ]
    preview = await drawn(provider, flowise, graph={"nodes": nodes, "edges": [way("one", "two")]})
    cards = {node.id: (node.x, node.y) for node in preview.nodes}
    assert cards == {"loop": (100.0, 50.0), "one": (110.0, 70.0), "two": (130.0, 70.0)}
    assert preview.edges == (PreviewEdge("one", "two"), PreviewEdge("loop", "one", "each item"))


async def test_the_components_of_a_chatflow_are_tools_of_its_chain(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    nodes = [step("model", "chatOpenAI", component=True), step("chain", "conversationChain", component=True)]
    edges = [way("model", "chain", "chatOpenAI", "chain-input-model-BaseChatModel")]
    graph = {"nodes": nodes, "edges": edges}
    preview = await drawn(provider, flowise, graph=graph, is_agentflow=False)
    assert preview.edges == (PreviewEdge("model", "chain", "model", "tool"),)
    assert not any(node.is_trigger for node in preview.nodes)


async def test_the_agents_of_an_older_agentflow_follow_each_other(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    nodes = [step("start", "seqStart", component=True), step("agent", "seqAgent", component=True)]
    edges = [way("start", "agent", "seqStart", "agent-input-sequentialNode-Start | Agent")]
    graph = {"nodes": nodes, "edges": edges}
    preview = await drawn(provider, flowise, graph=graph, type="MULTIAGENT")
    assert preview.edges == (PreviewEdge("start", "agent"),)
    assert [node.id for node in preview.nodes if node.is_trigger] == ["start"]


async def test_moving_a_step_changes_nothing_and_setting_it_does(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    def graph(x: int, text: str, target: str = "b") -> dict[str, Any]:
        nodes = [step("a", "startAgentflow"), step("b", "llmAgentflow", at=(x, 0), inputs={"prompt": text})]
        nodes.append(step("c", "llmAgentflow", selected=x > 0) | {"width": x})
        return {"nodes": nodes, "edges": [way("a", target)], "viewport": {"zoom": x}}

    first = await drawn(provider, flowise, graph=graph(0, "Be kind"))
    moved = await drawn(provider, flowise, graph=graph(500, "Be kind"))
    changed = await drawn(provider, flowise, graph=graph(0, "Be brief"))
    relinked = await drawn(provider, flowise, graph=graph(0, "Be kind", "c"))
    hashes = [preview.workflow.content_hash for preview in (first, moved, changed, relinked)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    digests = [{node.id: node.digest for node in preview.nodes} for preview in (first, changed)]
    assert [name for name in "abc" if digests[0][name] != digests[1][name]] == ["b"]


@pytest.mark.parametrize("graph", [{"nodes": "none"}, {"nodes": [{"id": 7}, "x"], "edges": [{}]}])
async def test_a_graph_of_another_shape_is_drawn_as_far_as_it_goes(
    flowise: FakeFlowise, provider: FlowiseProvider, graph: dict[str, Any]
):
    preview = await drawn(provider, flowise, graph=graph)
    assert preview.edges == ()
    assert preview.entry.endswith(".")


# --- forms and entries ---


async def test_a_form_start_is_the_form(flowise: FakeFlowise, provider: FlowiseProvider):
    fields = [
        {"type": "string", "label": "Your name", "name": "name"},
        {"type": "number", "label": "Age", "name": "age"},
        {"type": "boolean", "label": "", "name": "isMember"},
        {
            "type": "options",
            "label": "Size",
            "name": "size",
            "addOptions": [{"option": "S"}, {"option": "M"}],
        },
        {"type": "string", "label": "No name", "name": ""},
    ]
    preview = await drawn(provider, flowise, start="form", form=fields)
    assert preview.entry == "Starts with the form “T”."
    assert preview.form == (
        FormField("form.name", "Your name", required=True, help="D"),
        FormField("form.age", "Age", "number", required=True, help="D"),
        FormField("form.isMember", "isMember", "boolean", required=True, help="D"),
        FormField("form.size", "Size", "choice", required=True, options=("S", "M"), help="D"),
    )


@pytest.mark.parametrize("what", ["agentflow", "chatflow"])
async def test_a_flow_that_is_chatted_with_asks_for_a_question(
    flowise: FakeFlowise, provider: FlowiseProvider, what: str
):
    preview = await drawn(provider, flowise, is_agentflow=what == "agentflow", key="its-own")
    assert [(field.path, field.type, field.required) for field in preview.form] == [
        ("question", "longtext", True)
    ]
    assert preview.entry == (
        f"The {what} is asked a question through the prediction API. It is bound to an API key of its own: the "
        "connection has to hold that one."
    )
    assert preview.url == f"{flowise.base}/api/v1/prediction/{preview.workflow.id}"


async def test_a_webhook_asks_for_what_it_checks(flowise: FakeFlowise, provider: FlowiseProvider):
    body = [{"name": "email", "type": "string", "required": True}, {"name": "items", "type": "array"}]
    inputs = {"webhookBodyParams": body, "webhookEnableValidation": True, "webhookMethod": "PUT"}
    preview = await drawn(provider, flowise, start="webhook", inputs=inputs, signature="s")
    assert preview.form == (
        FormField("email", "email", required=True),
        FormField("items", "items", "json"),
    )
    assert (preview.method, preview.url) == (
        "PUT",
        f"{flowise.base}/api/v1/webhook/{preview.workflow.id}",
    )
    assert preview.entry == (
        "PUT to the webhook of the flow, which answers when the flow is through. It asks for its secret in the "
        "header x-webhook-signature: add the header in the node."
    )
    unchecked = {"webhookBodyParams": body, "webhookEnableAuth": True}
    preview = await drawn(provider, flowise, start="webhook", inputs=unchecked)
    assert preview.form == ()
    assert "HMAC" in preview.entry


async def test_a_scheduled_flow_says_that_it_cannot_be_called(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    preview = await drawn(provider, flowise, start="schedule")
    assert preview.entry.startswith("Is started by its schedule only")
    assert preview.form == ()
    assert not any(choice.works for choice in preview.completions)


# --- completions ---


async def ways(provider: FlowiseProvider, flowise: FakeFlowise, **settings: Any) -> dict[str, bool]:
    """The completions, best first, and whether they work."""
    preview = await drawn(provider, flowise, **settings)
    assert preview.completion == next(choice.key for choice in preview.completions if choice.works)
    return {choice.key: choice.works for choice in preview.completions}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, {"response": True, "poll": True, "callback": False}),
        ({"is_agentflow": False}, {"response": True, "poll": False, "callback": False}),
        ({"asks_person": True}, {"poll": True, "response": True, "callback": False}),
        ({"middle": "http"}, {"response": True, "poll": True, "callback": True}),
        ({"start": "webhook"}, {"response": True, "poll": True, "callback": False}),
        ({"start": "webhook", "webhook_mode": "stream"}, {"response": True, "poll": True, "callback": False}),
        (
            {"start": "webhook", "webhook_mode": "async"},
            {"poll": True, "callback": True, "response": False},
        ),
        (
            {
                "start": "webhook",
                "webhook_mode": "async",
                "callback_url": "https://us.example/api/v1/orchestrator/callback",
            },
            {"callback": True, "poll": True, "response": False},
        ),
    ],
)
async def test_the_best_way_to_learn_the_end_comes_first(
    flowise: FakeFlowise, provider: FlowiseProvider, settings: dict[str, Any], wanted: dict[str, bool]
):
    found = await ways(provider, flowise, **settings)
    assert list(found.items()) == list(wanted.items())


async def test_an_asynchronous_webhook_says_which_address_to_paste_where(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    elsewhere = "https://elsewhere.example/x"
    preview = await drawn(provider, flowise, start="webhook", webhook_mode="async", callback_url=elsewhere)
    assert preview.snippet == "{{publicUrl}}/api/v1/orchestrator/callback"
    assert "Callback URL" in preview.snippet_help
    callback = next(choice for choice in preview.completions if choice.key == "callback")
    assert callback.reason.endswith(f"It calls {elsewhere} now.")
    assert (await drawn(provider, flowise, start="webhook")).snippet == ""
