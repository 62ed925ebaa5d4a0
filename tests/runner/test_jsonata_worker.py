"""What a worker answers; its process is tested with the evaluator."""

import io
import json
import math
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jsonata import Jsonata
from jsonata.jexception import JException
from jsonata.utils import Utils

from orchestrator_app.runner.jsonata_worker import (
    MAX_RESULT_DEPTH,
    ExpressionCache,
    ResultRefusedError,
    answers,
    as_json,
    memory_limit,
    read_message,
    sentence_of,
    write_message,
)

MEGABYTE = 2**20


@pytest.fixture(autouse=True)
def _ordinary_recursion_limit() -> Iterator[None]:
    """The library raises it tenfold, which is for its own process only."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(limit)


def ask(
    *sources: str, document: object = None, cache: ExpressionCache | None = None, most: int = MEGABYTE
) -> list[Any]:
    request = f"{json.dumps(sources)}\n{json.dumps(document or {})}".encode()
    return [json.loads(answer) for answer in answers(request, cache or ExpressionCache(), most)]


def sentence(source: str, document: object = None) -> str:
    ((kind, text),) = ask(source, document=document)
    assert kind == "error"
    return text


def test_each_source_gets_one_answer():
    assert ask("a + 1", "b", "n", "[a, n]", document={"a": 1, "n": None}) == [
        ["value", 2],
        ["missing"],
        ["value", None],
        ["value", [1, None]],
    ]


def test_nothing_is_evaluated_behind_a_failure():
    assert ask("1", "1/0", "2") == [["value", 1], ["error", "It divides by zero."]]


def test_running_out_of_memory_is_told_apart():
    assert ask('$pad("x", 1000000000000000)', "1") == [["memory"]]


def test_a_result_has_a_largest_size():
    assert ask('$pad("x", 100)', most=200) == [["value", f"x{' ' * 99}"]]
    assert ask('$pad("x", 2000000)') == [["error", "Its result is larger than 1 MB."]]


def test_one_expression_cannot_change_the_document_for_the_next():
    # An empty list that is grouped gets an item in the library's hands.
    assert ask('a{"k": 1}', "$count(a)", document={"a": []})[1] == ["value", 0]


def test_no_variable_survives_an_evaluation():
    cache = ExpressionCache()
    source = '$seen := $exists($seen) ? "leaked" : "clean"'
    assert [ask(source, cache=cache) for _ in range(2)] == [[["value", "clean"]]] * 2


def test_a_cached_expression_knows_the_present_time():
    cache = ExpressionCache()
    ((_, first),) = ask("$millis()", cache=cache)
    ask("1 + 1", cache=cache)
    while time.time() * 1000 <= first + 1:
        time.sleep(0.001)
    ((_, second),) = ask("$millis()", cache=cache)
    assert second > first


def test_a_cached_expression_is_not_bound_by_an_old_deadline_and_eval_still_sees_its_scope():
    cache = ExpressionCache()
    source = '($x := 5; $eval("$x + a"))'
    assert ask(source, "a", source, document={"a": 1}, cache=cache) == [
        ["value", 6],
        ["value", 1],
        ["value", 6],
    ]


def test_the_cache_keeps_what_was_used_last():
    cache = ExpressionCache(most_characters=6)
    first = cache.compiled("a+1")
    assert cache.compiled("a+1") is first
    second = cache.compiled("b+1")
    assert cache.compiled("a+1") is first
    cache.compiled("c+1")
    assert cache.compiled("a+1") is first
    assert cache.compiled("b+1") is not second


def test_an_expression_too_long_for_the_cache_still_works():
    cache = ExpressionCache(most_characters=2)
    assert ask("1 + 1", "1 + 1", cache=cache) == [["value", 2], ["value", 2]]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("[1..3]", [1, 2, 3]),
        ("[]", []),
        ("3 / 2", 1.5),
        ('{"a": null, "b": [null]}', {"a": None, "b": [None]}),
        ("items[price > 1].name", "y"),
        ("items.name", ["x", "y"]),
        ("items[price > 5].name", None),
        ("$power(10, 30)", 1e30),
        ("$power(10, 15)", 10**15),
        (r'"\ud83d\ude00"', "😀"),
        ("true and false", False),
        ("$string(null)", "null"),
        ("$boolean(items)", True),
    ],
)
def test_results_become_plain_json(source: str, value: object):
    items = [{"name": "x", "price": 1}, {"name": "y", "price": 2}]
    (answer,) = ask(source, document={"items": items})
    assert answer == (["missing"] if value is None else ["value", value])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("$sum", "Its result contains a function, which is no JSON. Call it with ( )."),
        ('{"a": [function($x){$x}]}', "Its result contains a function, which is no JSON. Call it with ( )."),
        ("/a/", "Its result contains a regular expression, which is no JSON."),
        (r'"\ud83d"', r"Its result contains half of a character, from an escape such as \ud83d."),
        ('a ~> |$|{"self": $}|', "Its result is nested more than 200 levels deep."),
        ("1/0", "It divides by zero."),
        ("$power(10, 400)", "A number gets too large."),
        ('$number("abc")', "A value cannot be read as the number, date or text that is needed."),
        ('$sort([1, "a"])', "Values of different types are combined."),
        (
            "($f := function($n){1 + $f($n + 1)}; $f(0))",
            "It calls itself too often, or is nested too deeply.",
        ),
        ('$error("Mine: {0}")', "Mine: {0}"),
        ('$assert(false, "No!")', "No!"),
        ("$sum(t)", "Argument 1 of $sum must be a list of numbers."),
        ("$join(numbers)", "Argument 1 of $join must be a list of texts."),
        ("$uppercase(1)", "Argument 1 of $uppercase is missing or of a wrong type."),
        ("t + 1", "The left side of + must be a number."),
        ("sum(numbers)", "sum is no function. Did you mean $sum?"),
        ("$nothing(1)", "What is called is no function."),
        ("t < 1", "Only two numbers or two texts can be compared by size."),
        ("$single([1, 2])", "$single found more than one match."),
        ("$formatBase(5, 50)", "JSONata refuses it (D3100)."),
        ('$replace("a", "", "b")', "JSONata refuses it."),
        ("a b", "JSONata refuses it (S0201)."),
    ],
)
def test_a_failure_is_a_sentence(source: str, expected: str):
    assert sentence(source, {"t": "abc", "numbers": [1], "a": {}}) == expected


def test_no_sentence_quotes_the_data():
    # The library's own message for this one quotes the whole document.
    assert "secret" not in sentence("$uppercase()", {"token": "secret"})


def test_what_the_library_never_said_before_is_a_sentence_too():
    assert sentence_of(RuntimeError("odd")) == "JSONata fails on it."
    assert (
        sentence_of(JException("T0412", 0, 1, "f", "x"))
        == "Argument 1 of $f must be a list of the right type."
    )


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_has_not_are_refused(value: float):
    with pytest.raises(ResultRefusedError, match="a number that is too large"):
        as_json([value])


def test_the_library_s_own_kinds_of_values_are_converted():
    items = Utils.create_sequence(Utils.NULL_VALUE)
    assert as_json(items) == [None]
    assert type(as_json(items)) is list
    with pytest.raises(ResultRefusedError, match="a function"):
        as_json({"f": Jsonata("$sum").evaluate({}, {})})
    with pytest.raises(ResultRefusedError, match="a regular expression"):
        as_json(re.compile("a"))


def test_depth_is_bounded_but_generous():
    value: Any = 1
    for _ in range(MAX_RESULT_DEPTH):
        value = [value]
    assert as_json(value) == value
    with pytest.raises(ResultRefusedError, match="200 levels"):
        as_json([value])


def test_integers_beyond_64_bits_become_floating_point():
    assert as_json([2**64 - 1, 2**64, -(2**63), -(2**63) - 1]) == [2**64 - 1, 2.0**64, -(2**63), -(2.0**63)]
    assert isinstance(as_json(2**64), float)


def test_the_memory_limit_is_what_is_in_use_plus_the_allowance():
    assert memory_limit("5254 4107 1773 1 0 2765 0\n", 4096, 256) == 5254 * 4096 + 256 * MEGABYTE


def test_messages_are_framed_by_their_length():
    stream = io.BytesIO()
    write_message(stream, b"abc")
    write_message(stream, b"")
    stream.seek(0)
    assert [read_message(stream) for _ in range(3)] == [b"abc", b"", None]


@pytest.mark.parametrize("cut", [b"\0\0", b"\0\0\0\5abc"])
def test_a_cut_message_is_the_end(cut: bytes):
    assert read_message(io.BytesIO(cut)) is None
