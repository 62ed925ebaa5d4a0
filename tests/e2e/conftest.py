"""A browser, the whole program and the fake platforms, for journeys of users."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.browser import CHROMIUM_ARGUMENTS, chromium_path, watched_page
from tests.fakes.server import FakeServer
from tests.processes import Program


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here drives a browser or the whole program."""
    for item in items:
        item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or any other that is installed."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One instance for all journeys that do not stop it."""
    with Program(Path(tmp_path_factory.mktemp("program"))) as program:
        yield program


@pytest.fixture
def own_program(tmp_path: Path) -> Iterator[Program]:
    """An instance of this test's own, which it may stop or kill."""
    program = Program(tmp_path / "data", ORCHESTRATOR_DEMO="false")
    program.start()
    yield program
    program.stop()


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    """The fake platforms."""
    with FakeServer() as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1440x900; any error in the browser's console fails the test."""
    with watched_page(browser) as page:
        yield page
