import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import aiohttp
import httpx
import pytest

from orchestrator_app.errors import AddressNotAllowed, NotSentInTime, OutcomeUnknown, ProviderUnavailable
from orchestrator_app.providers import client as client_module
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.guarded_transport import (
    Journey,
    _note_first_byte,
    _was_closed_before_use,
    as_httpx,
)
from orchestrator_app.providers.name_lookup import SystemLookup
from tests.providers.certificates import Authority
from tests.providers.raw_server import USUAL_TRUST, OpenGuard, RawServer, answer


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(OpenGuard(), ssl_context=USUAL_TRUST)
    yield made
    await made.close()


# --- connections that are closed while idle ---------------------------------------------------------------------------


class _ClosingServer:
    """A server in a thread: it answers one request per connection, and closes it when told to."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self._may_close, self._has_closed = threading.Event(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._may_close.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def close_connection(self) -> None:
        """Blocks the event loop, so that it cannot see the connection close."""
        self._may_close.set()
        assert self._has_closed.wait(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65_536)
                self.received.append(data)
                connection.sendall(answer())
                self._may_close.wait(10)
            self._has_closed.set()


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_connection_that_was_closed_unnoticed_is_not_written_to(
    client: HttpClient, method: str
) -> None:
    content = b"x" if method == "POST" else None
    with _ClosingServer() as server:
        await client.request(method, server.url, content=content)
        server.close_connection()
        got = await client.request(method, server.url, content=content)
        assert got.status == 200
        assert len(server.received) == 2


@pytest.mark.parametrize("is_fresh", [False, True])
async def test_only_an_idle_connection_is_distrusted_when_there_is_something_to_read(
    *, is_fresh: bool
) -> None:
    """A new one may begin with a greeting, or with what TLS sends after its handshake."""
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    journey = Journey(may_resend=False)
    journey.is_fresh = is_fresh
    theirs.sendall(b"hello")
    _note_first_byte(SimpleNamespace(transport=transport), journey)  # type: ignore[arg-type]
    assert journey.is_sent is is_fresh
    assert transport.is_closing() is not is_fresh
    transport.abort()
    theirs.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("error", "is_fresh", "is_sent", "expected"),
    [
        (aiohttp.ServerDisconnectedError(), False, False, True),
        (aiohttp.ClientConnectionResetError(), False, False, True),
        (aiohttp.ServerDisconnectedError(), True, False, False),
        (aiohttp.ServerDisconnectedError(), False, True, False),
        (aiohttp.ClientConnectorError.__new__(aiohttp.ClientConnectorError), False, False, False),
    ],
)
def test_another_connection_is_taken_only_if_nothing_was_sent_over_an_idle_one(
    error: Exception, *, is_fresh: bool, is_sent: bool, expected: bool
) -> None:
    journey = Journey(may_resend=True)
    journey.is_fresh, journey.is_sent = is_fresh, is_sent
    assert _was_closed_before_use(error, journey) is expected


@pytest.mark.parametrize("content", [b"{}", None])
async def test_a_request_whose_time_is_over_does_not_leave(client: HttpClient, content: bytes | None) -> None:
    async with _answering_once() as server:
        with pytest.raises(NotSentInTime):
            await client.request("POST", server.url, content=content, leave_by=time.monotonic() - 0.1)
        assert server.requests == []
        got = await client.request("POST", server.url, content=content, leave_by=time.monotonic() + 60)
        assert got.status == 200


async def test_a_request_whose_time_is_over_just_before_its_first_byte_does_not_leave() -> None:
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    journey = Journey(may_resend=False, leave_by=time.monotonic() - 0.1)
    _note_first_byte(SimpleNamespace(transport=transport), journey)  # type: ignore[arg-type]
    assert not journey.is_sent
    assert transport.is_closing()
    theirs.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_a_request_that_may_have_arrived_is_not_sent_again(client: HttpClient, method: str) -> None:
    async with _answering_once() as server:
        await client.request("GET", server.url)
        with pytest.raises(OutcomeUnknown, match="may have had its effect") as caught:
            await client.request(method, server.url)
    assert len(server.requests) == 2
    assert not caught.value.retryable


async def test_a_request_that_is_safe_to_repeat_survives_a_closed_connection(client: HttpClient) -> None:
    async with _answering_once() as server:
        await client.request("GET", server.url)
        got = await client.request("GET", server.url, is_safe_to_repeat=True)
    assert got.status == 200
    assert len(server.requests) == 3


async def test_failing_to_connect_again_does_not_hide_that_the_request_was_sent(client: HttpClient) -> None:
    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        server.stop_listening()

    async with RawServer(script) as server:
        with pytest.raises(OutcomeUnknown, match="the connection broke"):
            await client.request("GET", server.url)
    assert len(server.requests) == 1


def _answering_once() -> RawServer:
    """Answers the first request of each connection, reads the second one and closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        writer.write(answer())
        await server.read_request(reader)

    server = RawServer(script)
    return server


