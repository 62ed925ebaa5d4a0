"""Figures of two measurements side by side: before, after, and by what factor they differ."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.figures import number, table

_HEADS = ("", "before", "after", "factor", "ratio before", "ratio after")
# What the JSON file holds of one figure.
Kept = Mapping[str, Any]


def read(file: Path) -> list[Kept]:
    """The figures of a file that ``--json`` wrote.

    Raises:
        ValueError: It is no such file.
    """
    try:
        kept: list[Kept] = json.loads(file.read_text(encoding="utf-8"))["figures"]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is no file that --json wrote: {error}") from error
    return kept


def compared(before: Iterable[Kept], after: Sequence[Kept]) -> list[str]:
    """The table: what both have measured, then in a line each what only one of them has.

    The factor is after through before. The ratios are those to plain calls, which tell more when the machine was not
    equally busy both times.
    """
    earlier = {_key(kept): kept for kept in before}
    later = {_key(kept): kept for kept in after}
    rows = [
        (str(kept["scenario"]), _cells(earlier[key], kept)) for key, kept in later.items() if key in earlier
    ]
    return [
        *table(_HEADS, rows),
        *(f"Only after: {_name(key)}" for key in later if key not in earlier),
        *(f"Only before: {_name(key)}" for key in earlier if key not in later),
    ]


def _key(kept: Kept) -> tuple[str, str, str]:
    return str(kept["scenario"]), str(kept["what"]), str(kept["unit"])


def _name(key: tuple[str, str, str]) -> str:
    return f"{key[0]}: {key[1]}"


def _cells(before: Kept, after: Kept) -> tuple[str, ...]:
    factor = f"{after['value'] / before['value']:.2f}" if before["value"] else ""
    return (
        str(after["what"]),
        f"{number(before['value'])} {before['unit']}",
        f"{number(after['value'])} {after['unit']}",
        factor,
        *(f"{ratio:.2f}" if (ratio := kept["ratioToPlain"]) is not None else "" for kept in (before, after)),
    )
