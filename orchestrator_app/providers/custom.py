"""Any web address: sends the call as it is and takes the answer, waits for a callback, or reads a status address."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urljoin

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall, RemoteLook
from orchestrator_app.errors import AddressNotAllowed, ProviderError, ProviderRefused
from orchestrator_app.providers.answers import HttpAnswer, host_of, raise_for_answer
from orchestrator_app.providers.base import Capability, Provider
from orchestrator_app.providers.calls import CORRELATION_HEADER, kept_headers, origin_of, read_output, send
from orchestrator_app.providers.connection import Connection, ConnectionCheck, CredentialField

_TEST_SECONDS = 10.0
_HEAD_UNKNOWN = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class CustomProvider(Provider):
    """A plain web address. A connection is optional: one header with a secret, bound to one origin."""

    key: ClassVar[str] = "custom"
    title: ClassVar[str] = "Custom"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.TEST,
            Capability.EXECUTE,
            Capability.RESPONSE,
            Capability.POLL,
            Capability.CALLBACK,
        }
    )
    limits: ClassVar[Mapping[Capability, str]] = {
        Capability.POLL: "with a status address and a condition",
        Capability.CALLBACK: "if it posts to callbackUrl",
    }
    refusals: ClassVar[Mapping[Capability, str]] = {
        Capability.TEAMS: "Custom addresses belong to no platform, so there is no organization or team to choose.",
        Capability.LIST: "Custom addresses belong to no platform that could be asked for its workflows.",
        Capability.PREVIEW: "Custom addresses do not tell what stands behind them, so there is nothing to draw.",
        Capability.FORM: "Custom addresses do not tell what they ask for.",
        Capability.CANCEL: "Custom addresses have no common way to be told to stop, so what was started there goes on.",
        Capability.LINK: "Custom addresses have no page of a platform that could be opened.",
    }
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

    def capabilities_of(self, connection: Connection | None) -> frozenset[Capability]:
        """Without a connection there is nothing to be tested."""
        return self.capabilities if connection else self.capabilities - {Capability.TEST}

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
        """Send the call; a 2xx answer is the result, unless its end is still to be polled or called back."""
        if not call.url:
            raise ProviderRefused(
                "There is no address to call.",
                hint="Enter the address in the node.",
                provider=self.key,
                operation=Capability.EXECUTE.value,
            )
        headers = self._secret_headers(connection, call.url, Capability.EXECUTE)
        answer = await send(self.client, call, url=call.url, headers=headers)
        raise_for_answer(answer, self.key, Capability.EXECUTE.value)
        output = read_output(answer, provider=self.key)
        return RemoteAnswer(
            state="completed" if call.completion == "response" else "running",
            output=output,
            status_code=answer.status,
            headers=kept_headers(answer),
            location=urljoin(call.url, location) if (location := answer.headers.get("location", "")) else "",
        )

    async def poll(self, connection: Connection | None, call: RemoteCall, memo: JsonObject) -> RemoteLook:
        """Read the status address. Whether that says done or failed is judged by the node's own conditions."""
        if not call.status_url and call.completion == "callback":
            return RemoteLook("running", memo=memo)  # only the callback can tell
        if not call.status_url:
            raise ProviderRefused(
                "This address cannot be polled: nothing says where its result will be.",
                hint="Enter a status address in the node, or choose the completion response or callback.",
                provider=self.key,
                operation=Capability.POLL.value,
            )
        headers = {CORRELATION_HEADER: call.correlation_id} if call.correlation_id else {}
        answer = await self.client.request(
            "GET",
            call.status_url,
            headers=headers | self._secret_headers(connection, call.status_url, Capability.POLL),
            timeout_seconds=call.timeout_seconds,
            provider=self.key,
            operation=Capability.POLL.value,
            is_safe_to_repeat=True,
        )
        raise_for_answer(answer, self.key, Capability.POLL.value)
        output = read_output(answer, provider=self.key, operation=Capability.POLL.value)
        return RemoteLook("running", output, memo=memo)

    def _secret_headers(
        self, connection: Connection | None, url: str, capability: Capability
    ) -> dict[str, str]:
        if connection is None:
            return {}
        bound = origin_of(connection.values.get("origin", ""))
        if not bound or origin_of(url) != bound:
            raise AddressNotAllowed(
                f"The connection “{connection.name}” keeps its secret for {bound or 'no address'} only, "
                f"but this call goes to {host_of(url)}.",
                hint="Choose another connection for this node, or none.",
                provider=self.key,
                operation=capability.value,
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
