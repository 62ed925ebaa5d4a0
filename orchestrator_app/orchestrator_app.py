"""The program: pages, REST API and what runs beside them, put together for Reflex."""

import importlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import reflex as rx

from orchestrator_app.api.app import build_api
from orchestrator_app.api.front import Front
from orchestrator_app.config import load_settings
from orchestrator_app.services.application import current, install
from orchestrator_app.ui.access import Gatekeeper
from orchestrator_app.ui.layout import toaster
from orchestrator_app.ui.pages.canvas import limits_state  # noqa: F401 - what its controls send needs it
from orchestrator_app.ui.pages.canvas.live_state import LiveState
from orchestrator_app.ui.pages.canvas.remote_state import RemoteState
from orchestrator_app.ui.pages.canvas.settings_state import SettingsState
from orchestrator_app.ui.pages.canvas.state import EditorState
from orchestrator_app.ui.pages.canvas.workflow_state import WorkflowNodesState
from orchestrator_app.ui.pages.connections.state import ConnectionsState
from orchestrator_app.ui.pages.orchestrators.state import OrchestratorsState
from orchestrator_app.ui.pages.run import rerun_state  # noqa: F401 - as limits_state
from orchestrator_app.ui.pages.run.state import RunPageState
from orchestrator_app.ui.pages.runs import bulk_state  # noqa: F401 - as limits_state
from orchestrator_app.ui.pages.runs.state import RunsState
from orchestrator_app.ui.pages.workflows import state  # noqa: F401 - as limits_state
from orchestrator_app.ui.routes import CANVAS, CONNECTIONS, ORCHESTRATORS, RUN, RUNS, WORKFLOWS
from orchestrator_app.ui.session import show_error
from orchestrator_app.ui.tabs import share_tabs
from orchestrator_app.ui.theme import STYLESHEET
from orchestrator_app.ui.workflows.state import BrowserState
from orchestrator_app.wiring import open_application

settings = load_settings()


@asynccontextmanager
async def run_application() -> AsyncGenerator[None]:
    """Everything behind the pages, for as long as the server runs."""
    async with open_application(settings) as application:
        install(application)
        yield


api = build_api(current, settings)
# Reflex adds a layer of its own.
api_alone = api.build_middleware_stack()
app = rx.App(
    api_transformer=api,
    stylesheets=[STYLESHEET, "/editor.css", "/workflows.css"],
    toaster=toaster(),
    backend_exception_handler=show_error,
)
# The layout says itself when the connection is lost; Reflex would add a toast and a blinking icon.
app.app_wraps.pop((5, "Overlay"))
app.add_middleware(Gatekeeper())
if redis_url := settings.redis_url.get_secret_value():
    share_tabs(app, redis_url)
app.register_lifespan_task(run_application)


def _add_page(name: str, route: str, title: str, on_load: list[Any]) -> None:
    def page() -> rx.Component:
        return getattr(importlib.import_module(page.__module__), f"{name}_page")()

    # Reflex files what it makes of a page under the module that the page is from.
    page.__module__ = f"orchestrator_app.ui.pages.{name}.page"
    app.add_page(page, route=route, title=f"{title} · Orchestrator", on_load=on_load)


_add_page(
    "orchestrators", ORCHESTRATORS, "Orchestrators", [OrchestratorsState.load, OrchestratorsState.watch]
)
_add_page("workflows", WORKFLOWS, "Workflows", [BrowserState.load, BrowserState.watch])
_add_page("runs", RUNS, "Runs", [RunsState.load, RunsState.watch])
_add_page("run", RUN, "Run", [RunPageState.load, RunPageState.watch])
_add_page(
    "canvas",
    CANVAS,
    "Editor",
    [
        EditorState.load,
        SettingsState.load_connections,
        WorkflowNodesState.add_from_address,
        BrowserState.stand_beside_canvas,
        LiveState.watch,
        RemoteState.watch,
        BrowserState.watch,
    ],
)
_add_page("connections", CONNECTIONS, "Connections", [ConnectionsState.load, ConnectionsState.watch])


def front() -> Front:
    """What the server calls."""
    return Front(api, api_alone, app())
