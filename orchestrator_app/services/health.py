"""Whether this process lives and can take work."""

from orchestrator_app.errors import OrchestratorError
from orchestrator_app.runner.dispatcher import LocalDispatcher
from orchestrator_app.storage.database import Database, is_ready


class Health:
    """Answers for probes."""

    def __init__(self, database: Database, dispatcher: LocalDispatcher) -> None:
        self._database = database
        self._dispatcher = dispatcher

    async def problems(self) -> list[str]:
        """Sentences that say why no work can be taken; empty when all is well."""
        if self._dispatcher.is_stopping:
            return ["Orchestrator is shutting down."]
        try:
            answers = await self._database.read(is_ready)
        except OrchestratorError as error:
            return [error.message]
        return [] if answers else ["The database does not answer."]

    @property
    def active_runs(self) -> int:
        """Runs that are being advanced now."""
        return self._dispatcher.active
