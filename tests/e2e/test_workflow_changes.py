"""What becomes of a workflow after a node was made from it: marked on the node, shown, seen, and not marked any more."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browser import node, settled, watched_page
from tests.e2e.test_connections import forget_all
from tests.e2e.test_main_job import connect_n8n
from tests.fakes.n8n_flow import FakeWorkflow
from tests.fakes.server import FakeServer
from tests.processes import Program

FORM = [
    {"fieldLabel": "Customer", "requiredField": True},
    {"fieldLabel": "Amount", "fieldType": "number"},
]


@pytest.fixture
def program(program: Program) -> Iterator[Program]:
    """Each journey has platforms of its own."""
    forget_all(program)
    yield program
    forget_all(program)


def open_new(page: Page, program: Program, name: str) -> None:
    """Open the editor of a new orchestrator."""
    page.goto(f"{program.url}/canvas/{program.create(name, [], [])}")
    expect(page.locator(".react-flow__pane")).to_be_visible()


def add_from_browser(page: Page, name: str) -> None:
    """Put a workflow on the canvas through the browser of workflows, and close the browser."""
    page.get_by_test_id("palette-workflows").click()
    page.get_by_role("option", name=name).click()
    page.get_by_role("button", name="Add to canvas").click()
    expect(node(page, name)).to_be_visible()
    page.get_by_label("Close panel").click()


def read_list_anew(program: Program, connection_id: str) -> None:
    program.ask("GET", f"/providers/n8n/workflows?connectionId={connection_id}&refresh=true")


def edit(flow: FakeWorkflow) -> None:
    """Change a workflow as its author would: its last step is another one."""
    flow.last_node = ("Shout", "set")
    flow.updated_at += 60_000


def mark(page: Page, name: str) -> Locator:
    return node(page, name).locator(".oc-mark")


def violations(page: Page, part: str) -> list[str]:
    """What keeps people from using a part of the page."""
    found = Axe().run(settled(page), context=part).response["violations"]
    return [
        f"{item['id']}: {item['nodes'][0]['html'][:200]}"
        for item in found
        if item["impact"] in {"serious", "critical"}
    ]


def test_a_changed_workflow_is_marked_shown_and_seen_and_one_that_was_switched_off_or_deleted_is_told(
    page: Page, program: Program, fake: FakeServer
) -> None:
    flow = fake.n8n2.add_workflow("Check order", mode="lastNode")
    connection_id = connect_n8n(program, fake)
    open_new(page, program, "Marked")
    add_from_browser(page, "Check order")
    expect(mark(page, "Check order")).to_have_count(0)

    edit(flow)
    read_list_anew(program, connection_id)
    expect(mark(page, "Check order")).to_have_attribute("data-mark", "changed")
    mark(page, "Check order").hover()
    expect(page.locator(".oc-tooltip")).to_contain_text("“Check order” was changed on n8n")
    node(page, "Check order").click()
    panel = page.get_by_role("region", name="Workflow of the node")
    expect(panel.get_by_text("Active", exact=True)).to_be_visible()
    expect(panel.get_by_role("link", name="Open on n8n")).to_have_attribute("href", re.compile(flow.id))
    panel.get_by_role("button", name="What changed").click()
    dialog = page.get_by_role("dialog", name="What changed")
    expect(dialog.get_by_test_id("changes")).to_contain_text("“Shout”")
    expect(dialog.locator(".o-step[data-change='added']")).to_contain_text("Shout")
    expect(dialog.locator(".o-step[data-change='removed']")).to_contain_text("Set")
    expect(dialog.locator(".o-step[data-change='same']")).to_have_count(2)
    assert violations(page, ".o-dialog") == []
    dialog.get_by_role("button", name="I have seen it").click()
    expect(dialog).to_have_count(0)
    expect(mark(page, "Check order")).to_have_count(0)
    expect(panel.get_by_role("button", name="What changed")).to_have_count(0)

    # It was an edit like any other.
    page.get_by_test_id("canvas-undo").click()
    expect(mark(page, "Check order")).to_have_attribute("data-mark", "changed")
    page.get_by_test_id("canvas-redo").click()
    expect(mark(page, "Check order")).to_have_count(0)
    page.locator("#save").click()
    expect(page.get_by_test_id("version")).to_have_text("Version 2")
    page.reload()
    expect(node(page, "Check order")).to_be_visible()
    expect(mark(page, "Check order")).to_have_count(0)

    flow.is_active = False
    read_list_anew(program, connection_id)
    expect(mark(page, "Check order")).to_have_attribute("data-mark", "inactive")
    node(page, "Check order").click()
    expect(panel.get_by_text("“Check order” is switched off on n8n")).to_be_visible()
    del fake.n8n2.workflows[flow.id]
    read_list_anew(program, connection_id)
    expect(mark(page, "Check order")).to_have_attribute("data-mark", "deleted")
    expect(panel.get_by_role("alert")).to_contain_text("The workflow is gone")
    panel.get_by_role("button", name="What changed").click()
    expect(dialog.get_by_test_id("changes")).to_contain_text("was deleted or put away")
    expect(dialog.get_by_role("button", name="I have seen it")).to_have_count(0)
    dialog.get_by_role("button", name="Close").last.click()
    # Another one is chosen for it in the browser of workflows.
    other = fake.n8n2.add_workflow("Check order again")
    read_list_anew(program, connection_id)
    panel.get_by_role("button", name="Choose another one").click()
    page.get_by_role("option", name="Check order again").click()
    page.get_by_role("button", name="Use this workflow").click()
    expect(page.locator("#field-RemoteWebhook-workflowId")).to_have_value(other.id)
    expect(page.locator(".oc-mark")).to_have_count(0)


def test_what_a_workflow_asks_for_is_offered_and_the_ways_to_its_end_are_told_in_words(
    page: Page, program: Program, fake: FakeServer
) -> None:
    fake.n8n2.add_workflow("Requests", trigger="form", mode="onReceived", form_fields=FORM)
    connect_n8n(program, fake)
    open_new(page, program, "Asked")
    add_from_browser(page, "Requests")
    node(page, "Requests").click()
    drawer = page.get_by_role("complementary", name="Node")
    expect(drawer.locator(".o-row .o-asked")).to_have_text(re.compile("Customer, text, required"))
    offer = drawer.get_by_role("button", name=re.compile("^Amount"))
    offer.click()
    expect(drawer.locator(".o-row .o-asked")).to_have_count(2)
    expect(offer).to_have_count(0)

    ways = drawer.get_by_role("list", name="What the platform says of each way")
    chosen = ways.locator("li[data-chosen='true']")
    expect(chosen).to_contain_text("recommended")
    expect(chosen).to_have_attribute("data-works", "true")
    worse = ways.locator("li[data-works='false']").first
    expect(worse).to_contain_text("does not work")
    title = worse.locator("strong").inner_text()
    drawer.get_by_label("Completion", exact=True).select_option(label=title)
    expect(drawer.get_by_text("This workflow does not end like that")).to_be_visible()
    assert violations(page, ".o-docked") == []


def test_on_a_phone_the_change_is_read_from_above_to_below(
    browser: Browser, program: Program, fake: FakeServer
) -> None:
    flow = fake.n8n2.add_workflow("Check order", mode="lastNode")
    connection_id = connect_n8n(program, fake)
    with watched_page(
        browser, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ) as page:
        open_new(page, program, "Small")
        add_from_browser(page, "Check order")
        edit(flow)
        read_list_anew(program, connection_id)
        node(page, "Check order").tap()
        page.get_by_role("button", name="What changed").tap()
        dialog = page.get_by_role("dialog", name="What changed")
        was, now = (dialog.locator(".o-preview-graph").nth(index) for index in (0, 1))
        expect(was.locator(".o-step[data-change='removed']")).to_be_visible()
        above, below = was.bounding_box(), now.bounding_box()
        assert above is not None
        assert below is not None
        assert above["y"] + above["height"] <= below["y"]
        assert above["width"] > 280
        dialog.get_by_role("button", name="I have seen it").tap()
        expect(mark(page, "Check order")).to_have_count(0)
