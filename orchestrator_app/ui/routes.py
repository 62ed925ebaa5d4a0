"""The addresses of the pages, written once."""

from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

ORCHESTRATORS = "/"
CANVAS = "/canvas/[canvas_address]"
WORKFLOWS = "/workflows"
RUNS = "/runs"
RUN = "/run/[run_address]"
CONNECTIONS = "/connections"

# Text, or a variable of Reflex that holds text: both can be joined to text.
PathPart = TypeVar("PathPart")


def canvas_path(orchestrator_id: PathPart) -> PathPart:
    """Where an orchestrator is drawn."""
    return "/canvas/" + orchestrator_id  # pyright: ignore[reportOperatorIssue]


def canvas_with_workflow_path(
    orchestrator_id: str, provider: str, connection_id: str, workflow_id: str, moment: int
) -> str:
    """Where an orchestrator is drawn, with a workflow to add to it. ``moment`` tells one such wish from the next."""
    wanted = quote(f"{provider}:{connection_id}:{workflow_id}", safe="")
    return f"{canvas_path(orchestrator_id)}?add={wanted}&at={moment}"


def connect_path(provider: PathPart) -> PathPart:
    """Where a connection to a platform is made."""
    return CONNECTIONS + "?connect=" + provider  # pyright: ignore[reportOperatorIssue]


def run_path(run_id: PathPart) -> PathPart:
    """Where one run is looked at."""
    return "/run/" + run_id  # pyright: ignore[reportOperatorIssue]


def runs_of_path(orchestrator_id: PathPart) -> PathPart:
    """The history, filtered to one orchestrator."""
    return "/runs?orchestrator=" + orchestrator_id  # pyright: ignore[reportOperatorIssue]


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """An entry of the navigation. ``key`` is what pages pass as ``active``; ``icon`` is a lucide name."""

    key: str
    label: str
    path: str
    icon: str


# A page gets its entry here on the day it exists.
NAVIGATION = (
    NavigationItem("orchestrators", "Orchestrators", ORCHESTRATORS, "workflow"),
    NavigationItem("workflows", "Workflows", WORKFLOWS, "library"),
    NavigationItem("runs", "Runs", RUNS, "history"),
    NavigationItem("connections", "Connections", CONNECTIONS, "plug"),
)
