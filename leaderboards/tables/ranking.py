"""Which numbers of a column are best, which tie with them, and whether the column means anything.

The difference of two numbers is measured against its standard error by Student's t (Welch): what
seeds draw anew is known from their spread, with one degree of freedom less than seeds; the draws
of two models are independent, whatever their seeds. What seeds share (test rows, reference) does
not average out over them and is known from many rows. Where both models say what they think of
each test row, that part is of the paired difference, which is the smaller the more alike they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

# With fewer seeds, or on fewer points, a number is shown and never ranked.
FEWEST_SEEDS, FEWEST_POINTS = 3, 200
LEVEL = 0.95
WIDER = 10.0  # times the error bar of the best: who has more is measured too poorly to tie


@dataclass(frozen=True)
class Measured:
    """What a comparison needs of a cell.

    Attributes:
        value: The number, or None.
        stderr: Its standard error, or None.
        mark: "=", "<=" or "~" before a likelihood's number, else "".
        seeds: Seeds that the number is a mean over.
        drawn: The part of `stderr` that seeds draw anew; None with one seed, which cannot tell.
        rows: What it says of each test row, the mean over seeds; None where it is no mean of such.
        n: Points that the number rests on, the fewest over seeds; None where it rests on none.
        rounding: What float32 alone does to the number, as a standard error.
    """

    value: float | None
    stderr: float | None = None
    mark: str = ""
    seeds: int = 1
    drawn: float | None = None
    rows: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    n: int | None = None
    rounding: float = 0.0

    @property
    def shared(self) -> float:
        """The part of `stderr` that seeds share; all of it with one seed."""
        return math.sqrt(max((self.stderr or 0.0) ** 2 - (self.drawn or 0.0) ** 2, 0.0))


def gap_error(a: Measured, b: Measured) -> float:
    """Returns the standard error of a difference of two numbers; an unknown error counts as 0."""
    drawn = math.hypot(a.drawn or 0.0, b.drawn or 0.0)
    shared = paired(a, b) * math.hypot(a.shared, b.shared)
    return math.hypot(drawn, shared, a.rounding, b.rounding)


def paired(a: Measured, b: Measured) -> float:
    """Returns the error of a difference row by row over that of unpaired rows: 0 to sqrt(2)."""
    if a.rows is None or b.rows is None or len(a.rows) != len(b.rows):
        return 1.0
    with np.errstate(invalid="ignore"):
        apart = math.hypot(float(a.rows.std()), float(b.rows.std()))
        ratio = float((a.rows - b.rows).std()) / apart if apart > 0 else math.nan
    return ratio if math.isfinite(ratio) else 1.0


def reach(a: Measured, b: Measured) -> float:
    """Returns how many standard errors two numbers may differ by and still be called alike.

    The quantile of Student's t at Welch's degrees of freedom; two where no spread over seeds is
    known.
    """
    degrees = freedom(a, b)
    return 2.0 if math.isinf(degrees) else float(special.stdtrit(degrees, (1 + LEVEL) / 2))


def freedom(a: Measured, b: Measured) -> float:
    """Returns Welch's degrees of freedom of a difference; infinite without a spread over seeds."""
    spread = sum((cell.drawn or 0.0) ** 4 / (cell.seeds - 1) for cell in (a, b) if cell.seeds > 1)
    return max(gap_error(a, b) ** 4 / spread, 1.0) if spread else math.inf


def rankable(cell: Measured, direction: str) -> bool:
    """Whether a number may be called best.

    A mean over fewer than three seeds, or on fewer than 200 points, may not. An upper bound may
    where lower is better, since the truth is then better still; an estimate ("~") may not, since
    it can err to either side.
    """
    if cell.value is None or not math.isfinite(cell.value) or cell.seeds < FEWEST_SEEDS:
        return False
    if cell.n is not None and cell.n < FEWEST_POINTS:
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
    return {name for name, cell in ranked.items() if ties(cell, best)}


def ties(cell: Measured, best: Measured) -> bool:
    """Whether a number ties with the best of its column.

    Student's t cannot tell them apart, and not for want of measurement alone: an error bar more
    than ten times as wide as that of the best stands beside whatever is best.
    """
    own, least = cell.stderr or 0.0, best.stderr or 0.0
    near = abs(_number(cell) - _number(best)) <= reach(best, best) * gap_error(best, best)
    return alike(cell, best) and (near or least == 0 or own <= WIDER * least)


def alike(a: Measured, b: Measured) -> bool:
    """Whether Student's t cannot tell two numbers apart."""
    return abs(_number(a) - _number(b)) <= reach(a, b) * gap_error(a, b)


def worse_than(cell: Measured, other: Measured, direction: str) -> bool:
    """Whether a number is worse than another by more than chance."""
    if cell.value is None or other.value is None or direction not in ("lower", "higher"):
        return False
    gap = (cell.value - other.value) * (1 if direction == "lower" else -1)
    return gap > reach(cell, other) * gap_error(cell, other)


def too_good(cell: Measured, oracle: Measured, direction: str) -> bool:
    """Whether a number is better than the oracle's by more than three standard errors."""
    if cell.value is None or oracle.value is None or direction not in ("lower", "higher"):
        return False
    gap = (oracle.value - cell.value) * (1 if direction == "lower" else -1)
    return gap > 3 * gap_error(cell, oracle)


def separates(better: Measured, worse: Measured, direction: Literal["lower", "higher"]) -> bool:
    """Whether a metric tells two controls apart by more than chance."""
    sign = 1 if direction == "lower" else -1
    if better.value is None or worse.value is None:
        return True  # nothing is known against the metric
    if better.value == worse.value:
        return False
    gap = sign * (worse.value - better.value)
    return gap > reach(better, worse) * gap_error(better, worse)


def _number(cell: Measured) -> float:
    return math.nan if cell.value is None else cell.value
