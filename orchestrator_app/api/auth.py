"""Who calls the API; accounts and API keys will have their place here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from orchestrator_app.services.application import DEFAULT_WORKSPACE, Application

ApplicationSource = Callable[[], Application]


@dataclass(frozen=True, slots=True)
class Caller:
    """The workspace in which the caller works, and the use cases open to it."""

    workspace_id: str
    services: Application


async def caller(request: Request) -> Caller:
    """The caller of a request. Until accounts exist, whoever reaches the server works in the one workspace.

    Raises:
        Unavailable: The process is still starting.
    """
    application = cast("ApplicationSource", request.app.state.application)
    return Caller(DEFAULT_WORKSPACE, application())


AnyCaller = Annotated[Caller, Depends(caller)]
