import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from orchestrator_app.domain.definition import Definition
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.node_kinds import NODE_KINDS
from orchestrator_app.errors import InvalidDefinition, InvalidInput
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.registry import build_providers
from orchestrator_app.security import tokens
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.connections import Connections
from orchestrator_app.services.example import create_example
from orchestrator_app.services.gateway import Gateway
from orchestrator_app.storage.database import Database
from tests.fakes.server import FakeServer
from tests.running import WORKSPACE, World, driven, graph, mapper, open_world, states_of, wait, webhook

ORIGINALS = Path(__file__).parent.parent / "original_definitions"
ORDER = {
    "id": "o-7",
    "status": "paid",
    "lines": [{"sku": "A1", "count": 2}, {"sku": "B2", "count": 1}],
    "customer": {"firstName": "Ada"},
}


def original(name: str) -> str:
    return (ORIGINALS / f"{name}.json").read_text(encoding="utf-8")


class Outside:
    """What the old definitions call, on the fake server; and a world that can reach it."""

    def __init__(self, world: World, server: FakeServer, connections: Connections) -> None:
        self.world = world
        self.server = server
        self.connections = connections

    async def connect(self, provider: str, base: str, key: str) -> str:
        return await self.connect_with(provider, baseUrl=base, apiKey=key)

    async def connect_with(self, provider: str, **credentials: str) -> str:
        view = await self.connections.connect(WORKSPACE, provider, name="", credentials=credentials)
        assert view.status == "connected", view.status_detail
        return view.id

    def answering(self, name: str, answer: Any, method: str = "POST") -> str:
        """An address that answers with this JSON."""
        flow = self.server.n8n2.add_workflow(name, path=name, method=method, items=lambda _: [answer])
        return flow.url

    async def run(self, name: str, patches: dict[str, str], data: JsonValue, body: JsonValue = None):
        """The run of an old definition whose addresses are those of the fake server."""
        text = original(name)
        for old, new in patches.items():
            assert old in text, old
            text = text.replace(old, new)
        made = await self.world.orchestrators.import_document(WORKSPACE, json.loads(text))
        assert made.can_run, made.problems
        summary, _ = await self.world.runs.start(WORKSPACE, made.id, data, trigger="api")
        run = await driven(self.world, summary.id, body=body)
        assert run is not None
        return run


@pytest.fixture
async def outside(
    database: Database, vault: Vault, http_client: HttpClient, fake_server: FakeServer
) -> AsyncIterator[Outside]:
    async with open_world(database) as world:
        providers = build_providers(http_client)
        connections = Connections(
            database, vault, providers, world.hub, now=world.clock.now, new_id=tokens.new_id
        )
        world.gateway = Gateway(providers, connections, vault)
        await world.restart()
        yield Outside(world, fake_server, connections)


@pytest.mark.parametrize("name", sorted(path.stem for path in ORIGINALS.glob("*.json")))
async def test_every_definition_of_the_original_is_imported_as_it_is(world: World, name: str):
    made = await world.orchestrators.import_document(WORKSPACE, json.loads(original(name)))
    source = json.loads(original(name))
    assert made.name == "Imported orchestrator"
    assert all(problem.blocks != "save" for problem in made.problems)
    assert [node["id"] for node in made.definition["nodes"]] == [node["id"] for node in source["nodes"]]
    assert [(edge["source"], edge["target"]) for edge in made.definition["edges"]] == [
        (edge["source"], edge["target"]) for edge in source["edges"]
    ]


def test_the_definitions_of_the_original_have_all_node_kinds():
    kinds = {
        node["data"]["nodeType"]
        for path in ORIGINALS.glob("*.json")
        for node in json.loads(path.read_text())["nodes"]
    }
    assert kinds == set(NODE_KINDS)


