"""Reads JSON that others send: strict about what it takes, exact about what is wrong, silent about its content."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, cast

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import BadRequest, TooLarge

MAX_DEPTH = 64
MAX_ITEMS = 50_000
MAX_TEXT_LENGTH = 262_144
MAX_WHOLE_NUMBER = 2**53 - 1
_SHOWN_PLACE_LENGTH = 80

_ESCAPED_TROUBLE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
_BAD_CHARACTER = re.compile("[\x00\ud800-\udfff]")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
# What json.JSONDecodeError says, in words for a person. Its own texts are about Python.
_SYNTAX = (
    ("Expecting ',' delimiter", "a comma or a closing bracket is missing"),
    ("Expecting ':' delimiter", "a colon is missing after a key"),
    ("Expecting property name", "a key in double quotes is expected"),
    ("Illegal trailing comma", "there is a comma too many"),
    ("Unterminated string", "a text has no closing quote"),
    (
        "Invalid control character",
        "a text has a line break or control character in it; write it as \\n or \\u",
    ),
    ("Invalid \\escape", "a backslash is followed by something that is no escape"),
    ("Invalid \\uXXXX escape", "\\u is not followed by four hexadecimal digits"),
    ("Extra data", "there is more after the end of the value"),
    ("Expecting value", "a value is expected"),
)


class _Fault:
    """Stands in the parsed value where something is wrong that the parser would let pass."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


_TWICE = _Fault("the object has a key twice")
_NO_NUMBER = _Fault("NaN and Infinity are not JSON")
_LONG_NUMBER = _Fault(f"the whole number is beyond ±{MAX_WHOLE_NUMBER}; send it as a text")


def read_json(
    raw: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS
) -> JsonValue:
    """The value that the bytes stand for.

    Raises:
        BadRequest: Not JSON in UTF-8, or JSON that other programs would read differently.
        TooLarge: More bytes, depth or values than allowed.
    """
    if len(raw) > max_bytes:
        raise TooLarge(f"The data is larger than {max_bytes:,} bytes.", hint="Send less at once.")
    text = _decode(raw)
    if not text.strip(" \t\r\n"):
        raise BadRequest("The data is empty: JSON is expected.", hint='Send at least {} or "".')
    try:
        value = _parse(text)
    except RecursionError as error:
        raise _too_deep(max_depth, _place_of_depth(text, max_depth)) from error
    except json.JSONDecodeError as error:
        raise _syntax_error(error) from error
    # Texts can only be wrong if they are long, or written with escapes of what the encoding itself does not allow.
    is_suspect = len(text) > MAX_TEXT_LENGTH or _ESCAPED_TROUBLE.search(text) is not None
    _check(value, max_depth, max_items, check_texts=is_suspect)
    return cast("JsonValue", value)


def check_json(value: object, *, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS) -> JsonValue:
    """The same limits for a value that came another way; returns it.

    Raises:
        BadRequest: Something in it is no JSON.
        TooLarge: More depth or values than allowed.
    """
    _check(value, max_depth, max_items, check_texts=True)
    return cast("JsonValue", value)


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise BadRequest(
            f"The data is not UTF-8 at line {line}, byte {column}.", hint="Send JSON in the encoding UTF-8."
        ) from error


def _parse(text: str) -> Any:  # faults in it are no JSON
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # A number with thousands of digits: Python refuses it without telling where. Look again, more slowly.
        return _SLOW_DECODER.decode(text)


def _object(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _TWICE


def _constant(_: str) -> _Fault:
    return _NO_NUMBER


def _short_number(digits: str) -> int | _Fault:
    return int(digits) if len(digits) <= len(str(MAX_WHOLE_NUMBER)) + 1 else _LONG_NUMBER


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_SLOW_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_short_number)


def _syntax_error(error: json.JSONDecodeError) -> BadRequest:
    what = next((words for start, words in _SYNTAX if error.msg.startswith(start)), "this is not JSON")
    return BadRequest(
        f"The JSON cannot be read at line {error.lineno}, column {error.colno}: {what}.",
        hint="Correct it there.",
    )


def _place_of_depth(text: str, max_depth: int) -> str:
    depth = 0
    for token in _TOKEN.finditer(text):
        bracket = token[0]
        depth += (bracket in "[{") - (bracket in "]}")
        if depth > max_depth:
            line = text.count("\n", 0, token.start()) + 1
            return f"line {line}, column {token.start() - (text.rfind(chr(10), 0, token.start()) + 1) + 1}"
    return "the end"  # pragma: no cover  # the parser gave up, so there is such a place


