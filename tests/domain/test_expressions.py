"""Syntax of expressions, plain paths and their look-up, with JSONata itself as the judge."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonata import Jsonata

from orchestrator_app.domain.expressions import (
    MAX_SOURCE_LENGTH,
    MISSING,
    UNCLEAR,
    Expression,
    Place,
    explain_missing,
    lookup,
    parse_expression,
    path_text,
    place_of,
)
from orchestrator_app.errors import ExpressionError
from orchestrator_app.runner.jsonata_worker import as_json


def refusal(source: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(source)
    return caught.value


def by_jsonata(source: str, document: object) -> object:
    compiled = Jsonata(source)
    compiled.set_output_convert_nulls(output_convert_nulls=False)
    result = compiled.evaluate(document, {})
    return MISSING if result is None else as_json(result)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("data", ("data",)),
        ("  data.customer.email\n", ("data", "customer", "email")),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ("a[0][12]", ("a", 0, 12)),
        ("nodes.`My label`.output.x", ("nodes", "My label", "output", "x")),
        ("`first name`", ("first name",)),
        ('nodes."My label".output', ("nodes", "My label", "output")),
        ("nodes.'My label'[0]", ("nodes", "My label", 0)),
        ("größe.naïve_2", ("größe", "naïve_2")),
        ("data.`and`", ("data", "and")),
    ],
)
def test_a_plain_path_is_recognised(source: str, path: tuple[str | int, ...]):
    assert parse_expression(source) == Expression(source.strip(), path)


@pytest.mark.parametrize(
    "source",
    [
        "$",
        "$$.a",
        "a[-1]",
        "a[1.5]",
        "a . b",
        "a.*",
        "$sum(a)",
        "a & b",
        "true",
        "null",
        "a.and",
        '"a"',
        '"a".b',
        "a.b[c = 1]",
        '{"a": {"b": 1}}',
        "/a[/]b/i",
        "a /* } */ + 1",
        "a" + ".a" * 150,
    ],
)
def test_anything_else_is_left_to_jsonata(source: str):
    assert parse_expression(source) == Expression(source, None)


@pytest.mark.parametrize(
    ("source", "column", "sentence"),
    [
        ("  ", 3, "The expression is empty."),
        ("a b", 3, "b is not expected here."),
        ("a +", 4, "The expression stops too early: something is missing at the end."),
        ("$sum(", 6, ") is missing at the end."),
        ("$sum(a b)", 8, ") is expected here, not b."),
        ('"abc', 4, "A quote is opened, but not closed."),
        ("`abc", 4, "A backtick ` is opened, but not closed."),
        ("/abc", 4, "A regular expression is opened with /, but not closed."),
        ("//", 1, "A regular expression is empty."),
        ("/+/", 3, "The regular expression is wrong: nothing to repeat."),
        ("/* abc", 7, "The expression stops too early: a quote, comment or bracket is not closed."),
        (r'"\x"', 2, r"\x is not known."),
        (r'"\u12"', 2, r"Four hex digits are missing after \u."),
        ("1e999", 1, "This number is too large."),
        ("a.true", 6, "true cannot be a step of a path. If it is a name, put it in backticks."),
        ("1 := 2", 1, "Only a variable such as $x can stand left of :=."),
        ("function(a){1}", 10, "A parameter of a function must be a variable such as $x, not a."),
        ("%", 1, "% (the parent) has nothing here to refer to."),
        ("~", 1, "~ is not expected here."),
        ("a{b:1}{c:1}", 1, "Each step can only have one grouping expression."),
        ("function($x)<1>{$x}", 14, "The expression cannot be read from here on."),
        (f'a "{"x" * 70}"', 74, f"{'x' * 59}… is not expected here."),
    ],
)
def test_a_syntax_error_tells_the_place_and_what_is_wrong(source: str, column: int, sentence: str):
    error = refusal(source)
    assert error.message == f"Line 1, column {column}: {sentence}"
    assert error.context == {"line": 1, "column": column}


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("a == 1", "JSONata compares with a single =."),
        ("a && b", "JSONata writes and for &&."),
        ("a || b", "JSONata writes or for ||."),
        ("!a", "JSONata writes $not(x) for !x."),
        ("x => x + 1 2", "JSONata writes a function as function($x){ … }."),
        ('[\\"a\\" b]', "Inside an expression quotes are written as they are, without a backslash."),
        ("a b", ""),
    ],
)
def test_what_other_languages_write_gets_a_hint(source: str, hint: str):
    assert refusal(source).hint == hint


def test_the_place_counts_lines_of_the_text_around_the_expression():
    text = "first\n  {{ a b }}"
    with pytest.raises(ExpressionError, match="Line 2, column 8: b is not expected"):
        parse_expression(" a b ", text=text, start=text.index(" a b"))


def test_places_are_counted_from_one():
    assert place_of("ab\ncd", 0) == Place(1, 1)
    assert place_of("ab\ncd", 3) == Place(2, 1)
    assert place_of("ab\ncd", 5) == Place(2, 3)


def test_an_absurdly_long_expression_is_refused():
    assert parse_expression("a" * MAX_SOURCE_LENGTH).path is not None
    assert "10,001 characters; at most 10,000" in refusal("a" * (MAX_SOURCE_LENGTH + 1)).message


@pytest.fixture
def _recursion_as_in_the_program() -> Iterator[None]:
    """The limit of the program, which importing the whole of JSONata has raised in the tests."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("_recursion_as_in_the_program")
