"""A canvas with two hundred nodes in a headless browser: how long each thing that a person does takes."""

import time
from collections.abc import Callable, Iterator

from playwright.sync_api import Browser, Page, sync_playwright

from bench.definitions import no_op
from bench.figures import Figure
from bench.load import Effort
from bench.processes import program
from tests.e2e.browser import CHROMIUM_ARGUMENTS, at_rest, chromium_path, watched_page

NODES = 200
STEPS = 8
# One in the middle of the graph, which stays in sight.
NODE = f"n{NODES // 2}"
_OPENED = f"() => document.querySelectorAll('.react-flow__node').length === {NODES}"
_PLACE = f"""() => document.querySelector('.react-flow__node[data-id="{NODE}"]').style.transform"""
_MOVED = f"(before) => ({_PLACE})() !== before"
_BACK = f"(before) => ({_PLACE})() === before"
_SHOWS = (
    f"""(text) => document.querySelector('.react-flow__node[data-id="{NODE}"]').textContent.includes(text)"""
)


def canvas200(effort: Effort) -> Iterator[Figure]:
    """Open it, drag a node, undo that, and rename a node; each until the page shows it."""
    times: dict[str, list[float]] = {
        "open, nothing cached": [],
        f"drag a node, {STEPS} moves": [],
        "undo": [],
        "rename a node": [],
        "save": [],
    }
    with program() as running, sync_playwright() as playwright:
        graph = no_op(NODES)
        address = f"{running.url}/canvas/{running.create('Large', graph.nodes, graph.edges)}"
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        for number in range(effort.rounds):
            for taken, round_times in zip(_worked(browser, address, number), times.values(), strict=True):
                round_times.append(taken)
        browser.close()
    for what, values in times.items():
        yield Figure("canvas200", what, "ms", values, besides=f"{NODES} nodes")


def _worked(browser: Browser, address: str, number: int) -> Iterator[float]:
    """The times of the actions, in milliseconds."""
    name = f"Renamed {number}"
    with watched_page(browser) as page:

        def shown(condition: str, argument: object = None) -> None:
            page.wait_for_function(condition, arg=argument)

        yield _timed(lambda: (page.goto(address), shown(_OPENED)))
        node = at_rest(page.locator(f'.react-flow__node[data-id="{NODE}"]'))
        before = page.evaluate(_PLACE)
        yield _timed(lambda: (_drag(page), shown(_MOVED, before)))
        yield _timed(lambda: (page.keyboard.press("Control+z"), shown(_BACK, before)))
        node.click()
        label = page.get_by_label("Label", exact=True)
        label.wait_for()
        yield _timed(lambda: (label.fill(name), shown(_SHOWS, name)))
        label.blur()
        version = page.get_by_test_id("version")
        page.locator("#save:enabled").wait_for()
        yield _timed(lambda: (page.locator("#save").click(), version.get_by_text("Version ").wait_for()))


def _drag(page: Page) -> None:
    box = page.locator(f'.react-flow__node[data-id="{NODE}"]').bounding_box()
    if box is None:
        raise RuntimeError("The node that was to be dragged is not in sight.")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=STEPS)
    page.mouse.up()


def _timed(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000