# --- every failure of the libraries has a meaning ---------------------------------------------------------------------


def _httpx_exceptions() -> list[type[Exception]]:
    return [
        found for found in vars(httpx).values() if isinstance(found, type) and issubclass(found, Exception)
    ]


@pytest.mark.parametrize("kind", _httpx_exceptions(), ids=lambda kind: kind.__name__)
def test_every_exception_of_httpx_has_a_meaning(kind: type[Exception]) -> None:
    assert any(issubclass(kind, known) for known, _ in client_module.FAILURES)


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        (httpx.ConnectError, client_module.NOTHING_SENT),
        (httpx.ConnectTimeout, client_module.NOTHING_SENT),
        (httpx.PoolTimeout, client_module.NOTHING_SENT),
        (httpx.ReadTimeout, client_module.UNCLEAR),
        (httpx.ReadError, client_module.UNCLEAR),
        (httpx.WriteError, client_module.UNCLEAR),
        (httpx.WriteTimeout, client_module.UNCLEAR),
        (httpx.CloseError, client_module.UNCLEAR),
        (httpx.RemoteProtocolError, client_module.NO_HTTP),
        (httpx.InvalidURL, client_module.NO_ADDRESS),
    ],
)
def test_an_exception_is_never_taken_for_nothing_sent_by_mistake(kind: type[Exception], meaning: str) -> None:
    assert client_module._meaning(kind("x")) == meaning


def test_a_failure_nobody_thought_of_counts_as_unclear() -> None:
    assert client_module._meaning(ZeroDivisionError()) == client_module.UNCLEAR


def _aiohttp_exceptions() -> list[type[Exception]]:
    return [
        found
        for found in vars(aiohttp).values()
        if isinstance(found, type) and issubclass(found, aiohttp.ClientError)
    ]


