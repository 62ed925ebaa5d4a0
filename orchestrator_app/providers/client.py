"""The one HTTP client: bounded in time and size, guarded in where it goes, exact in what it says when it fails."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING

import httpx

from orchestrator_app.errors import (
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.answer_body import body_reader, too_large
from orchestrator_app.providers.answers import HttpAnswer, host_of
from orchestrator_app.providers.guarded_transport import GuardedTransport, Journey
from orchestrator_app.providers.name_lookup import Lookup, NetworkGuard
from orchestrator_app.providers.outgoing_request import UNSET, Params, Unset, build_request, no_address

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
        self._guard = guard
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

        Raises:
            ProviderUnavailable: Nothing left this machine, or no complete answer came and repeating is safe.
            OutcomeUnknown: The request may have arrived, but no complete answer came.
            UnreadableAnswer: The answer is no HTTP, too large or wrongly compressed.
            AddressNotAllowed: The address is not allowed, or none at all. Nothing was sent.
            ProviderRefused: The request cannot be sent as it is. Nothing was sent.
        """
        journey = Journey(may_resend=is_safe_to_repeat)
        try:
            if self._is_closed:
                raise ProviderUnavailable("Orchestrator is shutting down: nothing was sent.")
            request = build_request(
                method,
                url,
                headers=headers,
                json=json,
                content=content,
                params=params,
                check_url=self._guard.check_url,
            )
            request.extensions["journey"] = journey
            try:
                async with asyncio.timeout(timeout_seconds):
                    return await self._exchange(request, provider, operation)
            except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, TimeoutError) as error:
                raise _explain(error, journey, host_of(str(request.url)), timeout_seconds) from error
        except ProviderError as error:
            error.provider = provider
            error.operation = operation
            raise

    async def _exchange(self, request: httpx.Request, provider: str, operation: str) -> HttpAnswer:
        url = str(request.url)
        host = host_of(url)
        response = await self._transport.handle_async_request(request)
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101  # that of our own transport
        try:
            headers = _read_headers(response, host)
            body = body_reader(
                headers.get("content-encoding", "").strip().lower(), host, self._max_body_bytes
            )
            if _announced_bytes(headers) > self._max_body_bytes:
                raise too_large(host, self._max_body_bytes)
            async for chunk in stream:
                body.feed(chunk)
            content = body.close()
        except UnreadableAnswer as error:
            error.remote_status = response.status_code
            raise
        finally:
            await stream.aclose()
        return HttpAnswer(response.status_code, headers, content, url, provider, operation)

    async def close(self) -> None:
        """Close all connections; requests after this are refused."""
        self._is_closed = True
        await self._transport.aclose()


def _read_headers(response: httpx.Response, host: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    for raw_name, raw_value in response.headers.raw:
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
