"""What servers do that break the rules: each call ends as documented, in time, and without much memory."""

import asyncio
import gzip
import os
import socket
import struct
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from orchestrator_app.errors import (
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.answers import raise_for_answer
from orchestrator_app.providers.client import HttpClient
from tests.providers.raw_server import USUAL_TRUST, OpenGuard, RawServer, answer

DEADLINE = 0.5  # for servers that would keep a call waiting for ever
AMPLE = 10.0  # for all others: nothing here depends on how busy the machine is
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(OpenGuard(), ssl_context=USUAL_TRUST)
    yield made
    await made.close()


async def _silence(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def _drip_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def _endless_interim_answers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" * 50)
        await writer.drain()
        await asyncio.sleep(0.005)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _says(data: bytes, *, ends_with_reset: bool = False) -> Conversation:
    async def conversation(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if ends_with_reset:
            await asyncio.sleep(0.02)
            _reset(writer)

    return conversation


ENDLESS = (_silence, _drip, _drip_headers, _endless_interim_answers)
NO_COMPLETE_ANSWER = {
    "no reply": _silence,
    "one byte at a time": _drip,
    "headers one byte at a time": _drip_headers,
    "interim answers without end": _endless_interim_answers,
    "closed without a word": _says(b""),
    "reset before the headers": _says(b"", ends_with_reset=True),
    "reset within the headers": _says(b"HTTP/1.1 200 OK\r\nContent-", ends_with_reset=True),
    "reset after the headers": _says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", ends_with_reset=True),
    "reset within the body": _says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ends_with_reset=True),
    "closed within the headers": _says(b"HTTP/1.1 200 OK\r\nContent-Len"),
    "closed within the body": _says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
    "closed within a chunk": _says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "closed before the last chunk": _says(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
    ),
}


async def _end_of(client: HttpClient, conversation: Conversation, *, is_safe: bool) -> ProviderError:
    seconds = DEADLINE if conversation in ENDLESS else AMPLE

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        await conversation(reader, writer)

    async with RawServer(script) as server:
        before = time.monotonic()
        with pytest.raises(ProviderError) as caught:
            await client.request(
                "POST",
                f"{server.url}/?token=hunter2",
                json={"a": 1},
                timeout_seconds=seconds,
                is_safe_to_repeat=is_safe,
                provider="n8n",
                operation="execute",
            )
        assert time.monotonic() - before < seconds + 1
    assert len(server.requests) == 1
    assert (caught.value.provider, caught.value.operation) == ("n8n", "execute")
    assert "hunter2" not in caught.value.message
    assert f"127.0.0.1:{server.port}" in caught.value.message
    return caught.value


@pytest.mark.parametrize("conversation", NO_COMPLETE_ANSWER.values(), ids=NO_COMPLETE_ANSWER.keys())
@pytest.mark.parametrize("is_safe", [False, True])
async def test_without_a_complete_answer_the_outcome_is_unknown_unless_repeating_is_safe(
    client: HttpClient, conversation: Conversation, *, is_safe: bool
) -> None:
    error = await _end_of(client, conversation, is_safe=is_safe)
    assert type(error) is (ProviderUnavailable if is_safe else OutcomeUnknown)
    assert error.retryable is is_safe


BOMB = gzip.compress(b"\0" * 30_000_000)
GZIP = "Content-Encoding: gzip\r\n"

UNREADABLE = {
    "garbage": (_says(b"\x16\x03\x01 this is not HTTP at all\r\n\r\n"), "not HTTP"),
    "another protocol": (_says(b"SSH-2.0-OpenSSH_9.6\r\n"), "not HTTP"),
    "chunks that are none": (
        _says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n"),
        "not HTTP",
    ),
    "200,000 headers": (_says(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200_000 + b"\r\n"), "not HTTP"),
    "one header without end": (_says(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 1_000_000), "not HTTP"),
    "many large headers": (
        _says(
            b"HTTP/1.1 200 OK\r\nX-A: "
            + b"b" * 9000
            + b"\r\n"
            + (b"X-B: " + b"b" * 9000 + b"\r\n") * 9
            + b"\r\n"
        ),
        "64 KiB of headers",
    ),
    "a gzip bomb": (_says(answer(BOMB, headers=GZIP)), "compressed more than 100 times"),
    "gzip that is none": (_says(answer(b"{}", headers=GZIP)), "encoding (gzip)"),
    "gzip that is cut": (_says(answer(gzip.compress(b"[1, 2, 3]")[:-6], headers=GZIP)), "encoding (gzip)"),
    "an encoding nobody asked for": (
        _says(answer(b"x", headers="Content-Encoding: br\r\n")),
        "not asked for",
    ),
    "gzip within gzip": (_says(answer(b"x", headers="Content-Encoding: gzip, gzip\r\n")), "not asked for"),
    "a gigabyte announced": (
        _says(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\nx"),
        "more than 10 MiB",
    ),
    "11 MiB in chunks": (
        _says(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + (b"100000\r\n" + b"x" * 0x100000 + b"\r\n") * 11
        ),
        "more than 10 MiB",
    ),
    "11 MiB in gzip": (
        _says(answer(gzip.compress(os.urandom(0x100000) * 11, 1), headers=GZIP)),
        "more than 10 MiB",
    ),
}


@pytest.mark.parametrize(("conversation", "sentence"), UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_an_answer_that_breaks_the_rules_is_unreadable(
    client: HttpClient, conversation: Conversation, sentence: str
) -> None:
    error = await _end_of(client, conversation, is_safe=False)
    assert type(error) is UnreadableAnswer
    assert sentence in error.message


async def test_a_bomb_is_not_unpacked_in_memory(client: HttpClient) -> None:
    async with RawServer(answer(BOMB, headers=GZIP)) as server:
        tracemalloc.start()
        with pytest.raises(UnreadableAnswer):
            await client.request("GET", server.url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 40_000_000


GOOD = {
    "plain": (answer(b"[1]"), b"[1]"),
    "empty 200": (answer(b""), b""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "gzip": (answer(gzip.compress(b"[1, 2]"), headers=GZIP), b"[1, 2]"),
    "gzip in two streams": (answer(gzip.compress(b"[1,") + gzip.compress(b" 2]"), headers=GZIP), b"[1, 2]"),
    "gzip, well compressed but small": (answer(gzip.compress(b"0" * 500_000), headers=GZIP), b"0" * 500_000),
    "gzip without a body": (answer(b"", headers=GZIP), b""),
    "identity": (answer(b"x", headers="Content-Encoding: identity\r\n"), b"x"),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        b"abc",
    ),
    "after an interim answer": (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"1"), b"1"),
    "until the connection closes": (b"HTTP/1.0 200 OK\r\n\r\nall of it", b"all of it"),
    "a length that is no number is left to the parser": (answer(b"[]", headers="X-Length: many\r\n"), b"[]"),
}


@pytest.mark.parametrize(("data", "content"), GOOD.values(), ids=GOOD.keys())
async def test_an_unusual_but_complete_answer_is_taken(
    client: HttpClient, data: bytes, content: bytes
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        writer.write(data)

    async with RawServer(script) as server:
        got = await client.request("POST", server.url, json={}, timeout_seconds=AMPLE)
    assert got.content == content


async def test_the_answer_to_head_has_no_body_whatever_its_headers_say(client: HttpClient) -> None:
    async with RawServer(
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Encoding: gzip\r\n\r\n"
    ) as server:
        got = await client.request("HEAD", server.url, timeout_seconds=AMPLE)
    assert (got.status, got.content) == (200, b"")


async def test_bytes_after_the_answer_never_become_the_next_answer(client: HttpClient) -> None:
    async with RawServer(answer(b'"mine"') + answer(b'"forged"', status="203 Forged")) as server:
        for _ in range(3):
            got = await client.request(
                "POST", server.url, json={}, is_safe_to_repeat=True, timeout_seconds=AMPLE
            )
            assert (got.status, got.json()) == (200, "mine")


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
@pytest.mark.parametrize("target", ["{canary}/", "//{host}/", "/again", "http://169.254.169.254/"])
async def test_redirects_are_answers_and_nothing_else(client: HttpClient, status: str, target: str) -> None:
    async with RawServer(answer()) as canary:
        location = target.format(canary=canary.url, host=canary.url.removeprefix("http://"))
        headers = f"Location: {location}\r\nRefresh: 0; url={canary.url}\r\n"
        async with RawServer(answer(status=status, headers=headers)) as server:
            got = await client.request("POST", server.url, json={}, headers={"X-N8N-API-KEY": "secret"})
    assert canary.connections == 0
    assert len(server.requests) == 1
    with pytest.raises(ProviderRefused, match="redirects are not followed"):
        raise_for_answer(got, "custom", "execute")


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("-5", 0), ("1000000000", 3600), ("soon", None)])
async def test_a_busy_server_is_believed_for_an_hour_at_most(
    client: HttpClient, header: str, seconds: float | None
) -> None:
    busy = answer(status="429 Too Many Requests", headers=f"Retry-After: {header}\r\n")
    async with RawServer(busy) as server:
        got = await client.request("POST", server.url, json={})
    with pytest.raises(ProviderBusy) as caught:
        raise_for_answer(got, "make", "execute")
    assert caught.value.retry_after_seconds == seconds
