import base64
import html
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from orchestrator_app.security import redaction
from orchestrator_app.security.redaction import FAILED, MASK, Redactor, is_sensitive_name

SECRET = 'hunter2/+"ü&=key'
REDACTOR = Redactor([SECRET])
NOTHING_KNOWN = Redactor([])

ECHOES = {
    "as it is": SECRET,
    "in JSON": json.dumps(SECRET),
    "in JSON with letters": json.dumps(SECRET, ensure_ascii=False),
    "in JSON with escaped slashes": json.dumps(SECRET).replace("/", "\\/"),
    "in JSON in JSON": json.dumps(json.dumps({"a": SECRET})),
    "in a path": f"https://host/{quote(SECRET, safe='')}/x",
    "in a path, slashes kept": f"https://host/{quote(SECRET)}",
    "in a path, small letters": quote(SECRET, safe="").lower(),
    "in a form": urlencode({"a": SECRET}),
    "in a query": f"a={quote_plus(SECRET)}",
    "in a query in a query": quote(f"https://host/?a={quote(SECRET, safe='')}", safe=""),
    "in base64": base64.b64encode(SECRET.encode()).decode(),
    "in base64 for addresses": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    "in a basic header": base64.b64encode(f"user:{SECRET}".encode()).decode(),
    "in another basic header": base64.b64encode(f"us:{SECRET}".encode()).decode(),
    "in a third basic header": base64.b64encode(f"use:{SECRET}".encode()).decode(),
    "in base64 of JSON": base64.b64encode(json.dumps({"key": SECRET, "more": 1}).encode()).decode(),
    "in a web page": f"<b>{html.escape(SECRET)}</b>",
    "in a Python message": repr({"a": SECRET}),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
@pytest.mark.parametrize("known_only", [False, True])
def test_a_known_secret_is_masked_in_every_form_in_which_it_comes_back(
    echo: str, *, known_only: bool
) -> None:
    assert "hunter2" in echo or "aHVudGVy" in echo or base64.b64decode(echo + "==")
    masked = REDACTOR.text(f"before {echo} after", known_only=known_only)
    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    for fragment in ("hunter2", "aHVudGVyM", "h1bnRlcj", "odW50ZXIy", "unter2"):
        assert fragment not in masked


# Letters that no encoding changes into something unrecognisable, and those that every encoding changes.
SECRETS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=8, max_size=40
).filter(lambda text: len(text.strip()) >= 8)
ENCODINGS = st.sampled_from(
    [
        str,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: quote(text, safe=""),
        quote,
        quote_plus,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(f"me:{text}".encode()).decode(),
        lambda text: base64.urlsafe_b64encode(f"user:{text}\n".encode()).decode(),
    ]
)


@given(
    secret=SECRETS,
    encode=ENCODINGS,
    before=st.text(max_size=20),
    after=st.text(max_size=20),
    known_only=st.booleans(),
)
@example(secret="aaaaaaaaa", encode=str, before="b", after="b", known_only=True)
@example(secret="********x", encode=str, before="", after="", known_only=False)
def test_a_planted_secret_never_gets_through(
    secret: str, encode: Callable[[str], str], before: str, after: str, *, known_only: bool
) -> None:
    echo = encode(secret)
    # If the text around it, or the mask, looks like the secret itself, finding it afterwards would prove nothing.
    assume(secret not in before + MASK + after and echo not in before + MASK + after)
    redactor = Redactor([secret, "another-secret"])
    text = redactor.text(before + echo + after, known_only=known_only)
    assert secret not in text
    assert echo not in text
    value = redactor.value(
        {"a": [{before + echo: echo}, None, 1], "b": {"c": [[before + echo + after]]}}, known_only=known_only
    )
    assert secret not in json.dumps(value, ensure_ascii=False)
    assert json.dumps(echo)[1:-1] not in json.dumps(value)


@given(st.text(max_size=60))
def test_a_secret_in_base64_is_masked_wherever_it_begins(before: str) -> None:
    secret = "s3cr3t-value-0123"
    encoded = base64.b64encode((before + secret + "!").encode()).decode()
    masked = Redactor([secret]).text(encoded)
    kept = masked.split(MASK)
    assert len(kept) == 2
    assert len(kept[0]) + len(kept[1]) <= len(encoded) - 20


def test_a_secret_within_another_one_does_not_save_the_longer_one() -> None:
    masked = Redactor(["hunter2hunter2", "hunter2hunter2-and-more"]).text(
        "a hunter2hunter2-and-more b hunter2hunter2"
    )
    assert masked == f"a {MASK} b {MASK}"


