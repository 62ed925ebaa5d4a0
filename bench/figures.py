"""Figures, and the table in which they are printed."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_HEADS = ("", "Orchestrator", "range", "plain calls", "ratio", "by aiohttp", "ratio", "besides")
_LEFT = {0, len(_HEADS) - 1}
_WHOLE_FROM, _ONE_DIGIT_FROM = 100, 10


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: a value for each round, and in the same rounds the same for plain calls.

    Attributes:
        scenario: Its name on the command line.
        what: What was measured.
        unit: For instance ``ms`` or ``runs/s``.
        rounds: What the program took or did.
        plain: The same without the program: the calls alone, by its own HTTP client (for a mapping, its expressions
            alone). Empty when a run calls nothing.
        aiohttp: The calls alone by aiohttp, as lean as Python's calls get: what figures of other programs are compared to.
        besides: What else is worth knowing.
    """

    scenario: str
    what: str
    unit: str
    rounds: Sequence[float]
    plain: Sequence[float] = ()
    aiohttp: Sequence[float] = ()
    besides: str = ""

    @property
    def value(self) -> float:
        """The median over all rounds."""
        return statistics.median(self.rounds)

    def as_json(self) -> dict[str, Any]:
        """For comparing measurements by program."""
        return {
            "scenario": self.scenario,
            "what": self.what,
            "unit": self.unit,
            "value": self.value,
            "rounds": list(self.rounds),
            "plain": median(self.plain),
            "ratioToPlain": self._ratio(self.plain),
            "aiohttp": median(self.aiohttp),
            "ratioToAiohttp": self._ratio(self.aiohttp),
            "besides": self.besides,
        }

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        return (
            self.what,
            f"{number(self.value)} {self.unit}",
            f"{number(min(self.rounds))} … {number(max(self.rounds))}",
            *self._comparison(self.plain),
            *self._comparison(self.aiohttp),
            self.besides,
        )

    def _comparison(self, others: Sequence[float]) -> tuple[str, str]:
        middle, ratio = median(others), self._ratio(others)
        return ("", "") if middle is None or ratio is None else (number(middle), f"{ratio:.2f}")

    def _ratio(self, others: Sequence[float]) -> float | None:
        """The median of each round's ratio: what disturbs one round disturbs both sides of it."""
        pairs = zip(self.rounds, others, strict=True) if others else ()
        return median([ours / other for ours, other in pairs])


def median(values: Sequence[float]) -> float | None:
    """The median, or None of nothing."""
    return statistics.median(values) if values else None


def number(value: float) -> str:
    """Three digits, which is more than a measurement of this kind can be trusted with."""
    digits = 0 if abs(value) >= _WHOLE_FROM else 1 if abs(value) >= _ONE_DIGIT_FROM else 2
    return f"{value:,.{digits}f}"


def lines(figures: Iterable[Figure]) -> list[str]:
    """The table, one block per scenario."""
    return table(_HEADS, [(figure.scenario, figure.cells()) for figure in figures])


def table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Rows of cells under their heads, each row in the block of its scenario; the first column stands left."""
    widths = [
        max(len(row[column]) for row in (heads, *(cells for _, cells in rows)))
        for column in range(len(heads))
    ]
    shown = [_line(heads, widths)]
    scenario = ""
    for name, cells in rows:
        if name != scenario:
            scenario = name
            shown.append(f"{name} ".ljust(sum(widths) + 2 * (len(widths) - 1), "─"))
        shown.append(_line(cells, widths))
    return shown


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if column in _LEFT else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
