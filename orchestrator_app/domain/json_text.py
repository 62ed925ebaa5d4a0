"""Reading JSON strictly: what another program may refuse, or read differently, is an error."""

import json
import math
from typing import Any, NoReturn

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.errors import ExpressionError

MAX_DEPTH = 64
_MAX_DIGITS = 400


def read_json(text: str) -> JsonValue:
    """Read JSON that a user wrote.

    Raises:
        JSONDecodeError: It is not JSON.
        ExpressionError: It is, but with a key twice in one object, NaN, a number too large, half of a character, or
            nested too deeply.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_members, parse_constant=_refuse, parse_float=_float, parse_int=_int
        )
    except RecursionError as error:
        raise _too_deep() from error
    _check_depth(value, MAX_DEPTH)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ExpressionError(
            "The JSON holds half of a character: an escape such as \\ud83d without its other half."
        ) from error
    return value


def key_twice(key: str) -> ExpressionError:
    """The error for an object with two equal keys."""
    shown = json.dumps(key, ensure_ascii=False)
    return ExpressionError(f"The key {shown:.80} stands twice in one object.")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise key_twice(key)
        members[key] = value
    return members


def _refuse(name: str) -> NoReturn:
    raise ExpressionError(f"JSON has no {name}.", hint=f'Write null, or "{name}" in quotes.')


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ExpressionError(f"The number {digits:.40} is too large.")
    return number


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ExpressionError(f"The number {digits:.40}… is too large.")
    return int(digits)


def _too_deep() -> ExpressionError:
    return ExpressionError(f"The JSON is nested more than {MAX_DEPTH} levels deep.")


def _check_depth(value: JsonValue, left: int) -> None:
    if isinstance(value, dict | list):
        if not left:
            raise _too_deep()
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, left - 1)
