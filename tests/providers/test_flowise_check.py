"""Testing a connection to Flowise: what is wrong is told apart, and what the key may do is shown."""

import pytest

from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.flowise import FlowiseProvider
from tests.fakes.connections import flowise_connection
from tests.fakes.flowise import FakeFlowise
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> FlowiseProvider:
    return FlowiseProvider(http_client)


@pytest.fixture
def flowise(fake_server: FakeServer) -> FakeFlowise:
    return fake_server.flowise


async def test_a_good_connection_is_connected(flowise: FakeFlowise, provider: FlowiseProvider):
    check = await provider.test(flowise_connection(flowise))
    assert check.status == "connected"
    assert check.detail.endswith("answers and accepts the API key.")
    assert check.facts == (("Version", "3.1.4"), ("May list flows", "yes"), ("May read executions", "yes"))


async def test_a_connection_without_a_key_reaches_open_flows(flowise: FakeFlowise, provider: FlowiseProvider):
    check = await provider.test(flowise_connection(flowise, apiKey=""))
    assert check.status == "connected"
    assert "only open flows can be asked" in check.detail
    assert check.facts == (("Version", "3.1.4"),)


async def test_a_bad_key_is_refused(flowise: FakeFlowise, provider: FlowiseProvider):
    check = await provider.test(flowise_connection(flowise, apiKey="wr0ng"))
    assert check.status == "refused"
    assert "does not accept the API key" in check.detail
    assert "wr0ng" not in check.detail


@pytest.mark.parametrize(
    ("rights", "missing"),
    [
        ({"may_list": False}, ["chatflows:view and agentflows:view"]),
        ({"may_look": False}, ["executions:view"]),
        (
            {"may_list": False, "may_look": False},
            ["chatflows:view and agentflows:view", "executions:view"],
        ),
    ],
)
async def test_a_key_with_few_permissions_is_good_and_what_it_lacks_is_named(
    flowise: FakeFlowise, provider: FlowiseProvider, rights: dict[str, bool], missing: list[str]
):
    flowise.add_key("few", **rights)
    check = await provider.test(flowise_connection(flowise, apiKey="few"))
    assert check.status == "connected"
    assert [words for words in missing if words in check.detail] == missing
    assert dict(check.facts)["May list flows"] == ("yes" if rights.get("may_list", True) else "no")
    assert dict(check.facts)["May read executions"] == ("yes" if rights.get("may_look", True) else "no")


async def test_an_old_release_is_said_to_keep_no_executions(flowise: FakeFlowise, provider: FlowiseProvider):
    flowise.release = "2.2.8"
    check = await provider.test(flowise_connection(flowise))
    assert check.status == "connected"
    assert dict(check.facts)["May read executions"] == "no: this release keeps none"


async def test_another_server_is_not_taken_for_flowise(flowise: FakeFlowise, provider: FlowiseProvider):
    flowise.is_there = False
    check = await provider.test(flowise_connection(flowise))
    assert check.status == "unreachable"
    assert "it is not Flowise" in check.detail


async def test_nobody_at_the_address_is_unreachable(flowise: FakeFlowise, provider: FlowiseProvider):
    check = await provider.test(flowise_connection(flowise, baseUrl="http://127.0.0.1:1"))
    assert check.status == "unreachable"


async def test_without_an_address_there_is_nothing_to_test(flowise: FakeFlowise, provider: FlowiseProvider):
    check = await provider.test(flowise_connection(flowise, baseUrl=""))
    assert (check.status, check.detail) == ("untested", "Enter the address of Flowise.")


@pytest.mark.parametrize(("path", "status"), [("/status/503", "unreachable"), ("/status/429", "untested")])
async def test_a_server_in_trouble_is_told_as_such(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider, path: str, status: str
):
    check = await provider.test(flowise_connection(flowise, baseUrl=f"{fake_server.url}{path}?x="))
    assert check.status == status
    assert path.rpartition("/")[2] in check.detail
