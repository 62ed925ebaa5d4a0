"""The live view: how long after a node's end an open canvas shows it."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.definitions import chain
from bench.figures import Figure
from bench.load import Effort, percentile
from bench.processes import echo_server, program
from tests.e2e.browser import CHROMIUM_ARGUMENTS, chromium_path, watched_page
from tests.processes import Program

NODES = 20
_PATIENCE_SECONDS = 30.0
# Lengths that differ, so that the ends do not fall into step with how often the page is told.
_CALL_MS = [200 + step * 37 % 100 for step in range(NODES)]

# Notes the time at which each node's card was first seen as completed.
_OBSERVE = """() => {
  window.completed = {};
  new MutationObserver((changes) => {
    const at = performance.timeOrigin + performance.now();
    for (const { target } of changes) {
      const id = target.dataset.testid || "";
      if (target.dataset.state === "COMPLETED" && id.startsWith("node-")) window.completed[id.slice(5)] ??= at;
    }
  }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-state"] });
}"""


def live(effort: Effort) -> Iterator[Figure]:
    """A run of twenty slow calls, started by REST and watched by a headless browser."""
    medians: list[float] = []
    p95s: list[float] = []
    with echo_server() as echo, program() as running, sync_playwright() as playwright:
        graph = chain([f"{echo}/wait/{milliseconds}" for milliseconds in _CALL_MS])
        orchestrator_id = running.create("Watched", graph.nodes, graph.edges)
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        with watched_page(browser) as page:
            page.goto(f"{running.url}/canvas/{orchestrator_id}")
            page.get_by_test_id(f"node-n{NODES - 1}").wait_for()
            page.evaluate(_OBSERVE)
            _delays_ms(running, page, orchestrator_id)  # the first run warms everything up
            for _ in range(effort.rounds):
                delays = _delays_ms(running, page, orchestrator_id)
                medians.append(percentile(delays, 0.5))
                p95s.append(percentile(delays, 0.95))
        browser.close()
    besides = f"{NODES} nodes a round"
    yield Figure("live", "node's end to canvas, median", "ms", medians, besides=besides)
    yield Figure("live", "node's end to canvas, p95", "ms", p95s, besides=besides)


def _delays_ms(program: Program, page: Page, orchestrator_id: str) -> list[float]:
    """For each node of one run, from its recorded end until the page showed it."""
    page.evaluate("() => { window.completed = {}; }")
    run = program.finished(program.ask("POST", f"/{orchestrator_id}/run", {})["id"], _PATIENCE_SECONDS)
    seen: dict[str, float] = {}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(seen) < NODES:
        if time.monotonic() > deadline:
            raise RuntimeError(f"The canvas shows the end of only {len(seen)} of {NODES} nodes.")
        time.sleep(0.1)
        seen = page.evaluate("() => window.completed")
    return [seen[node["nodeId"]] - _epoch_ms(node) for node in run["nodes"]]


def _epoch_ms(node: dict[str, Any]) -> float:
    return datetime.fromisoformat(node["endedDate"]).timestamp() * 1000
