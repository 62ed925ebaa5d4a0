"""The transport below the HTTP client: aiohttp, with each address checked where the connection is made.

What fails is told in the exceptions of httpx, which say what the caller has to know: whether anything was sent. It is
not the ready-made bridge between the two libraries, because that one reports a connection that broke after the
request was sent as a connect timeout, and sends some requests twice.
"""

import asyncio
import errno
import io
import math
import select
import socket
import ssl
import time
from contextvars import ContextVar
from typing import Any

import aiohttp
import httpx
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_reqrep import ClientRequest, ClientResponse
from aiohttp.connector import Connection

from orchestrator_app.providers.name_lookup import GuardedResolver, Lookup, NetworkGuard, SystemLookup
from orchestrator_app.providers.outgoing_request import OutgoingRequest

CONNECT_SECONDS = 5.0
TOTAL_CONNECTIONS = 100
CONNECTIONS_PER_ORIGIN = 32
# Node (so n8n and Flowise) and uvicorn close a connection after 5 idle seconds. Letting go a second earlier, and looking
# for a goodbye right before writing, keeps us from writing into a connection that is just being closed. A new connection
# for each call that must not be repeated would be safer by a hair, but makes such a call cost three times as much, and
# far more with TLS.
KEEP_ALIVE_SECONDS = 4.0
_HEADER_COUNT = 256
_HEADER_BYTES = 16_384
_LARGE_BODY_BYTES = 1_048_576
_LOST_CONNECTION = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientOSError,
    aiohttp.ClientConnectionResetError,
)
_poll = getattr(select, "poll", None)


class Journey:
    """How far one request came; says afterwards whether anything left this machine.

    Attributes:
        may_resend: The request may be written a second time.
        leave_by: When its first byte must have been written, by ``time.monotonic``.
        is_fresh: Its connection was made for it; an idle one may be closed by the other side at any moment.
        is_sent: At least a part of the request was written to the connection.
    """

    __slots__ = ("is_fresh", "is_sent", "leave_by", "may_resend")

    def __init__(self, *, may_resend: bool, leave_by: float = math.inf) -> None:
        self.may_resend = may_resend
        self.leave_by = leave_by
        self.is_fresh = False
        self.is_sent = False


_journey: ContextVar[Journey] = ContextVar("journey")


class _WatchedRequest(ClientRequest):
    """A request that notes the moment of its first byte, and is not written into a connection that is closed already.

    aiohttp writes headers and body at once, in ``send`` when there is no body, else in ``write_bytes``.
    """

    async def send(self, conn: Connection) -> ClientResponse:
        journey = _journey.get()
        if journey.is_sent and not journey.may_resend:
            # aiohttp itself repeats GET, PUT and DELETE when the connection breaks. Behind such an address may be a
            # workflow that starts with every call, so only the caller can say whether that is right.
            raise httpx.ReadError("the connection was closed before an answer came")
        if not journey.is_sent and time.monotonic() > journey.leave_by:
            raise httpx.ConnectTimeout("its time was over before it left")
        if not self.body:
            _note_first_byte(conn, journey)
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        _note_first_byte(conn, _journey.get())
        await super().write_bytes(writer, conn, content_length)


def _note_first_byte(conn: Connection, journey: Journey) -> None:
    """Mark the request as sent, unless its connection is closed, which then proves that nothing was sent.

    An idle connection has nothing to read. If there is something after all, it is the other side's goodbye, which the
    event loop has not seen yet: the request goes to another connection. What remains is a goodbye that is still on
    its way; the outcome is then called unknown.
    """
    transport = conn.transport
    if transport is not None and time.monotonic() > journey.leave_by and not journey.is_sent:
        transport.abort()
    if transport is not None and not journey.is_fresh and _has_something_to_read(transport):
        transport.abort()
    if transport is not None and not transport.is_closing():
        journey.is_sent = True


def _has_something_to_read(transport: asyncio.Transport) -> bool:
    connection = transport.get_extra_info("socket")
    if _poll is None or connection is None:  # pragma: no cover
        return (
            False  # a platform without poll, or a transport without a socket: the short idle time has to do
        )
    poll = _poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


