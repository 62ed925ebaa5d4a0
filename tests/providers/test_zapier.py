"""The Zapier provider: kinds of connections and their test, against the fake."""

import pytest

from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.zapier import ZapierProvider
from tests.fakes.connections import zapier_connection
from tests.fakes.server import FakeServer
from tests.fakes.zapier import FakeZapier

HOOK = "https://hooks.zapier.com/hooks/catch/1234567/abc12de/"


@pytest.fixture
def provider(http_client: HttpClient) -> ZapierProvider:
    return ZapierProvider(http_client)


@pytest.fixture
def zapier(fake_server: FakeServer) -> FakeZapier:
    return fake_server.zapier


def hook_connection(address: str = HOOK, **values: str) -> Connection:
    return Connection("c-hook", "zapier", "Lead Zap", {"mode": "hook", "hookUrl": address} | values)


# --- kinds of connections ---


def test_what_a_connection_can_do_depends_on_its_kind(zapier: FakeZapier, provider: ZapierProvider):
    assert provider.capabilities_of(zapier_connection(zapier)) == provider.capabilities
    by_hook = provider.capabilities_of(hook_connection())
    assert by_hook == provider.capabilities - {Capability.POLL}
    assert provider.capabilities_of(None) == {Capability.EXECUTE, Capability.CALLBACK}
    without_token = zapier_connection(zapier, accessToken="")
    assert provider.capabilities_of(without_token) == by_hook


def test_polling_is_offered_with_a_token_although_the_original_denied_it(provider: ZapierProvider):
    assert Capability.POLL in provider.capabilities
    assert "token" in provider.limits[Capability.POLL]


@pytest.mark.parametrize(
    "address",
    [HOOK, HOOK.rstrip("/"), HOOK + "silent", HOOK + "silent/", f" {HOOK} ", "https://hooks.zapier.com:443/hooks/catch/abc/"],
)  # fmt: skip
def test_a_catch_hook_address_is_accepted(provider: ZapierProvider, address: str):
    assert provider.problems({"mode": "hook", "hookUrl": address}) == {}


@pytest.mark.parametrize(
    "address",
    ["http://hooks.zapier.com/hooks/catch/1/abc/", "https://hooks.zapier.com.evil.example/hooks/catch/1/abc/",
     "https://hooks.zapier.com@evil.example/hooks/catch/1/abc/", "https://evil@hooks.zapier.com/hooks/catch/1/abc/",
     "https://hooks.zapier.com:8443/hooks/catch/1/abc/", "https://zapier.com/editor/12345", "hooks.zapier.com/hooks/catch/1/abc",
     "https://hooks.zapier.com/hooks/standard/1/abc/", "https://hooks.zapier.com/x/hooks/catch/1/abc/",
     "https://hook.eu1.make.com/abc", "https://[::1/hooks/catch/1", "nonsense"],
)  # fmt: skip
def test_other_addresses_are_no_catch_hooks(provider: ZapierProvider, address: str):
    (problem,) = provider.problems({"mode": "hook", "hookUrl": address}).values()
    assert problem.endswith("https://hooks.zapier.com/hooks/catch/.")


@pytest.mark.parametrize("behind", ["", "../../other", "1/a b", "1//abc", "1/abc/../../x", "1/ab%2Fc"])
def test_an_address_that_is_cut_or_leads_elsewhere_is_incomplete(provider: ZapierProvider, behind: str):
    address = f"https://hooks.zapier.com/hooks/catch/{behind}"
    assert "not complete" in provider.problems({"hookUrl": address})["hookUrl"]


def test_only_the_origin_of_the_own_api_is_accepted_besides(provider: ZapierProvider):
    values = {"mode": "hook", "hookUrl": "http://127.0.0.1:9/zapier/hooks/catch/1/abc/"}
    assert provider.problems(values | {"apiUrl": "http://127.0.0.1:9/zapier/api"}) == {}
    assert provider.problems(values | {"apiUrl": "http://127.0.0.1:10/zapier/api"}) != {}


