"""What is set for single orchestrators: how many runs at once, how long a run may take, signed callbacks."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator_app.errors import InvalidInput, NotFound
from orchestrator_app.runner.hub import Change, Hub
from orchestrator_app.security.signatures import new_signing_secret
from orchestrator_app.security.vault import Vault
from orchestrator_app.storage import orchestrator_settings as rows
from orchestrator_app.storage import queue
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection

MAX_CONCURRENCY = 1_000
MAX_DEADLINE_SECONDS = 366 * 86_400


@dataclass(frozen=True, slots=True)
class SettingView:
    """What is set for an orchestrator; None means no limit of its own. Whether callbacks must be signed, not how."""

    concurrency: int | None
    deadline_seconds: int | None
    signs_callbacks: bool
    updated_date: int | None


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """The open runs of an orchestrator: how many wait for their turn, work, or wait for something outside."""

    orchestrator_id: str
    orchestrator_name: str
    queued: int
    running: int
    waiting: int
    concurrency: int | None


@dataclass(frozen=True, slots=True)
class QueueView:
    """All open runs; the orchestrators with the longest queue come first."""

    queued: int
    running: int
    waiting: int
    by_orchestrator: tuple[QueueEntry, ...]


class OrchestratorSettings:
    """Use cases around the settings of orchestrators. Every call takes the workspace."""

    def __init__(self, database: Database, vault: Vault, hub: Hub, *, now: Callable[[], int]) -> None:
        self._database = database
        self._vault = vault
        self._hub = hub
        self._now = now

    async def get(self, workspace_id: str, orchestrator_id: str) -> SettingView:
        """What is set.

        Raises:
            NotFound: There is no such orchestrator here.
        """
        return await self._database.read(lambda connection: _view(connection, workspace_id, orchestrator_id))

    async def set_limits(
        self,
        workspace_id: str,
        orchestrator_id: str,
        *,
        concurrency: int | None,
        deadline_seconds: int | None,
    ) -> SettingView:
        """Limit its runs, or take a limit away with None.

        Fewer runs at once let those that are under way go on. A deadline counts for runs that begin from now on.

        Raises:
            NotFound: There is no such orchestrator here.
            InvalidInput: A limit is out of its range.
        """
        _check("concurrency", concurrency, MAX_CONCURRENCY)
        _check("deadlineSeconds", deadline_seconds, MAX_DEADLINE_SECONDS)
        now = self._now()

        def work(connection: Connection) -> SettingView:
            _view(connection, workspace_id, orchestrator_id)
            rows.put_limits(
                connection,
                workspace_id,
                orchestrator_id,
                concurrency=concurrency,
                deadline_ms=None if deadline_seconds is None else deadline_seconds * 1000,
                now=now,
            )
            return _view(connection, workspace_id, orchestrator_id)

        view = await self._database.write(work)
        # The queue listens: some of those that wait may have their turn now.
        self._hub.publish(Change("orchestrator", workspace_id, orchestrator_id))
        return view

    async def make_secret(self, workspace_id: str, orchestrator_id: str) -> str:
        """A new signing secret, in place of an earlier one; from now on callbacks must be signed with it.

        It is given out this once.

        Raises:
            NotFound: There is no such orchestrator here.
        """
        secret = new_signing_secret()
        sealed = self._vault.seal(secret, row=secret_row(orchestrator_id))
        await self._put_secret(workspace_id, orchestrator_id, sealed)
        return secret

    async def remove_secret(self, workspace_id: str, orchestrator_id: str) -> None:
        """Take callbacks without a signature again; their token stays necessary.

        Raises:
            NotFound: There is no such orchestrator here.
        """
        await self._put_secret(workspace_id, orchestrator_id, None)

    async def _put_secret(self, workspace_id: str, orchestrator_id: str, sealed: str | None) -> None:
        now = self._now()

        def work(connection: Connection) -> None:
            _view(connection, workspace_id, orchestrator_id)
            rows.put_secret(connection, workspace_id, orchestrator_id, sealed, now)

        await self._database.write(work)

    async def queue(self, workspace_id: str) -> QueueView:
        """The runs that are under way, and those that wait for their turn."""
        found = await self._database.read(lambda connection: queue.counts(connection, workspace_id))
        return QueueView(
            queued=sum(row.queued for row in found),
            running=sum(row.running for row in found),
            waiting=sum(row.waiting for row in found),
            by_orchestrator=tuple(
                QueueEntry(
                    row.orchestrator_id, row.name, row.queued, row.running, row.waiting, row.concurrency
                )
                for row in found
            ),
        )


def secret_row(orchestrator_id: str) -> str:
    """To what the sealed secret of an orchestrator is bound."""
    return f"orchestrator_setting|signing_secret|{orchestrator_id}"


def _view(connection: Connection, workspace_id: str, orchestrator_id: str) -> SettingView:
    row = rows.get(connection, workspace_id, orchestrator_id)
    if row is None:
        raise NotFound(
            "There is no such orchestrator.", hint="It may have been deleted. Go back to the list."
        )
    return SettingView(
        concurrency=row.concurrency,
        deadline_seconds=None if row.deadline_ms is None else row.deadline_ms // 1000,
        signs_callbacks=row.signing_secret is not None,
        updated_date=row.updated_date,
    )


def _check(field: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        message = f"A whole number from 1 to {most:,} is expected, or nothing for no limit."
        raise InvalidInput(message, errors=[{"field": field, "message": message}])
