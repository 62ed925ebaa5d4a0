"""The one HTTP client: bounded in time and size, guarded in where it goes, exact in what it says when it fails."""

import asyncio
import math
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import aiohttp
import httpx

from orchestrator_app.errors import (
    NotSentInTime,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.answer_body import body_reader, too_large
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.guarded_transport import GuardedTransport, Journey, as_httpx
from orchestrator_app.providers.name_lookup import Lookup, NetworkGuard
from orchestrator_app.providers.outgoing_request import (
    UNSET,
    Addresses,
    OutgoingRequest,
    Params,
    Unset,
    build_request,
    no_address,
)

if TYPE_CHECKING:
    from orchestrator_app.domain.json_values import JsonValue

MAX_BODY_BYTES = 10 * 1_048_576
MAX_HEADER_BYTES = 65_536


# What each exception of httpx means. "unsent": nothing left this machine. "unclear": the request may have arrived.
NOTHING_SENT = "unsent"
UNCLEAR = "unclear"
NO_ADDRESS = "address"
NO_HTTP = "no http"
FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (httpx.InvalidURL, NO_ADDRESS),
    (httpx.UnsupportedProtocol, NO_ADDRESS),
    (httpx.ConnectError, NOTHING_SENT),
    (httpx.ConnectTimeout, NOTHING_SENT),
    (httpx.PoolTimeout, NOTHING_SENT),
    (httpx.ProxyError, NOTHING_SENT),
    (httpx.LocalProtocolError, NOTHING_SENT),
    (httpx.RemoteProtocolError, NO_HTTP),
    (httpx.DecodingError, NO_HTTP),
    (httpx.HTTPError, UNCLEAR),
    (httpx.StreamError, UNCLEAR),
    (httpx.CookieConflict, UNCLEAR),
)


class HttpClient:
    """Sends single requests over a shared pool of connections. No redirects, cookies, proxies or own retries.

    Retrying is the run engine's task: it knows the user's policy. This class only says, exactly, what happened.
    """

    def __init__(
        self,
        guard: NetworkGuard,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        lookup: Lookup | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Make a client; connections are opened at the first request.

        Args:
            guard: Says which addresses may be called.
            max_body_bytes: Largest answer, both as sent and decompressed.
            lookup: Finds the addresses of a host name. Default: the operating system.
            ssl_context: Whom to trust. Default: public authorities and those of the system.
        """
        self._addresses = Addresses(guard.check_url)
        self._max_body_bytes = max_body_bytes
        self._transport = GuardedTransport(guard, lookup=lookup, ssl_context=ssl_context)
        self._is_closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: "JsonValue | Unset" = UNSET,
        content: bytes | None = None,
        params: Params | None = None,
        timeout_seconds: float = 30.0,
        provider: str = "",
        operation: str = "",
        is_safe_to_repeat: bool = False,
        leave_by: float = math.inf,
    ) -> HttpAnswer:
        """Send one request and return its complete answer, whatever its status.

        Args:
            method: HTTP method.
            url: Complete address.
            headers: Headers of the user and the adapter; see ``check_headers``.
            json: Body to be written as JSON.
            content: Body as it is; instead of ``json``.
            params: Added to the query of the address.
            timeout_seconds: Total time, from looking up the name to the last byte.
            provider: Key of the provider, for errors.
            operation: What the provider is asked for, for errors.
            is_safe_to_repeat: Sending it twice does no harm.
            leave_by: When its first byte must have left, by ``time.monotonic``.

        Raises:
            NotSentInTime: Nothing left this machine before ``leave_by``.
            ProviderUnavailable: Nothing left this machine, or no complete answer came and repeating is safe.
            OutcomeUnknown: The request may have arrived, but no complete answer came.
            UnreadableAnswer: The answer is no HTTP, too large or wrongly compressed.
            AddressNotAllowed: The address is not allowed, or none at all. Nothing was sent.
            ProviderRefused: The request cannot be sent as it is. Nothing was sent.
        """
        journey = Journey(may_resend=is_safe_to_repeat, leave_by=leave_by)
        try:
            if self._is_closed:
                raise ProviderUnavailable("Orchestrator is shutting down: nothing was sent.")
            address = self._addresses.read(url, params)
            request = build_request(method, address, headers=headers, json=json, content=content)
            try:
                async with asyncio.timeout(timeout_seconds):
                    status, found, body = await self._exchange(request, journey)
            except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, TimeoutError) as error:
                if not journey.is_sent and time.monotonic() > leave_by:
                    raise NotSentInTime("The call did not leave in time: nothing was sent.") from error
                raise _explain(error, journey, address.host, timeout_seconds) from error
        except ProviderError as error:
            error.provider = provider
            error.operation = operation
            raise
        return HttpAnswer(status, found, body, address.text, provider, operation)

    async def _exchange(
        self, request: OutgoingRequest, journey: Journey
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the complete answer."""
        host = request.address.host
        response = await self._transport.send(request, journey)
        try:
            headers = _read_headers(response.raw_headers, host)
            body = body_reader(
                headers.get("content-encoding", "").strip().lower(), host, self._max_body_bytes
            )
            if _announced_bytes(headers) > self._max_body_bytes:
                raise too_large(host, self._max_body_bytes)
            try:
                while chunk := await response.content.readany():
                    body.feed(chunk)
            except (aiohttp.ClientError, OSError) as error:
                raise as_httpx(error, is_sent=True) from error
            return response.status, headers, body.close()
        except UnreadableAnswer as error:
            error.remote_status = response.status
            raise
        finally:
            # Gives the connection back, or closes it when the answer was not read to its end.
            response.release()

    async def close(self) -> None:
        """Close all connections; requests after this are refused."""
        self._is_closed = True
        await self._transport.aclose()


def _read_headers(raw: Sequence[tuple[bytes, bytes]], host: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    for raw_name, raw_value in raw:
        size += len(raw_name) + len(raw_value)
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if size > MAX_HEADER_BYTES:
        raise UnreadableAnswer(
            f"{host} answered with more than {MAX_HEADER_BYTES // 1024} KiB of headers.",
            hint="Let it send fewer.",
        )
    return headers


def _announced_bytes(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isdigit() else 0


def _explain(error: Exception, journey: Journey, host: str, timeout_seconds: float) -> ProviderError:
    """The error of our own tree for a failure below, with a sentence about it."""
    meaning = _meaning(error)
    why = str(error)
    if isinstance(error, TimeoutError):
        meaning = UNCLEAR if journey.is_sent else NOTHING_SENT
        why = (
            f"none came within {timeout_seconds:g} s"
            if journey.is_sent
            else f"no connection within {timeout_seconds:g} s"
        )
    if meaning == NO_ADDRESS:
        return no_address()
    if meaning == NO_HTTP:
        return UnreadableAnswer(
            f"{host} answered with something that is not HTTP.",
            hint="Check the port, and whether it is http or https.",
        )
    if meaning == NOTHING_SENT:
        return ProviderUnavailable(
            f"{host} could not be reached: {why}.",
            hint="Nothing was sent. Check the address and that it is running.",
        )
    if journey.may_resend:
        return ProviderUnavailable(
            f"{host} gave no complete answer: {why}.", hint="The call may be repeated."
        )
    return OutcomeUnknown(
        f"{host} gave no complete answer: {why}. The request may have had its effect there.",
        hint="Look there what happened before you send it again.",
    )


def _meaning(error: Exception) -> str:
    return next((meaning for kind, meaning in FAILURES if isinstance(error, kind)), UNCLEAR)
