import json
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.errors import (
    CredentialRefused,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.answers import (
    MAX_DEPTH,
    HttpAnswer,
    host_of,
    raise_for_answer,
    retry_after_seconds,
)
from orchestrator_app.security import json_input

JSON = "application/json"


def _answer(content: bytes, content_type: str = JSON, status: int = 200, **headers: str) -> HttpAnswer:
    return HttpAnswer(
        status,
        {"content-type": content_type, **headers},
        content,
        "https://flows.example:8443/hook?token=hunter2",
    )


def _unreadable(content: bytes, content_type: str = JSON) -> str:
    with pytest.raises(UnreadableAnswer) as caught:
        _answer(content, content_type).json()
    assert caught.value.message.startswith("flows.example:8443 answered with ")
    assert "hunter2" not in caught.value.message
    return caught.value.message


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_a_web_page_instead_of_json_is_named_as_such() -> None:
    for page in (b"<!DOCTYPE html><title>Sign in</title>", b"\n  <html lang=en>", b"<HEAD></HEAD>"):
        assert _unreadable(page, "text/html") == (
            "flows.example:8443 answered with an HTML page, not JSON: is this the right address?"
        )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "an empty body"),
        (b" \r\n", "an empty body"),
        (b"ok", "something that is not JSON"),
        (b'{"a": NaN}', "something that is not JSON"),
        (b'{"a": 1', "something that is not JSON"),
        (b"9" * 5000, "something that is not JSON"),
        (b'{"a": "\xff\xfe\xff"}', "another encoding than UTF-8"),
        (b"[" * 100_000, "nested deeper than 64 levels"),
        (b"[" * 65 + b"]" * 65, "nested deeper than 64 levels"),
        (b'{"a":[' * 33 + b"]}" * 33, "nested deeper than 64 levels"),
        (b"[" + b"0," * 500_000 + b"0]", "more than 500,000 values"),
    ],
)
def test_what_is_no_usable_json_is_told_in_a_sentence(content: bytes, sentence: str) -> None:
    assert sentence in _unreadable(content)


def test_the_start_of_an_unreadable_answer_is_kept_for_the_details() -> None:
    with pytest.raises(UnreadableAnswer) as caught:
        _answer(b"Bad gateway " + b"x" * 10_000).json()
    excerpt = caught.value.context["answer"]
    assert excerpt.startswith("Bad gateway")
    assert len(excerpt) == 500


def test_an_error_about_the_content_names_who_asked() -> None:
    answer = HttpAnswer(200, {}, b"no", "http://a/", provider="n8n", operation="list")
    with pytest.raises(UnreadableAnswer) as caught:
        answer.json()
    assert (caught.value.provider, caught.value.operation, caught.value.remote_status) == ("n8n", "list", 200)


@pytest.mark.parametrize(
    ("content", "content_type", "value"),
    [
        (b"\xef\xbb\xbf[1]", JSON, [1]),
        (b'"\xe4"', "application/json; charset=ISO-8859-1", "ä"),
        ('"ä"'.encode("utf-16"), 'application/json; charset="utf-16"', "ä"),
        (b'"\xc3\xa4"', "application/json; charset=iso-8859-1", "ä"),
        (b'{"id": 12345678901234567890}', JSON, {"id": 12345678901234567890}),
        (b"[" * 64 + b"]" * 64, JSON, None),
        (b'"' + b"[,{" * 300_000 + b'"', JSON, "[,{" * 300_000),
    ],
)
def test_json_is_read_as_it_was_meant(content: bytes, content_type: str, value: object) -> None:
    got = _answer(content, content_type).json()
    assert value is None or got == value


def test_half_of_an_emoji_does_not_spoil_the_rest() -> None:
    got = _answer(b'{"cut \\ud83d": ["\\uD83D", "\\ud83d\\ude00", 1, null], "b": true}').json()
    assert got == {"cut \ufffd": ["\ufffd", "😀", 1, None], "b": True}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda below: st.lists(below, max_size=3)
    )
)
def test_every_value_survives_the_way_through_an_answer(value) -> None:
    assert _answer(json.dumps(value).encode()).json() == value