async def test_the_order_with_all_seven_kinds_runs(outside: Outside):
    n8n, flowise = outside.server.n8n2, outside.server.flowise
    stock = n8n.add_workflow("Stock", path="stock", mode="onReceived", items=lambda _: [ORDER])
    flow = flowise.add_flow("Notes")
    shop = outside.answering("shop", ORDER, "GET")
    patches = {
        "https://shop.example.org/api/orders/{{input.orderId}}": shop + "?order={{input.orderId}}",
        "5c2f6a2e-7d6e-4f6a-9c0d-2f9f6d7f4b11": await outside.connect("n8n", n8n.base, n8n.key),
        "aB3dE5fG7hI9jK1l": stock.id,
        "http://127.0.0.1:3000": flowise.base,
        "9b3e1c0a-51a5-4c8e-8f55-2b8b0a3f6a77": flow.id,
    }
    data: JsonValue = {"orderId": "o-7", "tenant": "north"}
    run = await outside.run("order_with_all_seven_kinds", patches, data, {"carrier": "called"})
    assert run.summary.state == "COMPLETED", run.summary.failure
    states = {view.label: view.state for view in run.nodes}
    assert {label for label, state in states.items() if state == "SKIPPED"} == {"Tell the shop", "Refund"}
    assert run.output == {"carrier": "called"}
    shipment = next(view.output for view in run.nodes if view.label == "Shipment")
    assert shipment == {
        "orderId": "o-7",
        "skus": ["A1", "B2"],
        "speed": "'express'",
        "note": {"greeting": "Hello Ada"},
    }
    (asked,) = outside.server.calls("/n8n-2/webhook/shop")
    assert (asked.headers["x-tenant"], asked.query["order"]) == ("north", "o-7")
    reserved = stock.executions[0].trigger["body"]
    assert (reserved["orderId"], reserved["lines"]) == ("o-7", ORDER["lines"])
    assert reserved["callbackUrl"].endswith(reserved["correlationToken"])


async def test_the_diamond_over_make_and_zapier_runs(outside: Outside):
    # Zapier's own addresses alone are called without a connection; one with an address for tries leads to the fake.
    hook = outside.answering("hooks/catch/1234567/abcdefg", {"score": 42})
    zapier = await outside.connect_with("zapier", mode="hook", hookUrl=hook, apiUrl=outside.server.url)
    patches = {
        "https://crm.example.org/leads": f"{outside.server.url}/echo/leads",
        "https://hook.eu2.make.com/5k2jx8y0v1": outside.answering(
            "make", {"company": "Analytical Engines", "email": "ada@x.example"}
        ),
        "https://hooks.zapier.com/hooks/catch/1234567/abcdefg/": hook,
        '"provider": "zapier",': f'"provider": "zapier", "connectionId": "{zapier}",',
    }
    run = await outside.run("diamond_over_make_and_zapier", patches, {"email": "ada@x.example"})
    assert run.summary.state == "COMPLETED", run.summary.failure
    assert run.output == {"email": "ada@x.example", "score": 42, "company": {"name": "Analytical Engines"}}
    (called,) = outside.server.calls("/n8n-2/webhook/hooks/catch/1234567/abcdefg")
    assert parse_qs(called.text) | {"email": ["ada@x.example"], "source": ["form"]} == parse_qs(called.text)
    (make,) = outside.server.calls("/n8n-2/webhook/make")
    assert make.json == {"email": "ada@x.example"}


async def test_the_parallel_questions_to_local_flows_run(outside: Outside):
    flowise = outside.server.flowise
    flows = [flowise.add_flow(f"Flow {number}") for number in range(3)]
    connection_id = await outside.connect("flowise", flowise.base, flowise.key)
    patches = {"7e2a3d90-1111-4222-8333-944455556666": connection_id}
    patches |= {f"flow-{number}": flow.id for number, flow in enumerate(flows)}
    run = await outside.run("parallel_questions_to_local_flows", patches, {"text": "Hello"})
    assert run.summary.state == "COMPLETED", run.summary.failure
    assert isinstance(run.output, dict)
    answers = [run.output[key] for key in ("summary", "translation", "keywords")]
    texts = [answer["text"] for answer in answers if isinstance(answer, dict)]
    assert texts == [
        "You said: Summarise: Hello",
        "You said: Translate to French: Hello",
        'You said: {"text":"Hello"}',
    ]


@pytest.mark.parametrize(("is_approved", "taken"), [(True, "Pay"), (False, "Declined")])
async def test_the_approval_with_an_old_condition_runs(outside: Outside, is_approved: bool, taken: str):  # noqa: FBT001
    url = outside.server.url
    patches = {
        "https://n8n.example.org/webhook/approval": f"{url}/echo/approval",
        '{{data.amount}} €?\\"': '{{data.amount}} €?\\", \\"amount\\": {{data.amount}}',
        "{{vars.bankUrl}}": f"{url}/echo/bank",
        "{{vars.bankToken}}": "bank-token",
    }
    body: dict[str, JsonValue] = {"approved": is_approved, "reason": "too much"}
    run = await outside.run("approval_with_an_old_condition", patches, {"amount": 90}, body)
    assert run.summary.state == "COMPLETED", run.summary.failure
    states = {view.label: view.state for view in run.nodes}
    assert {label for label in ("Pay", "Declined") if states[label] == "COMPLETED"} == {taken}
    assert run.output == ({"amount": 90} if is_approved else {"status": "declined", "reason": "too much"})
    (asked,) = outside.server.calls("/echo/approval")
    assert asked.json["text"] == "Approve 90 €?"
    assert asked.json["answerTo"].endswith(asked.json["token"])


