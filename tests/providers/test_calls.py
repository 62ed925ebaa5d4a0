"""A remote call as a request, and an answer as JSON."""

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import UnreadableAnswer
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.calls import (
    as_json_bytes,
    call_body,
    call_headers,
    kept_headers,
    origin_of,
    read_output,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.custom import CustomProvider
from tests.fakes.connections import remote_call
from tests.fakes.server import FakeServer


def answer(content: bytes, content_type: str = "", **headers: str) -> HttpAnswer:
    return HttpAnswer(200, {"content-type": content_type, **headers}, content, "https://a.example/x")


def test_every_call_carries_the_headers_by_which_it_is_recognised():
    assert call_headers(remote_call("custom", headers={"X-Own": "1"})) == {
        "X-Own": "1",
        "X-Correlation-Id": "0192-run:node-1",
        "Idempotency-Key": "key-1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "Accept": "application/json, text/plain;q=0.9, */*;q=0.5",
    }


def test_the_user_may_set_an_own_idempotency_key_but_no_own_correlation_id():
    headers = call_headers(
        remote_call("custom", headers={"idempotency-key": "mine", "x-correlation-id": "mine"})
    )
    assert headers["idempotency-key"] == "mine"
    assert "Idempotency-Key" not in headers
    assert headers["X-Correlation-Id"] == "0192-run:node-1"
    assert "x-correlation-id" not in headers


def test_empty_ids_are_not_sent():
    assert set(call_headers(RemoteCall("custom"))) == {"Accept"}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"body": {"a": "ä"}}, ('{"a":"ä"}'.encode(), "application/json")),
        ({"body": None}, (None, "")),
        ({"body": {"a": 1}, "text_body": "a=1"}, (b"a=1", "text/plain; charset=utf-8")),
        ({"body": 0}, (b"0", "application/json")),
    ],
)
def test_the_body_is_json_or_the_given_text(settings: dict[str, JsonValue], wanted: tuple[bytes | None, str]):
    assert call_body(remote_call("custom", **settings)) == wanted


def test_half_a_character_does_not_break_a_call():
    assert as_json_bytes("a\ud800") == b'"a?"'


@pytest.mark.parametrize(
    ("content", "content_type", "wanted"),
    [
        (b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}),
        (b'{"a": 1}', "application/problem+json", {"a": 1}),
        (b"", "application/json", None),
        (b" \n", "text/plain", None),
        (b"Accepted", "text/plain", "Accepted"),
        (b'{"a": 1}', "text/plain", '{"a": 1}'),
        (b"<ok/>", "application/xml", "<ok/>"),
        (b"pong", "text/html", "pong"),
        (b'{"a": 1}', "", {"a": 1}),
        (b"hello", "", "hello"),
    ],
)
def test_an_answer_becomes_json(content: bytes, content_type: str, wanted: JsonValue):
    assert read_output(answer(content, content_type), provider="custom") == wanted


@pytest.mark.parametrize(
    ("content", "content_type", "sentence"),
    [
        (b"<!DOCTYPE html><html></html>", "text/html", "web page"),
        (b"\n <html><body>Sign in</body></html>", "", "web page"),
        (b'{"half": ', "application/json", "not JSON"),
        (b"\x89PNG", "image/png", "image/png"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_the_server(
    content: bytes, content_type: str, sentence: str
):
    with pytest.raises(UnreadableAnswer, match=sentence) as caught:
        read_output(answer(content, content_type), provider="custom")
    assert "a.example" in caught.value.message


def test_of_the_answers_headers_the_telling_ones_are_kept():
    kept = kept_headers(
        answer(b"", "text/plain", **{"x-request-id": "r", "set-cookie": "secret", "x-long": "a" * 900})
    )
    assert kept == {"content-type": "text/plain", "x-request-id": "r", "x-long": "a" * 500}


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://A.Example/x?y", "https://a.example:443"),
        ("http://a.example:8080/", "http://a.example:8080"),
        (" http://a.example ", "http://a.example:80"),
        ("https://user:pass@a.example", "https://a.example:443"),
        ("ftp://a.example", ""),
        ("a.example/x", ""),
        ("http://a.example:99999", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_an_origin_has_one_spelling(url: str, origin: str):
    assert origin_of(url) == origin


async def test_the_users_content_type_wins(fake_server: FakeServer, http_client: HttpClient):
    call = remote_call(
        "custom",
        url=fake_server.url + "/echo",
        text_body="<a/>",
        headers={"content-type": "application/xml"},
    )
    await CustomProvider(http_client).execute(None, call)
    assert fake_server.journal[0].headers["content-type"] == "application/xml"
    assert fake_server.journal[0].text == "<a/>"
