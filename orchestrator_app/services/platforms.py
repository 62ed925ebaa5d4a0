"""The platforms and the connections through which their workflows are looked at."""

from collections.abc import Mapping

from orchestrator_app.errors import InvalidInput, NotFound, OrchestratorError
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.connection import Connection
from orchestrator_app.security.redaction import Redactor
from orchestrator_app.services.connections import Connections


class Platforms:
    """Finds the provider and opens the connection for one look at a platform."""

    def __init__(self, providers: Mapping[str, Provider], connections: Connections) -> None:
        self._providers = providers
        self.connections = connections

    def provider(self, key: str) -> Provider:
        """The provider.

        Raises:
            NotFound: There is none by that key.
        """
        provider = self._providers.get(key)
        if provider is None:
            known = ", ".join(self._providers)
            raise NotFound(f"There is no provider “{key[:40]}”.", hint=f"Known providers: {known}.")
        return provider

    def without_connection(self) -> tuple[Provider, ...]:
        """Those that list their workflows and need no connection for it."""
        return tuple(
            provider
            for provider in self._providers.values()
            if not provider.credential_fields and Capability.LIST in provider.capabilities
        )

    async def open(
        self, workspace_id: str, provider_key: str, connection_id: str, capability: Capability
    ) -> tuple[Provider, Connection]:
        """The provider, and the named connection or else the only one it has.

        Raises:
            NotFound: No such provider or connection here.
            InvalidInput: The provider has no connection or several, or the connection is another provider's.
            NotSupported: It cannot do this with that connection.
        """
        provider = self.provider(provider_key)
        if capability not in provider.capabilities:
            raise provider.refusal(capability)
        if not connection_id and not provider.credential_fields:
            return provider, Connection(provider.key, provider.key, provider.title)
        connection_id = await self.connection_id(workspace_id, provider_key, connection_id)
        connection = await self.connections.open(workspace_id, connection_id)
        if connection.provider != provider.key:
            raise InvalidInput(f"The connection “{connection.name}” is for another platform.")
        if capability not in provider.capabilities_of(connection):
            raise provider.refusal(capability)
        return provider, connection

    def sentence(self, connection: Connection, error: OrchestratorError) -> str:
        """What went wrong and what to do, without the connection's secrets."""
        secrets = self.connections.secrets_of(connection)
        return Redactor(secrets).text(f"{error.message} {error.hint}".strip())

    async def connection_id(self, workspace_id: str, provider_key: str, named: str) -> str:
        """The id of the named connection, or of the only one the provider has; empty when it needs none.

        Raises:
            NotFound: There is no such provider.
            InvalidInput: The provider has no connection or several.
        """
        provider = self.provider(provider_key)
        if named or not provider.credential_fields:
            return named
        stored = [view for view in await self.connections.list(workspace_id) if view.provider == provider.key]
        if len(stored) != 1:
            what = "has no connection yet" if not stored else "has several connections"
            raise InvalidInput(f"{provider.title} {what}.", hint="Say which one: connectionId.")
        return stored[0].id
