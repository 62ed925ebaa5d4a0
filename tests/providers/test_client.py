import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest

from orchestrator_app.errors import (
    AddressNotAllowed,
    OutcomeUnknown,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers import guarded_transport, name_lookup
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.outgoing_request import check_headers
from tests.providers.raw_server import USUAL_TRUST, OpenGuard, RawServer, answer


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(OpenGuard(), ssl_context=USUAL_TRUST)
    yield made
    await made.close()


# --- what is sent -----------------------------------------------------------------------------------------------------


async def test_a_json_body_is_sent_and_the_answer_comes_back_complete(client: HttpClient) -> None:
    async with RawServer(answer(b'{"a": [1, "\xc3\xa4"]}', headers="X-Two: 1\r\nx-two: 2\r\n")) as server:
        got = await client.request(
            "POST", f"{server.url}/hook", json={"name": "Ä", "n": None}, headers={"X-Mine": "yes"}
        )
    assert (got.status, got.json(), got.url) == (200, {"a": [1, "ä"]}, f"{server.url}/hook")
    assert got.headers["x-two"] == "1, 2"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body.decode() == '{"name":"Ä","n":null}'
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook HTTP/1.1"
    assert {
        "X-Mine: yes",
        "Content-Type: application/json",
        "Accept-Encoding: gzip",
        "User-Agent: Orchestrator",
    } <= set(lines)
    assert f"Host: 127.0.0.1:{server.port}" in lines


async def test_the_json_value_null_is_a_body_too(client: HttpClient) -> None:
    async with RawServer(answer()) as server:
        await client.request("POST", server.url, json=None)
        await client.request("POST", server.url)
    assert server.requests[0].endswith(b"\r\n\r\nnull")
    assert server.requests[1].endswith(b"\r\n\r\n")


async def test_headers_given_win_over_the_clients_own(client: HttpClient) -> None:
    async with RawServer(answer()) as server:
        await client.request(
            "POST", server.url, json={}, headers={"content-type": "application/x-a", "USER-AGENT": "me"}
        )
    lowered = server.requests[0].lower()
    assert lowered.count(b"content-type:") == 1
    assert b"content-type: application/x-a" in lowered
    assert b"user-agent: me" in lowered


async def test_the_address_is_sent_byte_for_byte(client: HttpClient) -> None:
    async with RawServer(answer()) as server:
        await client.request("GET", f"{server.url}/a%2Fb%7e//c;d?sig=%41%2b+x&sig=&e#part")
    assert server.requests[0].startswith(b"GET /a%2Fb%7e//c;d?sig=%41%2b+x&sig=&e HTTP/1.1\r\n")


async def test_params_are_added_to_the_query_of_the_address(client: HttpClient) -> None:
    async with RawServer(answer()) as server:
        got = await client.request(
            "GET", f"{server.url}/list?active=true", params={"limit": 5, "cursor": "a b&c"}
        )
    assert server.requests[0].startswith(b"GET /list?active=true&limit=5&cursor=a+b%26c HTTP/1.1\r\n")
    assert got.url.endswith("&cursor=a+b%26c")


async def test_a_body_of_several_megabytes_is_sent_whole(client: HttpClient) -> None:
    content = b"0123456789abcdef" * 200_000
    async with RawServer(answer()) as server:
        await client.request(
            "PUT", server.url, content=content, headers={"Content-Type": "application/octet-stream"}
        )
    assert server.requests[0].endswith(content)


async def test_cookies_are_not_carried_from_one_call_to_the_next() -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    client = HttpClient(OpenGuard(), lookup=lookup)
    async with RawServer(answer(headers="Set-Cookie: session=of-somebody; Path=/\r\n")) as server:
        for _ in range(2):
            await client.request("GET", f"http://flows.example:{server.port}/")
    assert b"of-somebody" not in server.requests[1]
    await client.close()


async def test_proxies_and_netrc_of_the_environment_are_ignored(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with RawServer(answer()) as proxy, RawServer(answer()) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        await client.request("GET", server.url)
    assert proxy.connections == 0
    assert b"authorization" not in server.requests[0].lower()


async def test_a_connection_is_used_again(client: HttpClient) -> None:
    async with RawServer(answer()) as server:
        for _ in range(3):
            await client.request("POST", server.url, json={})
    assert server.connections == 1


# --- what is refused before anything is sent --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Transfer-Encoding", "Connection", "Keep-Alive", "UPGRADE", "te", "Trailer",
     "Proxy-Authorization", "proxy-anything", "Expect", "", "a b", "a:b", "a\r\nb", "Ä"],
)  # fmt: skip
def test_headers_of_the_connection_are_refused(name: str) -> None:
    with pytest.raises(ProviderRefused):
        check_headers({name: "value"})


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\x00b", "a\x7fb", "snow ☃"])
async def test_a_header_cannot_smuggle_in_another_one(client: HttpClient, value: str) -> None:
    async with RawServer(answer()) as server:
        with pytest.raises(ProviderRefused) as caught:
            await client.request(
                "GET", server.url, headers={"X-Secret": value}, provider="custom", operation="execute"
            )
    assert server.connections == 0
    assert value not in caught.value.message
    assert (caught.value.provider, caught.value.operation) == ("custom", "execute")


