"""Sources and targets of mappings, and putting values in their places."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_app.domain.expressions import Expression, lookup
from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.mapping import (
    MAX_INDEX,
    MAX_STEPS,
    Literal,
    Target,
    apply_mappings,
    parse_source,
    parse_target,
)
from orchestrator_app.domain.templates import Template
from orchestrator_app.errors import ExpressionError


def mapped(base: JsonValue, *mappings: tuple[str, JsonValue]) -> JsonValue:
    return apply_mappings(base, [(parse_target(target), value) for target, value in mappings])


def collision(base: JsonValue, *mappings: tuple[str, JsonValue]) -> str:
    with pytest.raises(ExpressionError) as caught:
        mapped(base, *mappings)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("=5", 5),
        ('="x"', "x"),
        ('={"a": [1, null]}', {"a": [1, None]}),
        ("=true", True),
        ("=hello", "hello"),
        ("= two words ", " two words "),
        ("=", ""),
        ("=[urgent] look", "[urgent] look"),
        ("==", "="),
        ('="{{ a }}"', "{{ a }}"),
    ],
)
def test_what_begins_with_an_equals_sign_is_a_literal(text: str, value: JsonValue):
    assert parse_source(text) == Literal(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("={{ a }}", "What begins with = is taken as it stands"),
        ('={"a": 1, "a": 2}', 'The key "a" stands twice'),
        ("=NaN", "JSON has no NaN."),
    ],
)
def test_a_doubtful_literal_is_refused(text: str, message: str):
    with pytest.raises(ExpressionError, match=message):
        parse_source(text)


def test_what_contains_two_braces_is_a_template():
    source = parse_source("Dear {{name}}")
    assert isinstance(source, Template)
    assert source.expressions == (Expression("name", ("name",)),)


def test_anything_else_is_an_expression():
    assert parse_source(" a.b ") == Expression("a.b", ("a", "b"))
    assert parse_source("$sum(a)") == Expression("$sum(a)")
    with pytest.raises(ExpressionError, match="b is not expected here"):
        parse_source("a b")


@pytest.mark.parametrize(
    ("text", "steps", "shown"),
    [
        ("a", ("a",), "a"),
        (" a.b[0].c ", ("a", "b", 0, "c"), "a.b[0].c"),
        ("output.a.b", ("a", "b"), "a.b"),
        ("output.output", ("output",), "output"),
        ("output", ("output",), "output"),
        ("outputs.a", ("outputs", "a"), "outputs.a"),
        ("a[0][1]", ("a", 0, 1), "a[0][1]"),
        ("X-Key.$id.2", ("X-Key", "$id", "2"), "`X-Key`.`$id`.`2`"),
        ("größe", ("größe",), "größe"),
        ("a.`first name`", ("a", "first name"), "a.`first name`"),
        ('"first name"[1]', ("first name", 1), "`first name`[1]"),
        ("a.'b.c'", ("a", "b.c"), "a.`b.c`"),
    ],
)
def test_a_target_is_a_path(text: str, steps: tuple[str | int, ...], shown: str):
    target = parse_target(text)
    assert target == Target(steps)
    assert str(target) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  ", "The target is empty."),
        ("a b", "Line 1, column 2: A name or an index"),
        ("a..b", "Line 1, column 2: A name or an index"),
        ("a.", "Line 1, column 2: A name or an index"),
        (".a", "Line 1, column 1: A name or an index"),
        ("[0].a", "Line 1, column 1: A name or an index"),
        ("a[-1]", "Line 1, column 2: A name or an index"),
        ("a[x]", "Line 1, column 2: A name or an index"),
        ("a.[0]", "Line 1, column 2: A name or an index"),
        ("a.``", "Line 1, column 2: A name or an index"),
        ("output.", "Line 1, column 8: A name or an index"),
        (f"a[{MAX_INDEX + 1}]", "Line 1, column 2: The index is too large; at most 10,000 is allowed."),
        ("a" * 1_001, "The target is longer than 1,000 characters."),
        ("a" + ".a" * MAX_STEPS, "The target has more than 64 steps."),
    ],
)
def test_a_wrong_target_is_refused(text: str, message: str):
    with pytest.raises(ExpressionError) as caught:
        parse_target(text)
    assert caught.value.message.startswith(message)


def test_objects_and_lists_on_the_way_are_made():
    assert mapped({}, ("a.b[1].c", 1), ("a.b[0].c", 0), ("x", "y")) == {
        "a": {"b": [{"c": 0}, {"c": 1}]},
        "x": "y",
    }


def test_gaps_of_a_list_are_null():
    assert mapped({}, ("a[2]", "x")) == {"a": [None, None, "x"]}


def test_values_are_added_to_what_is_there():
    base = {"a": {"b": 1}, "l": [1, 2], "none": None}
    assert mapped(base, ("a.c", 2), ("l[1]", 3), ("none.x", 4), ("a.b", 5)) == {
        "a": {"b": 5, "c": 2},
        "l": [1, 3],
        "none": {"x": 4},
    }


def test_a_narrower_target_adds_to_an_object_that_was_mapped_before():
    customer: JsonValue = {"name": "Ann"}
    assert mapped({}, ("customer", customer), ("customer.age", 5)) == {"customer": {"name": "Ann", "age": 5}}
    assert customer == {"name": "Ann"}


def test_without_mappings_the_base_stays():
    assert mapped({"a": 1}) == {"a": 1}
    assert mapped(None, ("a", 1)) == {"a": 1}


@pytest.mark.parametrize(
    ("base", "mappings", "message"),
    [
        (
            {},
            [("a", "text"), ("a.b", 1)],
            "The mapping to a.b needs an object at a, but the mapping to a makes it text.",
        ),
        (
            {},
            [("a.b[0]", 1), ("a.b.c", 1)],
            "The mapping to a.b.c needs an object at a.b, but the mapping to a.b[0] makes it a list.",
        ),
        (
            {"a": {"x": 1}},
            [("a[0]", 1)],
            "The mapping to a[0] needs a list at a, but in the input it is an object.",
        ),
        (
            {"a": 5},
            [("z", 1), ("a.b", 1)],
            "The mapping to a.b needs an object at a, but in the input it is a number.",
        ),
        ([1], [("a", 1)], "The mapping to a needs an object at the data, but in the input it is a list."),
        ({}, [("a.b", 1), ("a", 2)], "The mapping to a would overwrite what the mapping to a.b has set."),
        ({}, [("a[0]", 1), ("a[0]", 2)], "Two mappings have the target a[0]."),
    ],
)
def test_a_collision_names_both_sides(base: JsonValue, mappings: list[tuple[str, JsonValue]], message: str):
    assert collision(base, *mappings) == message


NAMES = st.sampled_from(["a", "b", "first name"])
JSON: Any = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
TARGETS = st.tuples(NAMES, st.lists(NAMES | st.integers(0, 3), max_size=3)).map(
    lambda t: Target((t[0], *t[1]))
)


@settings(deadline=None, max_examples=300)
@given(base=JSON, mappings=st.lists(st.tuples(TARGETS, JSON), max_size=4))
def test_every_value_is_found_at_its_target_and_nothing_given_changes(
    base: JsonValue, mappings: list[tuple[Target, JsonValue]]
):
    before = copy.deepcopy((base, mappings))
    try:
        result = apply_mappings(base, mappings)
    except ExpressionError:
        result = None
    assert (base, mappings) == before
    if result is not None:
        last_target, last_value = mappings[-1] if mappings else (Target(()), base)
        assert lookup(last_target.steps, result) == last_value
        for target, value in mappings:
            if not isinstance(value, dict | list | None):
                assert lookup(target.steps, result) == value


@given(TARGETS)
def test_a_target_is_read_as_it_is_shown(target: Target):
    assert parse_target(str(target)) == target
