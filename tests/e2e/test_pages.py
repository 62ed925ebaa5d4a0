"""Every page, light and dark, wide and on a phone: it loads, the console is silent, and axe finds nothing serious."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import at_rest, node, settled, watched_page
from tests.processes import Program

SERIOUS = {"serious", "critical"}
SCREENS = {"wide": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
# Where pictures go when somebody wants to look at them.
PICTURES = os.environ.get("ORCHESTRATOR_TEST_PICTURES", "")


def example(program: Program) -> str:
    """The id of the example orchestrator."""
    return str(program.ask("GET", "?q=Example")["items"][0]["id"])


def finished_run(program: Program) -> str:
    """The id of a run of the example that has ended."""
    runs = program.ask("GET", f"/{example(program)}/runs?status=COMPLETED")["items"]
    if runs:
        return str(runs[0]["id"])
    started = program.ask("POST", f"/{example(program)}/run?wait=30", {})
    assert started["status"] == "COMPLETED", started["failure"]
    return str(started["id"])


def open_list(page: Page, program: Program) -> None:
    page.goto(program.url)
    expect(page.get_by_role("link", name="Example: qualify a lead")).to_be_visible()


def open_new_dialog(page: Page, program: Program) -> None:
    open_list(page, program)
    page.get_by_role("button", name="New orchestrator").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def open_canvas(page: Page, program: Program) -> None:
    page.goto(f"{program.url}/canvas/{example(program)}")
    expect(page.locator(".react-flow__node")).to_have_count(11)


def open_drawer(page: Page, program: Program) -> None:
    open_canvas(page, program)
    # The first of them: it is in sight on a phone, too.
    at_rest(node(page, "Look up customer").first).click()
    expect(page.get_by_role("tab", name="Settings")).to_be_visible()


def open_runs(page: Page, program: Program) -> None:
    finished_run(program)
    page.goto(f"{program.url}/runs")
    expect(page.get_by_role("link", name="Example: qualify a lead").first).to_be_visible()


def open_run(page: Page, program: Program) -> None:
    page.goto(f"{program.url}/run/{finished_run(program)}")
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "COMPLETED")


def open_run_node(page: Page, program: Program) -> None:
    open_run(page, program)
    page.get_by_role("button", name="Score lead", exact=True).click()
    expect(page.get_by_role("complementary", name="Node of the run")).to_be_visible()


def open_connections(page: Page, program: Program) -> None:
    page.goto(f"{program.url}/connections")
    expect(page.get_by_role("heading", name="n8n")).to_be_visible()


def open_connect_dialog(page: Page, program: Program) -> None:
    open_connections(page, program)
    page.get_by_role("button", name="Connect n8n").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def open_toast(page: Page, program: Program) -> None:
    kept = {"baseUrl": "http://127.0.0.1:9", "apiKey": "of-nothing"}
    names = [item["name"] for item in program.ask("GET", "/connections")["items"]]
    if "Not needed" not in names:
        program.ask("POST", "/providers/n8n/connect", {"name": "Not needed", "credentials": kept})
    open_connections(page, program)
    page.get_by_role("button", name="Disconnect Not needed").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Disconnect").click()
    page.get_by_text("Disconnected “Not needed”").hover()  # it stays while somebody points at it


def open_workflows(page: Page, program: Program) -> None:
    page.goto(f"{program.url}/workflows?provider=simulated")
    expect(page.get_by_role("option", name="Echo")).to_be_visible()


def open_workflow(page: Page, program: Program) -> None:
    page.goto(f"{program.url}/workflows?provider=simulated&workflow=score-lead")
    expect(page.locator(".o-step").first).to_be_visible()


def open_workflow_panel(page: Page, program: Program) -> None:
    open_canvas(page, program)
    if page.get_by_label("Close panel").count():
        page.get_by_label("Close panel").click()  # a tab remembers the node that was open
    page.get_by_test_id("palette-workflows").click()
    page.get_by_role("tab", name="Simulated").click()
    expect(page.get_by_role("option", name="Echo")).to_be_visible()


def open_unknown(page: Page, program: Program) -> None:
    page.goto(f"{program.url}/canvas/00000000-0000-7000-8000-000000000000")
    expect(page.get_by_text("There is no such orchestrator")).to_be_visible()


VIEWS: dict[str, Callable[[Page, Program], None]] = {
    "list": open_list,
    "new-dialog": open_new_dialog,
    "canvas": open_canvas,
    "drawer": open_drawer,
    "runs": open_runs,
    "run": open_run,
    "run-node": open_run_node,
    "connections": open_connections,
    "toast": open_toast,
    "connect-dialog": open_connect_dialog,  # a tab remembers that it is open
    "workflows": open_workflows,
    "workflow": open_workflow,
    "workflow-panel": open_workflow_panel,
    "unknown": open_unknown,
}


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_sound(browser: Browser, program: Program, screen: str, scheme: str) -> None:
    with watched_page(
        browser, viewport=SCREENS[screen], color_scheme=scheme, has_touch=screen == "phone"
    ) as page:
        findings: dict[str, list[str]] = {}
        for name, open_view in VIEWS.items():
            open_view(page, program)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= SCREENS[screen]["width"], f"{name} is wider than the screen: {width}"
            if PICTURES:
                page.screenshot(path=Path(PICTURES) / f"{name}-{screen}-{scheme}.png")
            found = [
                f"{item['id']}: {item['help']}: {[part['html'][:200] for part in item['nodes']][:4]}"
                for item in Axe().run(settled(page)).response["violations"]
                if item["impact"] in SERIOUS
            ]
            if found:
                findings[name] = found
        assert not findings, findings
