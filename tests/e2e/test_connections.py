"""Connecting platforms in a browser: a wrong key first, then the right one; editing, choosing a team, disconnecting."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browser import settled, watched_page
from tests.fakes.server import FakeServer
from tests.processes import Program

WRONG = "no-such-key-0123456789"


@pytest.fixture
def page_of(page: Page, program: Program) -> Iterator[Page]:
    """The page of connections, without any when it opens and when it is left."""
    forget_all(program)
    page.goto(f"{program.url}/connections")
    expect(page.get_by_role("heading", name="n8n")).to_be_visible()
    yield page
    forget_all(program)


def forget_all(program: Program) -> None:
    for connection in program.ask("GET", "/connections")["items"]:
        program.ask("DELETE", f"/connections/{connection['id']}")


def open_form(page: Page, platform: str) -> Locator:
    """The form of a new connection."""
    page.get_by_role("button", name=f"Connect {platform}", exact=True).click()
    return page.get_by_role("dialog", name=f"Connect {platform}")


def connection(page: Page, name: str) -> Locator:
    """A connection on its card."""
    return page.get_by_test_id("connection").filter(has=page.locator("strong").get_by_text(name, exact=True))


def stored(program: Program) -> list[dict[str, str]]:
    found: list[dict[str, str]] = program.ask("GET", "/connections")["items"]
    return found


def save(page: Page) -> None:
    page.get_by_test_id("credential-save").click()


def connect_n8n(program: Program, fake: FakeServer, name: str = "Ours") -> str:
    """Store a connection to the fake n8n and return its id."""
    body = {"name": name, "credentials": {"baseUrl": fake.n8n2.base, "apiKey": fake.n8n2.key}}
    return str(program.ask("POST", "/providers/n8n/connect", body)["id"])


def test_a_wrong_key_is_told_at_once_and_the_right_one_connects(
    page_of: Page, program: Program, fake: FakeServer
) -> None:
    page = page_of
    form = open_form(page, "n8n")
    save(page)
    expect(form.get_by_text("Enter Address of n8n.")).to_be_visible()
    expect(form.get_by_label("Address of n8n")).to_be_focused()

    form.get_by_label("Address of n8n").fill(fake.n8n2.base)
    form.get_by_label("API key").first.fill(WRONG)
    save(page)
    outcome = form.get_by_test_id("credential-outcome")
    expect(outcome).to_contain_text("does not accept the API key")
    assert stored(program) == []

    form.get_by_label("API key").first.fill(fake.n8n2.key)
    expect(outcome).to_have_count(0)
    form.get_by_test_id("credential-test").click()
    expect(outcome).to_contain_text("accepts the API key")
    save(page)
    expect(form).to_have_count(0)
    expect(connection(page, "n8n")).to_contain_text("Connected")
    expect(connection(page, "n8n")).to_contain_text(fake.n8n2.base)
    assert fake.n8n2.key not in page.content()


def test_a_server_that_is_down_can_be_saved_all_the_same(page_of: Page, program: Program) -> None:
    page = page_of
    open_form(page, "n8n")
    page.get_by_label("Address of n8n").fill("http://127.0.0.1:9")
    page.get_by_label("API key").first.fill(WRONG)
    save(page)
    expect(page.get_by_test_id("credential-outcome")).to_contain_text("could not be reached")
    page.get_by_role("button", name="Save anyway").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(connection(page, "n8n")).to_contain_text("Unreachable")
    assert [item["status"] for item in stored(program)] == ["unreachable"]


def test_a_connection_is_edited_without_its_secret_unless_its_address_changes(
    page_of: Page, program: Program, fake: FakeServer
) -> None:
    page = page_of
    connect_n8n(program, fake)
    page.get_by_role("button", name="Edit Ours").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_label("API key").first).to_have_attribute(
        "placeholder", "•••••••• stored; leave empty to keep it"
    )
    form.get_by_label("Name").first.fill("Production")
    save(page)
    expect(form).to_have_count(0)
    expect(connection(page, "Production")).to_contain_text("Connected")

    page.get_by_role("button", name="Edit Production").click()
    elsewhere = fake.n8n1.base.replace("127.0.0.1", "localhost")
    form.get_by_label("Address of n8n").fill(elsewhere)
    save(page)
    key = form.get_by_label("API key").first
    expect(key).to_be_focused()
    expect(key).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_text("changed, so enter API key again")).to_be_visible()
    assert fake.calls(f"{fake.n8n1.prefix}/api/v1/workflows") == []
    key.fill(fake.n8n1.key)
    save(page)
    expect(form).to_have_count(0)
    expect(connection(page, "Production")).to_contain_text(elsewhere)
    expect(connection(page, "Production")).to_contain_text("Connected")


def test_a_stored_secret_that_may_be_left_out_is_removed(
    page_of: Page, program: Program, fake: FakeServer
) -> None:
    page = page_of
    credentials = {"baseUrl": fake.flowise.base, "apiKey": fake.flowise.key}
    program.ask("POST", "/providers/flowise/connect", {"name": "Flows", "credentials": credentials})
    page.get_by_role("button", name="Edit Flows").click()
    form = page.get_by_role("dialog")
    key = form.get_by_label("API key", exact=True)
    form.get_by_role("button", name="Remove API key").click()
    expect(key).to_have_attribute("placeholder", "Removed when you save")
    form.get_by_role("button", name="Keep API key").click()
    expect(key).to_have_attribute("placeholder", "•••••••• stored; leave empty to keep it")
    form.get_by_role("button", name="Remove API key").click()
    save(page)
    expect(form).to_have_count(0)
    expect(connection(page, "Flows")).to_contain_text("Without an API key only open flows can be asked")
    assert [item["secretsSet"] for item in stored(program)] == [[]]

    page.get_by_role("button", name="Edit Flows").click()
    expect(form.get_by_role("button", name="Remove API key")).to_have_count(0)


def test_a_key_that_is_refused_anywhere_turns_the_card_red_while_it_is_looked_at(
    page_of: Page, program: Program, fake: FakeServer
) -> None:
    page = page_of
    fake.n8n2.add_workflow("Check order")
    connection_id = connect_n8n(program, fake)
    expect(connection(page, "Ours")).to_contain_text("Connected")
    program.ask("GET", f"/providers/n8n/workflows?connectionId={connection_id}&refresh=true")
    expect(connection(page, "Ours").get_by_role("link")).to_have_text("1 workflow")

    del fake.n8n2.keys[fake.n8n2.key]
    program.ask("GET", f"/providers/n8n/workflows?connectionId={connection_id}&refresh=true")
    expect(connection(page, "Ours")).to_contain_text("Refused")
    expect(connection(page, "Ours")).to_contain_text("does not accept the API key")

    fake.n8n2.keys[fake.n8n2.key] = None
    page.get_by_role("button", name="Test Ours").click()
    expect(connection(page, "Ours")).to_contain_text("Connected")


def test_disconnecting_tells_which_orchestrators_use_the_connection(
    page_of: Page, program: Program, fake: FakeServer
) -> None:
    page = page_of
    connection_id = connect_n8n(program, fake)
    config = {"provider": "n8n", "connectionId": connection_id, "workflowId": "1"}
    data = {"label": "Check order", "nodeType": "RemoteWebhook", "config": config}
    node = {"id": "a", "type": "orchestratorNode", "position": {"x": 0, "y": 0}, "data": data}
    orchestrator_id = program.create("Uses it", [node], [])
    page.get_by_role("button", name="Disconnect Ours").click()
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("One orchestrator uses it")
    expect(question).to_contain_text("Check order")
    expect(question.get_by_role("link", name="Uses it")).to_have_attribute(
        "href", f"/canvas/{orchestrator_id}"
    )
    question.get_by_role("button", name="Disconnect").click()
    expect(connection(page, "Ours")).to_have_count(0)
    assert stored(program) == []
    program.ask("DELETE", f"/{orchestrator_id}")


def test_the_teams_of_make_are_found_and_one_is_chosen(
    page_of: Page, program: Program, fake: FakeServer
) -> None:
    page = page_of
    fake.make.teams[17] = ("Sales", 5)
    form = open_form(page, "Make")
    form.get_by_label("Zone", exact=False).first.select_option(label="Another one…")
    form.get_by_label("Zone, another one").fill(fake.make.base)
    form.get_by_label("API token").first.fill("00000000-0000-4000-8000-000000000000")
    save(page)
    outcome = form.get_by_test_id("credential-outcome")
    expect(outcome).to_contain_text("does not accept the API token")

    form.get_by_label("API token").first.fill(fake.make.token)
    save(page)
    expect(outcome).to_contain_text("Permissions")
    expect(outcome).to_contain_text("Choose Team above, then save.")
    expect(form.get_by_label("Team")).to_be_focused()
    assert stored(program) == []
    form.get_by_label("Team").select_option("17")
    save(page)
    expect(form).to_have_count(0)
    expect(connection(page, "Make")).to_contain_text("Connected")
    page.get_by_role("button", name="Edit Make").click()
    expect(page.get_by_role("dialog", name="Edit Make").get_by_label("Team")).to_have_value("17")


def test_both_kinds_of_connection_to_zapier_are_made_by_one_form(
    page_of: Page, program: Program, fake: FakeServer
) -> None:
    page = page_of
    zap = fake.zapier.add_zap("New lead")
    form = open_form(page, "Zapier")
    expect(
        form.get_by_label("Access token", exact=False).and_(form.locator("input[type=password]"))
    ).to_have_count(0)
    form.get_by_label("Catch Hook address").and_(form.locator("input[name=hookUrl]")).fill(
        "https://example.org/x"
    )
    save(page)
    expect(form.get_by_role("alert")).to_be_visible()
    form.locator("input[name=hookUrl]").fill(zap.hook_url)
    form.locator("input[name=apiUrl]").fill(fake.zapier.api)
    save(page)
    expect(form).to_have_count(0)
    expect(connection(page, "Zapier")).to_contain_text("Catch Hook address")
    expect(connection(page, "Zapier")).to_contain_text("Not with this connection")

    open_form(page, "Zapier")
    form.get_by_role("radio", name="Access token").check()
    form.locator("input[name=apiUrl]").fill(fake.zapier.api)
    form.locator("input[name=accessToken]").fill(WRONG)
    save(page)
    expect(form.get_by_test_id("credential-outcome")).to_be_visible()
    expect(form.get_by_test_id("credential-outcome")).to_have_attribute("data-color", "red")
    form.locator("input[name=accessToken]").fill(fake.zapier.token)
    save(page)
    expect(form).to_have_count(0)
    expect(connection(page, "Zapier 2")).to_contain_text("Connected")
    assert {item["settings"]["mode"] for item in program.ask("GET", "/connections")["items"]} == {
        "hook",
        "token",
    }


def test_a_link_opens_the_form_of_a_platform_once(page: Page, program: Program) -> None:
    page.goto(f"{program.url}/connections?connect=flowise")
    expect(page.get_by_role("dialog", name="Connect Flowise")).to_be_visible()
    expect(page.get_by_label("Address of Flowise")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.url == f"{program.url}/connections"


def test_a_card_tells_what_the_platform_cannot_do_and_why(page: Page, program: Program) -> None:
    page.goto(f"{program.url}/connections")
    card = page.get_by_role("region", name="Make", exact=True)
    reason = next(
        item["refusals"]["cancel"]
        for item in program.ask("GET", "/providers")["items"]
        if item["key"] == "make"
    )
    expect(card.get_by_text(reason)).to_be_hidden()
    card.get_by_text("What Orchestrator can do on Make").click()
    expect(card.get_by_text(reason)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cards_with_connections_and_what_they_open_are_sound_on_a_phone(
    browser: Browser, program: Program, fake: FakeServer, scheme: str
) -> None:
    forget_all(program)
    connection_id = connect_n8n(program, fake)
    program.ask("GET", f"/providers/n8n/workflows?connectionId={connection_id}&refresh=true")
    credentials = {"baseUrl": fake.n8n2.base, "apiKey": WRONG}
    long_name = "A name that is much longer than a phone is wide, and goes on"
    program.ask("POST", "/providers/n8n/connect", {"name": long_name, "credentials": credentials})
    phone = {"width": 390, "height": 844}
    with watched_page(browser, viewport=phone, color_scheme=scheme, has_touch=True) as page:
        page.goto(f"{program.url}/connections")
        expect(page.get_by_test_id("connection")).to_have_count(2)
        page.get_by_text("What Orchestrator can do on Zapier").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= phone["width"]
        assert complaints(page) == []
        form = open_form(page, "Zapier")
        save(page)
        expect(form.get_by_role("alert").first).to_be_visible()
        assert complaints(page) == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Disconnect Ours").click()
        expect(page.get_by_role("alertdialog")).to_contain_text("No orchestrator uses it")
        assert complaints(page) == []
    forget_all(program)


def complaints(page: Page) -> list[str]:
    """What axe finds, once nothing moves any more."""
    found = Axe().run(settled(page)).response["violations"]
    return [f"{item['id']}: {item['nodes'][0]['html'][:200]}" for item in found]