@pytest.mark.parametrize(
    ("content", "content_type", "text"),
    [
        ("grün".encode(), "text/plain", "grün"),
        (b"gr\xfcn", "text/plain; charset=latin1", "grün"),
        (b"gr\xfcn", "text/plain", "gr\ufffdn"),
        (b"gr", "text/plain; charset=rot13", "gr"),
        (b"", "", ""),
    ],
)
def test_text_is_always_some_text(content: bytes, content_type: str, text: str) -> None:
    assert _answer(content, content_type).text() == text


# --- statuses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_good_status_passes(status: int) -> None:
    raise_for_answer(_answer(b"", status=status), "n8n", "execute")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (101, UnreadableAnswer),
        (300, ProviderRefused),
        (304, ProviderRefused),
        (400, ProviderRefused),
        (401, CredentialRefused),
        (403, CredentialRefused),
        (404, ProviderRefused),
        (408, ProviderUnavailable),
        (422, ProviderRefused),
        (425, ProviderUnavailable),
        (429, ProviderBusy),
        (499, ProviderRefused),
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
        (599, ProviderUnavailable),
        (999, ProviderUnavailable),
    ],
)
def test_each_other_status_is_one_error(status: int, kind: type[ProviderError]) -> None:
    with pytest.raises(ProviderError) as caught:
        raise_for_answer(_answer(b'{"message": "Because."}', status=status), "n8n", "execute")
    error = caught.value
    assert type(error) is kind
    assert (error.provider, error.operation, error.remote_status) == ("n8n", "execute", status)
    assert error.message.startswith(f"flows.example:8443 answered {status}")
    assert error.hint


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"message": "No such webhook", "code": 404}', ": No such webhook."),
        (b'{"error": "nope!"}', ": nope!"),
        (b'{"error": {"code": 5, "message": "deep"}}', ": deep."),
        (b'{"errors": [{"detail": "first"}, {"detail": "second"}]}', ": first."),
        (b'{"errors": ["plain"]}', ": plain."),
        (b'{"message": "two\\n  lines"}', ": two lines."),
        (b'{"message": "' + b"x" * 1000 + b'"}', ": " + "x" * 300 + "…"),
        (b'{"message": ""}', "."),
        (b'{"errors": []}', "."),
        (b'"just text"', "."),
        (b"[1]", "."),
        (b'{"error": ' * 30 + b"1" + b"}" * 30, "."),
        (b"<html>500</html>", "."),
        (b"", "."),
    ],
)
def test_the_platforms_own_reason_is_told(content: bytes, reason: str) -> None:
    with pytest.raises(ProviderRefused) as caught:
        raise_for_answer(_answer(content, status=404), "n8n", "execute")
    assert caught.value.message == f"flows.example:8443 answered 404 Not Found{reason}"


@pytest.mark.parametrize(
    ("location", "hint"),
    [
        ("https://new.example/path?token=hunter2", "It points to https://new.example: use that address."),
        ("https://me:hunter2@new.example/", "It points to https://new.example: use that address."),
        ("/elsewhere", "Use the address it points to."),
        ("javascript:alert(1)", "Use the address it points to."),
        ("https://[broken", "Use the address it points to."),
    ],
)
def test_a_redirect_tells_where_to_go_without_what_may_be_secret(location: str, hint: str) -> None:
    with pytest.raises(ProviderRefused) as caught:
        raise_for_answer(_answer(b"", status=302, location=location), "n8n", "execute")
    assert caught.value.message == "flows.example:8443 answered 302 Found: redirects are not followed."
    assert caught.value.hint == hint


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("-1", 0.0),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("1" + "0" * 9, 3600.0),
        ("9" * 400, None),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        (formatdate(NOW + 10**8, usegmt=True), 3600.0),
        ("Tue, 99 Foo 2024 00:00:00 GMT", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    found = retry_after_seconds(formatdate(time.time() + 60, usegmt=True))
    assert found is not None
    assert 55 < found <= 60


@given(st.text())
def test_retry_after_is_never_more_than_an_hour_and_never_fails(header: str) -> None:
    found = retry_after_seconds(header)
    assert found is None or 0 <= found <= 3600


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://u:p@h:1/x", "h:1"),
        ("http://h", "h"),
        ("nonsense", "The server"),
        ("http://[x", "The server"),
    ],
)
def test_sentences_name_host_and_port_only(url: str, host: str) -> None:
    assert host_of(url) == host


def test_answers_may_be_nested_as_deep_as_input() -> None:
    assert MAX_DEPTH == json_input.MAX_DEPTH
