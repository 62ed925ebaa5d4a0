"""Flows of Flowise listed: all pages of every release, what a row tells, and who may not list."""

import ssl

import pytest

from orchestrator_app.errors import CredentialRefused, UnreadableAnswer
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.flowise import FlowiseProvider
from orchestrator_app.security.network import NetworkGuard
from tests.fakes.connections import flowise_connection
from tests.fakes.flowise import FakeFlowise
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> FlowiseProvider:
    return FlowiseProvider(http_client)


@pytest.fixture
def flowise(fake_server: FakeServer) -> FakeFlowise:
    return fake_server.flowise


async def every_page(provider: FlowiseProvider, flowise: FakeFlowise, query: str = "") -> list[list[str]]:
    pages: list[list[str]] = []
    cursor = ""
    while True:
        page = await provider.workflows(flowise_connection(flowise), query=query, cursor=cursor)
        pages.append([workflow.name for workflow in page.workflows])
        cursor = page.cursor
        if not cursor:
            return pages


async def test_all_pages_are_read_newest_first(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    for number in range(90):
        flowise.add_flow(f"Flow {number}", updated=float(number))
    pages = await every_page(provider, flowise)
    assert [len(page) for page in pages] == [40, 40, 10]
    assert [name for page in pages for name in page] == [f"Flow {number}" for number in reversed(range(90))]
    first = await provider.workflows(flowise_connection(flowise))
    assert first.total == 90
    assert {call.query["page"] for call in fake_server.journal} == {"1", "2", "3"}


async def test_a_page_that_ends_the_list_exactly_is_the_last(flowise: FakeFlowise, provider: FlowiseProvider):
    for number in range(40):
        flowise.add_flow(f"Flow {number}")
    assert [len(page) for page in await every_page(provider, flowise)] == [40]


async def test_without_any_flow_the_list_is_empty(flowise: FakeFlowise, provider: FlowiseProvider):
    assert await every_page(provider, flowise) == [[]]


async def test_an_old_release_gives_all_flows_at_once(flowise: FakeFlowise, provider: FlowiseProvider):
    flowise.release = "2.2.8"
    for number in range(50):
        flowise.add_flow(f"Flow {number}")
    page = await provider.workflows(flowise_connection(flowise))
    assert (len(page.workflows), page.cursor, page.total) == (50, "", 50)


async def test_a_search_passes_over_pages_without_a_hit(flowise: FakeFlowise, provider: FlowiseProvider):
    for number in range(100):
        flowise.add_flow("Other", updated=float(number + 10))
    flowise.add_flow("Our Invoices", updated=1.0)
    assert await every_page(provider, flowise, "invoice") == [["Our Invoices"]]
    assert await every_page(provider, flowise, "nowhere") == [[]]


async def test_pages_that_are_too_large_to_read_are_asked_for_in_smaller_ones(flowise: FakeFlowise):
    for number in range(20):
        flowise.add_flow(f"Flow {number}", graph={"nodes": ["x" * 8_000]}, updated=float(-number))
    trust_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = HttpClient(
        NetworkGuard(allow_local=True, own_port=None), ssl_context=trust_nobody, max_body_bytes=100_000
    )
    try:
        pages = await every_page(FlowiseProvider(client), flowise)
    finally:
        await client.close()
    assert [len(page) for page in pages] == [8, 8, 4]
    assert [name for page in pages for name in page] == [f"Flow {number}" for number in range(20)]


async def test_a_row_tells_what_is_known_about_a_flow(flowise: FakeFlowise, provider: FlowiseProvider):
    flow = flowise.add_flow("Support", category="sales; crm;", updated=1_700_000_000.0)
    (row,) = (await provider.workflows(flowise_connection(flowise))).workflows
    assert (row.id, row.name, row.kind, row.tags) == (flow.id, "Support", "agentflow", ("sales", "crm"))
    assert (row.is_active, row.updated_at, row.note) == (True, 1_700_000_000_000, "")
    assert row.link == f"{flowise.base}/v2/agentcanvas/{flow.id}"
    preview = await provider.preview(flowise_connection(flowise), flow.id)
    assert preview.workflow == row
    assert row.content_hash


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("CHATFLOW", "canvas/{id}"),
        ("MULTIAGENT", "agentcanvas/{id}"),
        ("AGENTFLOW", "v2/agentcanvas/{id}"),
        ("ASSISTANT", "assistants/custom"),
    ],
)
async def test_each_type_of_flow_is_listed_and_opens_in_its_own_editor(
    flowise: FakeFlowise, provider: FlowiseProvider, kind: str, place: str
):
    flow = flowise.add_flow(type=kind)
    (row,) = (await provider.workflows(flowise_connection(flowise))).workflows
    assert row.kind == kind.lower()
    assert row.link == f"{flowise.base}/{place.format(id=flow.id)}"


async def test_a_scheduled_flow_is_listed_with_the_reason_why_it_cannot_be_called(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flowise.add_flow(start="schedule")
    (row,) = (await provider.workflows(flowise_connection(flowise))).workflows
    assert not row.is_active
    assert row.note.startswith("Is started by its schedule only")


async def test_a_key_that_may_not_list_says_which_permissions_it_needs(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flowise.add_key("few", may_list=False)
    with pytest.raises(CredentialRefused, match="may not do this: “Forbidden”") as caught:
        await provider.workflows(flowise_connection(flowise, apiKey="few"))
    assert "chatflows:view and agentflows:view" in caught.value.hint
    with pytest.raises(CredentialRefused, match="does not accept the API key"):
        await provider.workflows(flowise_connection(flowise, apiKey="wrong"))


@pytest.mark.parametrize("path", ["/html", '/echo?x={"a":1}'])
async def test_what_is_no_list_is_not_taken_for_one(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider, path: str
):
    connection = flowise_connection(flowise, baseUrl=fake_server.url + path)
    with pytest.raises(UnreadableAnswer):
        await provider.workflows(connection)