def test_a_catch_hook_address_is_needed_only_where_there_is_no_token(provider: ZapierProvider):
    assert provider.problems({}) == {"hookUrl": "Catch Hook address is missing."}
    assert provider.problems({"mode": "hook", "hookUrl": " "}) != {}
    assert provider.problems({"mode": "token", "accessToken": "t"}) == {}
    assert provider.problems({"mode": "token", "hookUrl": "https://x.example/"}) != {}


def test_secrets_go_to_zapier_and_to_its_proxy_only(zapier: FakeZapier, provider: ZapierProvider):
    zapiers = {"https://hooks.zapier.com:443", "https://api.zapier.com:443"}
    assert provider.bound_origins(hook_connection()) == zapiers
    assert provider.bound_origins(zapier_connection(zapier)) == zapiers | {zapier.server.url}


# --- the connection test ---


async def test_a_catch_hook_address_is_judged_by_its_shape_without_a_call(
    zapier: FakeZapier, provider: ZapierProvider, fake_server: FakeServer
):
    zap = zapier.add_zap()
    check = await provider.test(hook_connection(zap.hook_url, apiUrl=zapier.api))
    assert check.status == "connected"
    assert "Nothing was sent" in check.detail
    check = await provider.test(hook_connection("https://zapier.com/editor/1"))
    assert check.status == "refused"
    assert "no Catch Hook address" in check.detail
    assert (await provider.test(hook_connection(""))).status == "untested"
    assert fake_server.journal == []
    assert zapier.runs == []


@pytest.mark.parametrize("is_list", [False, True])
async def test_a_good_token_tells_its_account_and_what_it_may_do(
    zapier: FakeZapier,
    provider: ZapierProvider,
    is_list: bool,  # noqa: FBT001
):
    zapier.profile_is_list = is_list
    check = await provider.test(zapier_connection(zapier))
    assert check.status == "connected"
    assert "accepts the access token" in check.detail
    assert "enter its Catch Hook address" in check.detail
    assert check.facts == (
        ("Account", "Ada Lovelace (ada@x.example)"),
        ("List of Zaps (scope zap)", "allowed"),
        ("History of runs (scope zap:runs)", "allowed"),
    )


async def test_the_token_goes_as_bearer_to_addresses_that_exist(
    zapier: FakeZapier, provider: ZapierProvider, fake_server: FakeServer
):
    """The original asked /v1/zaps/{id} and /users/me with X-API-Key, none of which Zapier knows."""
    zap = zapier.add_zap()
    connection = zapier_connection(zapier)
    await provider.test(connection)
    await provider.workflows(connection)
    await provider.preview(connection, zap.id)
    assert {call.path for call in fake_server.journal} == {
        "/zapier/api/v1/profiles/me",
        "/zapier/api/v2/zaps",
        "/zapier/api/v2/zap-runs",
    }
    for call in fake_server.journal:
        assert call.headers["authorization"] == f"Bearer {zapier.token}"
        assert "x-api-key" not in call.headers


@pytest.mark.parametrize("pasted", ["{}/", "{}/v2", " {}/v1/ "])
async def test_what_is_pasted_along_with_the_address_does_no_harm(
    zapier: FakeZapier, provider: ZapierProvider, pasted: str
):
    check = await provider.test(zapier_connection(zapier, apiUrl=pasted.format(zapier.api)))
    assert check.status == "connected"


async def test_a_bad_token_is_refused_with_what_to_do(zapier: FakeZapier, provider: ZapierProvider):
    check = await provider.test(zapier_connection(zapier, accessToken="wr0ng-token"))
    assert check.status == "refused"
    assert "“Credentials were not provided.”" in check.detail
    assert "Get a new one" in check.detail
    assert "wr0ng-token" not in check.detail


