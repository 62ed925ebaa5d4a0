"""The pages as they are built, and what surrounds them."""

import logging
from collections.abc import Callable

import pytest
import reflex as rx

from orchestrator_app.errors import InvalidInput, Unavailable
from orchestrator_app.orchestrator_app import app
from orchestrator_app.services.application import current
from orchestrator_app.ui import layout
from orchestrator_app.ui.addresses import address_script
from orchestrator_app.ui.pages.canvas.page import canvas_page
from orchestrator_app.ui.pages.connections.page import connections_page
from orchestrator_app.ui.pages.orchestrators.page import orchestrators_page
from orchestrator_app.ui.pages.run.page import run_page
from orchestrator_app.ui.pages.runs.page import runs_page
from orchestrator_app.ui.pages.workflows.page import workflows_page
from orchestrator_app.ui.routes import NAVIGATION
from orchestrator_app.ui.session import show_error

PAGES = [orchestrators_page, canvas_page, workflows_page, runs_page, run_page, connections_page]


@pytest.mark.parametrize("page", PAGES)
def test_each_page_can_be_drawn(page: Callable[[], rx.Component]):
    drawn = str(page().render())
    assert len(drawn) > 1_000
    for item in NAVIGATION:
        assert item.label in drawn


def test_the_program_has_a_route_for_each_page():
    routes = {"index", "workflows", "runs", "run/[run_address]", "canvas/[canvas_address]", "connections"}
    assert {page.route for page in app._unevaluated_pages.values()} >= routes


def test_every_page_loads_and_watches_when_it_is_opened():
    for path in ("/", "/workflows", "/runs", "/run/x", "/canvas/x", "/connections"):
        assert len(app.get_load_events(path)) >= 2
    assert layout.toaster() is not None


def test_filters_in_the_address_cannot_become_a_script():
    script = address_script("/runs", {"q": '</script>"; alert(1); "', "status": ""})
    assert '\\"; alert(1); \\"' in script
    assert "status" not in script


def test_an_error_of_ours_is_told_with_its_hint_and_others_by_a_number(caplog: pytest.LogCaptureFixture):
    told = str(show_error(InvalidInput("The name is too long.", hint="Shorten it.")))
    assert "The name is too long." in told
    assert "Shorten it." in told
    assert "undefined" not in str(show_error(InvalidInput("No hint.")))
    with caplog.at_level(logging.ERROR):
        told = str(show_error(ValueError("inner workings")))
    assert "inner workings" not in told
    assert "inner workings" in caplog.text


def test_before_the_program_is_up_there_is_nothing_to_use():
    with pytest.raises(Unavailable, match="still starting"):
        current()