@pytest.mark.parametrize(
    "source",
    [
        "(" * 3_000,
        "[" * 200 + "]" * 200,
        "a" + "&a" * 400,
        "$a" + ".a" * 4_000,
        "/**/" * 2_400 + "a+1",
    ],
)
def test_deep_nesting_and_long_chains_are_refused(source: str):
    assert "nested too deeply or too long a chain" in refusal(source).message


@pytest.mark.usefixtures("_recursion_as_in_the_program")
@pytest.mark.parametrize(
    "source",
    [
        "[" * 90 + "a" + "]" * 90,
        "(" * 40 + "a" + " ?: b)" * 40,
        "{'a':" * 90 + "b" + "}" * 90,
        "a" + "&a" * 240,
        "a?b:" * 90 + "c",
        "$f(" * 90 + ")" * 90,
    ],
)
def test_more_than_anybody_writes_is_accepted(source: str):
    assert parse_expression(source).path is None


@pytest.mark.parametrize("operator", ["?:", "??"])
def test_what_the_parser_alone_needs_exponential_time_for_is_checked_at_once(operator: str):
    # Without the remembered parts this would take longer than anybody waits.
    assert parse_expression("(" * 60 + "a" + f"{operator}b)" * 60).path is None


@pytest.mark.parametrize("pattern", ["(?i)+", "a" * 600 + "**"])
def test_costly_regular_expressions_are_not_compiled_here(pattern: str):
    assert parse_expression(f"$match(a, /{pattern}/)").path is None


def test_a_doubtful_regular_expression_warns_nobody():
    assert parse_expression("$match(a, /[[a]]/)").path is None


def test_the_parser_does_not_raise_the_recursion_limit_of_the_program():
    program = "import orchestrator_app.domain.expressions, sys; print(sys.getrecursionlimit())"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "1000"


DOCUMENT = {
    "a": {"b": [{"c": 1}, 2, None], "none": None, "t": "text", "empty": {}, "list": []},
    "l": [{"x": 1}, {"x": 2}],
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a.b[0].c", 1),
        ("a.b[2]", None),
        ("a.none", None),
        ("a.list", []),
        ("a.b[3]", MISSING),
        ("a.none.x", MISSING),
        ("a.t.x", MISSING),
        ("zz.b[0]", MISSING),
        ("l.x", UNCLEAR),
        ("a.t[0]", UNCLEAR),
        ("a.none[0]", UNCLEAR),
    ],
)
def test_a_path_is_followed_or_left_to_jsonata(source: str, value: object):
    path = parse_expression(source).path
    assert path is not None
    found = lookup(path, DOCUMENT)
    assert found is value if value in (MISSING, UNCLEAR) else found == value


