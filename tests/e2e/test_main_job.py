"""The main job in a browser: draw a graph by mouse, configure it, save it, run it, watch it, answer it, read it."""

import json
import subprocess

from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import drag, drop_from_palette, entrance, handle, node, watched_page, write
from tests.fakes.server import FakeServer
from tests.processes import Program


def connect_n8n(program: Program, fake: FakeServer) -> str:
    """Store a connection to the fake n8n and return its id."""
    body = {"name": "Test n8n", "credentials": {"baseUrl": fake.n8n2.base, "apiKey": fake.n8n2.key}}
    stored = program.ask("POST", "/providers/n8n/connect", body)
    assert stored["status"] == "connected", stored
    return str(stored["id"])


def open_new(page: Page, program: Program, name: str) -> None:
    """Make a new orchestrator and open its editor."""
    page.goto(program.url)
    # An empty list has a second one.
    page.get_by_role("button", name="New orchestrator").first.click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".react-flow__pane")).to_be_visible()


def test_a_user_draws_configures_saves_runs_watches_answers_and_reads_a_run(
    page: Page, program: Program, fake: FakeServer
) -> None:
    connect_n8n(program, fake)
    flow = fake.n8n2.add_workflow("Check order", path="check-order", mode="lastNode", seconds=0.6)
    open_new(page, program, "Orders over n8n")

    # Drawn by mouse.
    drop_from_palette(page, "RemoteWebhook", 120, 160)
    drop_from_palette(page, "Condition", 440, 160)
    drop_from_palette(page, "DataMapper", 120, 420)
    drop_from_palette(page, "WaitForCallback", 440, 420)
    expect(page.locator(".react-flow__node")).to_have_count(4)

    # Configured in the drawer.
    node(page, "Condition").first.click()
    page.get_by_test_id("add-cases").click()
    write(page, "If", "data.`in`.amount > 100")
    page.get_by_label("Branch", exact=True).click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("large")
    page.get_by_label("Label", exact=True).click()
    expect(handle(node(page, "Condition").first, "large")).to_be_visible()
    node(page, "Remote webhook").first.click()
    page.get_by_label("Platform", exact=True).select_option("n8n")
    page.get_by_label("Connection", exact=True).select_option(label="Test n8n")
    page.get_by_role("button", name="Choose").click()
    page.get_by_role("option", name="Check order").click()
    page.get_by_role("button", name="Use this workflow").click()
    expect(page.get_by_label("Workflow", exact=True)).to_have_value(flow.id)
    node(page, "Data mapper").first.click()
    page.get_by_test_id("add-mappings").click()
    write(page, "From", "data.`in`.amount * 2")
    write(page, "To", "doubled")
    page.get_by_label("Close panel").click()

    # Connected by mouse.
    drag(page, handle(node(page, "Check order"), "out"), entrance(node(page, "Condition").first))
    drag(page, handle(node(page, "Condition").first, "large"), entrance(node(page, "Data mapper").first))
    drag(
        page, handle(node(page, "Data mapper").first, "out"), entrance(node(page, "Wait for callback").first)
    )
    expect(page.locator(".react-flow__edge")).to_have_count(3)

    # Saved, and still there after a reload.
    page.locator("#save").click()
    expect(page.get_by_test_id("version")).to_have_text("Version 2")
    page.reload()
    expect(page.locator(".react-flow__node")).to_have_count(4)
    expect(page.locator(".react-flow__edge")).to_have_count(3)
    node(page, "Data mapper").first.click()
    expect(page.get_by_label("To", exact=True)).to_have_text("doubled")
    page.get_by_label("Close panel").click()

    # Run with JSON, watched live.
    page.locator("#run").click()
    write(page, "Input of the run", '{"amount": 250}')
    page.locator("#start-run").click()
    badges = {
        label: node(page, label).first.locator("[data-state]").first
        for label in ("Check order", "Wait for callback")
    }
    expect(badges["Check order"]).to_have_attribute("data-state", "RUNNING")
    expect(badges["Check order"]).to_have_attribute("data-state", "COMPLETED")
    expect(badges["Wait for callback"]).to_have_attribute("data-state", "WAITING")
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "WAITING")

    # Answered by curl.
    node(page, "Wait for callback").first.click()
    page.get_by_role("tab", name="Run").click()
    address = page.get_by_test_id("callback-url").inner_text()
    page.get_by_text("Show the token").click()
    token = page.get_by_test_id("callback-token").inner_text()
    answer = subprocess.run(
        [
            "curl",
            "-sS",
            "-X",
            "POST",
            address,
            "-H",
            f"Authorization: Bearer {token}",
            "-H",
            "Content-Type: application/json",
            "-d",
            '{"ok": true}',
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    assert json.loads(answer.stdout)["status"] == "accepted"
    expect(badges["Wait for callback"]).to_have_attribute("data-state", "COMPLETED")
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "COMPLETED")

    # Read on the page of the run.
    page.get_by_role("link", name="Details").click()
    page.wait_for_url("**/run/**")
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "COMPLETED")
    run = program.ask("GET", f"/runs/{page.url.rstrip('/').rpartition('/')[2]}")
    outputs = {item["label"]: item for item in run["nodes"]}
    assert outputs["Check order"]["input"] == {"amount": 250}
    assert outputs["Data mapper"]["output"] == {"doubled": 500}
    assert outputs["Wait for callback"]["output"] == {"ok": True}
    page.get_by_role("button", name="Data mapper", exact=True).click()
    panel = page.get_by_role("complementary", name="Node of the run")
    expect(panel.get_by_label("Output", exact=True)).to_contain_text('"doubled": 500')
    expect(panel.get_by_label("Input", exact=True)).to_contain_text('"amount": 250')


