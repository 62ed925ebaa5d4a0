"""Connections to Make: their test, their zone, and what they allow."""

import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    NotSupported,
)
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Choice, Connection
from orchestrator_app.providers.make import MakeProvider
from orchestrator_app.providers.make_api import ZONES, api_base
from tests.fakes.connections import make_connection, remote_call
from tests.fakes.make import FakeMake
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> MakeProvider:
    return MakeProvider(http_client)


@pytest.fixture
def make(fake_server: FakeServer) -> FakeMake:
    return fake_server.make


# --- the test of a connection ---


async def test_a_good_token_shows_its_permissions_and_the_teams(make: FakeMake, provider: MakeProvider):
    make.add_team(17, "Sales")
    check = await provider.test(make_connection(make, teamId=""))
    assert check.status == "connected"
    assert check.detail == f"Make at {make.base.split('/')[2]} answers and accepts the API token."
    assert check.choices["organizationId"] == (Choice("5", "Acme"),)
    assert check.choices["teamId"] == (Choice("16", "Ops (Acme)"), Choice("17", "Sales (Acme)"))
    facts = dict(check.facts)
    assert "scenarios:run" in facts["Permissions"]
    assert facts["Requests in a minute"] == "60"
    assert "Missing permission" not in facts


async def test_each_missing_scope_is_told_with_what_does_not_work(make: FakeMake, provider: MakeProvider):
    token = make.add_token("87654321-1234-4234-9234-123456789abc", {"scenarios:read", "teams:read"})
    check = await provider.test(make_connection(make, apiToken=token))
    assert check.status == "connected"
    warnings = [text for label, text in check.facts if label == "Missing permission"]
    assert [text.split(",")[0] for text in warnings] == [
        f"Without the scope {scope}"
        for scope in ("scenarios:run", "scenarios:write", "organizations:read", "hooks:read")
    ]
    assert "no scenario can be started" in check.detail
    assert check.choices == {"organizationId": (), "teamId": ()}


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_refused_with_either_status(
    make: FakeMake, provider: MakeProvider, status: int
):
    if status == 403:
        make.closed = {"users"}
    token = make.token if status == 403 else "11111111-1234-4234-8234-123456789abc"
    check = await provider.test(make_connection(make, apiToken=token))
    assert check.status == "refused"
    assert "does not accept the API token" in check.detail
    assert "own zone" in check.detail


async def test_a_web_page_instead_of_the_api_asks_for_the_zone(make: FakeMake, provider: MakeProvider):
    make.is_there = False
    check = await provider.test(make_connection(make))
    assert check.status == "unreachable"
    assert "not Make's API" in check.detail
    assert "eu1.make.com" in check.detail


async def test_another_server_asks_for_the_zone(fake_server: FakeServer, provider: MakeProvider):
    check = await provider.test(make_connection(fake_server.make, zone=fake_server.url + "/echo"))
    assert check.status == "unreachable"
    assert "not Make's API" in check.detail


async def test_a_host_that_cannot_be_reached_is_said_to_be_so(make: FakeMake, provider: MakeProvider):
    check = await provider.test(make_connection(make, zone="http://127.0.0.1:9"))
    assert check.status == "unreachable"
    assert "could not be reached" in check.detail
    assert "Enter the zone" in check.detail


async def test_a_rate_limit_says_nothing_about_the_connection(make: FakeMake, provider: MakeProvider):
    make.limit_rate()
    check = await provider.test(make_connection(make))
    assert check.status == "untested"
    assert "Requests limit for organization exceeded" in check.detail


async def test_without_a_token_nothing_is_asked(make: FakeMake, provider: MakeProvider):
    assert (await provider.test(make_connection(make, apiToken=""))).status == "untested"
    assert make.server.journal == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"teamId": ""}, "It sees several organizations: choose one, or a team."),
        ({"teamId": "99"}, "It does not see team 99: choose another."),
        ({"teamId": "", "organizationId": "99"}, "It does not see organization 99: choose another."),
    ],
)
async def test_a_wrong_or_missing_choice_of_the_team_is_told(
    make: FakeMake, provider: MakeProvider, values: dict[str, str], said: str
):
    make.organizations[6] = "Other"
    assert (await provider.test(make_connection(make, **values))).detail.endswith(said)


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("12345678-1234-4234-8234-123456789abc", "Token 12345678-1234-4234-8234-123456789abc"),
        ("Token 12345678-1234-4234-8234-123456789abc", "Token 12345678-1234-4234-8234-123456789abc"),
        ("oauth.access-token", "Bearer oauth.access-token"),
    ],
)
async def test_a_token_of_the_profile_and_one_of_oauth_go_in_different_headers(
    make: FakeMake, provider: MakeProvider, token: str, header: str
):
    make.add_token("oauth.access-token")
    assert (await provider.test(make_connection(make, apiToken=token))).status == "connected"
    assert {call.headers["authorization"] for call in make.server.journal} == {header}


