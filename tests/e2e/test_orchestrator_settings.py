"""The settings of an orchestrator in a browser: limits, the queue, and a secret that is shown once."""

from playwright.sync_api import Page, expect

from tests.api.calls import WAIT
from tests.processes import Program


def test_limits_and_a_signing_secret_are_set_behind_the_gear(page: Page, program: Program):
    made = program.ask("POST", "", {"name": "Settings journey", "definition": WAIT})
    page.goto(f"{program.url}/canvas/{made['id']}")
    page.get_by_role("button", name="Settings of this orchestrator").click()
    dialog = page.get_by_role("dialog", name="Settings of this orchestrator")
    dialog.get_by_label("Runs at once").fill("1")
    dialog.get_by_label("Deadline of a run").fill("2")
    dialog.get_by_label("Unit of the deadline").select_option("hours")
    page.locator("#save-limits").click()
    expect(dialog).not_to_be_visible()
    settings = program.ask("GET", f"/{made['id']}/settings")
    assert (settings["concurrency"], settings["deadlineSeconds"]) == (1, 7_200)

    # The secret is shown once, and gone when the dialog is opened again.
    page.get_by_role("button", name="Settings of this orchestrator").click()
    expect(dialog.get_by_label("Runs at once")).to_have_value("1")
    dialog.get_by_role("button", name="Make a signing secret").click()
    secret = dialog.get_by_test_id("signing-secret")
    expect(secret).to_contain_text("whsec_")
    first = secret.inner_text()
    dialog.get_by_role("button", name="Make a new secret").click()
    dialog.get_by_role("button", name="Make it all the same").click()
    expect(secret).not_to_have_text(first)
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    expect(dialog).not_to_be_visible()
    page.get_by_role("button", name="Settings of this orchestrator").click()
    expect(dialog.get_by_text("Callbacks must be signed")).to_be_visible()
    expect(secret).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()

    # A waiting run says how it is called back; the next one waits for its turn.
    run = program.ask("POST", f"/{made['id']}/run", {})
    program.ask("POST", f"/{made['id']}/run", {})
    page.goto(f"{program.url}/run/{run['id']}")
    page.get_by_role("button", name="wait", exact=True).click()
    panel = page.get_by_role("complementary", name="Node of the run")
    expect(panel.get_by_text("It must be signed")).to_be_visible()
    expect(panel.get_by_test_id("callback-token")).not_to_be_visible()
    panel.get_by_text("Show the token").click()
    expect(panel.get_by_test_id("callback-token")).to_contain_text("cb_")
    page.goto(f"{program.url}/runs")
    expect(page.get_by_test_id("queue")).to_contain_text("1 of “Settings journey” (at most 1 at once)")

    # Without the secret, the token alone lets it go on, and what arrived is shown.
    page.goto(f"{program.url}/canvas/{made['id']}")
    page.get_by_role("button", name="Settings of this orchestrator").click()
    dialog.get_by_role("button", name="Take callbacks without signature").click()
    expect(dialog.get_by_text("Callbacks need their token only")).to_be_visible()
    waiting = program.ask("GET", f"/runs/{run['id']}")
    token = waiting["nodes"][0]["callbackUrl"].partition("?token=")[2]
    program.ask("POST", f"/callback/{run['id']}?token={token}", {"approved": True})
    page.goto(f"{program.url}/run/{run['id']}")
    page.get_by_role("button", name="wait", exact=True).click()
    expect(panel.get_by_label("What arrived", exact=True)).to_contain_text('"approved": true')
