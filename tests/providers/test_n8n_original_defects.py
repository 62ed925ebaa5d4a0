"""What the first Orchestrator got wrong about n8n, each by a test that bears its name."""

import pytest

from orchestrator_app.errors import ProviderRefused
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.n8n import N8nProvider
from orchestrator_app.providers.remote_workflow import PreviewEdge
from tests.fakes.connections import n8n_connection, remote_call
from tests.fakes.n8n import FakeN8n
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> N8nProvider:
    return N8nProvider(http_client)


@pytest.fixture(params=[2, 1], ids=["2.41.1", "1.123.81"])
def n8n(request: pytest.FixtureRequest, fake_server: FakeServer) -> FakeN8n:
    return fake_server.n8n2 if request.param == 2 else fake_server.n8n1


async def all_names(n8n: FakeN8n, provider: N8nProvider) -> list[str]:
    names: list[str] = []
    cursor = ""
    while True:
        page = await provider.workflows(n8n_connection(n8n), cursor=cursor)
        names += [workflow.name for workflow in page.workflows]
        cursor = page.cursor
        if not cursor:
            return names


async def test_connections_as_an_object_keyed_by_the_name_of_the_source(n8n: FakeN8n, provider: N8nProvider):
    """It looped over connections as if they were a list, so previews had no edges."""
    flow = n8n.add_workflow("Orders")
    assert isinstance(flow.connections, dict)
    preview = await provider.preview(n8n_connection(n8n), flow.id)
    assert preview.edges == (PreviewEdge("Webhook", "Set"),)


async def test_outputs_that_are_null_in_connections(n8n: FakeN8n, provider: N8nProvider):
    """n8n writes null for an output without links, which broke the whole preview."""
    nodes = n8n.add_workflow("Made").published_nodes
    links = {
        "Webhook": {"main": [None, [{"node": "Set", "type": "main", "index": 0}], None]},
        "Set": {"main": None},
    }
    flow = n8n.add_workflow("Orders", own_nodes=nodes, own_connections=links)
    preview = await provider.preview(n8n_connection(n8n), flow.id)
    assert preview.edges == (PreviewEdge("Webhook", "Set", "1"),)


async def test_paging_to_the_end(n8n: FakeN8n, provider: N8nProvider):
    """It read the first page only: whoever had more than 100 workflows did not see the rest."""
    for number in range(321):
        n8n.add_workflow(f"Flow {number}")
    assert sorted(await all_names(n8n, provider)) == sorted(f"Flow {number}" for number in range(321))


async def test_a_limit_of_zero_is_never_sent(n8n: FakeN8n, provider: N8nProvider):
    """For it n8n gives everything at once, and a cursor that never ends."""
    n8n.add_workflow("Orders")
    await all_names(n8n, provider)
    assert [int(call.query["limit"]) for call in n8n.server.journal if "limit" in call.query] == [100]


async def test_archived_workflows_are_not_listed(n8n: FakeN8n, provider: N8nProvider):
    """n8n lists them among the others."""
    n8n.add_workflow("Old", is_archived=True)
    n8n.add_workflow("New")
    assert await all_names(n8n, provider) == ["New"]


async def test_the_active_flag(n8n: FakeN8n, provider: N8nProvider):
    """It took every workflow for active, and started ones that do not listen."""
    n8n.add_workflow("On")
    off = n8n.add_workflow("Off", is_active=False)
    page = await provider.workflows(n8n_connection(n8n))
    assert {workflow.name: workflow.is_active for workflow in page.workflows} == {"On": True, "Off": False}
    with pytest.raises(ProviderRefused, match="is not active in n8n"):
        await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=off.id))


async def test_an_unpublished_change_is_not_what_runs(n8n: FakeN8n, provider: N8nProvider):
    """It showed the draft, and called the draft's path, on which nothing listens yet."""
    flow = n8n.add_workflow("Orders", path="published")
    draft = flow.webhook_node
    draft["parameters"]["path"] = "draft"
    flow.draft_nodes = [draft]
    preview = await provider.preview(n8n_connection(n8n), flow.id)
    assert preview.url.endswith("/webhook/published")
    answer = await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    assert answer.state == "completed"


async def test_no_endpoint_that_does_not_exist_is_called(n8n: FakeN8n, provider: N8nProvider):
    """It posted to /workflows/{id}/execute, which n8n never had."""
    flow = n8n.add_workflow("Orders")
    await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    assert [call.path for call in n8n.server.calls(method="POST")] == [f"{n8n.prefix}/webhook/orders"]
