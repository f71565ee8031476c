"""One cell of a table: a number over seeds, or the reason why there is none."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...benchmark.contract.record import Record, Score
from .columns import Column
from .ranking import Measured
from .remarks import ranged
from .rounding import Rounded, rounded, with_prefix

_SHORT = {
    "not admitted": "n/a",
    "timed out": "timeout",
    "out of memory": "memory",
}
_OF_ROWS = ("nll", "bits_per_dim", "kl_to_truth")  # means of log p over test rows
# Log-densities are float32, whatever the scale of the data; distances have that of the data.
_OF_LOG_DENSITIES, _ROUNDING = ("nats", "bits/dim"), 3e-7
_MARKS = ("", "=", "<=", "~")  # the weaker claim stands further right


@dataclass(frozen=True)
class Entry(Measured):
    """One number of a table, or the reason why there is none.

    Attributes:
        status: Status of the runs behind an empty cell.
        remark: Why the cell is empty, or what a reader must know of its number.
        best: Whether the number is the column's best or ties with it.
        unfit: Whether it may not be called best, for the reason in `remark`.
    """

    status: str = "ok"
    remark: str = ""
    best: bool = False
    unfit: bool = False

    @property
    def short(self) -> str:
        """What an empty cell shows."""
        return "–" if self.status == "ok" else _SHORT.get(self.status, self.status)


def is_finite(cell: Entry) -> bool:
    """Whether a cell holds a number that can be drawn."""
    return cell.value is not None and math.isfinite(cell.value)


def printed(column: Column, cell: Entry) -> Rounded | None:
    """Returns a cell's number as it is printed, or None where there is none."""
    if cell.value is None:
        return None
    if column.is_cost:
        return with_prefix(cell.value, cell.stderr, column.cost_unit)
    return rounded(cell.value, cell.stderr)


def measured(column: Column, records: Sequence[Record]) -> Entry:
    """Returns a model's cell from its records, one a seed."""
    scores = [
        score
        for record in records
        for score in record.scores
        if column.holds(score) and is_number(score)
    ]
    if not scores:
        return _empty(column, records)
    value, stderr, drawn = _over_seeds(scores)
    missing = [r for r in records if not any(column.holds(s) and is_number(s) for s in r.scores)]
    notes = ranged(score.note for score in scores if score.note)
    if missing:
        why = dict.fromkeys(f"seed {r.seed}: {_why(column, r)}" for r in missing)
        notes.append(f"{len(scores)} of {len(records)} seeds; {'; '.join(why)}")
    if len(scores) == 1 < len(records):
        notes.append("its error bar is of measurement only")
    mark = max((s.mark for s in scores), key=lambda m: _MARKS.index(m) if m in _MARKS else 9)
    return Entry(
        value=value,
        stderr=stderr,
        mark=mark,
        drawn=drawn,
        rows=_rows(column, records),
        n=min((s.n for s in scores if s.n is not None), default=None),
        seeds=len(scores),
        rounding=_ROUNDING if mark or column.unit in _OF_LOG_DENSITIES else 0.0,
        remark="; ".join(notes),
    )


def _rows(column: Column, records: Sequence[Record]) -> NDArray[np.float32] | None:
    """What the models of all seeds say of the same test rows, on average; None if they do not."""
    if column.metric not in _OF_ROWS:
        return None
    found = []
    for record in records:
        for score in record.scores:
            if column.holds(score) and score.probe in record.log_prob:
                found.append((record.rows, record.row_log_probs(score.probe)))
    if len(found) < len(records) or len({(key, len(rows)) for key, rows in found}) != 1:
        return None
    return np.mean([rows for _, rows in found], axis=0)


def is_number(score: Score) -> bool:
    """Whether a score holds a number, possibly infinite."""
    return score.value is not None and not math.isnan(score.value)


def _over_seeds(scores: Sequence[Score]) -> tuple[float, float | None, float | None]:
    """The mean over seeds, its standard error, and the part of that which seeds draw anew.

    The spread over seeds holds what each of them draws for itself (training, samples) and nothing
    of what they share. Where it is smaller than samples alone would make it, it is so by chance.
    """
    values = [score.value for score in scores if score.value is not None]
    if len(values) == 1:
        return values[0], scores[0].stderr, None
    if not all(map(math.isfinite, values)):
        return math.fsum(values), None, None
    shared = statistics.fmean(_shared(score) ** 2 for score in scores)
    own = statistics.fmean((score.stderr or 0.0) ** 2 - _shared(score) ** 2 for score in scores)
    drawn = max(statistics.variance(values), own) / len(values)
    return statistics.fmean(values), math.sqrt(drawn + shared), math.sqrt(drawn)


def _shared(score: Score) -> float:
    """The shared part of an error bar; of one that does not say, all of it."""
    error = score.stderr or 0.0
    return error if score.shared is None else min(score.shared, error)


def _empty(column: Column, records: Sequence[Record]) -> Entry:
    reasons = dict.fromkeys(_why(column, record) for record in records)
    # A row of which one seed ran is not a failed row.
    status = min((r.status for r in records), key=lambda status: status != "ok")
    return Entry(None, seeds=0, status=status, remark="; ".join(reasons))


def _why(column: Column, record: Record) -> str:
    if record.status != "ok":
        where = f" in {record.phase}" if record.phase else ""
        return f"{record.status}{where}: {record.reason or 'no reason recorded'}"
    same = [score for score in record.scores if score.metric == column.metric]
    if any(is_number(score) for score in same):
        return "measured under another protocol"
    if not same:
        return "not measured"
    return next((s.reason for s in same if s.reason), "not a number")
