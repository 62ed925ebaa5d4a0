"""Connections to platforms: stored with sealed secrets that nobody can read back, tested, and opened for calls."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from orchestrator_app.errors import (
    Conflict,
    CredentialRefused,
    CredentialUnreadable,
    NotFound,
    OrchestratorError,
)
from orchestrator_app.providers.base import Provider
from orchestrator_app.providers.connection import Choice, Connection, ConnectionCheck
from orchestrator_app.runner.hub import Change, Hub
from orchestrator_app.security.redaction import Redactor
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.connection_secrets import ConnectionSecrets
from orchestrator_app.services.connection_views import connection_view, provider_view, usage_of
from orchestrator_app.services.credentials import (
    changed_values,
    checked_values,
    leads_elsewhere,
    secret_keys,
)
from orchestrator_app.services.names import checked_name
from orchestrator_app.services.views import ConnectionView, ProviderView
from orchestrator_app.services.workflow_views import ConnectionUsage
from orchestrator_app.storage import connections as rows
from orchestrator_app.storage import snapshots, workflows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection as DatabaseConnection

# An opened connection is kept this long, so that a burst of calls does not read and decrypt it each time.
KEPT_SECONDS = 10.0


class Connections:
    """Use cases around stored connections. Secrets go in and never come out but into a provider's call.

    Attributes:
        syncing: Ids of the connections whose workflows are being read now; ``WorkflowSync`` keeps it.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        providers: Mapping[str, Provider],
        hub: Hub,
        *,
        now: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._secrets = ConnectionSecrets(vault)
        self._providers = providers
        self._hub = hub
        self._now = now
        self._new_id = new_id
        self._opened: dict[tuple[str, str], tuple[float, Connection]] = {}
        self.syncing: set[str] = set()

    # --- for people ---

    async def providers(self, workspace_id: str) -> tuple[ProviderView, ...]:
        """All platforms with their connections."""
        stored = await self.list(workspace_id)
        return tuple(
            provider_view(provider, tuple(view for view in stored if view.provider == provider.key))
            for provider in self._providers.values()
        )

    async def list(self, workspace_id: str) -> tuple[ConnectionView, ...]:
        """All connections of the workspace."""

        def work(
            connection: DatabaseConnection,
        ) -> tuple[list[rows.ConnectionRow], dict[str, workflows.SyncRow]]:
            return rows.list_connections(connection, workspace_id), workflows.syncs(connection, workspace_id)

        # Asked before the rows are read: who is told that a reading is over must see all that it found.
        syncing = frozenset(self.syncing)
        found, syncs = await self._database.read(work)
        return tuple(self._view(row, syncs.get(row.id), syncing) for row in found)

    async def get(self, workspace_id: str, connection_id: str) -> ConnectionView:
        """One connection.

        Raises:
            NotFound: There is none by that id here.
        """

        def work(
            connection: DatabaseConnection,
        ) -> tuple[rows.ConnectionRow | None, workflows.SyncRow | None]:
            row = rows.get(connection, workspace_id, connection_id)
            return row, workflows.syncs(connection, workspace_id).get(connection_id)

        syncing = frozenset(self.syncing)
        row, sync = await self._database.read(work)
        if row is None:
            raise _not_found()
        return self._view(row, sync, syncing)

    async def usage(self, workspace_id: str, connection_id: str) -> tuple[ConnectionUsage, ...]:
        """The orchestrators whose newest version uses the connection, by name.

        Raises:
            NotFound: There is none by that id here.
        """
        await self._row(workspace_id, connection_id)
        found = await self._database.read(
            lambda connection: rows.graphs_naming(connection, workspace_id, connection_id)
        )
        return usage_of(connection_id, found)

    async def connect(
        self, workspace_id: str, provider_key: str, *, name: str, credentials: Mapping[str, str]
    ) -> ConnectionView:
        """Store a new connection; its secrets are sealed before they reach the database.

        Raises:
            InvalidInput: A field is missing, unknown or not acceptable.
            Conflict: The platform has a connection of that name already.
        """
        provider = self._provider(provider_key)
        values = checked_values(provider, credentials)
        name = checked_name(name or provider.title)
        connection_id, now = self._new_id(), self._now()
        settings, secrets = self._secrets.seal(provider, values, workspace_id, connection_id)

        def work(connection: DatabaseConnection) -> None:
            stored = rows.insert(
                connection,
                workspace_id,
                connection_id=connection_id,
                provider=provider.key,
                name=name,
                settings=settings,
                secrets=secrets,
                now=now,
            )
            if not stored:
                raise _name_taken(provider, name)

        await self._database.write(work)
        self._hub.publish(Change("connection", workspace_id, connection_id))
        await self.check(workspace_id, connection_id)
        return await self.get(workspace_id, connection_id)

    async def update(
        self,
        workspace_id: str,
        connection_id: str,
        *,
        name: str | None,
        credentials: Mapping[str, str | None],
    ) -> ConnectionView:
        """Change a connection. What is not given stays, and so does a secret given empty; None takes it away.

        No secret stays when an address changes to which the connection is bound.

        Raises:
            NotFound: There is none by that id here.
            InvalidInput: A field is not acceptable, or the address changed and the secret was not entered again.
            Conflict: The name is taken.
        """
        row = await self._row(workspace_id, connection_id)
        provider = self._provider(row.provider)
        present = self._secrets.readable_values(row)
        values = changed_values(provider, present, credentials)
        new_name = checked_name(name) if name is not None else row.name
        settings, secrets = self._secrets.seal(provider, values, workspace_id, connection_id)
        # Every change makes a version of its own, also when the clock stands still or was set back.
        now = max(self._now(), row.updated_date + 1)

        def work(connection: DatabaseConnection) -> None:
            stored = rows.update(
                connection,
                workspace_id,
                connection_id=connection_id,
                name=new_name,
                settings=settings,
                secrets=secrets,
                now=now,
            )
            if not stored:
                raise _name_taken(provider, new_name)
            if leads_elsewhere(provider, present, values):
                workflows.forget(connection, connection_id)
                snapshots.forget(connection, connection_id)

        await self._database.write(work)
        self._opened.pop((workspace_id, connection_id), None)
        await self.check(workspace_id, connection_id)
        return await self.get(workspace_id, connection_id)

    async def delete(self, workspace_id: str, connection_id: str) -> None:
        """Forget a connection and its secrets.

        Raises:
            NotFound: There is none by that id here.
        """
        deleted = await self._database.write(
            lambda connection: rows.delete(connection, workspace_id, connection_id)
        )
        if not deleted:
            raise _not_found()
        self._opened.pop((workspace_id, connection_id), None)
        self._hub.publish(Change("connection", workspace_id, connection_id))

    async def test(
        self,
        provider_key: str,
        credentials: Mapping[str, str | None],
        *,
        workspace_id: str = "",
        connection_id: str = "",
    ) -> ConnectionCheck:
        """Try credentials without storing them.

        With a stored connection, what is not given is taken from it, and so is a secret given empty, but not what is
        given as None.

        Raises:
            NotFound: There is no such provider, or the stored connection is not there.
            InvalidInput: A field is missing, unknown or not acceptable, or the address changed and the secret was not
                entered again.
        """
        provider = self._provider(provider_key)
        if connection_id:
            row = await self._row(workspace_id, connection_id)
            if row.provider != provider.key:
                raise _not_found()
            values = changed_values(provider, self._secrets.readable_values(row), credentials)
        else:
            values = changed_values(provider, {}, credentials)
        return await self._tried(provider, Connection("", provider.key, provider.title, values))

    async def check(self, workspace_id: str, connection_id: str) -> ConnectionCheck:
        """Try a stored connection and remember how it fares, unless it is changed meanwhile.

        Raises:
            NotFound: There is none by that id here.
            CredentialUnreadable: No key opens it.
        """
        # What another process has changed a moment ago is to be tried, not what was opened here before.
        self._opened.pop((workspace_id, connection_id), None)
        connection = await self.open(workspace_id, connection_id)
        provider = self._provider(connection.provider)
        outcome = await self._tried(provider, connection)
        if provider.credential_fields:
            await self.mark(workspace_id, connection, outcome.status, outcome.detail)
        return outcome

    # --- for calls ---

    async def mark_refusal(
        self, workspace_id: str, connection: Connection, error: OrchestratorError, reason: str
    ) -> None:
        """Remember that a key was refused; one that only lacks a permission still works for the rest."""
        if isinstance(error, CredentialRefused) and not error.lacks_permission:
            await self.mark(workspace_id, connection, "refused", reason)

    async def mark(self, workspace_id: str, connection: Connection, status: str, detail: str) -> None:
        """Remember what was seen of a connection, unless it was changed since; open pages learn it at once."""
        seen, now = connection, self._now()
        await self._database.write(
            lambda connection: rows.set_status(
                connection,
                workspace_id,
                connection_id=seen.id,
                status=status,
                detail=detail,
                now=now,
                updated_date=seen.updated_date,
            )
        )
        self._hub.publish(Change("connection", workspace_id, seen.id, now))

    async def open(self, workspace_id: str, connection_id: str) -> Connection:
        """The connection with its secrets, for a provider's eyes only.

        Raises:
            NotFound: There is none by that id here; an id of another workspace is the same.
            CredentialUnreadable: No key opens it.
        """
        known = self._opened.get((workspace_id, connection_id))
        if known is not None and time.monotonic() - known[0] < KEPT_SECONDS:
            return known[1]
        if connection_id in self._providers and not self._providers[connection_id].credential_fields:
            return Connection(connection_id, connection_id, self._providers[connection_id].title)
        row = await self._row(workspace_id, connection_id)
        opened = Connection(row.id, row.provider, row.name, self._secrets.values(row), row.updated_date)
        self._opened[workspace_id, connection_id] = (time.monotonic(), opened)
        return opened

    def secrets_of(self, connection: Connection) -> tuple[str, ...]:
        """The secret values of an opened connection."""
        provider = self._providers[connection.provider]
        keys = secret_keys(provider)
        return tuple(value for key, value in connection.values.items() if key in keys and value)

    # --- inside ---

    def _provider(self, key: str) -> Provider:
        provider = self._providers.get(key)
        if provider is None:
            known = ", ".join(self._providers)
            raise NotFound(f"There is no provider “{key[:40]}”.", hint=f"Known providers: {known}.")
        return provider

    async def _row(self, workspace_id: str, connection_id: str) -> rows.ConnectionRow:
        row = await self._database.read(lambda connection: rows.get(connection, workspace_id, connection_id))
        if row is None:
            raise _not_found()
        return row

    async def _tried(self, provider: Provider, connection: Connection) -> ConnectionCheck:
        """What a test says, without secrets that the platform sends back."""
        outcome = await provider.test(connection)
        redactor = Redactor(self.secrets_of(connection))
        return replace(
            outcome,
            detail=redactor.text(outcome.detail),
            choices={
                key: tuple(Choice(choice.value, redactor.text(choice.label)) for choice in choices)
                for key, choices in outcome.choices.items()
            },
            facts=tuple((redactor.text(label), redactor.text(text)) for label, text in outcome.facts),
        )

    def _view(
        self, row: rows.ConnectionRow, sync: workflows.SyncRow | None, syncing: frozenset[str]
    ) -> ConnectionView:
        values: dict[str, str] | None = None
        unreadable = ""
        try:
            values = self._secrets.values(row)
        except CredentialUnreadable as error:
            unreadable = f"{error.message} {error.hint}".strip()
        return connection_view(
            row,
            self._providers.get(row.provider),
            values,
            sync,
            unreadable=unreadable,
            is_syncing=row.id in syncing,
        )


def _not_found() -> NotFound:
    return NotFound(
        "There is no such connection.", hint="It may have been deleted. Choose or make another one."
    )


def _name_taken(provider: Provider, name: str) -> Conflict:
    return Conflict(
        f"{provider.title} has a connection called “{name}” already.", hint="Choose another name."
    )
