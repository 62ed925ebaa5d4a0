"""Everything the pages and the API may use, in one place; wiring builds it once per process."""

from dataclasses import dataclass

from orchestrator_app.config import Settings
from orchestrator_app.errors import Unavailable
from orchestrator_app.runner.engine import Engine
from orchestrator_app.runner.hub import Hub
from orchestrator_app.services.bulk import Bulk
from orchestrator_app.services.callbacks import Callbacks
from orchestrator_app.services.catalog import Catalog
from orchestrator_app.services.connections import Connections
from orchestrator_app.services.drafts import Drafts
from orchestrator_app.services.health import Health
from orchestrator_app.services.interventions import Interventions
from orchestrator_app.services.orchestrator_settings import OrchestratorSettings
from orchestrator_app.services.orchestrators import Orchestrators
from orchestrator_app.services.runs import Runs
from orchestrator_app.services.waiting import Waiting
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE

__all__ = ["DEFAULT_WORKSPACE", "Application", "current", "install"]


@dataclass(frozen=True, slots=True)
class Application:
    """The use cases and the two things that pages listen to or show."""

    settings: Settings
    orchestrators: Orchestrators
    orchestrator_settings: OrchestratorSettings
    drafts: Drafts
    runs: Runs
    interventions: Interventions
    bulk: Bulk
    waiting: Waiting
    callbacks: Callbacks
    connections: Connections
    catalog: Catalog
    health: Health
    hub: Hub
    engine: Engine


_installed: list[Application] = []


def install(application: Application) -> None:
    """Make the application the one that ``current`` returns. Reflex creates states itself, so they must ask."""
    _installed[:] = [application]


def current() -> Application:
    """The application of this process.

    Raises:
        Unavailable: The process is still starting.
    """
    if not _installed:
        raise Unavailable("Orchestrator is still starting.", hint="Try again in a moment.")
    return _installed[0]