@pytest.mark.parametrize(
    ("scopes", "missing", "facts"),
    [
        (["zap"], "Polling needs the scope zap:runs.", ("allowed", "not allowed")),
        (["zap:runs"], "Listing and showing Zaps needs the scope zap.", ("not allowed", "allowed")),
    ],
)
async def test_a_token_that_may_not_do_everything_says_what_is_missing(
    zapier: FakeZapier, provider: ZapierProvider, scopes: list[str], missing: str, facts: tuple[str, str]
):
    zapier.add_token("few-scopes", *scopes)
    check = await provider.test(zapier_connection(zapier, accessToken="few-scopes"))
    assert check.status == "connected"
    assert missing in check.detail
    assert tuple(text for _, text in check.facts) == facts


async def test_a_token_that_may_do_nothing_of_it_is_refused(zapier: FakeZapier, provider: ZapierProvider):
    zapier.add_token("few-scopes", "profile")
    check = await provider.test(zapier_connection(zapier, accessToken="few-scopes"))
    assert check.status == "refused"
    assert "scope zap" in check.detail


async def test_a_history_that_is_taken_away_does_no_harm_to_the_rest(
    zapier: FakeZapier, provider: ZapierProvider
):
    zapier.has_runs = False
    check = await provider.test(zapier_connection(zapier))
    assert check.status == "connected"
    assert ("History of runs (scope zap:runs)", "not allowed") in check.facts


async def test_the_test_of_a_token_judges_the_catch_hook_address_too(
    zapier: FakeZapier, provider: ZapierProvider, fake_server: FakeServer
):
    check = await provider.test(zapier_connection(zapier, hookUrl="https://x.example/"))
    assert check.status == "refused"
    assert "no Catch Hook address" in check.detail
    assert (await provider.test(zapier_connection(zapier, accessToken=""))).status == "untested"
    assert fake_server.journal == []


async def test_a_server_that_is_not_zapier_is_said_to_be_none(zapier: FakeZapier, provider: ZapierProvider):
    zapier.is_there = False
    check = await provider.test(zapier_connection(zapier))
    assert check.status == "unreachable"
    assert "not the API of Zapier" in check.detail


@pytest.mark.parametrize("path", ["/html", "/echo", "/text?text=ok", "/status/200"])
async def test_other_good_answers_are_not_taken_for_zapier(
    fake_server: FakeServer, provider: ZapierProvider, path: str
):
    connection = zapier_connection(fake_server.zapier, apiUrl=fake_server.url + path)
    assert (await provider.test(connection)).status == "unreachable"


@pytest.mark.parametrize("odd", [{"data": "none"}, [], {"objects": []}])
async def test_a_list_of_another_shape_is_not_taken_for_zapiers(
    zapier: FakeZapier, provider: ZapierProvider, odd: object
):
    zapier.odd_list = odd
    check = await provider.test(zapier_connection(zapier))
    assert check.status == "unreachable"
    assert "no list in its answer" in check.detail


async def test_a_token_that_may_not_read_its_profile_has_no_account_to_show(
    zapier: FakeZapier, provider: ZapierProvider
):
    zapier.add_token("no-profile", "zap:all", "zap:runs")
    zapier.add_zap()
    check = await provider.test(
        zapier_connection(zapier, accessToken="no-profile", hookUrl=f"{zapier.hooks}/1/abc")
    )
    assert check.status == "connected"
    assert "Account" not in dict(check.facts)
    assert "Catch Hook" not in check.detail


async def test_nobody_at_the_address_is_unreachable(zapier: FakeZapier, provider: ZapierProvider):
    check = await provider.test(zapier_connection(zapier, apiUrl="http://127.0.0.1:1"))
    assert check.status == "unreachable"
    assert "127.0.0.1:1" in check.detail


async def test_a_busy_zapier_says_nothing_about_the_token(zapier: FakeZapier, provider: ZapierProvider):
    zapier.refuse(429, times=3)
    assert (await provider.test(zapier_connection(zapier))).status == "untested"
