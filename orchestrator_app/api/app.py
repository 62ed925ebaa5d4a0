"""Builds the REST API that shares the port with the pages."""

from fastapi import FastAPI

from orchestrator_app.api import (
    callbacks,
    connections,
    health,
    interventions,
    orchestrator_settings,
    orchestrators,
    reference,
    run_events,
    runs,
)
from orchestrator_app.api.auth import ApplicationSource
from orchestrator_app.api.error_handlers import add_error_handlers
from orchestrator_app.api.guard import Guard
from orchestrator_app.api.openapi import Api
from orchestrator_app.api.short_way import ShortWay
from orchestrator_app.api.unknown import UnknownAddress
from orchestrator_app.config import Settings

API_VERSION = "1"
DESCRIPTION = (
    "Draw, run and watch orchestrations across n8n, Make, Zapier, Flowise and any HTTP service. Bodies are JSON in "
    "UTF-8, names are in camelCase, times are UTC with milliseconds. Every refusal is a problem document "
    "(`application/problem+json`) with a sentence that says what happened and a hint what to do."
)


def build_api(application: ApplicationSource, settings: Settings) -> FastAPI:
    """A new API around the application; Reflex mounts its pages behind it.

    Args:
        application: Gives the application of this process; may raise ``Unavailable`` while it starts.
        settings: The same that the application was built with.
    """
    app = Api(
        title="Orchestrator API",
        version=API_VERSION,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.application = application
    app.state.max_body_bytes = settings.max_body_bytes
    # One flat list, fixed paths before those with an id in their place: FastAPI would match included routers twice.
    for module in (
        health,
        reference,
        callbacks,
        connections,
        runs,
        interventions,
        run_events,
        orchestrator_settings,
        orchestrators,
    ):
        app.router.routes.extend(module.router.routes)
    app.router.routes.append(UnknownAddress(app.router.routes))
    add_error_handlers(app)
    app.add_middleware(ShortWay)
    # The last one stands before all others.
    app.add_middleware(Guard, origins=settings.allowed_origins, is_enabled=settings.enabled)
    return app
