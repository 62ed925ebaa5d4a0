"""The n8n provider: testing a connection, listing and previewing, against both releases of the fake."""

import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.n8n import N8nProvider
from orchestrator_app.security.network import NetworkGuard
from tests.fakes.connections import n8n_connection, remote_call
from tests.fakes.n8n import FakeN8n
from tests.fakes.server import FakeServer
from tests.fakes.wire import DROP, Received, Reply


@pytest.fixture
def provider(http_client: HttpClient) -> N8nProvider:
    return N8nProvider(http_client)


@pytest.fixture(params=[2, 1], ids=["2.41.1", "1.123.81"])
def n8n(request: pytest.FixtureRequest, fake_server: FakeServer) -> FakeN8n:
    return fake_server.n8n2 if request.param == 2 else fake_server.n8n1


# --- the connection test ---


async def test_a_good_connection_is_connected(n8n: FakeN8n, provider: N8nProvider):
    check = await provider.test(n8n_connection(n8n))
    assert check.status == "connected"
    assert "accepts the API key" in check.detail


@pytest.mark.parametrize("pasted", ["{}/", "{}/api/v1", " {}/api/v1/ "])
async def test_what_is_pasted_along_with_the_address_does_no_harm(
    n8n: FakeN8n, provider: N8nProvider, pasted: str
):
    check = await provider.test(n8n_connection(n8n, baseUrl=pasted.format(n8n.base)))
    assert check.status == "connected"


async def test_a_bad_key_is_told_in_n8ns_words_with_what_to_do(n8n: FakeN8n, provider: N8nProvider):
    check = await provider.test(n8n_connection(n8n, apiKey="wr0ng-key"))
    assert check.status == "refused"
    assert "nauthorized”" in check.detail
    assert "Create a new key" in check.detail
    assert "wr0ng-key" not in check.detail


async def test_a_key_that_may_not_list_is_told_apart_from_a_bad_one(
    fake_server: FakeServer, provider: N8nProvider
):
    n8n = fake_server.n8n2
    n8n.add_key("few", {"execution:list"})
    check = await provider.test(n8n_connection(n8n, apiKey="few"))
    assert check.status == "refused"
    assert "“Forbidden”" in check.detail
    assert "workflow:list" in check.detail


async def test_a_key_that_may_not_read_executions_is_good_for_the_rest(
    fake_server: FakeServer, provider: N8nProvider
):
    n8n = fake_server.n8n2
    n8n.add_key("few", {"workflow:list"})
    check = await provider.test(n8n_connection(n8n, apiKey="few"))
    assert check.status == "connected"
    assert "polling" in check.detail


async def test_the_permissions_of_the_key_are_shown_where_the_release_tells_them(
    n8n: FakeN8n, provider: N8nProvider
):
    check = await provider.test(n8n_connection(n8n))
    used = "workflow:list, workflow:read, execution:list, execution:read, execution:stop"
    assert check.facts == ((("Permissions", used),) if n8n.release == 2 else ())


async def test_a_permission_that_is_missing_is_named(fake_server: FakeServer, provider: N8nProvider):
    n8n = fake_server.n8n2
    n8n.add_key("few", {"workflow:list", "workflow:read", "execution:list", "execution:read"})
    check = await provider.test(n8n_connection(n8n, apiKey="few"))
    assert check.status == "connected"
    assert check.detail.endswith("it still needs execution:stop.")


async def test_without_a_key_webhooks_can_be_called_and_nothing_asked(n8n: FakeN8n, provider: N8nProvider):
    few = {Capability.EXECUTE, Capability.RESPONSE, Capability.CALLBACK}
    assert provider.capabilities_of(None) == few
    assert provider.capabilities_of(n8n_connection(n8n, apiKey=" ")) == few
    assert provider.capabilities_of(n8n_connection(n8n)) == provider.capabilities
    refusal = provider.refusal(Capability.POLL)
    assert "only with a connection" in refusal.message
    assert "page Connections" in refusal.hint
    assert "no organizations or teams" in provider.refusal(Capability.TEAMS).message


async def test_permissions_that_cannot_be_read_do_not_matter(fake_server: FakeServer, provider: N8nProvider):
    n8n = fake_server.n8n2
    answer = n8n.answer

    async def hang_up(received: Received) -> Reply:
        return DROP if received.path.endswith("/discover") else await answer(received)

    n8n.answer = hang_up
    check = await provider.test(n8n_connection(n8n))
    assert (check.status, check.facts) == ("connected", ())


async def test_a_closed_api_is_told_apart_from_another_server(n8n: FakeN8n, provider: N8nProvider):
    n8n.is_api_open = False
    check = await provider.test(n8n_connection(n8n))
    assert check.status == "refused"
    assert "N8N_PUBLIC_API_DISABLED" in check.detail


