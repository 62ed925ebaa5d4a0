"""The lists of scenarios of Make, page by page, against the fake."""

import base64
from typing import Any

import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.make import MakeProvider
from orchestrator_app.providers.remote_workflow import RemoteWorkflow
from tests.fakes.connections import make_connection
from tests.fakes.make import FakeMake
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> MakeProvider:
    return MakeProvider(http_client)


@pytest.fixture
def make(fake_server: FakeServer) -> FakeMake:
    return fake_server.make


async def listed(provider: MakeProvider, connection: Connection, query: str = "") -> list[RemoteWorkflow]:
    """All pages."""
    found: list[RemoteWorkflow] = []
    cursor = ""
    while True:
        page = await provider.workflows(connection, query=query, cursor=cursor)
        found += page.workflows
        cursor = page.cursor
        if not cursor:
            return found


# --- lists ---


async def test_a_scenario_is_listed_with_everything_that_make_tells(make: FakeMake, provider: MakeProvider):
    make.folders[3] = ("CRM", 16)
    scenario = make.add_scenario("Invoice sync", folder=3, labels=["money"], edited_at=1_772_352_000_000)
    (found,) = await listed(provider, make_connection(make))
    assert found == RemoteWorkflow(
        id=str(scenario.id),
        name="Invoice sync",
        is_active=True,
        updated_at=1_772_352_000_000,
        tags=("money",),
        link=f"{make.base}/16/scenarios/{scenario.id}/edit",
        folder="CRM",
        team="Ops",
        kind="on-demand",
    )


async def test_all_pages_are_read_to_the_end(make: FakeMake, provider: MakeProvider):
    for number in range(250):
        make.add_scenario(f"Scenario {number}")
    found = await listed(provider, make_connection(make))
    assert sorted(int(each.id) for each in found) == sorted(make.scenarios)
    pages = make.server.calls(f"{make.api}/scenarios")
    assert [call.query["pg[offset]"] for call in pages] == ["0", "100", "200"]


async def test_a_server_that_gives_smaller_pages_is_read_to_the_end_too(
    make: FakeMake, provider: MakeProvider
):
    make.most_rows = 10
    for number in range(25):
        make.add_scenario(f"Scenario {number}")
    assert len(await listed(provider, make_connection(make))) == 25


async def test_a_list_that_ends_with_a_full_page_ends(make: FakeMake, provider: MakeProvider):
    for number in range(100):
        make.add_scenario(f"Scenario {number}")
    first = await provider.workflows(make_connection(make))
    second = await provider.workflows(make_connection(make), cursor=first.cursor)
    assert (len(first.workflows), second.workflows, second.cursor) == (100, (), "")


async def test_names_are_searched_although_make_cannot(make: FakeMake, provider: MakeProvider):
    for number in range(150):
        make.add_scenario("Straße" if number == 140 else f"Scenario {number}")
    page = await provider.workflows(make_connection(make), query=" STRASSE ")
    assert ([each.name for each in page.workflows], page.cursor) == (["Straße"], "")


async def test_folders_and_teams_are_asked_for_once_for_all_pages(make: FakeMake, provider: MakeProvider):
    make.most_rows = 10
    for number in range(25):
        make.add_scenario(f"Scenario {number}")
    await listed(provider, make_connection(make))
    assert len(make.server.calls(f"{make.api}/scenarios-folders")) == 1
    await listed(provider, make_connection(make))
    assert len(make.server.calls(f"{make.api}/scenarios-folders")) == 2


async def test_folders_that_may_not_be_seen_are_no_obstacle(make: FakeMake, provider: MakeProvider):
    make.closed = {"scenarios-folders", "teams"}
    make.add_scenario("Invoices", folder=3)
    (found,) = await listed(provider, make_connection(make))
    assert (found.folder, found.team) == ("", "")


@pytest.mark.parametrize(
    ("flag", "why"),
    [("isinvalid", "because of errors"), ("isPaused", "subscription"), ("islocked", "has locked")],
)
async def test_a_scenario_that_cannot_run_says_why(
    make: FakeMake, provider: MakeProvider, flag: str, why: str
):
    make.add_scenario("Invoices", flags={flag})
    (found,) = await listed(provider, make_connection(make))
    assert why in found.note