def test_a_secret_of_several_lines_is_masked_also_in_json() -> None:
    key = "line one of it\nline two of it\n"
    redactor = Redactor([key])
    assert redactor.text(f"<{key}>") == f"<{MASK}>"
    assert redactor.text(json.dumps({"a": key})) == json.dumps({"a": MASK})
    assert redactor.text("line one of it\nline two of it") == MASK


def test_numbers_that_are_secrets_are_masked_as_numbers_too() -> None:
    redactor = Redactor(["1234567890"])
    assert redactor.value({"a": 1234567890, "b": 91234567890.5, "c": 12345, "d": True}) == {
        "a": MASK, "b": MASK, "c": 12345, "d": True,
    }  # fmt: skip


def test_very_short_secrets_do_not_mask_everything() -> None:
    assert Redactor(["a", "", "abc"]).text("a banana for abc") == "a banana for abc"


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["Authorization", "proxy-authorization", "Cookie", "Set-Cookie", "x-api-key", "X-API-Key", "api_key", "apiKey", "token",
     "accessToken", "refresh_token", "client_secret", "secret", "PASSWORD", "db.password", "passwd", "x-n8n-api-key",
     "privateKey", "private_key", "AWS_SECRET_ACCESS_KEY", "passphrase", "jwt"],
)  # fmt: skip
def test_names_of_secrets_are_known_in_all_spellings(name: str) -> None:
    assert is_sensitive_name(name)
    assert NOTHING_KNOWN.value({name: "x", "deep": [{"er": {name: {"a": 1}}}]}) == {
        name: MASK,
        "deep": [{"er": {name: MASK}}],
    }


@pytest.mark.parametrize(
    "name",
    [
        "tokens",
        "total_tokens",
        "max_tokens",
        "key",
        "keyboard",
        "monkey",
        "author",
        "passenger",
        "sessionId",
        "name",
        "",
    ],
)
def test_names_of_other_things_are_left_alone(name: str) -> None:
    assert NOTHING_KNOWN.value({name: "x"}) == {name: "x"}


@pytest.mark.parametrize("value", [None, True, False, "", [], {}])
def test_a_secret_that_is_not_there_is_shown_as_not_there(value) -> None:
    assert NOTHING_KNOWN.value({"password": value}) == {"password": value}


def test_headers_in_a_list_of_pairs_are_masked() -> None:
    pairs: list[Any] = [
        {"name": "Authorization", "value": "x"},
        {"key": "X-Api-Key", "value": "y"},
        {"name": "Accept", "value": "z"},
    ]
    assert NOTHING_KNOWN.value({"headers": pairs}) == {
        "headers": [pairs[0] | {"value": MASK}, pairs[1] | {"value": MASK}, pairs[2]]
    }


def test_known_only_leaves_data_as_it_is() -> None:
    data: dict[str, Any] = {
        "token": "abc",
        "note": "sk_live_0123456789abcdef",
        "password": "correct horse",
        "url": "https://u:p@h/?key=1",
    }
    assert Redactor(["correct horse"]).value(data, known_only=True) == data | {"password": MASK}
    assert Redactor(["correct horse"]).text(data["url"], known_only=True) == data["url"]


def test_secrets_in_names_are_masked() -> None:
    assert REDACTOR.value({f"x{SECRET}": 1}) == {f"x{MASK}": 1}


