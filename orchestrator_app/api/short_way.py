"""Starts in their common form, answered without the web framework: its way takes longer than what is started."""

import re

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator_app.api.auth import caller
from orchestrator_app.api.body import json_body_or_empty
from orchestrator_app.api.ids import is_ours
from orchestrator_app.api.openapi import PREFIX
from orchestrator_app.api.problems import problem_response
from orchestrator_app.api.run_schemas import WaitFilter
from orchestrator_app.api.runs import start_run
from orchestrator_app.errors import OrchestratorError

# Of the routes before that of starts, one takes such a path too: a callback to a run of that name.
_PATH = re.compile(rf"{re.escape(PREFIX)}/((?!callback/)[^/]+)/run")
# No query at all, or nothing but whole seconds to wait.
_QUERY = re.compile(rb"(?:wait=([1-5]?[0-9]|60))?")


class ShortWay:
    """Middleware that takes plain starts apart by itself, and passes everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a start without arguments beyond the seconds to wait, as its route would."""
        plain = _plain_start(scope)
        if plain is None:
            await self._app(scope, receive, send)
            return
        orchestrator_id, seconds = plain
        request = Request(scope, receive)
        try:
            who = await caller(request)
            data = await json_body_or_empty(request)
            response = await start_run(who, orchestrator_id, data, WaitFilter.model_construct(wait=seconds))
        except OrchestratorError as error:
            response = problem_response(error)
        await response(scope, receive, send)


def _plain_start(scope: Scope) -> tuple[str, float] | None:
    """The orchestrator and the seconds to wait, if this is all there is to know."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path, query = _PATH.fullmatch(scope["path"]), _QUERY.fullmatch(scope["query_string"])
    if path is None or query is None or not is_ours(path[1]):
        return None
    if any(name == b"idempotency-key" for name, _ in scope["headers"]):
        return None
    return path[1], float(query[1] or 0)
