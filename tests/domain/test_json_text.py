"""Reading JSON strictly."""

import json

import pytest

from orchestrator_app.domain.json_text import MAX_DEPTH, read_json
from orchestrator_app.errors import ExpressionError


def test_json_is_read():
    assert read_json(' {"a": [1, -2.5, "x", true, null, {}]} ') == {"a": [1, -2.5, "x", True, None, {}]}


def test_what_is_no_json_is_told_apart_from_what_is_refused():
    with pytest.raises(json.JSONDecodeError):
        read_json("{a: 1}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', 'The key "c" stands twice in one object.'),
        ("[NaN]", "JSON has no NaN."),
        ("[-Infinity]", "JSON has no -Infinity."),
        ("1e999", "The number 1e999 is too large."),
        ("9" * 401, f"The number {'9' * 40}… is too large."),
        (r'["\ud83d"]', "half of a character"),
        (r'{"\ude00": 1}', "half of a character"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested more than 64 levels deep"),
        ("[" * 100_000 + "]" * 100_000, "nested more than 64 levels deep"),
    ],
)
def test_what_other_programs_may_read_differently_is_refused(text: str, message: str):
    with pytest.raises(ExpressionError) as caught:
        read_json(text)
    assert message in caught.value.message


def test_the_deepest_allowed_nesting_is_read():
    text = '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH
    assert json.dumps(read_json(text), separators=(",", ":")) == text


def test_both_halves_of_a_character_make_one():
    assert read_json(r'"\ud83d\ude00"') == "😀"