def test_usual_headers_pass() -> None:
    check_headers(
        {"Authorization": "Bearer a.b-c_d~e+f/g==", "X-Tab": "a\tb", "Accept": "*/*", "X-Latin": "Ä"}
    )


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "", "GET / HTTP/1.1\r\nX: 1\r\n\r\n"])
async def test_only_known_methods_are_sent(client: HttpClient, method: str) -> None:
    async with RawServer(answer()) as server:
        with pytest.raises(ProviderRefused, match="method"):
            await client.request(method, server.url)
    assert server.connections == 0


@pytest.mark.parametrize("value", [float("nan"), {"a": float("inf")}, "\ud83d"])
async def test_data_that_is_no_json_is_not_sent(client: HttpClient, value) -> None:
    async with RawServer(answer()) as server:
        with pytest.raises(ProviderRefused, match="JSON"):
            await client.request("POST", server.url, json=value)
    assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://[::1",
        "http://a:b/",
        "//x/",
        "",
        "http://\u2460.example/",
        "http:/x",
        "http://xn--",
        "http://\\x/",
        "http://[::%x。]/",
    ],
)
async def test_an_address_that_is_none_is_refused(client: HttpClient, url: str) -> None:
    with pytest.raises(AddressNotAllowed):
        await client.request("GET", url)


async def test_closing_the_client_ends_the_calls_that_are_under_way() -> None:
    arrived = asyncio.Event()

    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        arrived.set()
        await reader.read()

    client = HttpClient(OpenGuard(), ssl_context=USUAL_TRUST)
    async with RawServer(script) as server:
        call = asyncio.create_task(client.request("POST", server.url, json={}))
        await arrived.wait()
        await client.close()
        with pytest.raises(OutcomeUnknown):
            await call


async def test_a_smaller_limit_for_answers_can_be_set() -> None:
    client = HttpClient(OpenGuard(), max_body_bytes=4, ssl_context=USUAL_TRUST)
    async with RawServer(answer(b"1234")) as fitting, RawServer(answer(b"12345")) as larger:
        assert (await client.request("GET", fitting.url)).content == b"1234"
        with pytest.raises(UnreadableAnswer):
            await client.request("GET", larger.url)
    await client.close()


async def test_the_guard_sees_the_address_as_written_and_as_sent() -> None:
    class Noting(OpenGuard):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def check_url(self, url: str) -> None:
            self.seen.append(url)

    guard = Noting()
    client = HttpClient(guard)
    async with RawServer(answer()) as server:
        await client.request("GET", f"{server.url}/a")
        await client.request("GET", f"{server.url}/ä#b", params={"c": "d"})
    await client.close()
    assert guard.seen == [f"{server.url}/a", f"{server.url}/ä#b", f"{server.url}/%C3%A4?c=d"]


async def test_a_closed_client_sends_nothing(client: HttpClient) -> None:
    async with RawServer(answer()) as server:
        await client.close()
        with pytest.raises(ProviderUnavailable, match="shutting down"):
            await client.request("GET", server.url)
    assert server.connections == 0


# --- nothing left this machine ----------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_a_port_where_nothing_listens_is_unavailable(client: HttpClient) -> None:
    with pytest.raises(ProviderUnavailable, match="nothing listens at this port") as caught:
        await client.request(
            "POST",
            f"http://127.0.0.1:{_free_port()}/?token=hunter2",
            json={},
            provider="n8n",
            operation="test",
        )
    assert caught.value.retryable
    assert caught.value.provider == "n8n"
    assert "hunter2" not in caught.value.message


async def test_an_unknown_name_is_unavailable() -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    client = HttpClient(OpenGuard(), lookup=lookup)
    with pytest.raises(
        ProviderUnavailable, match=r"nowhere\.example could not be reached: its name is not known"
    ):
        await client.request("POST", "http://nowhere.example/", json={})
    await client.close()


async def test_a_name_server_that_does_not_answer_is_unavailable_in_time() -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    client = HttpClient(OpenGuard(), lookup=lookup)
    with pytest.raises(ProviderUnavailable, match=r"no connection within 0\.1 s"):
        await client.request("POST", "http://slow.example/", json={}, timeout_seconds=0.1)
    await client.close()


async def test_a_look_up_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lookup, "LOOKUP_SECONDS", 0.05)
    monkeypatch.setattr(name_lookup, "_addresses", lambda _host, _port: time.sleep(0.3))
    client = HttpClient(OpenGuard())
    with pytest.raises(ProviderUnavailable, match="did not answer in time"):
        await client.request("POST", "http://slow.example/", json={})
    await client.close()


async def test_waiting_for_a_free_connection_has_sent_nothing(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_transport, "CONNECTIONS_PER_ORIGIN", 2)

    async def never(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        await asyncio.Event().wait()

    async with RawServer(never) as server:
        calls = [
            asyncio.create_task(client.request("POST", server.url, json={}, timeout_seconds=seconds))
            for seconds in (0.4, 0.4, 0.1)
        ]
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [OutcomeUnknown, OutcomeUnknown, ProviderUnavailable]
    assert len(server.requests) == 2


async def test_a_cancelled_call_gives_its_connection_up(client: HttpClient) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        arrived.set()
        await reader.read()
        gone.set()

    async with RawServer(script) as server:
        call = asyncio.create_task(client.request("POST", server.url, json={}))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(gone.wait(), 2)
