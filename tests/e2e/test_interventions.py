"""A run stops at a call whose outcome nobody knows; a person decides, and ends waits, without leaving the pages."""

import os
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.browser import settled, write
from tests.fakes.server import FakeServer
from tests.processes import Program

SERIOUS = {"serious", "critical"}
PICTURES = os.environ.get("ORCHESTRATOR_TEST_PICTURES", "")


def looks_right(page: Page, name: str) -> None:
    found = [
        item["id"] for item in Axe().run(settled(page)).response["violations"] if item["impact"] in SERIOUS
    ]
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")
    assert found == []


def test_a_person_decides_ends_a_wait_and_cancels_what_is_left(
    page: Page, program: Program, fake: FakeServer
):
    config = {"provider": "custom", "url": f"{fake.url}/drop"}
    data = [("call", "RemoteWebhook", config), ("boss", "WaitForCallback", {})]
    nodes = [
        {
            "id": name,
            "type": "orchestratorNode",
            "position": {"x": 250 * number, "y": 0},
            "data": {"label": name, "nodeType": kind, "config": settings},
        }
        for number, (name, kind, settings) in enumerate(data)
    ]
    graph = {"version": 1, "nodes": nodes, "edges": [{"id": "e", "source": "call", "target": "boss"}]}
    orchestrator = program.ask("POST", "", {"name": "Undecided", "definition": graph})
    run = program.ask("POST", f"/{orchestrator['id']}/run?wait=30", {})
    state = page.get_by_test_id("run-state")
    page.goto(f"{program.url}/run/{run['id']}")
    expect(state).to_have_attribute("data-state", "FAILED")
    page.get_by_role("button", name="call", exact=True).click()
    expect(page.get_by_text("Did this call happen?")).to_be_visible()
    write(page, "Output of the call", '{"n": 1}')
    looks_right(page, "decide")
    page.get_by_role("button", name="It happened: go on").click()
    expect(state).to_have_attribute("data-state", "WAITING")
    assert program.ask("GET", f"/runs/{run['id']}")["nodes"][0]["output"] == {"n": 1}
    page.get_by_role("button", name="boss", exact=True).click()
    page.get_by_text("Go on without the callback").click()
    write(page, "Body", '{"approved": true}')
    looks_right(page, "resume")
    page.get_by_role("button", name="Go on with this body").click()
    expect(state).to_have_attribute("data-state", "COMPLETED")
    assert program.ask("GET", f"/runs/{run['id']}")["output"] == {"approved": True}

    page.get_by_role("button", name="Run again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Version")).to_have_value("newest")
    looks_right(page, "rerun")
    dialog.get_by_role("button", name="Run", exact=True).click()
    expect(state).to_have_attribute("data-state", "FAILED")
    page.get_by_role("button", name="Retry from failed").click()
    page.get_by_role("menuitem", name="Go on in this run").click()
    expect(page.get_by_text("It is not known whether the call")).to_be_visible()

    page.goto(f"{program.url}/runs?status=FAILED&orchestrator={orchestrator['id']}")
    page.get_by_role("button", name="Retry all of these").click()
    expect(page.get_by_role("alertdialog")).to_contain_text("Failed runs that match the filter: 1.")
    looks_right(page, "bulk")
    page.get_by_role("button", name="Retry the runs").click()
    expect(page.get_by_text("0 runs were retried.")).to_be_visible()
    assert len(fake.calls("/drop")) == 2
