"""The type of JSON data, and small questions about it."""

import json
from typing import Any, TypeAlias, TypeGuard

import orjson

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]


def type_name(value: object) -> str:
    """The JSON name of a value's type, for sentences: ``object``, ``list``, ``text`` and so on."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true/false"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "list"
    return "object"


def a_type(value: object) -> str:
    """The JSON name of a value's type with its article: ``an object``, ``a list``, ``text`` and so on."""
    name = type_name(value)
    article = {"number": "a ", "list": "a ", "object": "an "}.get(name, "")
    return article + name


def is_blank(value: object) -> bool:
    """Whether it says nothing: null, or text of nothing but white space, as an emptied field of a form leaves it."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether it is a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Whether it is a JSON list."""
    return isinstance(value, list)


def quoted(value: object, most: int = 60) -> str:
    """A value as sentences name it: text in quotes on one line, cut at ``most`` characters; else its type."""
    if not isinstance(value, str):
        return a_type(value)
    # Only the beginning is looked at, so that a text of megabytes costs nothing.
    text = " ".join(value[: most + 1].split())
    return f"“{text[: most - 1]}…”" if len(value) > most else f"“{text}”"


def size_of(value: JsonValue) -> int:
    """How many bytes the value takes as compact JSON text in UTF-8."""
    try:
        return len(orjson.dumps(value))
    except TypeError:  # integers beyond 64 bits and half surrogates
        return len(json.dumps(value, separators=(",", ":")))
