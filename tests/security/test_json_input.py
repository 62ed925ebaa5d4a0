import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.errors import BadRequest, TooLarge
from orchestrator_app.security.json_input import check_json, read_json

LIMIT = 1_048_576
WHOLE = st.integers(min_value=-(2**53 - 1), max_value=2**53 - 1)
TEXT = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXT, below, max_size=4),
    max_leaves=20,
)


@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_good_json_is_read_as_the_standard_library_reads_it(
    value, *, ascii_only: bool, indent: int | None
) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert read_json(raw, max_bytes=LIMIT) == json.loads(raw) == value
    assert check_json(value) is value


@given(
    st.binary(max_size=40)
    | st.text(alphabet='[]{}",:0123eE+-.\\ud8nulNaIfty \n', max_size=40).map(str.encode)
)
def test_any_bytes_are_read_or_refused_in_words(raw: bytes) -> None:
    try:
        value = read_json(raw, max_bytes=LIMIT)
    except BadRequest as error:
        assert error.message.endswith(".")  # noqa: PT017  # being read is right as well
        assert error.hint  # noqa: PT017
    else:
        assert value == json.loads(raw)
        json.dumps(value, allow_nan=False).encode()


SECRET = "hunter2"
BAD = {
    "nothing": (b"", "The data is empty"),
    "only spaces": (b" \t\r\n", "The data is empty"),
    "a byte order mark alone": (b"\xef\xbb\xbf", "The data is empty"),
    "cut object": (b'{"hunter2": "hunter2"', "line 1, column 22: a comma or a closing bracket is missing"),
    "cut text": (b'\n\n  "hunter2', "line 3, column 3: a text has no closing quote"),
    "cut word": (b"tru", "line 1, column 1: a value is expected"),
    "no comma": (b'["hunter2" "hunter2"]', "line 1, column 12: a comma or a closing bracket is missing"),
    "no colon": (b'{"hunter2" 1}', "line 1, column 12: a colon is missing after a key"),
    "no quotes": (b"{hunter2: 1}", "line 1, column 2: a key in double quotes is expected"),
    "single quotes": (b"{'hunter2': 1}", "line 1, column 2: a key in double quotes is expected"),
    "comma at the end": (b"[1,]", "line 1, column"),
    "two values": (b'{"a": 1}\n{"a": 2}', "line 2, column 1: there is more after the end of the value"),
    "form data": (b"token=hunter2&a=b", "line 1, column 1: a value is expected"),
    "a web page": (b"<html>hunter2</html>", "line 1, column 1: a value is expected"),
    "raw line break": (
        b'"hunter2\nhunter2"',
        "line 1, column 9: a text has a line break or control character",
    ),
    "bad escape": (
        b'"\\hunter2"',
        "line 1, column 2: a backslash is followed by something that is no escape",
    ),
    "bad unicode escape": (b'"\\uzzzz"', "four hexadecimal digits"),
    "NaN": (b'{"a": [NaN]}', "at a[0]: NaN and Infinity are not JSON"),
    "Infinity": (b"-Infinity", "at the top: NaN and Infinity are not JSON"),
    "too large a float": (b'{"a": 1e999}', "at a: the number is too large"),
    "5,000 digits": (b'{"a": [1, ' + b"7" * 5000 + b"]}", "at a[1]: the whole number is beyond"),
    "2^53": (b'{"a": 9007199254740992}', "at a: the whole number is beyond"),
    "-2^53": (b"[-9007199254740992]", "at [0]: the whole number is beyond"),
    "lone surrogate": (b'{"a": {"b": "hunter2 \\ud800"}}', "at a.b: a text has half of a character"),
    "lone surrogate in a key": (b'{"a": {"hunter2\\udfff": 1}}', "at a: a text has half of a character"),
    "NUL": (b'["hunter2\\u0000"]', "at [0]: a text has the character NUL"),
    "a key twice": (b'{"a": [{"hunter2": 1, "hunter2": 2}]}', "at a[0]: the object has a key twice"),
    "a key twice in two spellings": (b'{"a": 1, "\\u0061": 2}', "at the top: the object has a key twice"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8 at line 1, byte 1"),
    "UTF-16 without a mark": ('{"a": 1}'.encode("utf-16-le"), "line 1, column 2"),
    "Latin-1": (b'{"a":\n "\xe4"}', "not UTF-8 at line 2, byte 3"),
    "over-long UTF-8": (b'"\xc0\xaf"', "not UTF-8 at line 1, byte 2"),
    "a surrogate in UTF-8": (b'"\xed\xa0\x80"', "not UTF-8 at line 1, byte 2"),
}


@pytest.mark.parametrize(("raw", "sentence"), BAD.values(), ids=BAD.keys())
def test_bad_json_is_refused_with_its_place_and_without_its_content(raw: bytes, sentence: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_json(raw, max_bytes=LIMIT)
    assert type(caught.value) is BadRequest
    assert sentence in caught.value.message
    assert caught.value.message.endswith(".")
    assert caught.value.hint
    assert SECRET not in caught.value.message + caught.value.hint
    assert "7777" not in caught.value.message


LARGE = {
    "bytes": (b'"' + b"a" * LIMIT + b'"', "larger than 1,048,576 bytes"),
    "depth 100,000": (b"[" * 100_000, "nested deeper than 64 levels at line 1, column 65"),
    "depth 100,000 of objects": (b'{"a":\n' * 100_000, "nested deeper than 64 levels at line 65, column 1"),
    "depth 65": (b'{"a":[' * 32 + b"[]" + b"]}" * 32, "nested deeper than 64 levels at a[0].a[0]"),
    "brackets in texts do not count": (b'["[[[\\"[", ' + b"[" * 500_000, "line 1, column 75"),
    "values": (b"[" + b"0," * 50_000 + b"0]", "more than 50,000 values"),
    "values in objects": (json.dumps({str(n): n for n in range(50_001)}).encode(), "more than 50,000 values"),
    "text": (b'{"a": ["' + b"a" * 262_145 + b'"]}', "at a[0]: the text is longer than 262,144 characters"),
    "key": (b'{"' + b"a" * 262_145 + b'": 1}', "at the top: the text is longer than 262,144 characters"),
}


@pytest.mark.parametrize(("raw", "sentence"), LARGE.values(), ids=LARGE.keys())
def test_too_much_json_is_refused_quickly(raw: bytes, sentence: str) -> None:
    before = time.process_time()
    with pytest.raises(TooLarge) as caught:
        read_json(raw, max_bytes=LIMIT)
    assert sentence in caught.value.message
    assert len(caught.value.message) < 200
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 64 + b"]" * 64,
        b'"' + b"a" * 262_144 + b'"',
        b"[" + b"0," * 49_998 + b"0]",
        b"[9007199254740991, -9007199254740991]",
        b'\xef\xbb\xbf{"a": 1}',
        b' \r\n\t{"a": 1}\n',
        b'"\\ud83d\\ude00"',
        b"-0",
        b'{"": {"": 0}}',
        b'"\xf0\x9f\x98\x80 \x7f \xc2\x80"',
    ],
)
def test_what_is_just_within_the_limits_is_taken(raw: bytes) -> None:
    assert read_json(raw, max_bytes=LIMIT) == json.loads(raw)