# --- the zone ---


@pytest.mark.parametrize(
    ("zone", "base"),
    [
        ("https://eu1.make.com", "https://eu1.make.com/api/v2"),
        ("eu2.make.com", "https://eu2.make.com/api/v2"),
        ("https://us1.make.com/api/v2/", "https://us1.make.com/api/v2"),
        ("https://eu1.make.celonis.com/1234/team/dashboard", "https://eu1.make.celonis.com/api/v2"),
        ("https://make.example.com", "https://make.example.com/api/v2"),
        ("http://127.0.0.1:9000/make/api/v2", "http://127.0.0.1:9000/make/api/v2"),
        ("", ""),
    ],
)
def test_the_address_of_the_api_is_found_from_what_was_entered(zone: str, base: str):
    assert api_base(zone) == base


@pytest.mark.parametrize(
    ("zone", "origins"),
    [
        ("https://eu1.make.com", {"https://eu1.make.com:443", "https://hook.eu1.make.com:443"}),
        (
            "https://us1.make.celonis.com",
            {"https://us1.make.celonis.com:443", "https://hook.us1.make.celonis.com:443"},
        ),
        ("https://make.example.com", {"https://make.example.com:443", "https://hook.make.example.com:443"}),
        ("http://127.0.0.1:9000/make", {"http://127.0.0.1:9000"}),
        ("http://localhost:9000", {"http://localhost:9000"}),
    ],
)
def test_secrets_are_bound_to_the_zone_and_its_webhooks(provider: MakeProvider, zone: str, origins: set[str]):
    connection = Connection("c", "make", "Make", {"zone": zone, "apiToken": "t"})
    assert provider.bound_origins(connection) == origins


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"zone": "https://www.make.com"}, {"zone": "www.make.com is no zone of Make."}),
        ({"zone": "https://hook.eu1.make.com/abc"}, {"zone": "Enter the zone itself: eu1.make.com."}),
        ({"zone": "https://eu1.make.com", "teamId": "Ops"}, {"teamId": "The team is a number"}),
        ({"zone": "https://eu1.make.com", "organizationId": "x"}, {"organizationId": "The organization is"}),
        ({"zone": "https://make.example.com", "teamId": "16"}, {}),
    ],
)
def test_what_cannot_be_right_in_a_connection_is_said_before_it_is_tried(
    provider: MakeProvider, values: dict[str, str], problems: dict[str, str]
):
    found = provider.problems(values)
    assert set(found) == set(problems)
    assert all(problems[key] in sentence for key, sentence in found.items())


def test_every_known_zone_can_be_chosen(provider: MakeProvider):
    (zone, *_) = provider.credential_fields
    assert [option.label for option in zone.options] == list(ZONES)
    assert all(not provider.problems({"zone": option.value}) for option in zone.options)


async def test_without_a_token_only_webhooks_can_be_called(make: FakeMake, provider: MakeProvider):
    can = {Capability.EXECUTE, Capability.RESPONSE, Capability.CALLBACK}
    assert provider.capabilities_of(None) == can
    assert provider.capabilities_of(make_connection(make)) == set(Capability) - {Capability.CANCEL}
    for attempt in (
        lambda: provider.workflows(make_connection(make, apiToken="")),
        lambda: provider.execute(None, remote_call("make", workflow_id="925")),
        lambda: provider.poll(None, remote_call("make", workflow_id="925"), {}),
    ):
        with pytest.raises(CredentialRefused, match="needs a connection to Make"):
            await attempt()


async def test_a_run_cannot_be_cancelled_and_the_reason_is_makes(make: FakeMake, provider: MakeProvider):
    with pytest.raises(NotSupported, match="no way to cancel a single execution"):
        await provider.cancel(make_connection(make), remote_call("make", workflow_id="925"), {})
