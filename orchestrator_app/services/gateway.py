"""The engine's way to the platforms: finds the connection, opens its secret, calls the provider, keeps secrets in."""

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from orchestrator_app.domain.json_values import JsonObject, JsonValue
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import (
    NotSupported,
    OrchestratorError,
    ProviderError,
    ProviderRefused,
    Unavailable,
)
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import origin_of
from orchestrator_app.providers.connection import Connection
from orchestrator_app.security.redaction import Redactor
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.connections import Connections

Result = TypeVar("Result")

_SEALED = "#sealed:"
_WITHOUT_SECRETS = Redactor(())


class Gateway:
    """``domain.ports.ProviderGateway`` over stored connections."""

    def __init__(self, providers: Mapping[str, Provider], connections: Connections, vault: Vault) -> None:
        self._providers = providers
        self._connections = connections
        self._redactors: dict[str, tuple[Connection, Redactor]] = {}
        self._vault = vault

    async def capabilities(self, workspace_id: str, call: RemoteCall) -> frozenset[str]:
        """See the port. Of a connection that cannot be opened all is expected: the call itself says what is wrong."""
        provider = self._providers.get(call.provider)
        if provider is None:
            return frozenset()
        try:
            _, connection = await self._open(workspace_id, call, "execute")
        except OrchestratorError:
            return _names(provider.capabilities)
        return _names(provider.capabilities_of(connection))

    async def refusal(self, workspace_id: str, call: RemoteCall, capability: str) -> ProviderError:
        """See the port."""
        provider, _ = await self._open(workspace_id, call, capability)
        return provider.refusal(Capability(capability))

    def looks_per_minute(self, provider: str) -> int:
        """See the port."""
        known = self._providers.get(provider)
        return known.looks_per_minute if known else Provider.looks_per_minute

    async def execute(self, workspace_id: str, call: RemoteCall) -> RemoteAnswer:
        """See the port."""
        provider, connection = await self._open(workspace_id, call, "execute")
        if connection is not None:
            _check_origin(provider, connection, call)
        # A platform may answer with what it was sent; the token in it lets a run go on, so it is not kept.
        redactor = self._redactor(connection, call.callback_token)
        asked = provider.execute(connection, call)
        answer = await self._kept_in(workspace_id, connection, redactor, asked)
        given: JsonObject = dict(answer.headers)
        headers = redactor.value(given)
        output = redactor.value(answer.output, known_only=True)
        is_clean = headers is given and output is answer.output
        if is_clean and not (answer.link or answer.message or answer.location):
            return answer
        return replace(
            answer,
            output=output,
            headers=headers if isinstance(headers, dict) else {},
            link=redactor.text(answer.link, known_only=True),
            message=redactor.text(answer.message),
            location=self.sealed_address(call, answer.location),
        )

    def sealed_address(self, call: RemoteCall, url: str) -> str:
        """See the port. The host stays readable: what is asked there shares a limit."""
        if not url:
            return ""
        return f"{origin_of(url)}/{_SEALED}{self._vault.seal(url, row=_address_row(call))}"

    def _opened(self, call: RemoteCall) -> RemoteCall:
        """The call with its status address as it is; an older release has kept it so."""
        _, mark, sealed = call.status_url.partition(_SEALED)
        if not mark:
            return call
        return replace(call, status_url=self._vault.open_sealed(sealed, row=_address_row(call)))

    async def poll(self, workspace_id: str, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        """See the port."""
        provider, connection = await self._open(workspace_id, call, "poll")
        redactor = self._redactor(connection, call.callback_token)
        asked = provider.poll(connection, self._opened(call), memo)
        look = await self._kept_in(workspace_id, connection, redactor, asked)
        if look.state == "completed" and call.completion == "callback" and not provider.calls_back_itself:
            # Whom the workflow has told of the callback may still call, long after the workflow has ended.
            message = f"The execution has ended in {provider.title}; its callback is still awaited."
            look = replace(look, state="running", output=None, message=message)
        return _without_secrets(look, redactor)

    async def called_back(
        self, workspace_id: str, call: RemoteCall, memo: JsonObject, body: JsonValue
    ) -> RemoteLook:
        """See the port."""
        provider, connection = await self._open(workspace_id, call, "callback")
        redactor = self._redactor(connection, call.callback_token)
        asked = provider.called_back(connection, call, memo, body)
        look = await self._kept_in(workspace_id, connection, redactor, asked)
        return _without_secrets(look, redactor)

    async def cancel(self, workspace_id: str, call: RemoteCall, memo: JsonObject) -> str:
        """See the port."""
        provider, connection = await self._open(workspace_id, call, "cancel")
        redactor = self._redactor(connection, call.callback_token)
        asked = provider.cancel(connection, call, memo)
        return redactor.text(await self._kept_in(workspace_id, connection, redactor, asked))

    async def _kept_in(
        self, workspace_id: str, connection: Connection | None, redactor: Redactor, asked: Awaitable[Result]
    ) -> Result:
        """What was asked for. Secrets are taken out of what goes wrong, and a key that was refused is remembered."""
        try:
            return await asked
        except OrchestratorError as error:
            context = redactor.value(error.context)
            error.message, error.hint = redactor.text(error.message), redactor.text(error.hint)
            error.context = context if isinstance(context, dict) else {}
            if connection is not None:
                await self._connections.mark_refusal(workspace_id, connection, error, error.message)
            raise

    async def redact(self, workspace_id: str, call: RemoteCall, value: JsonValue) -> JsonValue:
        """See the port. A connection that cannot be opened has no secrets that could be sent."""
        try:
            _, connection = await self._open(workspace_id, call, "execute")
        except OrchestratorError:
            connection = None
        return self._redactor(connection, call.callback_token).value(value)

    def _redactor(self, connection: Connection | None, *further: str) -> Redactor:
        secrets = tuple(filter(None, further))
        if connection is None:
            return Redactor(secrets) if secrets else _WITHOUT_SECRETS
        own = self._connections.secrets_of(connection)
        if secrets:
            return Redactor((*own, *secrets))
        # All forms of a secret are found once, as long as the connection is held open.
        known = self._redactors.get(connection.id)
        if known is None or known[0] is not connection:
            known = self._redactors[connection.id] = (connection, Redactor(own))
        return known[1]

    async def _open(
        self, workspace_id: str, call: RemoteCall, operation: str
    ) -> tuple[Provider, Connection | None]:
        provider = self._providers.get(call.provider)
        if provider is None:
            known = ", ".join(self._providers)
            raise NotSupported(
                f"There is no provider “{call.provider}” here yet.",
                hint=f"Choose one of: {known}.",
                provider=call.provider,
                operation=operation,
            )
        if not call.connection_id or call.connection_id == call.provider:
            return provider, None
        try:
            connection = await self._connections.open(workspace_id, call.connection_id)
        except (Unavailable, ProviderError):
            raise
        except OrchestratorError as error:
            hint = error.hint or "Open the node and choose another connection."
            raise ProviderRefused(
                error.message, hint=hint, provider=call.provider, operation=operation
            ) from error
        if connection.provider != call.provider:
            raise ProviderRefused(
                f"The connection “{connection.name}” is for {connection.provider}, not for {call.provider}.",
                hint="Choose a connection of the same platform.",
                provider=call.provider,
                operation=operation,
            )
        return provider, connection


@lru_cache
def _names(capabilities: frozenset[Capability]) -> frozenset[str]:
    return frozenset(capability.value for capability in capabilities)


def _check_origin(provider: Provider, connection: Connection, call: RemoteCall) -> None:
    """A stored secret goes only to the origins it was entered for."""
    if not call.url:
        return
    allowed = provider.bound_origins(connection)
    origin = origin_of(call.url)
    if origin not in allowed:
        raise ProviderRefused(
            f"The connection “{connection.name}” is bound to {', '.join(sorted(allowed)) or 'no address'}; its key is "
            f"not sent to {origin or 'this address'}.",
            hint="Use an address of that connection, or call this one without a connection.",
            provider=provider.key,
            operation="execute",
        )


def _address_row(call: RemoteCall) -> str:
    return f"node_run|status_address|{call.correlation_id}"


def _without_secrets(look: RemoteLook, redactor: Redactor) -> RemoteLook:
    return replace(
        look,
        output=redactor.value(look.output, known_only=True),
        link=redactor.text(look.link, known_only=True),
        message=redactor.text(look.message),
    )
