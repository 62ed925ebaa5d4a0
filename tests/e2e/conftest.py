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


@pytest.fixture(scope="session")
def program_to_kill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Another instance, for journeys that stop or kill it and start it again."""
    with Program(Path(tmp_path_factory.mktemp("program")), ORCHESTRATOR_DEMO="false") as program:
        yield program


@pytest.fixture
def mortal_program(program_to_kill: Program) -> Program:
    """An instance that may be stopped and killed; it runs, whatever became of it in the test before."""
    if program_to_kill.process.poll() is not None:
        program_to_kill.start()
    return program_to_kill


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