async def test_the_whole_organization_is_listed_with_the_names_of_its_teams(
    make: FakeMake, provider: MakeProvider
):
    make.add_team(17, "Sales")
    make.folders |= {3: ("CRM", 16), 4: ("Leads", 17)}
    make.add_scenario("A", folder=3)
    make.add_scenario("B", team=17, folder=4)
    found = await listed(provider, make_connection(make, teamId="", organizationId="5"))
    assert [(each.team, each.folder) for each in found] == [("Ops", "CRM"), ("Sales", "Leads")]


# --- regressions: what the program before this one got wrong ---


async def test_regression_a_list_names_exactly_one_of_team_and_organization(
    make: FakeMake, provider: MakeProvider
):
    """It asked for scenarios without a team, which Make refuses."""
    make.add_scenario("Invoices")
    for values in (
        {"teamId": "16", "organizationId": "5"},
        {"teamId": "16"},
        {"teamId": "", "organizationId": "5"},
        {"teamId": ""},
    ):
        make.server.journal.clear()
        assert len(await listed(provider, make_connection(make, **values))) == 1
        (call,) = make.server.calls(f"{make.api}/scenarios")
        assert len({"teamId", "organizationId"} & set(call.query)) == 1


async def test_regression_a_missing_team_is_asked_for_when_there_are_several_organizations(
    make: FakeMake, provider: MakeProvider
):
    make.organizations[6] = "Other"
    with pytest.raises(ProviderRefused, match="sees 2 organizations") as caught:
        await provider.workflows(make_connection(make, teamId=""))
    assert "choose a team" in caught.value.hint
    make.closed = {"organizations"}
    with pytest.raises(ProviderRefused, match="sees no organization"):
        await provider.workflows(make_connection(make, teamId=""))


@pytest.mark.parametrize("scheduling", ["on-demand", "immediately", "indefinitely"])
@pytest.mark.parametrize("is_active", [True, False])
async def test_regression_a_scenario_is_active_by_its_switch_whatever_its_schedule(
    make: FakeMake, provider: MakeProvider, scheduling: str, *, is_active: bool
):
    """It took the schedule for the switch."""
    make.add_scenario("Invoices", scheduling=scheduling, is_active=is_active)
    (found,) = await listed(provider, make_connection(make))
    assert (found.is_active, found.kind) == (is_active, scheduling)


# --- trouble ---


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (lambda make: make.limit_rate(2), ProviderBusy),
        (lambda make: make.drop(2), ProviderUnavailable),
        (lambda make: make.break_down(2), ProviderUnavailable),
        (lambda make: setattr(make, "is_there", False), UnreadableAnswer),
        (lambda make: make.tokens.clear(), CredentialRefused),
        (lambda make: make.closed.add("scenarios"), CredentialRefused),
    ],
)
async def test_trouble_with_the_list_is_named(
    make: FakeMake, provider: MakeProvider, trouble: Any, error: type[ProviderError]
):
    trouble(make)
    with pytest.raises(error) as caught:
        await provider.workflows(make_connection(make))
    assert caught.value.provider == "make"
    assert make.token not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(("retry_after", "seconds"), [("", 60.0), ("7", 7.0)])
async def test_a_rate_limit_says_how_long_to_wait(
    make: FakeMake, provider: MakeProvider, retry_after: str, seconds: float
):
    make.limit_rate(1, retry_after)
    with pytest.raises(ProviderBusy) as caught:
        await provider.workflows(make_connection(make))
    assert caught.value.retry_after_seconds == seconds


async def test_a_refusal_tells_everything_that_make_says(make: FakeMake, provider: MakeProvider):
    make.closed = {"scenarios"}
    with pytest.raises(CredentialRefused) as caught:
        await provider.workflows(make_connection(make))
    assert "“Permission denied; Access denied”." in caught.value.message


@pytest.mark.parametrize("content", ["%%%", "null", '["teamId", "x", 0]', '["name", "16", 0]', '["teamId", "16", -1]', "[1]"])  # fmt: skip
async def test_a_cursor_that_is_none_is_refused_before_anything_is_asked(
    make: FakeMake, provider: MakeProvider, content: str
):
    cursor = content if content == "%%%" else base64.urlsafe_b64encode(content.encode()).decode()
    with pytest.raises(ProviderRefused, match="no place in the list"):
        await provider.workflows(make_connection(make), cursor=cursor)
    assert make.server.journal == []


async def test_an_answer_without_a_list_is_not_taken_for_an_empty_one(
    fake_server: FakeServer, provider: MakeProvider
):
    connection = make_connection(fake_server.make, zone=fake_server.url + "/status/200?x=")
    with pytest.raises(UnreadableAnswer):
        await provider.workflows(connection)
