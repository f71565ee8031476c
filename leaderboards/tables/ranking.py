"""Which numbers of a column are best, which tie with them, and whether the column means anything.

A value ties with the best one when they differ by at most two standard errors of the difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measured:
    """What a comparison needs of a cell.

    Attributes:
        value: The number, or None.
        stderr: Its standard error, or None.
        mark: "=", "<=" or "~" before a likelihood's number, else "".
    """

    value: float | None
    stderr: float | None = None
    mark: str = ""


def gap_error(a: Measured, b: Measured) -> float:
    """Returns the standard error of a difference of two numbers; an unknown error counts as 0."""
    return math.hypot(a.stderr or 0.0, b.stderr or 0.0)


def rankable(cell: Measured, direction: str) -> bool:
    """Whether a number may be called best.

    An upper bound may where lower is better, since the truth is then better still; an estimate
    ("~") may not, since it can err to either side.
    """
    if cell.value is None or not math.isfinite(cell.value):
        return False
    return cell.mark in ("", "=") or (cell.mark == "<=" and direction == "lower")


def winners(cells: Mapping[str, Measured], direction: str) -> set[str]:
    """Returns the names of the best number of a column and of all that tie with it.

    Args:
        cells: A column, by the row's name; without controls.
        direction: "lower" or "higher" is better; with "" nothing is best.
    """
    ranked = {name: cell for name, cell in cells.items() if rankable(cell, direction)}
    if direction not in ("lower", "higher") or not ranked:
        return set()
    sign = 1 if direction == "lower" else -1
    best = min(ranked.values(), key=lambda cell: sign * _number(cell))
    return {
        name
        for name, cell in ranked.items()
        if abs(_number(cell) - _number(best)) <= 2 * gap_error(cell, best)
    }


def separates(better: Measured, worse: Measured, direction: Literal["lower", "higher"]) -> bool:
    """Whether a metric tells two controls apart: by more than two errors of the difference."""
    sign = 1 if direction == "lower" else -1
    if better.value is None or worse.value is None:
        return True  # nothing is known against the metric
    if better.value == worse.value:
        return False
    return sign * (worse.value - better.value) > 2 * gap_error(better, worse)


def _number(cell: Measured) -> float:
    return math.nan if cell.value is None else cell.value