async def test_a_server_that_is_not_n8n_is_said_to_be_none(n8n: FakeN8n, provider: N8nProvider):
    n8n.is_there = False
    check = await provider.test(n8n_connection(n8n))
    assert check.status == "unreachable"
    assert "not n8n" in check.detail


@pytest.mark.parametrize("path", ["/html", "/echo", "/text?text=ok", "/status/200"])
async def test_other_good_answers_are_not_taken_for_n8n(
    fake_server: FakeServer, provider: N8nProvider, path: str
):
    connection = n8n_connection(fake_server.n8n2, baseUrl=fake_server.url + path)
    assert (await provider.test(connection)).status == "unreachable"


async def test_nobody_at_the_address_is_unreachable(fake_server: FakeServer, provider: N8nProvider):
    check = await provider.test(n8n_connection(fake_server.n8n2, baseUrl="http://127.0.0.1:1"))
    assert check.status == "unreachable"
    assert "127.0.0.1:1" in check.detail


async def test_a_busy_n8n_says_nothing_about_the_key(n8n: FakeN8n, provider: N8nProvider):
    n8n.limit_rate()
    assert (await provider.test(n8n_connection(n8n))).status == "untested"


async def test_an_empty_form_is_untested(fake_server: FakeServer, provider: N8nProvider):
    check = await provider.test(Connection("c", "n8n", "New", {}))
    assert check.status == "untested"
    assert fake_server.journal == []


# --- the list ---


async def test_workflows_are_listed_page_by_page_without_archived_ones(n8n: FakeN8n, provider: N8nProvider):
    for number in range(130):
        n8n.add_workflow(f"Flow {number}", is_active=number % 2 == 0, tags=("crm",))
    n8n.add_workflow("Old", is_archived=True)
    first = await provider.workflows(n8n_connection(n8n))
    second = await provider.workflows(n8n_connection(n8n), cursor=first.cursor)
    found = [*first.workflows, *second.workflows]
    assert len(first.workflows) in {99, 100}
    assert second.cursor == ""
    assert sorted(flow.name for flow in found) == sorted(f"Flow {number}" for number in range(130))
    assert sum(flow.is_active for flow in found) == 65
    assert found[0].tags == ("crm",)
    assert (found[0].team, found[0].folder, found[0].note) == ("", "", "")  # lists do not tell the project
    assert found[0].link == f"{n8n.base}/workflow/{found[0].id}"
    assert [call.query["limit"] for call in n8n.server.calls(f"{n8n.prefix}/api/v1/workflows")] == [
        "100",
        "100",
    ]


async def test_a_row_has_the_digest_of_the_preview(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders")
    (row,) = (await provider.workflows(n8n_connection(n8n))).workflows
    preview = await provider.preview(n8n_connection(n8n), flow.id)
    assert row.content_hash == preview.workflow.content_hash != ""
    assert preview.workflow.team == "Rig Owner <rig@example.com>"


async def test_workflows_are_searched_by_name(n8n: FakeN8n, provider: N8nProvider):
    for name in ("Order intake", "Order export", "Leads"):
        n8n.add_workflow(name)
    page = await provider.workflows(n8n_connection(n8n), query=" order ")
    assert sorted(flow.name for flow in page.workflows) == ["Order export", "Order intake"]


async def test_a_release_that_cannot_search_is_searched_by_us(n8n: FakeN8n, provider: N8nProvider):
    n8n.unknown_parameters = {"name", "excludePinnedData"}
    for number in range(120):
        n8n.add_workflow(f"Flow {number}", id=f"a{number:04}")
    n8n.add_workflow("Needle", id="z")
    page = await provider.workflows(n8n_connection(n8n), query="needle")
    assert [flow.name for flow in page.workflows] == ["Needle"]
    assert page.cursor == ""


async def test_nothing_found_is_an_empty_page(n8n: FakeN8n, provider: N8nProvider):
    n8n.add_workflow("Order")
    page = await provider.workflows(n8n_connection(n8n), query="nothing")
    assert (page.workflows, page.cursor) == ((), "")


async def test_a_list_that_is_too_large_is_read_in_smaller_pages(n8n: FakeN8n):
    for number in range(60):
        n8n.add_workflow(f"Flow {number}")
    client = HttpClient(NetworkGuard(allow_local=True, own_port=None), max_body_bytes=40_000)
    try:
        provider = N8nProvider(client)
        names: set[str] = set()
        first = cursor = ""
        while True:
            page = await provider.workflows(n8n_connection(n8n), cursor=cursor)
            names |= {flow.name for flow in page.workflows}
            cursor = page.cursor
            first = first or cursor
            if not cursor:
                break
        assert len(names) == 60
        for flow in n8n.workflows.values():
            flow.name = "x" * 30_000
        for known in ("", first):
            with pytest.raises(UnreadableAnswer):
                await provider.workflows(n8n_connection(n8n), cursor=known)
    finally:
        await client.close()


async def test_a_long_row_of_archived_workflows_does_not_end_the_list(
    n8n: FakeN8n, provider: N8nProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("orchestrator_app.providers.n8n_api._EMPTY_PAGES", 2)
    for number in range(250):
        n8n.add_workflow(f"Old {number}", id=f"a{number:04}", is_archived=True)
    n8n.add_workflow("New", id="z")
    first = await provider.workflows(n8n_connection(n8n))
    assert first.workflows == ()
    second = await provider.workflows(n8n_connection(n8n), cursor=first.cursor)
    assert [flow.name for flow in second.workflows] == ["New"]


async def test_a_cursor_that_leads_to_itself_ends_the_list(n8n: FakeN8n, provider: N8nProvider):
    n8n.add_workflow("Only")
    never_ending = "eyJsaW1pdCI6MCwib2Zmc2V0IjowfQ=="  # as n8n gives for limit=0
    page = await provider.workflows(n8n_connection(n8n), cursor=never_ending)
    assert (len(page.workflows), page.cursor) == (1, "")


async def test_a_bad_cursor_is_n8ns_own_refusal(n8n: FakeN8n, provider: N8nProvider):
    with pytest.raises(ProviderRefused, match="An invalid cursor was provided"):
        await provider.workflows(n8n_connection(n8n), cursor="nonsense")


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (lambda n8n: n8n.limit_rate(retry_after="9"), ProviderBusy),
        (lambda n8n: n8n.drop(3), ProviderUnavailable),
        (lambda n8n: n8n.keys.clear(), CredentialRefused),
        (lambda n8n: setattr(n8n, "is_api_open", False), ProviderUnavailable),
    ],
)
async def test_trouble_with_the_api_is_told_by_kind(
    n8n: FakeN8n, provider: N8nProvider, trouble: object, error: type[ProviderError]
):
    assert callable(trouble)
    trouble(n8n)
    with pytest.raises(error) as caught:
        await provider.workflows(n8n_connection(n8n))
    assert n8n.key not in str(caught.value) + caught.value.hint
    if isinstance(caught.value, ProviderBusy):
        assert caught.value.retry_after_seconds == 9