def test_the_limits_can_be_set() -> None:
    assert read_json(b"[[1]]", max_bytes=5, max_depth=2, max_items=3) == [[1]]
    for limits in ({"max_bytes": 4}, {"max_depth": 1}, {"max_items": 2}):
        with pytest.raises(TooLarge):
            read_json(b"[[1]]", **{"max_bytes": 5, "max_depth": 2, "max_items": 3} | limits)


def test_keys_that_are_no_plain_words_are_not_shown() -> None:
    with pytest.raises(BadRequest, match=r"at …\.b-1\[0\]\.…: "):
        read_json(b'{"my password is hunter2": {"b-1": [{"' + b"x" * 41 + b'": NaN}]}}', max_bytes=LIMIT)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"a": [math.nan]}, "at a[0]: NaN and Infinity are not JSON"),
        ([math.inf], "at [0]: the number is too large"),
        ({"a": 2**53}, "at a: the whole number is beyond"),
        ({"a": {1: 2}}, "at a: a key is no text"),
        ({"a": (1, 2)}, "at a: this is no JSON value"),
        ({"a": b"x"}, "at a: this is no JSON value"),
        ({"a": ["x\x00"]}, "at a[0]: a text has the character NUL"),
        (["\udc00"], "at [0]: a text has half of a character"),
        ({"\x00": 1}, "at the top: a text has the character NUL"),
    ],
)
def test_values_that_came_another_way_are_checked_too(value: object, sentence: str) -> None:
    with pytest.raises(BadRequest, match="The JSON cannot be taken") as caught:
        check_json(value)
    assert sentence in caught.value.message


def test_a_value_that_holds_itself_is_too_deep() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(TooLarge, match="deeper"):
        check_json(value)


def test_a_large_good_body_is_read_fast_enough() -> None:
    raw = json.dumps([{"id": n, "name": f"row {n}", "ok": True} for n in range(12_000)]).encode()
    before = time.process_time()
    read_json(raw, max_bytes=LIMIT)
    assert time.process_time() - before < 0.5
