"""Any web address: sends the call as it is and takes the answer, or waits for a callback."""

from http import HTTPStatus
from typing import ClassVar

from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall
from orchestrator_app.errors import AddressNotAllowed, NotSupported, ProviderError, ProviderRefused
from orchestrator_app.providers.answers import HttpAnswer, host_of, raise_for_answer
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import kept_headers, origin_of, read_output, send
from orchestrator_app.providers.connection import Connection, ConnectionCheck, CredentialField

_TEST_SECONDS = 10.0
_HEAD_UNKNOWN = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class CustomProvider(Provider):
    """A plain web address. A connection is optional: one header with a secret, bound to one origin."""

    key: ClassVar[str] = "custom"
    title: ClassVar[str] = "Custom"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.TEST, Capability.EXECUTE, Capability.CALLBACK}
    )
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField(
            "origin",
            "Address",
            help="Scheme, host and port the header may be sent to, for example https://api.example.com",
            is_origin=True,
            placeholder="https://api.example.com",
        ),
        CredentialField(
            "headerName",
            "Header",
            help="Name of the header that carries the secret.",
            placeholder="Authorization",
        ),
        CredentialField(
            "headerValue",
            "Header value",
            help="The complete value, for example Bearer and the token.",
            is_secret=True,
        ),
    )

    async def test(self, connection: Connection) -> ConnectionCheck:
        """Ask the address for its first page, with the header."""
        origin = connection.values.get("origin", "").strip()
        host = host_of(origin)
        try:
            answer = await self._ask(connection, "HEAD", origin)
            if answer.status in _HEAD_UNKNOWN:
                answer = await self._ask(connection, "GET", origin)
        except ProviderError as error:
            return ConnectionCheck("unreachable", error.message)
        if answer.status in _REFUSALS:
            return ConnectionCheck(
                "refused",
                f"{host} answers, but refuses the header (status {answer.status}). Check its value.",
            )
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ConnectionCheck(
                "unreachable",
                f"{host} answers with an error of its own (status {answer.status}). Try again later.",
            )
        return ConnectionCheck(
            "connected",
            f"{host} answers (status {answer.status}). Whether it accepts the header shows at the first call.",
        )

    async def execute(self, connection: Connection | None, call: RemoteCall) -> RemoteAnswer:
        """Send the call; a 2xx answer is the result, unless a callback is to follow."""
        if call.completion == "poll":
            raise NotSupported(
                "A plain address cannot be polled: nothing says where its result will be.",
                hint="Choose the completion response or callback, or poll with nodes of your own.",
                provider=self.key,
                operation=Capability.POLL.value,
            )
        if not call.url:
            raise ProviderRefused(
                "There is no address to call.",
                hint="Enter the address in the node.",
                provider=self.key,
                operation=Capability.EXECUTE.value,
            )
        answer = await send(self.client, call, url=call.url, headers=self._secret_headers(connection, call))
        raise_for_answer(answer, self.key, Capability.EXECUTE.value)
        output = read_output(answer, provider=self.key)
        return RemoteAnswer(
            state="running" if call.completion == "callback" else "completed",
            output=output,
            status_code=answer.status,
            headers=kept_headers(answer),
        )

    def _secret_headers(self, connection: Connection | None, call: RemoteCall) -> dict[str, str]:
        if connection is None:
            return {}
        bound = origin_of(connection.values.get("origin", ""))
        if not bound or origin_of(call.url) != bound:
            raise AddressNotAllowed(
                f"The connection “{connection.name}” keeps its secret for {bound or 'no address'} only, "
                f"but this call goes to {host_of(call.url)}.",
                hint="Choose another connection for this node, or none.",
                provider=self.key,
                operation=Capability.EXECUTE.value,
            )
        return _header(connection)

    async def _ask(self, connection: Connection, method: str, url: str) -> HttpAnswer:
        return await self.client.request(
            method,
            url,
            headers=_header(connection),
            timeout_seconds=_TEST_SECONDS,
            provider=self.key,
            operation=Capability.TEST.value,
            is_safe_to_repeat=True,
        )


def _header(connection: Connection) -> dict[str, str]:
    name = connection.values.get("headerName", "").strip()
    return {name: connection.values.get("headerValue", "")} if name else {}
