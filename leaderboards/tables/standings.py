"""Who leads over all tasks of a suite, by how much, how sure, at which cost.

On each task one metric v becomes a score between the frame of its table,

    s = (v_floor - v) / (v_floor - v_oracle),

0 at the best floor (noise among them) and 1 at the oracle, whatever the metric's scale. Of the
distances that most models have it is the one whose oracle is most standard errors away from the
best floor: floors and controls choose it, the models that it ranks do not. What is worse than a
floor by more than the whole frame counts as -1, so that one task that went wrong does not decide
alone. A model's standing is the mean over all tasks; one that lacks a task has none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .across_tasks import (
    MOST_MODELS,
    CriticalDifference,
    critical_difference,
    rank_intervals,
    tasks_needed,
    wilcoxon_holm,
)
from .board import Board, Row
from .columns import Column
from .ranking import FEWEST_SEEDS, gap_error, rankable, worse_than

LEAST = -1.0
WHOLE = ("distance", "known truth")  # themes of metrics of whole laws: one good mode is not enough
COST = "training_core_seconds"


@dataclass(frozen=True)
class Score:
    """A number between floor and oracle.

    Attributes:
        value: 0 at the best floor, 1 at the oracle, at least -1.
        stderr: Its standard error, of the model's number alone, which is small where the number
            is cut; None where it is not known.
        seeds: Seeds that it is a mean over.
        ranked: Whether the number may be ranked (`ranking.rankable`).
    """

    value: float
    stderr: float | None
    seeds: int
    ranked: bool


@dataclass(frozen=True)
class Standing:
    """A model over all tasks.

    Attributes:
        model: Its name.
        family: Its family.
        learns_from: "samples" or "reward"; the two are ranked apart.
        is_floor: Whether it is a floor.
        scores: By task; without those that it lacks.
        mean: Mean score over all tasks; None where it lacks one.
        stderr: Standard error of the mean, of seeds and measurement; the tasks are what they are.
        ranks: The best and the worst rank that 95 % of the error bars hold; None where a number
            may not be ranked.
        core_seconds: Mean processor time of a training; None where it is not known.
    """

    model: str
    family: str
    learns_from: str
    is_floor: bool
    scores: Mapping[str, Score]
    mean: float | None = None
    stderr: float | None = None
    ranks: tuple[int, int] | None = None
    core_seconds: float | None = None


@dataclass(frozen=True)
class Standings:
    """All models over all tasks.

    Attributes:
        columns: The metric of each task that counts.
        left_out: Tasks that do not, with the reason.
        rows: The models: those with all tasks first, best first.
        critical: Mean ranks with the critical difference, among those that are ranked; None for
            fewer than three models or two tasks.
        chosen: Why `critical` has fewer models than are ranked; empty where it has all.
        told_apart: Pairs (better, worse) that Wilcoxon's test tells apart, with their p-values.
        needed: Tasks that this test needs to tell any pair apart.
    """

    columns: Mapping[str, Column]
    left_out: Sequence[tuple[str, str]]
    rows: Sequence[Standing]
    critical: CriticalDifference | None = None
    chosen: str = ""
    told_apart: Sequence[tuple[str, str, float]] = ()
    needed: int = 0

    @property
    def complete(self) -> list[Standing]:
        """Models with all tasks."""
        return [row for row in self.rows if row.mean is not None]

    @property
    def ranked(self) -> list[Standing]:
        """Models with a rank, those that learn from samples first."""
        return [row for row in self.rows if row.ranks is not None]

    @property
    def summary(self) -> list[str]:
        """Who leads, by how much, how sure, at which cost: a sentence for each way to learn."""
        found = []
        for learns_from in ("samples", "reward"):
            group = [row for row in self.ranked if row.learns_from == learns_from]
            if group:
                found.append(_told(group, learns_from, len(self.columns)))
        return found or [
            f"Nobody is ranked: no learned model has {_all(len(self.columns))} with "
            f"{FEWEST_SEEDS} seeds."
        ]


def standings(boards: Mapping[str, Board]) -> Standings:
    """Returns who leads over the tasks of a suite.

    Args:
        boards: Their tables, by name of the task.
    """
    frames = {task: _frame(board) for task, board in boards.items()}
    kept = {task: frame for task, frame in frames.items() if isinstance(frame, _Frame)}
    left_out = [(task, why) for task, why in frames.items() if isinstance(why, str)]
    rows: dict[str, Standing] = {}
    for task, frame in kept.items():
        for row in boards[task].models:
            seen = rows.setdefault(
                row.model, Standing(row.model, row.family, row.learns_from, row.is_floor, {})
            )
            score = frame.score(row)
            if score is not None:
                rows[row.model] = replace(seen, scores={**seen.scores, task: score})
    found = [_with_mean(row, list(kept), boards) for row in rows.values()]
    found = _with_ranks(found)
    found.sort(key=lambda row: (row.mean is None, -(row.mean or 0.0), -len(row.scores), row.model))
    result = Standings({task: frame.column for task, frame in kept.items()}, left_out, found)
    return _tested(result)


@dataclass(frozen=True)
class _Frame:
    column: Column
    floor: float
    oracle: float
    apart: float  # in standard errors

    def score(self, row: Row) -> Score | None:
        cell = row.cells[self.column]
        if cell.value is None or math.isnan(cell.value) or row.flags:
            return None
        whole = self.floor - self.oracle
        value = (self.floor - cell.value) / whole
        error = None if cell.stderr is None else _cut_error(value, abs(cell.stderr / whole))
        value = max(value, LEAST)
        ranked = rankable(cell, self.column.direction) and error is not None
        return Score(value, error, cell.seeds, ranked)


def _cut_error(value: float, error: float) -> float:
    """Returns the standard deviation of max(X, -1) for X ~ N(value, error^2).

    Far below the cut it vanishes: what such a score was does not make a mean less sure.
    """
    if not error or not math.isfinite(value):
        return error
    a = (LEAST - value) / error
    density = math.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
    below = 0.5 * math.erfc(-a / math.sqrt(2))
    mean = density + a * below
    square = (1 - below) + a * density + a * a * below
    return error * math.sqrt(max(square - mean * mean, 0.0))


def _frame(board: Board) -> _Frame | str:
    """The metric that tells most of a task with its two ends, or why there is none."""
    judged = (c for c in board.columns if c.direction and c.theme in WHOLE)
    usable = [column for column in judged if column not in board.warnings]
    had = {c: sum(row.cells[c].value is not None for row in board.models) for c in usable}
    most = [column for column in usable if had[column] == max(had.values())]
    frames = [frame for column in most if (frame := _ends(board, column))]
    if not frames:
        return "it has no distance that tells an oracle from the best floor"
    return max(frames, key=lambda frame: frame.apart)


def _ends(board: Board, column: Column) -> _Frame | None:
    """The frame of a metric; None where it lacks an end or does not tell them apart."""
    oracle = next((r.cells[column] for r in board.rows if r.role == "ceiling"), None)
    floors = [r.cells[column] for r in board.rows if r.role == "floor"]
    known = [cell for cell in floors if cell.value is not None and math.isfinite(cell.value)]
    if oracle is None or oracle.value is None or not known:
        return None
    sign = 1 if column.direction == "lower" else -1
    floor = min(known, key=lambda cell: sign * (cell.value or 0.0))
    if not worse_than(floor, oracle, column.direction):
        return None
    ends = float(floor.value or 0.0), oracle.value
    error = gap_error(floor, oracle)
    return _Frame(column, *ends, abs(ends[0] - ends[1]) / error if error else math.inf)


def _with_mean(row: Standing, tasks: Sequence[str], boards: Mapping[str, Board]) -> Standing:
    seconds = [
        cell.value
        for task in row.scores
        for other in boards[task].models
        if other.model == row.model
        for column, cell in other.cells.items()
        if column.metric == COST and cell.value is not None
    ]
    row = replace(row, core_seconds=sum(seconds) / len(seconds) if seconds else None)
    if not tasks or len(row.scores) < len(tasks):
        return row
    scores = [row.scores[task] for task in tasks]
    mean = sum(score.value for score in scores) / len(scores)
    if any(score.stderr is None for score in scores):
        return replace(row, mean=mean)
    return replace(
        row, mean=mean, stderr=math.hypot(*(s.stderr or 0.0 for s in scores)) / len(scores)
    )


def _with_ranks(rows: Sequence[Standing]) -> list[Standing]:
    """Ranks the models that have all tasks and seeds, apart by what they learn from."""
    found = {row.model: row for row in rows}
    for learns_from in {row.learns_from for row in rows}:
        group = [
            row
            for row in rows
            if row.learns_from == learns_from and row.stderr is not None and not row.is_floor
            and all(score.ranked for score in row.scores.values())
        ]  # fmt: skip
        intervals = rank_intervals(
            [row.mean or 0.0 for row in group], [row.stderr or 0.0 for row in group]
        )
        for row, ranks in zip(group, intervals, strict=True):
            found[row.model] = replace(row, ranks=ranks)
    return list(found.values())


def _tested(result: Standings) -> Standings:
    """Adds the tests over tasks, of the models that learn from samples."""
    group = [row for row in result.ranked if row.learns_from == "samples"]
    tasks = list(result.columns)
    if len(group) < 2 or len(tasks) < 2:
        return result
    names = [row.model for row in group]
    table = [[row.scores[task].value for row in group] for task in tasks]
    means = {row.model: row.mean or 0.0 for row in group}
    apart = [
        (max(pair, key=means.__getitem__), min(pair, key=means.__getitem__), p)
        for pair, p in wilcoxon_holm(table, names).items()
        if p <= 0.05 and means[pair[0]] != means[pair[1]]
    ]
    chosen, why = group, ""
    if len(group) > MOST_MODELS:
        best: dict[str, Standing] = {}
        for row in group:  # best first
            best.setdefault(row.family, row)
        chosen = list(best.values())[:MOST_MODELS]
        why = f"the best of each family: among {len(group)} models no difference would be seen"
    critical = None
    if 3 <= len(chosen) <= MOST_MODELS:
        part = [[row.scores[task].value for row in chosen] for task in tasks]
        critical = critical_difference(part, [row.model for row in chosen])
    return replace(
        result,
        critical=critical,
        chosen=why,
        told_apart=apart,
        needed=tasks_needed(len(group)),
    )


def _told(group: Sequence[Standing], learns_from: str, tasks: int) -> str:
    first, *others = group
    alike = [row.model for row in others if row.ranks is not None and row.ranks[0] == 1]
    sure = f"its rank is 1 to {first.ranks[1]}" if first.ranks and first.ranks[1] > 1 else "rank 1"
    tied = f"; {_listed(alike)} may lead as well" if alike else ""
    behind = ""
    if others:
        gap = (first.mean or 0.0) - (others[0].mean or 0.0)
        error = math.hypot(first.stderr or 0.0, others[0].stderr or 0.0)
        behind = f", {gap:.3f} ± {error:.3f} ahead of {others[0].model}"
    cost = f", at {first.core_seconds:.0f} core seconds" if first.core_seconds else ""
    return (
        f"Of {len(group)} models that learn from {learns_from} and have {_all(tasks)}, "
        f"{first.model} leads with a mean score of {first.mean:.3f} ± {first.stderr:.3f}{behind} "
        f"({sure}{tied}){cost}."
    )


def _all(tasks: int) -> str:
    return f"all {tasks} tasks" if tasks > 1 else "the task that counts"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