# Most special first. The second entry holds when the request had been sent, the third when it had not. Failing to
# connect counts as sent too if there was an earlier, broken connection: aiohttp may have tried a second time.
FAILURES: tuple[tuple[type[Exception], type[Exception], type[Exception]], ...] = (
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol, httpx.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol, httpx.UnsupportedProtocol),
    (aiohttp.ClientConnectorError, httpx.ReadError, httpx.ConnectError),
    (aiohttp.ServerFingerprintMismatch, httpx.ReadError, httpx.ConnectError),
    (TimeoutError, httpx.ReadTimeout, httpx.ConnectTimeout),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError, httpx.ConnectError),
    (OSError, httpx.ReadError, httpx.ConnectError),
)


def as_httpx(error: Exception, *, is_sent: bool) -> Exception:
    """The same failure as an exception of httpx."""
    for kind, when_sent, when_not_sent in FAILURES:
        if isinstance(error, kind):
            return (when_sent if is_sent else when_not_sent)(_why(error, is_sent=is_sent))
    return error


def _why(error: Exception, *, is_sent: bool) -> str:  # noqa: PLR0911  # a list of cases
    """The reason in words that end a sentence. Never the library's own text: that holds the whole address."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "it was cut off"
    if is_sent:
        return "the connection broke"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "for an unknown reason"
        return f"its certificate is not accepted ({reason.rstrip('.')})"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "no secure connection came about"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientConnectorError) and error.errno == errno.ECONNREFUSED:
        return "nothing listens at this port"
    return "the connection could not be made"


class GuardedTransport:
    """One pool of connections, to allowed addresses only. No proxies, cookies or redirects."""

    def __init__(
        self, guard: NetworkGuard, *, lookup: Lookup | None = None, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._guard = guard
        self._system_lookup = None if lookup else SystemLookup()
        self._lookup = lookup or self._system_lookup
        self._ssl_context = ssl_context or trusted_authorities()
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: OutgoingRequest, journey: Journey) -> ClientResponse:
        """Send the request; gives the answer's head. Whoever takes it reads the body, and releases it.

        Raises:
            httpx.TransportError: No head came. ``journey`` says how far the request had come.
        """
        before = _journey.set(journey)
        try:
            return await self._send(request, journey)
        finally:
            _journey.reset(before)

    async def _send(self, request: OutgoingRequest, journey: Journey) -> ClientResponse:
        session = self._session or self._open()
        content = request.content
        while True:
            journey.is_fresh = False
            # aiohttp wants to be given large bodies as a stream, so that it need not write them in one go.
            data = io.BytesIO(content) if content and len(content) > _LARGE_BODY_BYTES else content
            try:
                return await session.request(
                    request.method,
                    request.address.url,  # not parsed again
                    headers=request.headers,
                    data=data,
                    allow_redirects=False,
                )
            except (aiohttp.ClientError, OSError) as error:
                # Each round uses up an idle connection that turned out to be closed, so this ends.
                if not _was_closed_before_use(error, journey):
                    raise as_httpx(error, is_sent=journey.is_sent) from error

    def _open(self) -> aiohttp.ClientSession:
        lookup = self._lookup
        assert lookup is not None  # noqa: S101  # one of the two is always there
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(self._guard, lookup),
            socket_factory=self._socket,
            ssl=self._ssl_context,
            limit=TOTAL_CONNECTIONS,
            limit_per_host=CONNECTIONS_PER_ORIGIN,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            request_class=_WatchedRequest,
            # The default jar would give one connection's cookies to another one.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS),
            trust_env=False,
            auto_decompress=False,
            max_headers=_HEADER_COUNT,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )
        return self._session

    def _socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """The one place where sockets are made: sees the final address, also of hosts written as a number."""
        family, kind, protocol, _, address = info
        self._guard.check_address(str(address[0]), int(address[1]), str(address[0]))
        _journey.get().is_fresh = True
        return socket.socket(family, kind, protocol)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
        if self._system_lookup is not None:
            self._system_lookup.close()


def _was_closed_before_use(error: Exception, journey: Journey) -> bool:
    return (
        not journey.is_sent
        and not journey.is_fresh
        and isinstance(error, _LOST_CONNECTION)
        and not isinstance(error, aiohttp.ClientConnectorError)
    )


def trusted_authorities() -> ssl.SSLContext:
    """Public authorities, and those which the administrator added to the system (or named in SSL_CERT_FILE)."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context
