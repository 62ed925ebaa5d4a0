"""The Zapier provider: the list of Zaps and their preview, against the fake."""

from typing import Any

import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    NotSupported,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers import zapier_finder
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.remote_workflow import WorkflowPreview
from orchestrator_app.providers.zapier import ZapierProvider
from tests.fakes.connections import zapier_connection
from tests.fakes.server import FakeServer
from tests.fakes.zapier import FakeZapier
from tests.fakes.zapier_zap import ADD_ROW, CALL_BACK, CATCH, SHEETS, WEBHOOKS, step

HOOK = "https://hooks.zapier.com/hooks/catch/1234567/abc12de/"


@pytest.fixture
def provider(http_client: HttpClient) -> ZapierProvider:
    return ZapierProvider(http_client)


@pytest.fixture
def zapier(fake_server: FakeServer) -> FakeZapier:
    return fake_server.zapier


def hook_connection(address: str = HOOK, **values: str) -> Connection:
    return Connection("c-hook", "zapier", "Lead Zap", {"mode": "hook", "hookUrl": address} | values)


# --- the list ---


@pytest.mark.parametrize("cuts_pages", [False, True])
async def test_zaps_are_listed_page_by_page(zapier: FakeZapier, provider: ZapierProvider, cuts_pages: bool):  # noqa: FBT001
    """The original never listed Zaps; nor does Zapier say how large a page may be."""
    zapier.max_limit, zapier.cuts_pages = 10, cuts_pages
    zaps = [zapier.add_zap(f"Zap {number}", is_enabled=number != 3) for number in range(23)]
    connection = zapier_connection(zapier)
    listed, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        page = await provider.workflows(connection, cursor=cursor)
        listed += page.workflows
        cursor, pages = page.cursor, pages + 1
        assert page.total == 23
    assert pages == 3
    assert [zap.id for zap in listed] == [zap.id for zap in zaps]
    assert [zap.name for zap in listed if not zap.is_active] == ["Zap 3"]
    assert listed[0].link == "https://zapier.com/editor/12345"
    assert listed[0].updated_at == 1_771_578_000_000
    assert listed[0].content_hash


async def test_zaps_are_searched_here_for_zapier_cannot(zapier: FakeZapier, provider: ZapierProvider):
    zapier.max_limit, zapier.cuts_pages = 2, True
    for title in ("Orders", "Other", "More", "Even more", "New ORDER", None):
        zapier.add_zap(title)
    connection = zapier_connection(zapier)
    first = await provider.workflows(connection, query=" order ")
    assert [zap.name for zap in first.workflows] == ["Orders"]
    second = await provider.workflows(connection, query="order", cursor=first.cursor)
    assert [zap.name for zap in second.workflows] == ["New ORDER"]
    assert second.cursor == ""
    none = await provider.workflows(connection, query="nothing like it")
    assert (none.workflows, none.cursor) == ((), "")


async def test_a_search_that_finds_nothing_for_long_gives_a_page_to_go_on_from(
    zapier: FakeZapier, provider: ZapierProvider
):
    zapier.max_limit, zapier.cuts_pages = 1, True
    for number in range(25):
        zapier.add_zap(f"Zap {number}")
    connection = zapier_connection(zapier)
    first = await provider.workflows(connection, query="zap 24")
    assert first.workflows == ()
    second = await provider.workflows(connection, query="zap 24", cursor=first.cursor)
    assert [zap.name for zap in second.workflows] == ["Zap 24"]


@pytest.mark.parametrize("odd", [{"data": None}, [1]])
async def test_a_list_of_another_shape_is_unreadable(zapier: FakeZapier, provider: ZapierProvider, odd: Any):
    zapier.odd_list = odd
    with pytest.raises(UnreadableAnswer, match="no list in its answer"):
        await provider.workflows(zapier_connection(zapier))


async def test_a_list_without_links_and_counts_is_a_whole_one(zapier: FakeZapier, provider: ZapierProvider):
    zapier.odd_list = {"data": [{"id": "777", "links": None, "steps": []}, "odd"]}
    page = await provider.workflows(zapier_connection(zapier))
    assert [(zap.id, zap.name, zap.is_active) for zap in page.workflows] == [
        ("777", "Untitled Zap 777", False)
    ]
    assert (page.cursor, page.total) == ("", None)
    assert page.workflows[0].link == "https://zapier.com/app/zaps"


async def test_a_zap_without_a_title_has_a_name(zapier: FakeZapier, provider: ZapierProvider):
    zapier.add_zap(None)
    (zap,) = (await provider.workflows(zapier_connection(zapier))).workflows
    assert zap.name == "Untitled Zap 12345"


async def test_a_zap_with_another_trigger_says_why_it_cannot_be_called(
    zapier: FakeZapier, provider: ZapierProvider
):
    zapier.add_zap("Sheet", steps=[step("new-row", "New Spreadsheet Row", SHEETS, "READ")])
    zapier.add_zap("Poll", steps=[step("poll", "Retrieve Poll", WEBHOOKS, "READ")])
    zapier.add_zap("Raw", steps=[step("raw", "Catch Raw Hook", WEBHOOKS, "READ")])
    notes = [zap.note for zap in (await provider.workflows(zapier_connection(zapier))).workflows]
    assert "“New Spreadsheet Row” of Google Sheets" in notes[0]
    assert "“Retrieve Poll”" in notes[1]
    assert notes[2] == ""