@pytest.mark.parametrize("kind", _aiohttp_exceptions(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("is_sent", [False, True])
def test_every_exception_of_aiohttp_becomes_one_of_httpx(kind: type[Exception], *, is_sent: bool) -> None:
    error = kind.__new__(kind)
    error.args = ("http://host/?token=hunter2",)
    vars(error)["_certificate_error"] = ssl.SSLError("bad")
    mapped = as_httpx(error, is_sent=is_sent)
    assert isinstance(mapped, httpx.TransportError)
    assert "hunter2" not in str(mapped)
    assert not (is_sent and client_module._meaning(mapped) == client_module.NOTHING_SENT)


@pytest.mark.parametrize(
    "kind", [aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError, TimeoutError]
)
def test_a_break_after_sending_is_never_called_nothing_sent(kind: type[Exception]) -> None:
    assert client_module._meaning(as_httpx(kind(), is_sent=True)) == client_module.UNCLEAR
    assert client_module._meaning(as_httpx(kind(), is_sent=False)) == client_module.NOTHING_SENT


def test_an_error_of_our_own_is_not_translated() -> None:
    error = AddressNotAllowed("no")
    assert as_httpx(error, is_sent=False) is error


# --- secure connections -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def _client_for(names: dict[str, list[str]], context: ssl.SSLContext | None = None) -> HttpClient:
    async def lookup(host: str, _port: int) -> list[str]:
        return names[host]

    return HttpClient(OpenGuard(), lookup=lookup, ssl_context=context)


async def test_the_certificate_is_checked_against_the_name_not_the_address(authority: Authority) -> None:
    client = _client_for(
        {"flows.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}, authority.client_context()
    )
    async with RawServer(answer(b'"safe"'), tls=authority.server_context("flows.example")) as server:
        got = await client.request("GET", f"https://flows.example:{server.port}/")
        assert got.json() == "safe"
        with pytest.raises(ProviderUnavailable, match=r"its certificate is not accepted \(Hostname mismatch"):
            await client.request("POST", f"https://other.example:{server.port}/", json={})
    assert len(server.requests) == 1
    await client.close()


async def test_an_authority_that_the_administrator_added_is_trusted_for_its_names_only(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "authority.pem"
    file.write_text(authority.pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    client = _client_for({"flows.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
    async with RawServer(answer(b'"safe"'), tls=authority.server_context("flows.example")) as server:
        got = await client.request("GET", f"https://flows.example:{server.port}/")
        assert got.json() == "safe"
        with pytest.raises(ProviderUnavailable, match="Hostname mismatch"):
            await client.request("POST", f"https://other.example:{server.port}/", json={})
    await client.close()


@pytest.mark.parametrize("is_expired", [False, True])
async def test_a_certificate_nobody_vouches_for_or_an_old_one_is_refused(
    authority: Authority, *, is_expired: bool
) -> None:
    context = authority.client_context() if is_expired else None
    client = _client_for({"flows.example": ["127.0.0.1"]}, context)
    async with RawServer(
        answer(), tls=authority.server_context("flows.example", is_expired=is_expired)
    ) as server:
        with pytest.raises(ProviderUnavailable, match="its certificate is not accepted"):
            await client.request("POST", f"https://flows.example:{server.port}/", json={})
    assert server.requests == []
    await client.close()


async def test_a_server_that_does_not_speak_tls_is_unavailable(client: HttpClient) -> None:
    async def chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with RawServer(chatter) as server:
        with pytest.raises(ProviderUnavailable, match="no secure connection came about"):
            await client.request("POST", f"https://127.0.0.1:{server.port}/", json={})


# --- names ------------------------------------------------------------------------------------------------------------


async def test_the_systems_look_up_finds_this_machine() -> None:
    lookup = SystemLookup()
    found = await lookup("localhost", 80)
    lookup.close()
    assert set(found) <= {"127.0.0.1", "::1"}
    assert found


async def test_a_name_that_cannot_be_one_is_simply_unknown() -> None:
    lookup = SystemLookup()
    with pytest.raises(OSError, match="not a host name"):
        await lookup("a" * 70 + ".example", 80)
    lookup.close()


async def test_a_name_without_any_address_is_unavailable() -> None:
    client = _client_for({"empty.example": []})
    with pytest.raises(ProviderUnavailable, match="its name is not known"):
        await client.request("POST", "http://empty.example/", json={})
    await client.close()


async def test_the_next_address_is_tried_when_the_first_does_not_answer() -> None:
    client = _client_for({"two.example": ["::1", "127.0.0.1"]})
    async with RawServer(answer(b"1")) as server:
        got = await client.request("POST", f"http://two.example:{server.port}/", json={})
    assert got.json() == 1
    await client.close()


async def test_only_allowed_addresses_of_a_name_are_tried() -> None:
    class OnlyFour(OpenGuard):
        def check_address(self, ip: str, port: int, host: str) -> None:
            if ":" in ip:
                raise AddressNotAllowed("no")

    async def lookup(_host: str, _port: int) -> list[str]:
        return ["::1", "127.0.0.1"]

    client = HttpClient(OnlyFour(), lookup=lookup)
    async with RawServer(answer()) as server:
        await client.request("GET", f"http://both.example:{server.port}/")
    assert server.connections == 1
    await client.close()
