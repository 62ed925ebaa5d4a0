"""Connections to platforms: stored with sealed secrets that nobody can read back, tested, and opened for calls."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator_app.errors import Conflict, CredentialUnreadable, InvalidInput, NotFound
from orchestrator_app.providers.base import Provider
from orchestrator_app.providers.calls import origin_of
from orchestrator_app.providers.connection import Connection, ConnectionCheck
from orchestrator_app.runner.hub import Change, Hub
from orchestrator_app.security.redaction import Redactor
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.credentials import checked_values, secret_keys
from orchestrator_app.services.names import checked_name
from orchestrator_app.services.views import ConnectionView, ProviderView
from orchestrator_app.storage import connections as rows
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.payloads import dumps, loads
from orchestrator_app.storage.sql import Connection as DatabaseConnection

# An opened connection is kept this long, so that a burst of calls does not read and decrypt it each time.
KEPT_SECONDS = 10.0


class Connections:
    """Use cases around stored connections. Secrets go in and never come out but into a provider's call."""

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
        self._vault = vault
        self._providers = providers
        self._hub = hub
        self._now = now
        self._new_id = new_id
        self._opened: dict[tuple[str, str], tuple[float, Connection]] = {}

    # --- for people ---

    async def providers(self, workspace_id: str) -> tuple[ProviderView, ...]:
        """All platforms with their connections."""
        stored = await self.list(workspace_id)
        return tuple(
            ProviderView(
                key=provider.key,
                title=provider.title,
                capabilities=tuple(sorted(capability.value for capability in provider.capabilities)),
                fields=tuple(
                    {
                        "key": field.key,
                        "label": field.label,
                        "help": field.help,
                        "isSecret": field.is_secret,
                        "isOrigin": field.is_origin,
                        "required": field.required,
                        "placeholder": field.placeholder,
                    }
                    for field in provider.credential_fields
                ),
                connections=tuple(view for view in stored if view.provider == provider.key),
            )
            for provider in self._providers.values()
        )

    async def list(self, workspace_id: str) -> tuple[ConnectionView, ...]:
        """All connections of the workspace."""
        found = await self._database.read(lambda connection: rows.list_connections(connection, workspace_id))
        return tuple(self._view(row) for row in found)

    async def get(self, workspace_id: str, connection_id: str) -> ConnectionView:
        """One connection.

        Raises:
            NotFound: There is none by that id here.
        """
        return self._view(await self._row(workspace_id, connection_id))

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
        settings, secrets = self._split(provider, values, workspace_id, connection_id)

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
        self, workspace_id: str, connection_id: str, *, name: str | None, credentials: Mapping[str, str]
    ) -> ConnectionView:
        """Change a connection. What is not given stays, and so does a secret given empty.

        No secret stays when an address changes to which the connection is bound.

        Raises:
            NotFound: There is none by that id here.
            InvalidInput: A field is not acceptable, or the address changed and the secret was not entered again.
            Conflict: The name is taken.
        """
        row = await self._row(workspace_id, connection_id)
        provider = self._provider(row.provider)
        present = self._readable_values(row)
        hidden = secret_keys(provider)
        given = {key: value for key, value in credentials.items() if value or key not in hidden}
        moved = [
            field.label
            for field in provider.credential_fields
            if field.is_origin
            and given.get(field.key, "").strip()
            and origin_of(given[field.key]) != origin_of(present.get(field.key, ""))
        ]
        kept_secrets = [
            field
            for field in provider.credential_fields
            if field.is_secret and present.get(field.key) and field.key not in given
        ]
        if moved and kept_secrets:
            message = f"{' and '.join(moved)} changed, so enter {kept_secrets[0].label} again."
            raise InvalidInput(
                message,
                hint="A key is only ever sent to the address it was entered for.",
                errors=[{"field": kept_secrets[0].key, "message": message}],
            )
        values = checked_values(provider, present | given)
        new_name = checked_name(name) if name is not None else row.name
        settings, secrets = self._split(provider, values, workspace_id, connection_id)
        now = self._now()

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

    async def test(self, provider_key: str, credentials: Mapping[str, str]) -> ConnectionCheck:
        """Try credentials without storing them.

        Raises:
            InvalidInput: A field is missing, unknown or not acceptable.
        """
        provider = self._provider(provider_key)
        connection = Connection("", provider.key, provider.title, checked_values(provider, credentials))
        return await self._tried(provider, connection)

    async def check(self, workspace_id: str, connection_id: str) -> ConnectionCheck:
        """Try a stored connection and remember how it fares.

        Raises:
            NotFound: There is none by that id here.
        """
        connection = await self.open(workspace_id, connection_id)
        outcome = await self._tried(self._provider(connection.provider), connection)
        await self.mark(workspace_id, connection_id, outcome.status, outcome.detail)
        return outcome

    # --- for calls ---

    async def mark(self, workspace_id: str, connection_id: str, status: str, detail: str) -> None:
        """Remember what was seen of a connection; open pages learn it at once."""
        now = self._now()
        await self._database.write(
            lambda connection: rows.set_status(
                connection, workspace_id, connection_id=connection_id, status=status, detail=detail, now=now
            )
        )
        self._hub.publish(Change("connection", workspace_id, connection_id, now))

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
        opened = Connection(row.id, row.provider, row.name, self._values(row))
        self._opened[workspace_id, connection_id] = (time.monotonic(), opened)
        return opened

    def opened(self, workspace_id: str, connection_id: str) -> Connection | None:
        """The connection if a call opened it lately."""
        known = self._opened.get((workspace_id, connection_id))
        return known[1] if known else None

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

    def _split(
        self, provider: Provider, values: Mapping[str, str], workspace_id: str, connection_id: str
    ) -> tuple[str, str]:
        keys = secret_keys(provider)
        plain = {key: value for key, value in values.items() if key not in keys}
        secret = {key: value for key, value in values.items() if key in keys}
        return dumps(dict(plain)), self._vault.seal(
            dumps(dict(secret)), row=_vault_row(workspace_id, connection_id)
        )

    def _values(self, row: rows.ConnectionRow) -> dict[str, str]:
        opened = self._vault.open_sealed(row.secrets, row=_vault_row(row.workspace_id, row.id))
        plain: dict[str, str] = loads(row.settings)
        secret: dict[str, str] = loads(opened)
        return plain | secret

    def _readable_values(self, row: rows.ConnectionRow) -> dict[str, str]:
        """The values; of a row that no key opens those that are no secrets, so that the others can be entered anew."""
        try:
            return self._values(row)
        except CredentialUnreadable:
            plain: dict[str, str] = loads(row.settings)
            return plain

    async def _tried(self, provider: Provider, connection: Connection) -> ConnectionCheck:
        """What a test says, without secrets that the platform sends back."""
        outcome = await provider.test(connection)
        return replace(outcome, detail=Redactor(self.secrets_of(connection)).text(outcome.detail))

    def _view(self, row: rows.ConnectionRow) -> ConnectionView:
        secrets_set: tuple[str, ...] = ()
        status, detail = row.status, row.status_detail
        try:
            sealed = self._vault.open_sealed(row.secrets, row=_vault_row(row.workspace_id, row.id))
        except CredentialUnreadable as error:
            status, detail = "unreadable", f"{error.message} {error.hint}".strip()
        else:
            opened: dict[str, Any] = loads(sealed)
            secrets_set = tuple(sorted(key for key, value in opened.items() if value))
        return ConnectionView(
            id=row.id,
            provider=row.provider,
            name=row.name,
            settings=loads(row.settings),
            secrets_set=secrets_set,
            status=status,
            status_detail=detail,
            checked_date=row.checked_date,
            created_date=row.created_date,
            updated_date=row.updated_date,
        )


def _vault_row(workspace_id: str, connection_id: str) -> str:
    return f"provider_connection|secrets|{connection_id}|{workspace_id}"


def _not_found() -> NotFound:
    return NotFound(
        "There is no such connection.", hint="It may have been deleted. Choose or make another one."
    )


def _name_taken(provider: Provider, name: str) -> Conflict:
    return Conflict(
        f"{provider.title} has a connection called “{name}” already.", hint="Choose another name."
    )
