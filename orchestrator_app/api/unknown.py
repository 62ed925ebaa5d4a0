"""The last route of the API: addresses that do not exist, and methods that an address does not take."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from orchestrator_app.api.guard import is_api
from orchestrator_app.api.problems import nothing_here


class UnknownAddress(BaseRoute):
    """Matches whatever of the API's part no route before it took, so that it never reaches the pages."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = [route for route in routes if isinstance(route, Route)]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Starlette."""
        return (Match.FULL if is_api(scope["path"]) else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse.

        Raises:
            NotFound: There is no such address.
            HTTPException: There is, but not for this method.
        """
        if scope["type"] == "websocket":
            await send(
                {"type": "websocket.close", "code": 1008, "reason": "There is nothing at this address."}
            )
            return
        found = [route for route in self._routes if route.matches(scope)[0] is Match.PARTIAL]
        # The first is the one that was meant; a later one takes the fixed part of its path for an id.
        allowed = {method for route in found if route.path == found[0].path for method in route.methods or ()}
        if allowed:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
        raise nothing_here()