async def test_behind_a_catch_hook_address_stands_one_zap_with_the_connections_name(
    provider: ZapierProvider, fake_server: FakeServer
):
    page = await provider.workflows(hook_connection())
    assert [(zap.id, zap.name, zap.is_active) for zap in page.workflows] == [("hook", "Lead Zap", True)]
    assert (page.cursor, page.total) == ("", 1)
    assert (await provider.workflows(hook_connection(), query="LEAD")).workflows
    assert (await provider.workflows(hook_connection(), query="other")).workflows == ()
    assert fake_server.journal == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [(429, ProviderBusy), (500, ProviderUnavailable), (404, ProviderRefused), (400, ProviderRefused)],
)
async def test_each_failure_of_the_list_is_told_apart(
    zapier: FakeZapier, provider: ZapierProvider, status: int, expected: type[ProviderError]
):
    zapier.refuse(status, times=2)
    with pytest.raises(expected) as caught:
        await provider.workflows(zapier_connection(zapier))
    assert (caught.value.provider, caught.value.operation) == ("zapier", "list")
    if isinstance(caught.value, ProviderBusy):
        assert caught.value.retry_after_seconds == 60


async def test_a_dropped_connection_a_web_page_and_a_bad_token_are_told_apart(
    zapier: FakeZapier, provider: ZapierProvider
):
    zapier.drop(times=2)
    with pytest.raises(ProviderUnavailable):
        await provider.workflows(zapier_connection(zapier))
    with pytest.raises(CredentialRefused, match="does not accept"):
        await provider.workflows(zapier_connection(zapier, accessToken="wrong"))
    zapier.add_token("few-scopes", "profile")
    with pytest.raises(CredentialRefused) as caught:
        await provider.workflows(zapier_connection(zapier, accessToken="few-scopes"))
    assert "scope zap" in caught.value.hint
    zapier.is_there = False
    with pytest.raises(UnreadableAnswer):
        await provider.workflows(zapier_connection(zapier))


# --- the preview ---


async def preview_of(
    zapier: FakeZapier, provider: ZapierProvider, steps: Any, **settings: Any
) -> WorkflowPreview:
    zap = zapier.add_zap("Leads", steps=steps, **settings)
    return await provider.preview(zapier_connection(zapier), zap.id)


async def test_a_zap_is_drawn_as_a_chain_of_its_steps(zapier: FakeZapier, provider: ZapierProvider):
    named = ADD_ROW | {"title": "Write it down"}
    preview = await preview_of(zapier, provider, [CATCH, named, ADD_ROW, CALL_BACK])
    assert [(node.id, node.label, node.app) for node in preview.nodes] == [
        ("uag:catch", "Catch Hook", "Webhooks by Zapier"),
        ("uag:row", "Write it down", "Google Sheets"),
        ("uag:row#2", "Create Spreadsheet Row", "Google Sheets"),
        ("uag:post", "POST", "Webhooks by Zapier"),
    ]
    assert [node.is_trigger for node in preview.nodes] == [True, False, False, False]
    assert preview.nodes[0].kind == "zapier:READ"
    assert [(edge.source, edge.target) for edge in preview.edges] == [
        ("uag:catch", "uag:row"),
        ("uag:row", "uag:row#2"),
        ("uag:row#2", "uag:post"),
    ]
    assert not preview.is_opaque
    assert preview.facts["zapNumber"] == "12345"


async def test_steps_that_zapier_does_not_expand_are_drawn_all_the_same(
    zapier: FakeZapier, provider: ZapierProvider
):
    plain = [{"action": "uag:catch", "title": None}, "uag:row", None, {"action": None}, 7]
    preview = await preview_of(zapier, provider, plain)
    assert [(node.id, node.label) for node in preview.nodes] == [
        ("uag:catch", "Trigger"),
        ("uag:row", "Step 2"),
        ("step#1", "Step 3"),
        ("step#2", "Step 4"),
    ]


@pytest.mark.parametrize("steps", [None, [], "none"])
async def test_a_zap_without_steps_is_a_single_card(zapier: FakeZapier, provider: ZapierProvider, steps: Any):
    preview = await preview_of(zapier, provider, steps)
    assert preview.is_opaque
    assert [node.label for node in preview.nodes] == ["Leads"]
    assert "does not show the steps" in preview.entry


async def test_the_hash_tells_a_changed_zap_and_a_changed_step(zapier: FakeZapier, provider: ZapierProvider):
    before = await preview_of(zapier, provider, [CATCH, ADD_ROW])
    # The same with the ids of unexpanded actions is the same Zap.
    plain = [step | {"action": step["action"]["id"]} for step in (CATCH, ADD_ROW)]
    same = await preview_of(zapier, provider, plain)
    after = await preview_of(zapier, provider, [CATCH, ADD_ROW | {"inputs": {"sheet": "Deals"}}])
    assert same.workflow.content_hash == before.workflow.content_hash
    assert after.workflow.content_hash != before.workflow.content_hash
    assert [a.digest == b.digest for a, b in zip(before.nodes, after.nodes, strict=True)] == [True, False]


