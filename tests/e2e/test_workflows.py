"""Workflows of a platform in a browser: found among thousands, looked at, put on the canvas and run to their end."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browser import node, watched_page, write
from tests.e2e.test_connections import forget_all
from tests.e2e.test_main_job import connect_n8n
from tests.fakes.server import FakeServer
from tests.processes import Program

MANY = 5_000


@pytest.fixture
def program(program: Program) -> Iterator[Program]:
    """Each journey has platforms of its own."""
    forget_all(program)
    yield program
    forget_all(program)


def rows(page: Page) -> Locator:
    return page.locator(".o-flow-row")


def row(page: Page, name: str) -> Locator:
    return rows(page).filter(has_text=name)


def open_list(page: Page, program: Program, total: int, query: str = "") -> None:
    page.goto(f"{program.url}/workflows?provider=n8n{query}")
    expect(page.get_by_test_id("workflow-total")).to_have_text(re.compile(rf"^{total} workflows?$"))


def run_to_its_end(page: Page, given: str) -> None:
    """Save and run what is on the canvas, and watch it end well."""
    page.locator("#run").click()
    write(page, "Input of the run", given)
    page.locator("#start-run").click()
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "COMPLETED")


def branching(kind: str, name: str, x: int, y: int, **more: Any) -> dict[str, Any]:
    """A node as n8n writes it."""
    base = {"id": name, "name": name, "type": kind, "typeVersion": 1, "position": [x, y], "parameters": {}}
    return base | more


def test_a_workflow_is_found_looked_at_added_from_its_page_and_run_to_its_end(
    page: Page, program: Program, fake: FakeServer
) -> None:
    n8n = fake.n8n2
    flow = n8n.add_workflow("Check order", mode="lastNode", tags=["sales"])
    n8n.add_workflow("Send letter", tags=["post"])
    n8n.add_workflow("Old order", is_active=False)
    connect_n8n(program, fake)
    open_list(page, program, 3)
    page.keyboard.press("/")
    page.keyboard.type("order")
    expect(rows(page)).to_have_count(2)
    expect(page).to_have_url(re.compile("q=order"))
    page.get_by_role("button", name="Inactive", exact=True).click()
    expect(rows(page)).to_have_text([re.compile("Old order")])
    # The address shows the same to somebody else.
    expect(page).to_have_url(re.compile("active=inactive"))
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(rows(page)).to_have_text([re.compile("Old order")])
    expect(page.get_by_label("Search workflows")).to_have_value("order")
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_label("Tag", exact=True).select_option("post")
    expect(page.get_by_text("No workflow matches these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(rows(page)).to_have_count(3)

    # By keyboard: down from the search to the list, and in.
    page.get_by_label("Search workflows").press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".o-preview h2")).to_have_text("Check order")
    expect(page.locator(".o-step")).to_have_count(2)
    expect(page.get_by_text("With the answer")).to_be_visible()
    outside = page.get_by_role("link", name="Open on n8n")
    expect(outside).to_have_attribute("href", re.compile(flow.id))
    expect(outside).to_have_attribute("rel", "noopener noreferrer")

    page.get_by_role("button", name="Add to canvas").click()
    page.get_by_label("To a new orchestrator").fill("Orders")
    page.get_by_role("button", name="Create").click()
    expect(node(page, "Check order")).to_be_visible()
    # Loading the page again neither loses nor repeats it.
    expect(page).not_to_have_url(re.compile("add="))
    page.reload()
    expect(node(page, "Check order")).to_have_count(1)
    run_to_its_end(page, '{"amount": 250}')
    assert flow.executions[0].trigger["body"] == {"amount": 250}


def test_workflows_are_added_by_drag_and_by_click_beside_the_canvas_and_run_to_their_end(
    page: Page, program: Program, fake: FakeServer
) -> None:
    n8n = fake.n8n2
    first = n8n.add_workflow("First", mode="lastNode")
    second = n8n.add_workflow("Second", mode="onReceived", seconds=0.2)
    connect_n8n(program, fake)
    page.goto(f"{program.url}/canvas/{program.create('Dragged', [], [])}")
    page.get_by_test_id("palette-workflows").click()
    expect(rows(page)).to_have_count(2)
    pane = page.locator(".react-flow__pane")
    row(page, "First").drag_to(pane, target_position={"x": 200, "y": 240})
    dropped = node(page, "First")
    expect(dropped).to_be_visible()
    box, frame = dropped.bounding_box(), pane.bounding_box()
    assert box is not None
    assert frame is not None
    # Its middle is where the pointer was, but for the grid.
    assert abs(box["x"] - frame["x"] + box["width"] / 2 - 200) <= 16
    assert abs(box["y"] - frame["y"] + 32 - 240) <= 16

    row(page, "Second").click()
    page.get_by_role("button", name="Add to canvas").click()
    expect(node(page, "Second")).to_be_visible()
    expect(page.locator(".oc-canvas .react-flow__edge")).to_have_count(1)
    page.get_by_test_id("canvas-undo").click()
    expect(node(page, "Second")).to_have_count(0)
    page.get_by_test_id("canvas-redo").click()
    expect(node(page, "Second")).to_be_visible()
    node(page, "Second").click()
    expect(page.get_by_role("tab", name="Settings")).to_be_visible()
    expect(page.get_by_label("Workflow", exact=True)).to_have_value(second.id)
    page.get_by_label("Close panel").click()
    run_to_its_end(page, '{"amount": 1}')
    assert len(first.executions) == len(second.executions) == 1
    definition = program.ask("GET", f"/{page.url.rstrip('/').rpartition('/')[2]}")["definition"]
    assert '"poll"' in json.dumps(definition)


def test_five_thousand_workflows_scroll(page: Page, program: Program, fake: FakeServer) -> None:
    for number in range(MANY):
        fake.n8n2.add_workflow(f"Flow {number:04}", is_active=number % 2 == 0)
    connect_n8n(program, fake)
    open_list(page, program, MANY)
    expect(row(page, "Flow 0000")).to_be_visible()
    flows = page.get_by_role("listbox", name="Workflows")
    flows.evaluate("list => { list.scrollTop = list.scrollHeight / 2 }")
    expect(row(page, "Flow 2505")).to_be_visible()
    flows.focus()
    page.keyboard.press("End")
    expect(row(page, "Flow 4999")).to_be_visible()
    page.keyboard.press("Home")
    expect(row(page, "Flow 0000")).to_be_visible()
    # Only what is in sight exists in the page.
    assert rows(page).count() < 60
    page.get_by_label("Order", exact=True).select_option("-name")
    expect(row(page, "Flow 4999")).to_be_visible()
    page.get_by_label("Search workflows").fill("Flow 123")
    expect(rows(page)).to_have_count(10)
    # Pages are read from what is stored, not from the platform.
    expect(page.get_by_text("Reading the list")).to_have_count(0)
    fake.clear()
    page.get_by_label("Search workflows").fill("")
    expect(row(page, "Flow 4999")).to_be_visible()
    flows.evaluate("list => { list.scrollTop = 56 * 3000 }")
    expect(row(page, "Flow 1995")).to_be_visible()
    assert fake.calls() == []


def test_a_platform_that_is_down_shows_its_last_list_with_its_age_and_the_error(
    page: Page, program: Program, fake: FakeServer
) -> None:
    fake.n8n2.add_workflow("Orders")
    connect_n8n(program, fake)
    open_list(page, program, 1)
    fake.n8n2.drop(times=100)
    page.get_by_label("Read the list anew").click()
    callout = page.get_by_role("status").filter(has_text="“Test n8n” could not be read")
    expect(callout).to_contain_text("The list below is as it was read")
    expect(row(page, "Orders")).to_be_visible()
    row(page, "Orders").click()
    expect(page.get_by_role("alert").filter(has_text="The workflow could not be read")).to_be_visible()


def test_a_graph_shows_branches_error_ways_tools_and_disabled_steps(
    page: Page, program: Program, fake: FakeServer
) -> None:
    steps = [
        branching("n8n-nodes-base.webhook", "Start", 0, 0, parameters={"path": "p", "httpMethod": "POST"}),
        branching("n8n-nodes-base.if", "Large", 200, 0),
        branching("@n8n/n8n-nodes-langchain.agent", "Agent", 400, 0, onError="continueErrorOutput"),
        branching("@n8n/n8n-nodes-langchain.lmChatOpenAi", "Model", 400, 200),
        branching("n8n-nodes-base.emailSend", "Mail", 600, 0),
        branching("n8n-nodes-base.slack", "Slack", 600, 200, disabled=True),
    ]

    def to(name: str, kind: str = "main") -> list[dict[str, Any]]:
        return [{"node": name, "type": kind, "index": 0}]

    links = {
        "Start": {"main": [to("Large")]},
        "Large": {"main": [to("Agent"), to("Slack")]},
        "Agent": {"main": [to("Mail"), to("Slack")]},
        "Model": {"ai_languageModel": [to("Agent", "ai_languageModel")]},
    }
    flow = fake.n8n2.add_workflow("Branches", own_nodes=steps, own_connections=links)
    connection_id = connect_n8n(program, fake)
    page.goto(f"{program.url}/workflows?provider=n8n&workflow={flow.id}&in={connection_id}")
    page.get_by_label("Show the graph large").click()
    graph = page.get_by_role("dialog")
    expect(graph.locator(".o-step")).to_have_count(6)
    expect(graph.locator(".o-step[data-trigger='true']")).to_contain_text("Start")
    expect(graph.locator(".o-step[data-disabled='true']")).to_contain_text("Slack")
    expect(graph.locator(".o-way-error path.react-flow__edge-path")).to_have_count(1)
    expect(graph.locator(".o-way-tool path.react-flow__edge-path")).to_have_count(1)
    for branch in ("true", "false"):
        expect(
            graph.locator(".react-flow__edge-text").filter(has_text=re.compile(f"^{branch}$"))
        ).to_be_visible()
    dashes = graph.locator(".o-way-error path.react-flow__edge-path").evaluate(
        "path => getComputedStyle(path).strokeDasharray"
    )
    assert dashes != "none"
    agent, model = (graph.locator(".o-step", has_text=name).bounding_box() for name in ("Agent", "Model"))
    assert agent is not None
    assert model is not None
    assert model["y"] > agent["y"] + agent["height"]


def test_a_workflow_is_added_with_a_finger_on_a_phone(browser: Browser, program: Program) -> None:
    phone = {"width": 390, "height": 844}
    with watched_page(browser, viewport=phone, has_touch=True, is_mobile=True) as page:
        page.goto(f"{program.url}/workflows?provider=simulated")
        row(page, "Echo").tap()
        # The preview covers the list, and leads back to it.
        expect(page.locator(".o-preview h2")).to_have_text("Echo")
        expect(page.get_by_label("Search workflows")).to_be_hidden()
        page.get_by_label("Back to the list").tap()
        expect(page.get_by_label("Search workflows")).to_be_visible()
        row(page, "Echo").tap()
        page.get_by_role("button", name="Add to canvas").tap()
        page.get_by_role("button", name="Create").tap()
        expect(node(page, "Echo")).to_be_visible()
        run_to_its_end(page, "{}")


def test_a_platform_without_a_connection_leads_to_where_one_is_made(page: Page, program: Program) -> None:
    page.goto(f"{program.url}/workflows?provider=n8n")
    page.get_by_role("link", name="Connect n8n").click()
    # What the address asks for is done once: it is taken out of the address as soon as the form is there.
    expect(page.get_by_role("dialog", name="Connect n8n")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/connections/?(?:\?connect=n8n)?$"))
    page.goto(f"{program.url}/workflows?provider=custom")
    expect(page.get_by_role("heading", name="No list")).to_be_visible()
