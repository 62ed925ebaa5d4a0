"""Stands before everything this server answers: known hosts, own pages only, safe headers, no broken answers."""

import logging
import re
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator_app.api.problems import document_response, problem_response, unexpected_document
from orchestrator_app.errors import BadRequest, FeatureDisabled, NotAllowed, OrchestratorError

log = logging.getLogger(__name__)

CALLBACK_PREFIX = "/api/v1/orchestrator/callback/"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEFAULT_PORTS = {"http": 80, "https": 443}
# The pages' own files carry a hash of their content in their name, so they never change.
_UNCHANGING = re.compile(r"/assets/.+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+")
_FOREVER = "public, max-age=31536000, immutable"
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Orchestrator</title>'
    '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
    '<body style="font: 16px/24px system-ui; max-width: 32rem; margin: 20vh auto; padding: 0 1rem">'
    "<h1>Orchestrator</h1><p>{message}</p><p>{hint}</p></body></html>"
)
_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"


def is_api(path: str) -> bool:
    """Whether the API answers for this path; everything else is the pages' business."""
    return path == "/api" or path.startswith("/api/") or is_health(path)


def is_health(path: str) -> bool:
    """Whether probes ask here."""
    return path.startswith("/health/")


class Guard:
    """Middleware around the API and the pages.

    Requests under a host name that the settings do not know are refused, for a page of another site could make its
    own name lead here. So are requests that a browser sends on behalf of another site and that change something.
    """

    def __init__(self, app: ASGIApp, *, origins: Sequence[str], is_enabled: bool) -> None:
        self._app = app
        self._origins = frozenset(origin.lower() for origin in origins)
        self._hosts = frozenset(_hosts(origins))
        self._is_enabled = is_enabled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass, and refuse the rest."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": "This is not allowed."})
            return
        answer = _Answer(scope["path"], send)
        if refusal is not None:
            await _refused(scope["path"], refusal)(scope, receive, answer.send)
            return
        try:
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            return  # nobody waits for an answer
        except Exception:
            if not is_api(scope["path"]) or answer.has_started:
                raise
            # The query stays out of the log: a callback's token may be in it.
            reference = uuid4().hex[:8]
            log.exception("%s %s broke (%s)", scope["method"], scope["path"], reference)
            await document_response(unexpected_document(reference))(scope, receive, answer.send)

    def _refusal(self, scope: Scope) -> OrchestratorError | None:
        headers, path = Headers(scope=scope), str(scope["path"])
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return BadRequest("A request must have exactly one Host header.")
        if hosts[0].lower() not in self._hosts:
            return NotAllowed(
                "This server is not known under the name by which it was called.",
                hint="Open it under its own address, or add the name to ORCHESTRATOR_ALLOWED_HOSTS.",
            )
        if path.startswith(CALLBACK_PREFIX) or is_health(path):
            is_foreign = False
        else:
            is_foreign = scope.get("method", "GET") not in SAFE_METHODS and self._is_foreign(headers)
        if is_foreign:
            return NotAllowed(
                "This request was made by a page of another site.",
                hint="Only the pages of this server may do that from a browser.",
            )
        if not self._is_enabled and not is_health(path):
            return FeatureDisabled(
                "Orchestrator is switched off.",
                hint="Whoever runs the server can set ORCHESTRATOR_ENABLED=true and start it again.",
            )
        return None

    def _is_foreign(self, headers: Headers) -> bool:
        """Whether a browser says that another site's page made the request. Programs say nothing of the kind."""
        origins = headers.getlist("origin")
        if any(origin.lower() not in self._origins for origin in origins):
            return True
        site = headers.get("sec-fetch-site", "")
        return site == "cross-site" or (site == "same-site" and not origins)


class _Answer:
    """Adds to an answer's headers while it passes."""

    def __init__(self, path: str, send: Send) -> None:
        self._path = path
        self._send = send
        self.has_started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            headers = MutableHeaders(scope=message)
            if is_api(self._path):
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("Content-Security-Policy", _CONTENT_POLICY)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
            elif message["status"] in {200, 206, 304} and _UNCHANGING.fullmatch(self._path):
                headers["Cache-Control"] = _FOREVER
        await self._send(message)


def _refused(path: str, error: OrchestratorError) -> Response:
    """A problem for programs; a page of two sentences for a person who opened one."""
    if is_api(path):
        return problem_response(error)
    return HTMLResponse(
        _PAGE.format(message=escape(error.message), hint=escape(error.hint)), error.http_status
    )


def _hosts(origins: Iterable[str]) -> Iterable[str]:
    """The Host headers that belong to the origins, with and without the port where it is the usual one."""
    for origin in origins:
        parts = urlsplit(origin.lower())
        port = DEFAULT_PORTS.get(parts.scheme)
        yield parts.netloc
        if parts.port is None:
            yield f"{parts.netloc}:{port}"
        elif parts.port == port:
            yield parts.netloc.rpartition(":")[0]
