"""Which of the two applications answers a request: the API or the pages."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator_app.api.guard import is_api


class Front:
    """Lets programs reach the API without the layers around the pages, which cost as much as the API itself.

    Whatever a browser sends on behalf of a page names its origin, and takes the way through those layers: they answer
    it by the rules for pages of other origins.
    """

    def __init__(self, api: FastAPI, api_alone: ASGIApp, pages: ASGIApp) -> None:
        """Make it of the API, of what answers in it, and of the pages with the API among them."""
        self._api = api
        self._api_alone = api_alone
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and is_api(scope["path"]) and not _names_origin(scope):
            scope["app"] = self._api
            await self._api_alone(scope, receive, send)
        else:
            await self._pages(scope, receive, send)


def _names_origin(scope: Scope) -> bool:
    return any(name == b"origin" for name, _ in scope["headers"])