async def test_the_polling_report_with_an_error_branch_runs(outside: Outside):
    n8n = outside.server.n8n2
    report = n8n.add_workflow("Report", path="report", mode="onReceived", items=lambda _: [{"pages": 3}])
    patches = {
        "3f0d5b8e-0f5b-4f5c-a9a7-6a1f0b1c2d3e": await outside.connect("n8n", n8n.base, n8n.key),
        '"42"': json.dumps(report.id),
        "https://n8n.example.org/webhook/report": report.url,
        "http://localhost:5678/webhook/x?y=1": f"{outside.server.url}/echo/x?y=1",
        '"pollingInterval": 2000': '"pollingInterval": 5000',
    }
    run = await outside.run("polling_report_with_error_branch", patches, {})
    assert run.summary.state == "COMPLETED", run.summary.failure
    states = {view.label: view.state for view in run.nodes}
    assert states["On failure"] == "SKIPPED"
    assert outside.server.calls("/echo/x")[0].json == {"pages": 3}
    failing = n8n.add_workflow("Broken", path="broken", mode="onReceived", fails="No paper.")
    patches |= {'"42"': json.dumps(failing.id), "https://n8n.example.org/webhook/report": failing.url}
    run = await outside.run("polling_report_with_error_branch", patches, {})
    assert run.summary.state == "COMPLETED", run.summary.failure
    states = {view.label: view.state for view in run.nodes}
    assert (states["Build report"], states["On failure"]) == ("FAILED", "COMPLETED")


async def test_an_export_imports_as_the_same(world: World):
    nodes = [webhook("a", headers={"X": "{{ data.x }}"}), wait("w"), mapper("m", n="=1")]
    made = await world.orchestrators.create(
        WORKSPACE,
        name="Nightly",
        description="Each night.",
        definition=graph(nodes, "a w, w m, a:error m").as_json(),
    )
    document = await world.orchestrators.export(WORKSPACE, made.id)
    assert document["kind"] == "orchestrator"
    again = await world.orchestrators.import_document(WORKSPACE, json.loads(json.dumps(document)))
    assert (again.name, again.description, again.definition) == (made.name, made.description, made.definition)
    assert again.id != made.id
    assert await world.orchestrators.export(WORKSPACE, again.id) == document


async def test_the_example_survives_its_export(world: World):
    made = await create_example(world.orchestrators, WORKSPACE)
    again = await world.orchestrators.import_document(
        WORKSPACE, await world.orchestrators.export(WORKSPACE, made.id)
    )
    assert again.definition == made.definition
    assert again.can_run


@pytest.mark.parametrize("key", ["definition", "flowData"])
async def test_a_definition_inside_a_document_may_be_text(world: World, key: str):
    text = json.dumps(graph([mapper("a", n="=1")]).as_json())
    made = await world.orchestrators.import_document(WORKSPACE, {key: text, "name": " ", "description": 5})
    assert (made.name, made.description) == ("Imported orchestrator", "")
    summary, _ = await world.runs.start(WORKSPACE, made.id, {}, trigger="api")
    assert states_of(await world.ended(summary.id)) == {"a": "COMPLETED"}


@pytest.mark.parametrize("document", [None, [], "text", 5])
async def test_what_is_no_document_is_not_imported(world: World, document: object):
    with pytest.raises(InvalidInput, match="This is no export of an orchestrator"):
        await world.orchestrators.import_document(WORKSPACE, document)


async def test_a_document_with_a_broken_definition_is_not_imported(world: World):
    with pytest.raises(InvalidInput, match="The definition inside this document is not JSON"):
        await world.orchestrators.import_document(WORKSPACE, {"definition": "{broken"})
    for broken in ({}, {"definition": 5}, {"definition": None}, {"nodes": "x", "edges": []}):
        with pytest.raises(InvalidDefinition):
            await world.orchestrators.import_document(WORKSPACE, broken)
    assert (await world.orchestrators.page(WORKSPACE)).items == ()


async def test_an_imported_name_may_not_be_too_long(world: World):
    document = {"name": "x" * 201, "definition": Definition().as_json()}
    with pytest.raises(InvalidInput, match="1 to 200 characters"):
        await world.orchestrators.import_document(WORKSPACE, document)
