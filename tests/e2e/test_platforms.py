"""Each platform in a browser, from its connection to a run that ends: by the answer, by polling and by callback."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import node, write
from tests.e2e.test_connections import forget_all
from tests.fakes.server import FakeServer
from tests.processes import Program

WRONG = "a-wrong-key-of-some-length"
# A callback of Zapier goes to the address that the program was told it is reached under.
PATIENCE_MS = 20_000


@pytest.fixture(autouse=True)
def without_other_connections(program: Program) -> Iterator[None]:
    forget_all(program)
    yield
    forget_all(program)


def connect(program: Program, platform: str, credentials: dict[str, Any]) -> None:
    body = {"name": "Ours", "credentials": credentials}
    assert program.ask("POST", f"/providers/{platform}/connect", body)["status"] == "connected"


def put_on_canvas(page: Page, program: Program, platform: str, workflow: str) -> None:
    """From the list of workflows to a new orchestrator with one node."""
    page.goto(f"{program.url}/workflows?provider={platform}")
    page.locator(".o-flow-row").filter(has_text=workflow).click()
    expect(page.locator(".o-preview h2")).to_have_text(workflow)
    expect(page.locator(".o-step").first).to_be_visible()
    page.get_by_role("button", name="Add to canvas").click()
    page.get_by_label("To a new orchestrator").fill(f"With {platform}")
    page.get_by_role("button", name="Create").click()
    expect(node(page, workflow)).to_be_visible()


def run_to_its_end(page: Page, given: str) -> None:
    page.locator("#run").click()
    write(page, "Input of the run", given)
    page.locator("#start-run").click()
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "COMPLETED", timeout=PATIENCE_MS)


def completion_of(page: Page, program: Program) -> str:
    """How the only node of the orchestrator on the page learns of its end."""
    address = page.url.rstrip("/").rpartition("/")[2].partition("?")[0]
    (only,) = program.ask("GET", f"/{address}")["definition"]["nodes"]
    return str(only["data"]["config"].get("completion", "response"))


def test_flowise_from_a_wrong_key_to_an_answer(page: Page, program: Program, fake: FakeServer) -> None:
    flow = fake.flowise.add_flow("Support")
    page.goto(f"{program.url}/connections?connect=flowise")
    form = page.get_by_role("dialog", name="Connect Flowise")
    form.get_by_label("Address of Flowise").fill(fake.flowise.base)
    form.locator("input[name=apiKey]").fill(WRONG)
    page.get_by_test_id("credential-save").click()
    expect(form.get_by_test_id("credential-outcome")).to_contain_text("does not accept the API key")
    form.locator("input[name=apiKey]").fill(fake.flowise.key)
    page.get_by_test_id("credential-save").click()
    expect(form).to_have_count(0)
    expect(page.get_by_test_id("connection")).to_contain_text("Connected")

    put_on_canvas(page, program, "flowise", "Support")
    run_to_its_end(page, '{"question": "Hello"}')
    assert completion_of(page, program) == "response"
    assert fake.calls(f"/flowise/api/v1/prediction/{flow.id}", method="POST")


def test_a_scenario_of_make_is_polled_to_its_end(page: Page, program: Program, fake: FakeServer) -> None:
    scenario = fake.make.add_scenario("Invoices")
    connect(program, "make", {"zone": fake.make.base, "apiToken": fake.make.token, "teamId": "16"})
    put_on_canvas(page, program, "make", "Invoices")
    run_to_its_end(page, '{"a": 1}')
    assert completion_of(page, program) == "poll"
    assert fake.calls(f"/make/api/v2/scenarios/{scenario.id}/run", method="POST")


def test_a_zap_calls_back(page: Page, program: Program, fake: FakeServer) -> None:
    zap = fake.zapier.add_zap("New lead", calls_back=True)
    credentials = {"mode": "hook", "hookUrl": zap.hook_url, "apiUrl": fake.zapier.api}
    connect(program, "zapier", credentials)
    put_on_canvas(page, program, "zapier", "Ours")
    run_to_its_end(page, '{"a": 1}')
    assert completion_of(page, program) == "callback"
    # The address of the hook is a secret: no page shows it.
    node(page, "Ours").click()
    page.get_by_role("tab", name=re.compile("^Run")).click()
    expect(page.get_by_text("Attempt 1", exact=False).first).to_be_visible()
    assert zap.hook_url.rstrip("/").rpartition("/")[2] not in page.content()