async def test_the_entry_says_how_the_zap_is_started(zapier: FakeZapier, provider: ZapierProvider):
    zap = zapier.add_zap("Off", is_enabled=False)
    preview = await provider.preview(zapier_connection(zapier), zap.id)
    assert "enter it in the node or in the connection" in preview.entry
    assert "switched off" in preview.entry
    preview = await provider.preview(zapier_connection(zapier, hookUrl=zap.hook_url), zap.id)
    assert "make sure that it is the one of this Zap" in preview.entry
    assert zap.path not in str(preview)
    other = await preview_of(zapier, provider, [step("row", "New Row", SHEETS, "READ")])
    assert "cannot be called" in other.entry


async def test_callback_is_the_best_way_and_polling_works_with_a_token(
    zapier: FakeZapier, provider: ZapierProvider
):
    preview = await preview_of(zapier, provider, [CATCH])
    ways = [(choice.key, choice.works) for choice in preview.completions]
    assert ways == [("callback", True), ("poll", True), ("response", False)]
    assert preview.completion == "callback"
    assert "experimental" in preview.completions[1].reason


@pytest.mark.parametrize("kind", ["hook", "token"])
async def test_behind_a_catch_hook_address_is_an_opaque_card_with_the_step_to_paste(
    zapier: FakeZapier, provider: ZapierProvider, fake_server: FakeServer, kind: str
):
    connection = hook_connection() if kind == "hook" else zapier_connection(zapier, hookUrl=HOOK)
    preview = await provider.preview(connection, "hook")
    assert preview.is_opaque
    assert [node.label for node in preview.nodes] == [connection.name]
    assert [(choice.key, choice.works) for choice in preview.completions] == [
        ("callback", True), ("poll", False), ("response", False),
    ]  # fmt: skip
    assert preview.workflow.link.startswith("https://zapier.com/")
    for needed in ("Webhooks by Zapier", "POST", "callback_url", "correlation_token", "result"):
        assert needed in preview.snippet
    assert "last step" in preview.snippet_help
    assert "abc12de" not in str(preview)
    assert fake_server.journal == []


async def test_a_zap_that_is_gone_is_said_to_be_gone(zapier: FakeZapier, provider: ZapierProvider):
    zapier.max_limit = 10
    for number in range(12):
        zapier.add_zap(f"Zap {number}")
    with pytest.raises(ProviderRefused, match="has no Zap gone") as caught:
        await provider.preview(zapier_connection(zapier), "gone")
    assert caught.value.remote_status == 404


async def test_a_zap_of_a_token_cannot_be_shown_to_a_catch_hook_address(
    provider: ZapierProvider, fake_server: FakeServer
):
    with pytest.raises(NotSupported, match="access token"):
        await provider.preview(hook_connection(), "00000000-0000-c000-8000-000000003039")
    assert fake_server.journal == []


async def test_a_zap_that_was_listed_is_found_again_on_its_page(
    zapier: FakeZapier, provider: ZapierProvider, fake_server: FakeServer
):
    zapier.max_limit, zapier.cuts_pages = 10, True
    zaps = [zapier.add_zap(f"Zap {number}") for number in range(35)]
    connection = zapier_connection(zapier)
    assert (await provider.preview(connection, zaps[34].id)).workflow.name == "Zap 34"
    assert len(fake_server.calls("/zapier/api/v2/zaps")) == 4
    fake_server.clear()
    assert (await provider.preview(connection, zaps[34].id)).workflow.name == "Zap 34"
    assert len(fake_server.calls("/zapier/api/v2/zaps")) == 1
    del zapier.zaps[:10]  # those before it are gone, so it stands on another page now
    fake_server.clear()
    assert (await provider.preview(connection, zaps[34].id)).workflow.name == "Zap 34"


async def test_what_was_seen_does_not_grow_for_ever(
    zapier: FakeZapier, provider: ZapierProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(zapier_finder, "_MOST_SEEN", 3)
    zapier.max_limit, zapier.cuts_pages = 2, True
    zaps = [zapier.add_zap(f"Zap {number}") for number in range(9)]
    connection = zapier_connection(zapier)
    for zap in (zaps[8], zaps[0], zaps[8]):
        assert (await provider.preview(connection, zap.id)).workflow.id == zap.id
    assert len(provider._finder._seen) <= 5


async def test_a_list_without_an_end_is_not_read_for_ever(
    zapier: FakeZapier, provider: ZapierProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(zapier_finder, "_MOST_PAGES", 2)
    zapier.max_limit, zapier.cuts_pages = 1, True
    zaps = [zapier.add_zap(f"Zap {number}") for number in range(4)]
    with pytest.raises(ProviderRefused, match="first 2 pages") as caught:
        await provider.preview(zapier_connection(zapier), zaps[3].id)
    assert caught.value.remote_status is None