NAMES = st.sampled_from(["a", "b", "c", "first name", "and", "é", "", "x-y", '"', "1"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.tuples(NAMES, st.lists(NAMES | st.integers(0, 2), max_size=4)).map(lambda p: (p[0], *p[1]))


@settings(deadline=None, max_examples=300)
@given(document=st.dictionaries(NAMES, JSON, max_size=4), path=PATHS)
@example(document={"a": [[], [1]]}, path=("a", 0))
@example(document={"a": [[[5]]]}, path=("a", 0, 0))
@example(document={"a": {"b": [None]}}, path=("a", "b", 0))
def test_looking_up_agrees_with_jsonata_wherever_it_gives_an_answer(
    document: dict[str, Any], path: tuple[str | int, ...]
):
    source = path_text(path)
    assert parse_expression(source).path == path
    found = lookup(path, document)
    if found is not UNCLEAR:
        assert by_jsonata(source, document) == found


def any_regex(pattern: str, _flags: object) -> Any:
    """Takes any regular expression: those with flags inside are not checked before they are evaluated."""
    return pattern


SIGNS = list("abc$.,:;?!@#%^&*()[]{}<>|~=+-/\\\"'` \n")
WORDS = ["and", "or", "in", "true", "null", "function($x){", "$f(", "λ(", "1", "1.5", "[0]", "`a b`"]
OPERATORS = ["?:", "??", "~>", "..", ":=", "**", "//", "/*", "*/", "/a/", "\\u00"]


@settings(deadline=None, max_examples=500)
@given(st.text(max_size=40) | st.lists(st.sampled_from(SIGNS + WORDS + OPERATORS), max_size=15).map("".join))
@example("\\")
@example('"\\')
@example("a/*")
@example("@")
@example("function($x)<((>{1}")
@example("/(/")
def test_any_text_is_an_expression_or_an_expression_error(source: str):
    try:
        expression = parse_expression(source)
    except ExpressionError as error:
        place = set(error.context)
    else:
        place = {"line", "column"}
        # What is accepted here must be readable where it is evaluated.
        Jsonata(expression.source, regex_engine=any_regex)
    assert place == {"line", "column"}


@pytest.mark.parametrize(
    ("source", "sentence", "hint"),
    [
        (
            "data.customer.emial",
            "data.customer.emial is not there; data.customer has: email, name",
            "Did you mean data.customer.email?",
        ),
        ("data.items[5]", "data.items[5] is not there; data.items is a list of 2", ""),
        ("data.items[0].x.y", "data.items[0].x.y is not there; data.items[0] is number", ""),
        ("data.none.x", "data.none.x is not there; data.none is null", ""),
        ("data.nothing.x", "data.nothing.x is not there; data.nothing is empty", ""),
        ("dada", "dada is not there; there are: data, run", "Did you mean data?"),
        ("data.`zz zz`", "data.`zz zz` is not there; data has: customer, items, none, nothing", ""),
        ("data.items.x", "data.items.x is not there; data.items is a list of 2", ""),
    ],
)
def test_a_missing_value_is_explained_by_what_is_there(source: str, sentence: str, hint: str):
    data = {"customer": {"email": "e", "name": "n"}, "items": [1, 2], "none": None, "nothing": {}}
    path = parse_expression(source).path
    assert path is not None
    assert explain_missing(path, {"data": data, "run": {}}) == (sentence, hint)


def test_the_explanation_stays_short_whatever_the_data():
    data: dict[str, Any] = {"k" * 500: 1} | {f"key{number:03}": 1 for number in range(500)}
    sentence, hint = explain_missing(("data", "w" * 500), {"data": data})
    assert sentence.endswith("key008 and 491 more") is False
    assert f"{'k' * 59}…" in sentence
    assert "and 491 more" in sentence
    assert len(sentence) < 1_000
    assert hint == ""


def test_missing_data_at_the_top_is_explained():
    assert explain_missing(("a",), {}) == ("a is not there; the data is empty", "")


def test_a_path_that_is_there_but_unclear_is_explained_by_its_value():
    assert explain_missing(("a",), {"a": "x"}) == ("a is not there; a is text", "")