def _too_deep(max_depth: int, place: str) -> TooLarge:
    place = place if len(place) <= _SHOWN_PLACE_LENGTH else f"{place[:_SHOWN_PLACE_LENGTH]}…"
    return TooLarge(
        f"The JSON is nested deeper than {max_depth} levels at {place}.", hint="Send flatter data."
    )


def _check(value: object, max_depth: int, max_items: int, *, check_texts: bool) -> None:
    """Look at all values, level by level, without noting where they are; only trouble is worth finding its place."""
    level: list[object] = [value]
    items = 1
    depth = 1
    while level:
        below: list[object] = []
        for item in level:
            if isinstance(item, str):
                is_good = not check_texts or not _fault_of_text(item)
            elif isinstance(item, dict):
                entries = cast("dict[object, object]", item)
                is_good = not check_texts or not any(map(_fault_of_key, entries))
                below.extend(entries.values())
            elif isinstance(item, list):
                is_good = True
                below.extend(cast("list[object]", item))
            else:
                is_good = not _fault_of(item)
            if not is_good:
                raise _trouble(value)
        items += len(below)
        if items > max_items:
            raise TooLarge(f"The JSON has more than {max_items:,} values.", hint="Send less at once.")
        if depth > max_depth and any(isinstance(item, dict | list) for item in level):
            raise _too_deep(max_depth, _path_at(value, max_depth))
        depth += 1
        level = below


def _path_at(value: object, depth: int) -> str:
    return next(
        (path for path, level, item in _walk(value) if level == depth and isinstance(item, dict | list)), ""
    )


def _walk(value: object) -> Iterator[tuple[str, int, Any]]:
    """Every value with its path and depth, in the order of the text."""
    waiting: list[tuple[str, int, Any]] = [("", 0, value)]
    while waiting:
        path, depth, item = waiting.pop()
        yield path, depth, item
        if isinstance(item, dict):
            entries = cast("dict[object, object]", item).items()
            waiting.extend((_below(path, key), depth + 1, child) for key, child in reversed(entries))
        elif isinstance(item, list):
            children = cast("list[object]", item)
            waiting.extend(
                (f"{path}[{index}]", depth + 1, children[index]) for index in range(len(children) - 1, -1, -1)
            )


def _below(path: str, key: object) -> str:
    name = str(key)
    if not _PLAIN_KEY.fullmatch(name):
        name = "…"
    return f"{path}.{name}" if path else name


def _trouble(value: object) -> BadRequest:
    for path, _, item in _walk(value):
        sentence = _fault_of(item)
        if sentence:
            kind = TooLarge if sentence.startswith("the text is longer") else BadRequest
            return kind(
                f"The JSON cannot be taken at {path or 'the top'}: {sentence}.", hint="Correct it there."
            )
    raise AssertionError("called without trouble")  # pragma: no cover


def _fault_of(item: object) -> str:  # noqa: PLR0911  # a list of cases
    if item is None or item is True or item is False:
        return ""
    if isinstance(item, int):
        return "" if -MAX_WHOLE_NUMBER <= item <= MAX_WHOLE_NUMBER else _LONG_NUMBER.sentence
    if isinstance(item, float):
        if math.isfinite(item):
            return ""
        return _NO_NUMBER.sentence if math.isnan(item) else "the number is too large"
    if isinstance(item, str):
        return _fault_of_text(item)
    if isinstance(item, dict):
        return next(
            (fault for key in cast("dict[object, object]", item) if (fault := _fault_of_key(key))), ""
        )
    if isinstance(item, list):
        return ""
    return item.sentence if isinstance(item, _Fault) else "this is no JSON value"


def _fault_of_key(key: object) -> str:
    return _fault_of_text(key) if isinstance(key, str) else "a key is no text"


def _fault_of_text(text: str) -> str:
    if len(text) > MAX_TEXT_LENGTH:
        return f"the text is longer than {MAX_TEXT_LENGTH:,} characters"
    bad = _BAD_CHARACTER.search(text)
    if bad is None:
        return ""
    return (
        "a text has the character NUL in it" if bad[0] == "\x00" else "a text has half of a character in it"
    )
