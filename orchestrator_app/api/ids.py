"""Ids in addresses: whatever cannot be one of ours is not found, before anybody looks for it."""

import re
from collections.abc import Callable
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

from orchestrator_app.api.schemas import BAD_TEXT
from orchestrator_app.errors import NotFound

MAX_FOREIGN_LENGTH = 500
_OURS = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_ours(text: str) -> bool:
    """Whether it has the form of an id that this program makes."""
    return _OURS.fullmatch(text) is not None


def _ours(kind: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not is_ours(value):
            raise NotFound(f"There is no such {kind}.", hint="Look its id up in the list.")
        return value

    return check


def _foreign(kind: str, place: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if len(value) > MAX_FOREIGN_LENGTH or not BAD_TEXT.isdisjoint(value):
            raise NotFound(f"There is no such {kind}.", hint=f"Look its id up in the {place}.")
        return value

    return check


OrchestratorId = Annotated[
    str, Path(alias="id", description="Id of the orchestrator."), AfterValidator(_ours("orchestrator"))
]
RunId = Annotated[str, Path(alias="runId", description="Id of the run."), AfterValidator(_ours("run"))]
ConnectionId = Annotated[
    str, Path(alias="id", description="Id of the connection."), AfterValidator(_ours("connection"))
]
ProviderKey = Annotated[
    str,
    Path(alias="provider", description="Short name of the platform.", examples=["n8n"]),
    AfterValidator(_ours("provider")),
]
NodeId = Annotated[
    str,
    Path(alias="nodeId", description="Id of the node in the run's definition."),
    AfterValidator(_foreign("node", "run")),
]
WorkflowId = Annotated[
    str,
    Path(alias="workflowId", description="Id of the workflow on its platform."),
    AfterValidator(_foreign("workflow", "list")),
]
