"""The workflows that exist on the platforms: listed and previewed through a connection."""

from collections.abc import Mapping

from orchestrator_app.errors import CredentialRefused, InvalidInput, NotFound
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.remote_workflow import WorkflowPage, WorkflowPreview
from orchestrator_app.services.connections import Connections


class Catalog:
    """Use cases around remote workflows."""

    def __init__(self, providers: Mapping[str, Provider], connections: Connections) -> None:
        self._providers = providers
        self._connections = connections

    async def workflows(
        self,
        workspace_id: str,
        provider_key: str,
        *,
        connection_id: str = "",
        query: str = "",
        cursor: str = "",
    ) -> WorkflowPage:
        """One page of the platform's workflows.

        Raises:
            NotFound: No such provider or connection here.
            NotSupported: The platform has no list.
            ProviderError: What the platform says.
        """
        provider, connection = await self._open(workspace_id, provider_key, connection_id, Capability.LIST)
        try:
            return await provider.workflows(connection, query=query, cursor=cursor)
        except CredentialRefused as error:
            await self._connections.mark(workspace_id, connection.id, "refused", error.message)
            raise

    async def preview(
        self, workspace_id: str, provider_key: str, workflow_id: str, *, connection_id: str = ""
    ) -> WorkflowPreview:
        """The workflow as a graph. Raises as ``workflows`` does."""
        provider, connection = await self._open(workspace_id, provider_key, connection_id, Capability.PREVIEW)
        try:
            return await provider.preview(connection, workflow_id)
        except CredentialRefused as error:
            await self._connections.mark(workspace_id, connection.id, "refused", error.message)
            raise

    async def _open(
        self, workspace_id: str, provider_key: str, connection_id: str, capability: Capability
    ) -> tuple[Provider, Connection]:
        provider = self._providers.get(provider_key)
        if provider is None:
            known = ", ".join(self._providers)
            raise NotFound(f"There is no provider “{provider_key[:40]}”.", hint=f"Known providers: {known}.")
        if capability not in provider.capabilities:
            raise provider.refusal(capability)
        if not connection_id:
            if not provider.credential_fields:
                return provider, Connection(provider.key, provider.key, provider.title)
            stored = [
                view for view in await self._connections.list(workspace_id) if view.provider == provider.key
            ]
            if len(stored) != 1:
                what = "has no connection yet" if not stored else "has several connections"
                raise InvalidInput(f"{provider.title} {what}.", hint="Say which one: connectionId.")
            connection_id = stored[0].id
        connection = await self._connections.open(workspace_id, connection_id)
        if connection.provider != provider.key:
            raise InvalidInput(f"The connection “{connection.name}” is for another platform.")
        return provider, connection
