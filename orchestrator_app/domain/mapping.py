"""Mappings of a Data mapper: where a value comes from, and the path at which it is put."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator_app.domain.expressions import Expression, error_at, parse_expression, path_text, place_of
from orchestrator_app.domain.json_text import read_json
from orchestrator_app.domain.json_values import JsonValue, type_name
from orchestrator_app.domain.templates import Template, parse_template
from orchestrator_app.errors import ExpressionError

MAX_INDEX = 10_000
MAX_STEPS = 64
MAX_TARGET_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that the user wrote out behind ``=``."""

    value: JsonValue


Source: TypeAlias = Literal | Expression | Template


@dataclass(frozen=True, slots=True)
class Target:
    """Where a value is put: member names and places in lists, without the leading ``output.``."""

    steps: tuple[str | int, ...]

    def __str__(self) -> str:
        return path_text(self.steps)


def parse_source(text: str) -> Source:
    """Read the ``from`` of a mapping.

    ``=5``, ``="x"`` and ``={"a": 1}`` are JSON, ``=hello`` is text; what contains ``{{`` is a template, anything else
    an expression.

    Raises:
        ExpressionError: It is none of these.
    """
    if text.startswith("="):
        return _literal(text[1:])
    return parse_template(text) if "{{" in text else parse_expression(text)


def parse_target(text: str) -> Target:
    """Read the ``to`` of a mapping: ``a.b[0].c``; names with other characters in quotes or backticks.

    Raises:
        ExpressionError: It is not such a path, or has an index above ``MAX_INDEX``.
    """
    wanted = text.strip()
    if not wanted:
        raise ExpressionError("The target is empty.", hint="Write a path such as customer.email.")
    if len(wanted) > MAX_TARGET_LENGTH:
        raise ExpressionError(f"The target is longer than {MAX_TARGET_LENGTH:,} characters.")
    offset = len("output.") if wanted.startswith("output.") else 0
    steps: list[str | int] = []
    while offset < len(wanted) or not steps:
        match = (_LATER_STEP if steps else _FIRST_STEP).match(wanted, offset)
        if match is None:
            raise error_at(
                place_of(wanted, offset),
                "A name or an index such as [0] is expected here.",
                hint='Write a path such as a.b[0].c; put names with other characters in quotes: a."first name".',
            )
        step = _step(match)
        if isinstance(step, int) and step > MAX_INDEX:
            raise error_at(
                place_of(wanted, offset), f"The index is too large; at most {MAX_INDEX:,} is allowed."
            )
        steps.append(step)
        offset = match.end()
    if len(steps) > MAX_STEPS:
        raise ExpressionError(f"The target has more than {MAX_STEPS} steps.")
    return Target(tuple(steps))


def apply_mappings(base: JsonValue, mappings: Sequence[tuple[Target, JsonValue]]) -> JsonValue:
    """Put values into a copy of ``base``; nothing that is given is changed.

    Places of a list that no mapping fills are null.

    Raises:
        ExpressionError: A target does not fit to the data or to an earlier mapping, which would lose something.
    """
    result = base
    done: list[Target] = []
    for target, value in mappings:
        for earlier in done:
            if earlier.steps[: len(target.steps)] == target.steps:
                raise ExpressionError(
                    f"Two mappings have the target {target}."
                    if earlier == target
                    else f"The mapping to {target} would overwrite what the mapping to {earlier} has set.",
                    hint="Map to different targets, or put the wider one first.",
                )
        result = _placed(result, target, 0, value, done)
        done.append(target)
    return result


_NAME_OR_QUOTED = r"""(?:`(?P<ticked>[^`]+)`|"(?P<double>[^"]+)"|'(?P<single>[^']+)'|(?P<name>[\w$@-]+))"""
_INDEX = r"\[(?P<index>[0-9]{1,9})\]"
_FIRST_STEP = re.compile(_NAME_OR_QUOTED)
_LATER_STEP = re.compile(rf"{_INDEX}|\.{_NAME_OR_QUOTED}")


_WITH_ARTICLE = {"object": "an object", "list": "a list", "number": "a number"}


def _step(match: re.Match[str]) -> str | int:
    name = match.lastgroup
    text = match.group(name or 0)
    return int(text) if name == "index" else text


def _literal(text: str) -> Literal:
    try:
        return Literal(read_json(text))
    except json.JSONDecodeError as error:
        if "{{" in text:
            raise ExpressionError(
                "What begins with = is taken as it stands, so {{ }} in it is not evaluated.",
                hint='Remove the =, or put the text in double quotes: ="…".',
            ) from error
        return Literal(text)


def _placed(
    current: JsonValue, target: Target, depth: int, value: JsonValue, done: Sequence[Target]
) -> JsonValue:
    """``current`` with the value at the rest of the target's path; containers on the way are copied."""
    if depth == len(target.steps):
        return value
    step = target.steps[depth]
    if isinstance(step, str):
        if current is not None and not isinstance(current, dict):
            raise _conflict(current, target, depth, done)
        members = dict(current or {})
        members[step] = _placed(members.get(step), target, depth + 1, value, done)
        return members
    if current is not None and not isinstance(current, list):
        raise _conflict(current, target, depth, done)
    items = list(current or [])
    items.extend([None] * (step + 1 - len(items)))
    items[step] = _placed(items[step], target, depth + 1, value, done)
    return items


def _conflict(current: JsonValue, target: Target, depth: int, done: Sequence[Target]) -> ExpressionError:
    """A value stands where the target needs an object or a list."""
    here = target.steps[:depth]
    needed = "an object" if isinstance(target.steps[depth], str) else "a list"
    place, kind = path_text(here) or "the data", _WITH_ARTICLE.get(type_name(current), type_name(current))
    maker = next((e for e in done if here[: len(e.steps)] == e.steps or e.steps[:depth] == here), None)
    by = f"the mapping to {maker} makes it" if maker else "in the input it is"
    return ExpressionError(f"The mapping to {target} needs {needed} at {place}, but {by} {kind}.")
