"""Serves the API without the pages, so that tests can call it as programs do: by a real port of a real process."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from orchestrator_app import server
from orchestrator_app.api.app import build_api
from orchestrator_app.config import load_settings
from orchestrator_app.services.application import current, install
from orchestrator_app.wiring import open_application

settings = load_settings()


@asynccontextmanager
async def run_application(_app: Starlette) -> AsyncGenerator[None]:
    async with open_application(settings) as application:
        install(application)
        yield


app = Starlette(lifespan=run_application)
app.mount("", build_api(current, settings))


def say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    listener = server.listen(settings.host, settings.port)
    server.run(app, listener, on_ready=say_ready)