# --- looks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    ["ghp_" + "a1" * 18, "github_pat_" + "a1" * 20, "gho_" + "a1" * 18, "sk_live_" + "a1" * 12, "sk_test_" + "a1" * 12,
     "rk_live_" + "a1" * 12, "sk-proj-" + "a1" * 20, "sk-ant-api03-" + "a1" * 20, "xoxb-123456789012-abcdef", "AKIAIOSFODNN7EXAMPLE",
     "ASIAIOSFODNN7EXAMPLE", "AIza" + "a1" * 18, "glpat-" + "a1" * 10, "whsec_" + "a1" * 12, "n8n_api_" + "a1" * 20,
     "orc_ab12cd34_" + "a1" * 21 + "_abc123", "cb_" + "a1" * 21, "xapp-1-A1-abcdef",
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
     "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----",
     "-----BEGIN PRIVATE KEY-----\\nMIIEcut off"],
)  # fmt: skip
def test_well_known_tokens_are_masked_wherever_they_stand(token: str) -> None:
    for text in (token, f'"{token}"', f"a {token}", f"({token})"):
        masked = NOTHING_KNOWN.text(text)
        assert MASK in masked
        assert token[-12:] not in masked
    assert NOTHING_KNOWN.value([{"a": token}]) == [{"a": MASK}]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://user:hunter2@host/x", "https://***@host/x"),
        ("postgresql://me:p@ss@db:5432/x?sslmode=off", "postgresql://***@db:5432/x?sslmode=off"),
        ("https://token@host", "https://***@host"),
        ("https://h/p?token=abc&x=1", "https://h/p?token=***&x=1"),
        ("https://h/p?x=1&api_key=abc#f", "https://h/p?x=1&api_key=***#f"),
        ("https://h/p?key=abc&sig=def", "https://h/p?key=***&sig=***"),
        ("https://h/p?X-Amz-Signature=abc", "https://h/p?X-Amz-Signature=***"),
        ("access_token=abc failed", "access_token=*** failed"),
        ("login with password=hunter2;", "login with password=***;"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("GET /\r\nCookie: a=b; c=d\r\nAccept: x", "GET /\r\nCookie: ***\r\nAccept: x"),
        ("X-N8N-API-KEY: abc", "X-N8N-API-KEY: ***"),
        ("a\\neyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNry", "a\\n***"),
        ("sent Bearer abcdefghijklmnopqrst", "sent Bearer ***"),
        ('{"api_key": "abc", "x": "y"}', '{"api_key": "***", "x": "y"}'),
        ('{"password":"a\\"b","x":"y"}', '{"password":"***","x":"y"}'),
        ('{"password":"a\\\\","x":"y"}', '{"password":"***","x":"y"}'),
        ('"{\\"token\\": \\"abc\\", \\"x\\": 1}"', '"{\\"token\\": \\"***\\", \\"x\\": 1}"'),
        ("{'client_secret': 'abc'}", "{'client_secret': '***'}"),
        ('{"a": {"token": "cut off', '{"a": {"token": "***'),
    ],
)
def test_secrets_are_masked_where_texts_usually_have_them(text: str, masked: str) -> None:
    assert NOTHING_KNOWN.text(text) == masked


HOOK = "/hooks/catch/"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://hooks.zapier.com/hooks/catch/1234567/abc12de/", f"https://hooks.zapier.com{HOOK}***/"),
        ("POST https://hooks.zapier.com/hooks/catch/1234567/abc12de/silent.", f"POST https://hooks.zapier.com{HOOK}***."),
        ("https://hooks.zapier.com/hooks/catch/abc12de?a=1", f"https://hooks.zapier.com{HOOK}***?a=1"),
        ("http://127.0.0.1:8080/proxy/hooks/catch/1/abc12de", f"http://127.0.0.1:8080/proxy{HOOK}***"),
        ('{"url": "https:\\/\\/hooks.zapier.com\\/hooks\\/catch\\/1\\/abc12de"}',
         '{"url": "https:\\/\\/hooks.zapier.com\\/hooks\\/catch\\/***"}'),
        ("u=https%3A%2F%2Fhooks.zapier.com%2Fhooks%2Fcatch%2F1%2Fabc12de%2F&x=1",
         "u=https%3A%2F%2Fhooks.zapier.com%2Fhooks%2Fcatch%2F***%2F&x=1"),
        ("https://hook.eu2.make.com/5k2jx8y0v1abcdefghij?x=1", "https://hook.eu2.make.com/***?x=1"),
        ("HTTPS://HOOK.EU1.MAKE.COM/5k2jx8y0v1 failed", "HTTPS://HOOK.EU1.MAKE.COM/*** failed"),
        ("https://Hook.us1.make.celonis.com/5k2jx8y0v1", "https://Hook.us1.make.celonis.com/***"),
        ("hook.integromat.com/5k2jx8y0v1, gone", "hook.integromat.com/***, gone"),
        ("https%3A%2F%2Fhook.eu1.make.com%2F5k2jx8y0v1", "https%3A%2F%2Fhook.eu1.make.com%2F***"),
    ],
)  # fmt: skip
def test_an_address_that_starts_a_workflow_for_anybody_is_masked(text: str, masked: str) -> None:
    assert NOTHING_KNOWN.text(text) == masked
    assert NOTHING_KNOWN.text(masked) == masked
    assert NOTHING_KNOWN.value({"url": text}) == {"url": masked}
    assert NOTHING_KNOWN.text(text, known_only=True) == text


@pytest.mark.parametrize(
    "text",
    ["https://hooks.zapier.com/hooks/catch/", "see /hooks/catch/… in the trigger", "https://www.make.com/en/help/webhooks",
     "https://eu1.make.com/16/scenarios/925", "https://n8n.example/webhook/orders", "off the hook.", "hook.make.community/x"],
)  # fmt: skip
def test_addresses_that_start_nothing_stay_readable(text: str) -> None:
    assert NOTHING_KNOWN.text(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "hello", "me@host.example", "mail me at https://host/@me", "a=b", "if x == y", "https://h/p?page=2&keyword=x",
     "tokens=12", "Basic questions about bearers", "the token: it has expired", "see sk-learn and orc_hide", "12:30",
     '{"name": "value", "tokens": 3}', "cb_radio", "2 + 2 = 4", "ghost_story"],
)  # fmt: skip
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert REDACTOR.text(text) == text


