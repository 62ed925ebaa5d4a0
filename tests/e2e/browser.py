"""What the browser tests share: how Chromium is started, and what a person does with the mouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from scripts.set_up import find_browser

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE_MS = 15_000

expect.set_options(timeout=PATIENCE_MS)


def chromium_path() -> str:
    """Where Chromium is; ``make test`` installs it."""
    path = find_browser()
    assert path is not None, (
        "There is no Chromium here; `make test` installs Debian's, or says what to install."
    )
    return str(path)


@contextmanager
def watched_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page in a context of its own whose console must stay free of errors."""
    wanted: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}} | options
    context = browser.new_context(**wanted)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # A refused request or connection is logged by the browser itself; the tests that provoke one look at the
        # page's answer.
        is_expected = any(
            text in message.text
            for text in (
                "Failed to load resource",
                "ERR_CONNECTION_REFUSED",
                "ERR_CONNECTION_RESET",
                "Connection closed before receiving a handshake response",
            )
        )
        if message.type == "error" and not is_expected:
            complaints.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert not complaints, complaints


def node(page: Page, label: str) -> Locator:
    """A node of the canvas by its label."""
    return page.locator(".oc-canvas .react-flow__node").filter(has_text=label)


def at_rest(locator: Locator) -> Locator:
    """The element, once it stands still: a canvas glides to its first view."""
    before = None
    while True:
        box = locator.bounding_box()
        if box is not None and box == before:
            return locator
        before = box
        locator.page.wait_for_timeout(50)


def drag(page: Page, start: Locator, end: Locator) -> None:
    """Move the mouse from one element to another with the button down, as a hand does."""
    a, b = start.bounding_box(), end.bounding_box()
    assert a is not None
    assert b is not None
    page.mouse.move(a["x"] + a["width"] / 2, a["y"] + a["height"] / 2)
    page.mouse.down()
    page.mouse.move(b["x"] + b["width"] / 2 - 4, b["y"] + b["height"] / 2 - 4, steps=8)
    page.mouse.move(b["x"] + b["width"] / 2, b["y"] + b["height"] / 2, steps=3)
    page.mouse.up()


def drop_from_palette(page: Page, kind: str, x: int, y: int) -> None:
    """Drag a kind from the palette to a place of the canvas."""
    page.get_by_test_id(f"palette-{kind}").drag_to(
        page.locator(".react-flow__pane"), target_position={"x": x, "y": y}
    )


def handle(node_locator: Locator, name: str) -> Locator:
    """An output of a node."""
    return node_locator.locator(f".react-flow__handle.source[data-handleid='{name}']")


def entrance(node_locator: Locator) -> Locator:
    """The input of a node."""
    return node_locator.locator(".react-flow__handle.target")


def write(page: Page, label: str, text: str, *, nth: int = 0) -> None:
    """Replace the text of a code editor, and leave it."""
    editor = page.get_by_label(label, exact=True).nth(nth)
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)
    editor.blur()


def settled(page: Page) -> Page:
    """The page once nothing on it moves any more: what moves into place would be measured half transparent."""
    page.evaluate(
        "Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => 0)))"
    )
    return page
