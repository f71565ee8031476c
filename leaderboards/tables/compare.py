"""One model against others: what differs, by how much, by more than chance or not, at which cost.

Of every number that both have in one column the difference is taken over the seeds that both
have, with the standard error, degrees of freedom and paired test rows of `ranking`. The p-values
of all differences that are judged are corrected together by Holm's procedure (Holm 1979).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scipy import special

from ...benchmark.contract.record import Record
from ...benchmark.names import known
from .columns import Column, columns_of
from .entry import Entry, measured
from .ranking import FEWEST_POINTS, FEWEST_SEEDS, LEVEL, freedom, gap_error

POWER = 0.8  # with which the smallest difference that could have been shown is seen
COSTS = ("training_core_seconds", "training_seconds", "training_flops", "parameters", "nfe")


@dataclass(frozen=True)
class Difference:
    """One metric of one task: the model's number less another's.

    Attributes:
        task: Name of the task.
        column: The metric, with its protocol.
        other: The model that it is compared with.
        mine: The model's number.
        theirs: The other's.
        error: Standard error of the difference.
        degrees: Its degrees of freedom; infinite where no spread over seeds is known.
        reason: Why it is shown and not judged; empty where it is judged.
        p: Two-sided p-value, corrected over all differences that are judged; None otherwise.
    """

    task: str
    column: Column
    other: str
    mine: Entry
    theirs: Entry
    error: float
    degrees: float
    reason: str = ""
    p: float | None = None

    @property
    def gap(self) -> float:
        """The model's number less the other's."""
        return (self.mine.value or 0.0) - (self.theirs.value or 0.0)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference, uncorrected."""
        half = _quantile(self.degrees, (1 + LEVEL) / 2) * self.error
        return self.gap - half, self.gap + half

    @property
    def smallest(self) -> float:
        """The smallest true difference that would have been seen at 5 % with a power of 80 %."""
        upper = _quantile(self.degrees, (1 + LEVEL) / 2) + _quantile(self.degrees, POWER)
        return upper * self.error

    @property
    def verdict(self) -> str:
        """One of "better", "worse", "alike" (no difference beyond chance), "not judged"."""
        if self.p is None:
            return "not judged"
        if self.p > 1 - LEVEL:
            return "alike"
        lower = self.column.direction == "lower"
        return "better" if (self.gap < 0) == lower else "worse"


@dataclass(frozen=True)
class Cost:
    """A cost of the model and of another on one task.

    Attributes:
        task: Name of the task.
        column: The cost.
        other: The other model.
        mine: The model's.
        theirs: The other's.
    """

    task: str
    column: Column
    other: str
    mine: Entry
    theirs: Entry


@dataclass(frozen=True)
class Comparison:
    """A model against others.

    Attributes:
        model: Name of the model.
        others: Names of the others.
        differences: By task, metric and other model.
        costs: By task, cost and other model.
        records: What it rests on.
    """

    model: str
    others: Sequence[str]
    differences: Sequence[Difference]
    costs: Sequence[Cost]
    records: Sequence[Record]

    def count(self, verdict: str, other: str) -> int:
        """Returns how many differences from a model have a verdict."""
        return sum(d.verdict == verdict and d.other == other for d in self.differences)


def compare(
    records: Iterable[Record],
    model: str,
    against: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
) -> Comparison:
    """Compares a model with others on every task that they share.

    Args:
        records: Of one suite.
        model: Name of the model.
        against: Names of the others; by default all that are no controls.
        metrics: Names of metrics; all by default.
        tasks: Names of tasks; all by default.

    Raises:
        ValueError: No records, a name that none has, or nothing that both have.
    """
    found = list(records)
    if not found:
        raise ValueError("Expected records to compare, got none: run the suite first.")
    known("task", tasks or (), dict.fromkeys(r.task for r in found))
    known("metric", metrics or (), dict.fromkeys(s.metric for r in found for s in r.scores))
    found = [r for r in found if tasks is None or r.task in tasks]
    known("model", [model, *(against or ())], dict.fromkeys(r.model for r in found))
    free = dict.fromkeys(r.model for r in found if r.family != "control" and r.model != model)
    others = [name for name in (against or free) if name != model]
    differences: list[Difference] = []
    costs: list[Cost] = []
    for task in dict.fromkeys(r.task for r in found):
        here = [r for r in found if r.task == task]
        for other in others:
            pair = _common(here, model, other)
            if pair is None:
                continue
            for column in columns_of([*pair[0], *pair[1]]):
                if metrics is not None and column.metric not in metrics:
                    continue
                mine, theirs = (measured(column, side) for side in pair)
                if mine.value is None or theirs.value is None:
                    continue
                if column.is_cost:
                    costs.append(Cost(task, column, other, mine, theirs))
                elif column.direction:
                    copies = next((r.model for side in pair for r in side if r.flags), "")
                    differences.append(_difference(task, column, other, mine, theirs, copies))
    if not differences:
        raise ValueError(
            f"Expected results that {model} shares with {', '.join(others) or 'another model'}, "
            "got none."
        )
    kept = [cost for cost in costs if cost.column.metric in COSTS]
    return Comparison(model, others, _corrected(differences), kept, found)


def _common(
    records: Sequence[Record], model: str, other: str
) -> tuple[list[Record], list[Record]] | None:
    """The records of both over the seeds that both have; None where they share none."""
    sides = [
        [r for r in records if r.model == name and r.status == "ok"] for name in (model, other)
    ]
    seeds = {r.seed for r in sides[0]} & {r.seed for r in sides[1]}
    if not seeds:
        return None
    mine, theirs = ([r for r in side if r.seed in seeds] for side in sides)
    return mine, theirs


def _difference(
    task: str, column: Column, other: str, mine: Entry, theirs: Entry, copies: str
) -> Difference:
    error, degrees = gap_error(mine, theirs), freedom(mine, theirs)
    reason = f"samples of {copies} are copies" if copies else _reason(mine, theirs, error)
    return Difference(task, column, other, mine, theirs, error, degrees, reason)


def _reason(mine: Entry, theirs: Entry, error: float) -> str:
    """Why a difference is not judged."""
    if min(mine.seeds, theirs.seeds) < FEWEST_SEEDS:
        return f"fewer than {FEWEST_SEEDS} seeds: the error bar holds no training"
    if "~" in (mine.mark, theirs.mark):
        return "an estimate that can err to either side"
    if any(e.n is not None and e.n < FEWEST_POINTS for e in (mine, theirs)):
        return f"fewer than {FEWEST_POINTS} points"
    if not math.isfinite((mine.value or 0.0) - (theirs.value or 0.0)):
        return "a number is infinite"
    return "" if error > math.hypot(mine.rounding, theirs.rounding) else "no error is known"


def _corrected(differences: Sequence[Difference]) -> list[Difference]:
    """Holm's procedure: the k-th smallest of m p-values times m - k + 1, never falling."""
    raw = {
        place: 2 * _tail(d.degrees, abs(d.gap) / d.error)
        for place, d in enumerate(differences)
        if not d.reason
    }
    found, largest = list(differences), 0.0
    for rank, place in enumerate(sorted(raw, key=lambda place: raw[place])):
        largest = max(largest, min(1.0, raw[place] * (len(raw) - rank)))
        found[place] = replace(found[place], p=largest)
    return found


def _quantile(degrees: float, level: float) -> float:
    if math.isinf(degrees):
        return float(special.ndtri(level))
    return float(special.stdtrit(degrees, level))


def _tail(degrees: float, t: float) -> float:
    if math.isinf(degrees):
        return float(special.ndtr(-t))
    return float(special.stdtr(degrees, -t))