@given(st.text())
def test_masking_twice_changes_nothing(text: str) -> None:
    once = REDACTOR.text(text)
    assert REDACTOR.text(once) == once


# --- shape, failure, speed --------------------------------------------------------------------------------------------


def test_the_given_value_is_not_changed_and_its_shape_is_kept() -> None:
    value = {"b": [1, {"token": "x"}, [[], {}, None]], "a": 1.5}
    copy = json.loads(json.dumps(value))
    result: Any = NOTHING_KNOWN.value(value)
    assert value == copy
    assert result == {"b": [1, {"token": MASK}, [[], {}, None]], "a": 1.5}
    assert list(result) == ["b", "a"]
    for plain in (None, 1, True, "x", [], {}):
        assert NOTHING_KNOWN.value(plain) == plain


# Beginnings, names and marks of what looks like a secret, and what stands around such things.
_PIECES = st.sampled_from(
    ["cb_", "orc_ab12_", "whsec_", "sk-", "sk_live_", "ghp_", "github_pat_", "glpat-", "xoxb-", "xapp-", "AKIA", "AIza", "n8n_api_",
     "-----BEGIN PRIVATE KEY-----", "eyJ", "://", "@", "?", "&", ";", "=", ":", " ", '"', "'", "\\", "\n", "/", "%2F", ".", "-", "_",
     "hook", "HOOK", "hooks", "catch", "make.com", "integromat.com", "authorization", "Cookie", "x-", "X-My-", "key", "Key", "token",
     "TOKEN", "api", "access", "secret", "pass", "word", "pwd", "jwt", "Bearer ", "basic ", "auth", "code", "sig", "nature", "amz",
     "a1" * 12, "ü", "\u2028", "hunter2", "", "name", "value"],
)  # fmt: skip
_TEXTS = st.lists(_PIECES, max_size=6).map("".join)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)),
    max_leaves=8,
)


@given(value=_VALUES, secrets=st.lists(_TEXTS, max_size=2), known_only=st.booleans())
def test_the_quick_look_misses_nothing_that_the_thorough_one_finds(
    value: Any, secrets: list[str], *, known_only: bool
) -> None:
    redactor = Redactor(secrets)
    thorough = redactor._value(json.loads(json.dumps(value)), known_only=known_only)
    assert redactor.value(value, known_only=known_only) == thorough


def test_any_depth_is_reached() -> None:
    value: object = SECRET
    for _ in range(50_000):
        value = [value]
    result = REDACTOR.value(value)  # type: ignore[arg-type]
    for _ in range(50_000):
        result = result[0]  # type: ignore[index]
    assert result == MASK


def test_an_error_inside_lets_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> str:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(redaction, "_without_lookalikes", broken)
    assert REDACTOR.text("x") == FAILED
    assert REDACTOR.value({"a": "the token"}) == FAILED


def test_a_value_that_holds_itself_lets_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_MOST_BOXES", 1000)
    value: list = [SECRET]
    value.append(value)
    assert REDACTOR.value(value) == FAILED


@pytest.mark.parametrize(
    "text",
    ["x" * 1_000_000, "://" * 300_000, "a@" * 400_000, "?a=" * 300_000, "x-" * 400_000, '":"' * 300_000, "\\" * 1_000_000,
     "eyJ" * 300_000, '"a":"\\' * 150_000, "Bearer " * 140_000, "\\" * 1_000_000 + '"a":', "eyJ." * 250_000, "orc_" * 250_000, "x-key" * 200_000, "bearer" + " " * 1_000_000, "-----BEGIN PRIVATE KEY-----" * 20_000, "a.b-c_" * 150_000,
     "hook." * 200_000, "hook" + "\\" * 1_000_000, "/hooks/catch/a" * 70_000, "hook.a.make.com/" * 60_000, "hook" + "%2F" * 300_000],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    before = time.process_time()
    REDACTOR.text(text)
    assert time.process_time() - before < 2


def test_a_large_value_takes_well_under_a_second() -> None:
    value = [
        {"id": n, "name": f"row {n}", "url": "https://host/a?b=c", "note": "some words: and more"}
        for n in range(5000)
    ]
    before = time.process_time()
    assert REDACTOR.value(value) == value  # type: ignore[arg-type]
    assert time.process_time() - before < 1
