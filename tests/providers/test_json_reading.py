"""Reading JSON of any shape."""

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.providers.json_reading import (
    list_at,
    number_at,
    object_at,
    objects_at,
    text_at,
    time_at,
)

THING: JsonValue = {
    "a": {"b": "text", "n": 3, "yes": True, "list": [1, {"c": 2}]},
    "at": "2026-11-23T07:38:48.100Z",
}


def test_what_is_there_is_found():
    assert object_at(THING, "a", "list") == {}
    assert objects_at(THING, "a", "list") == [{"c": 2}]
    assert list_at(THING, "a", "list") == [1, {"c": 2}]
    assert text_at(THING, "a", "b") == "text"
    assert text_at(THING, "a", "n") == "3"
    assert number_at(THING, "a", "n") == 3.0
    assert time_at(THING, "at") == 1795419528100


@pytest.mark.parametrize(
    "thing", [None, True, 3, "text", [], [{"a": 1}], {}, {"a": None}, {"a": "x"}, {"a": True}]
)
def test_what_is_not_there_or_of_another_kind_gives_an_empty_value(thing: JsonValue):
    assert object_at(thing, "a", "b") == {}
    assert objects_at(thing, "a", "b") == []
    assert list_at(thing, "a", "b") == []
    assert text_at(thing, "a", "b") == ""
    assert number_at(thing, "a", "b") == 0.0
    assert number_at(thing, "a") == 0.0
    assert time_at(thing, "a", "b") is None
    assert time_at(thing, "a") is None


def test_true_is_neither_text_nor_number():
    assert text_at({"a": True}, "a") == ""
    assert number_at({"a": True}, "a") == 0.0
