"""The program: pages, REST API and what runs beside them, put together for Reflex."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import reflex as rx

from orchestrator_app.api.app import build_api
from orchestrator_app.config import load_settings
from orchestrator_app.services.application import current, install
from orchestrator_app.ui.access import Gatekeeper
from orchestrator_app.ui.layout import toaster
from orchestrator_app.ui.pages.canvas.live_state import LiveState
from orchestrator_app.ui.pages.canvas.page import canvas_page
from orchestrator_app.ui.pages.canvas.remote_state import RemoteState
from orchestrator_app.ui.pages.canvas.settings_state import SettingsState
from orchestrator_app.ui.pages.canvas.state import EditorState
from orchestrator_app.ui.pages.canvas.workflow_state import WorkflowNodesState
from orchestrator_app.ui.pages.connections.page import connections_page
from orchestrator_app.ui.pages.connections.state import ConnectionsState
from orchestrator_app.ui.pages.orchestrators.page import orchestrators_page
from orchestrator_app.ui.pages.orchestrators.state import OrchestratorsState
from orchestrator_app.ui.pages.run.page import run_page
from orchestrator_app.ui.pages.run.state import RunPageState
from orchestrator_app.ui.pages.runs.page import runs_page
from orchestrator_app.ui.pages.runs.state import RunsState
from orchestrator_app.ui.pages.workflows.page import workflows_page
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


app = rx.App(
    api_transformer=build_api(current, settings),
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
app.add_page(
    orchestrators_page,
    route=ORCHESTRATORS,
    title="Orchestrators · Orchestrator",
    on_load=[OrchestratorsState.load, OrchestratorsState.watch],
)
app.add_page(
    workflows_page,
    route=WORKFLOWS,
    title="Workflows · Orchestrator",
    on_load=[BrowserState.load, BrowserState.watch],
)
app.add_page(runs_page, route=RUNS, title="Runs · Orchestrator", on_load=[RunsState.load, RunsState.watch])
app.add_page(run_page, route=RUN, title="Run · Orchestrator", on_load=[RunPageState.load, RunPageState.watch])
app.add_page(
    canvas_page,
    route=CANVAS,
    title="Editor · Orchestrator",
    on_load=[
        EditorState.load,
        SettingsState.load_connections,
        WorkflowNodesState.add_from_address,
        BrowserState.stand_beside_canvas,
        LiveState.watch,
        RemoteState.watch,
        BrowserState.watch,
    ],
)
app.add_page(
    connections_page,
    route=CONNECTIONS,
    title="Connections · Orchestrator",
    on_load=[ConnectionsState.load, ConnectionsState.watch],
)