def test_a_save_in_one_tab_is_offered_to_the_other_and_an_outdated_save_is_refused(
    browser: Browser, page: Page, program: Program
) -> None:
    open_new(page, program, "Two tabs")
    with watched_page(browser) as other:
        other.goto(page.url)
        expect(other.locator(".react-flow__pane")).to_be_visible()
        drop_from_palette(page, "Parallel", 200, 200)
        page.locator("#save").click()
        expect(page.get_by_test_id("version")).to_have_text("Version 2")
        expect(other.get_by_text("Version 2 was saved somewhere else")).to_be_visible()

        drop_from_palette(other, "DataMapper", 300, 300)
        expect(other.get_by_test_id("version")).to_have_text("Unsaved changes")
        other.locator("#save").click()
        expect(other.get_by_text("Somebody else saved in the meantime")).to_be_visible()
        stored = program.ask("GET", f"/{page.url.rstrip('/').rpartition('/')[2]}")
        assert [item["data"]["nodeType"] for item in stored["definition"]["nodes"]] == ["Parallel"]

        other.get_by_role("button", name="Load theirs").click()
        expect(other.get_by_role("dialog")).to_have_count(0)
        expect(node(other, "Parallel").first).to_be_visible()
        expect(node(other, "Data mapper")).to_have_count(0)
        other.keyboard.press("Control+z")
        expect(node(other, "Data mapper").first).to_be_visible()


def test_a_run_started_by_rest_shows_live_in_an_open_tab(page: Page, program: Program) -> None:
    open_new(page, program, "Watched")
    drop_from_palette(page, "RemoteWebhook", 200, 200)
    node(page, "Remote webhook").first.click()
    page.get_by_label("Platform", exact=True).select_option("simulated")
    # With the platform the form begins afresh, and what was written into the old one is lost.
    expect(page.get_by_role("button", name="Choose")).to_be_visible()
    page.get_by_label("Workflow", exact=True).fill("slow")
    page.get_by_label("Close panel").click()
    page.locator("#save").click()
    expect(page.get_by_test_id("version")).to_have_text("Version 2")
    orchestrator_id = page.url.rstrip("/").rpartition("/")[2]
    program.ask("POST", f"/{orchestrator_id}/run", {"seconds": 1})
    badge = node(page, "Remote webhook").first.locator("[data-state]").first
    expect(badge).to_have_attribute("data-state", "RUNNING")
    expect(badge).to_have_attribute("data-state", "COMPLETED")


def test_edits_that_were_not_saved_survive_a_reload(page: Page, program: Program) -> None:
    open_new(page, program, "Reloaded")
    drop_from_palette(page, "Parallel", 200, 200)
    expect(page.get_by_test_id("version")).to_have_text("Unsaved changes")
    page.reload()
    expect(node(page, "Parallel").first).to_be_visible()
    expect(page.get_by_test_id("version")).to_have_text("Unsaved changes")


def test_edits_that_were_not_saved_survive_a_restart_of_the_server(
    page: Page, mortal_program: Program
) -> None:
    open_new(page, mortal_program, "Restarted")
    drop_from_palette(page, "Parallel", 200, 200)
    expect(page.get_by_test_id("version")).to_have_text("Unsaved changes")
    orchestrator_id = page.url.rstrip("/").rpartition("/")[2]
    assert mortal_program.stop() == 0
    mortal_program.start()
    # The page finds the server again by itself, and says what it found.
    expect(page.get_by_text("Your unsaved changes are still here.")).to_be_visible()
    expect(page.locator(".react-flow__node")).to_have_count(1)
    drop_from_palette(page, "DataMapper", 500, 300)
    expect(page.locator(".react-flow__node")).to_have_count(2)
    page.locator("#save").click()
    expect(page.get_by_test_id("version")).to_have_text("Version 2")
    stored = mortal_program.ask("GET", f"/{orchestrator_id}")
    assert {item["data"]["nodeType"] for item in stored["definition"]["nodes"]} == {"Parallel", "DataMapper"}


def test_a_broken_input_is_told_in_the_dialog_and_starts_nothing(page: Page, program: Program) -> None:
    open_new(page, program, "Broken input")
    drop_from_palette(page, "Parallel", 200, 200)
    page.locator("#save").click()
    expect(page.get_by_test_id("version")).to_have_text("Version 2")
    page.locator("#run").click()
    write(page, "Input of the run", '{"amount": ')
    expect(page.get_by_role("alert").filter(has_text="Line 1")).to_be_visible()
    expect(page.locator("#start-run")).to_be_disabled()
    orchestrator_id = page.url.rstrip("/").rpartition("/")[2]
    assert program.ask("GET", f"/{orchestrator_id}/runs")["items"] == []


def test_problems_are_shown_on_the_node_and_keep_the_run_button_off(page: Page, program: Program) -> None:
    open_new(page, program, "Unfinished")
    drop_from_palette(page, "RemoteWebhook", 200, 200)
    expect(page.get_by_test_id("problems")).to_be_visible()
    expect(page.locator("#run")).to_be_disabled()
    page.get_by_test_id("problems").click()
    page.get_by_role("button", name="“Address” is missing").click()
    write(page, "Address", "ftp://somewhere")
    expect(page.get_by_text("is no complete address").first).to_be_visible()
    write(page, "Address", "http://127.0.0.1:9/x")
    expect(page.locator("#run")).to_be_enabled()