async def test_an_answer_that_is_not_n8ns_is_unreadable(fake_server: FakeServer, provider: N8nProvider):
    fake_server.n8n2.add_workflow("A", id="only-this")
    connection = n8n_connection(fake_server.n8n2, baseUrl=fake_server.url + "/text?text=")
    with pytest.raises(UnreadableAnswer):
        await provider.workflows(connection)


async def test_a_json_list_is_not_taken_for_a_workflow(fake_server: FakeServer, provider: N8nProvider):
    connection = n8n_connection(fake_server.n8n2, baseUrl=fake_server.url + "/text?text=[]&x=")
    with pytest.raises(UnreadableAnswer, match="not answer as n8n does"):
        await provider.preview(connection, "w")


# --- the preview ---


async def test_a_preview_says_how_to_start_the_workflow(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", path="orders", mode="onReceived", method="")
    preview = await provider.preview(n8n_connection(n8n, webhookBaseUrl="https://hooks.example/"), flow.id)
    assert (preview.url, preview.method, preview.completion) == (
        "https://hooks.example/webhook/orders",
        "GET",
        "poll",
    )
    assert [node.label for node in preview.nodes] == ["Webhook", "Set"]
    assert len(preview.edges) == 1
    assert preview.workflow.link == f"{n8n.base}/workflow/{flow.id}"


async def test_a_preview_of_an_unknown_workflow_says_so(n8n: FakeN8n, provider: N8nProvider):
    with pytest.raises(ProviderRefused, match="has no workflow gone"):
        await provider.preview(n8n_connection(n8n), "gone")


async def test_an_id_with_odd_letters_stays_one_part_of_the_address(n8n: FakeN8n, provider: N8nProvider):
    with pytest.raises(ProviderRefused):
        await provider.preview(n8n_connection(n8n), "../executions?x=1")
    assert n8n.server.journal[-1].path == f"{n8n.prefix}/api/v1/workflows/..%2Fexecutions%3Fx%3D1"


@pytest.mark.parametrize("values", [{}, {"baseUrl": "http://127.0.0.1:1"}, {"apiKey": "k"}])
async def test_without_address_and_key_nothing_is_asked(provider: N8nProvider, values: dict[str, str]):
    connection = Connection("c", "n8n", "New", values)
    with pytest.raises(CredentialRefused, match="address and an API key"):
        await provider.workflows(connection)
    with pytest.raises(CredentialRefused):
        await provider.preview(connection, "w")
    with pytest.raises(CredentialRefused):
        await provider.poll(None, remote_call("n8n"), {})
    with pytest.raises(CredentialRefused):
        await provider.cancel(None, remote_call("n8n"), {})
