"""Inputs of a remote workflow: named values, of which names with dots make objects."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator_app.domain.json_values import JsonObject, JsonValue, quoted
from orchestrator_app.errors import ExpressionError

MAX_STEPS = 20


@dataclass(frozen=True, slots=True)
class InputClash:
    """A name at which no value can be put, and why."""

    name: str
    message: str


def input_clashes(names: Iterable[str]) -> Iterator[InputClash]:
    """The names that cannot be used, alone or together with those before them."""
    made: dict[tuple[str, ...], str] = {}
    filled: dict[tuple[str, ...], str] = {}
    for name in names:
        steps = _steps(name)
        if not all(steps) or len(steps) > MAX_STEPS:
            yield InputClash(
                name, f"{quoted(name)} cannot be the name of an input. Put a name around each dot."
            )
            continue
        taken = made.get(steps) or next(
            (filled[steps[:depth]] for depth in range(1, len(steps) + 1) if steps[:depth] in filled), None
        )
        if taken is not None:
            message = (
                f"The inputs {quoted(taken)} and {quoted(name)} cannot both be there. Rename one of them."
            )
            yield InputClash(name, message)
            continue
        filled[steps] = name
        for depth in range(1, len(steps)):
            made.setdefault(steps[:depth], name)


def placed_inputs(values: Mapping[str, JsonValue]) -> JsonObject:
    """The object that names and values make.

    Raises:
        ExpressionError: A name cannot be used.
    """
    for clash in input_clashes(values):
        raise ExpressionError(clash.message)
    whole: JsonObject = {}
    for name, value in values.items():
        *parents, last = _steps(name)
        place: dict[str, Any] = whole
        for step in parents:
            place = place.setdefault(step, {})
        place[last] = value
    return whole


def _steps(name: str) -> tuple[str, ...]:
    return tuple(step.strip() for step in name.split("."))
