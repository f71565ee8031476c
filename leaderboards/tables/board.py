"""From records to tables: one board a task, one row a model, one column a metric and protocol."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ...benchmark.contract.record import Record
from .columns import THEMES, Column, columns_of, family_rank, label
from .curves import Point, curve_columns, points
from .entry import Entry, measured
from .ranking import (
    FEWEST_POINTS,
    FEWEST_SEEDS,
    alike,
    separates,
    too_good,
    winners,
    worse_than,
)
from .remarks import ranged
from .rows import Block, Framed, Row

_LEADING = (
    "frechet_distance",
    "mmd",
    "kl_to_truth",
    "l1_distance",
    "log_z_error",
    "nll",
    "nearest_neighbour_ratio",
    "coverage",
    "training_seconds",
)
_ABOVE_FLOORS = ("distance", "likelihood", "known truth")  # themes in which floors are beaten
# Metrics that samples scattered more widely than the data make better than fresh data do.
_DIVERSITY = (
    "recall",
    "symmetric_recall",
    "probabilistic_recall",
    "beta_recall",
    "vendi_score",
    "pairwise_diversity",
)
_FITTED = (
    "classical",
    "control",
)  # families whose members are fitted in closed form, or not at all
MOST_COLUMNS = 5
_FRAME = ("oracle", "mode-dropper", "memoriser", "noise")  # from the ceiling down


@dataclass(frozen=True)
class Board(Framed):
    """The tables of one task.

    Attributes:
        task: Name of the task.
        columns: Columns that hold a number, themes in order.
        rows: Models by family, the controls last.
        left_out: Metrics without any number here, with the reasons.
        warnings: What a column's numbers cannot be read as, by column.
        footnotes: Remarks of cells and the letter of each.
        curves: Answers in other steps and by other samplers, by model and function evaluations.
        curve_columns: Their metrics.
        primary: The task's primary metric, if known.
        records: The records behind it, in the order of the rows.
    """

    task: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    left_out: Sequence[tuple[str, str]] = ()
    warnings: Mapping[Column, str] = field(default_factory=dict)
    footnotes: Mapping[str, str] = field(default_factory=dict)
    curves: Sequence[Point] = ()
    curve_columns: Sequence[Column] = ()
    primary: str = ""
    records: Sequence[Record] = ()

    @property
    def leading(self) -> list[Column]:
        """The few columns that say most of the task, its primary metric first."""
        order = [self.primary, *(metric for metric in _LEADING if metric != self.primary)]
        same = ([c for c in self.columns if c.metric == metric] for metric in order)
        # Of a metric that is computed in several ways, the one that most models have.
        found = [max(columns, key=self.filled) for columns in same if columns]
        return (found or list(self.columns))[:MOST_COLUMNS]

    def filled(self, column: Column) -> int:
        """Returns the number of rows with a number in a column."""
        return sum(row.cells[column].value is not None for row in self.rows)

    @property
    def themes(self) -> list[tuple[str, list[Column]]]:
        """Columns by theme, without empty themes."""
        by_theme = {name: [c for c in self.columns if c.theme == name] for name in THEMES}
        return [(name, found) for name, found in by_theme.items() if found]

    @property
    def blocks(self) -> list[Block]:
        """The tables as they are shown: one per theme, and one per way to compute a likelihood.

        A table of one way lists the models that are computed so; the first one of a theme also
        those without any number in it, with the reasons.
        """
        return [block for name, found in self.themes for block in self._blocks(name, found)]

    def _blocks(self, name: str, found: Sequence[Column]) -> list[Block]:
        ways = list(dict.fromkeys(c.words for c in found if c.estimator))
        if len(ways) < 2:
            return [Block(name, found, self.rows)]
        ways.sort(key=lambda way: way != "exact")
        filled = {way: [c for c in found if c.words == way] for way in ways}
        rest = [c for c in found if c.words not in filled]
        empty = [r for r in self.rows if all(r.cells[c].value is None for c in found)]
        blocks = [
            Block(
                f"{name}: {way}" if way else name,
                columns,
                [
                    row
                    for row in self.rows
                    if any(row.cells[c].value is not None for c in columns)
                    or (place == 0 and row in empty)
                ],
            )
            for place, (way, columns) in enumerate(filled.items())
        ]
        return [*blocks, *([Block(name, rest, self.rows)] if rest else [])]

    @property
    def shows_learning(self) -> bool:
        """Whether some models learn from samples and others from a reward."""
        return len({row.learns_from for row in self.models if row.admitted}) > 1

    @property
    def caption(self) -> str:
        """What the error bars hold."""
        return self._of_seeds + self._of_points

    @property
    def _of_points(self) -> str:
        """Says that a task whose numbers rest on few points ranks nobody."""
        sizes = [c.n for row in self.models for c in row.cells.values() if c.n is not None]
        if not sizes or max(sizes) >= FEWEST_POINTS:
            return ""
        return f" Fewer than {FEWEST_POINTS} test rows: this task ranks nobody."

    @property
    def _of_seeds(self) -> str:
        counts = sorted({row.seeds for row in self.rows})
        measured = "error bars are of measurement only, not of training"
        spread = (
            "the mean over seeds, and its error from their spread / √seeds and from the test rows "
            "and references that they share, which does not average out"
        )
        fewest = f"with fewer than {FEWEST_SEEDS} seeds nobody is ranked"
        if counts in ([], [1]):
            return f"One seed: {measured}; {fewest}."
        if len(counts) == 1:
            return f"{counts[0]} seeds: {spread}" + (
                "." if counts[0] >= FEWEST_SEEDS else f"; {fewest}."
            )
        return f"With several seeds: {spread}; with one seed, {measured}; {fewest}."


def capital(text: str) -> str:
    """Returns a text with a capital first letter, the others as they are."""
    return text[:1].upper() + text[1:]


def boards(
    records: Iterable[Record], primary: Mapping[str, str] | None = None
) -> dict[str, Board]:
    """Returns one board per task, by name; mixture-16 comes before mixture-256.

    Args:
        records: The newest record of every cell.
        primary: Name of a task to its primary metric, where it is known.
    """
    by_task: dict[str, list[Record]] = {}
    for record in records:
        by_task.setdefault(record.task, []).append(record)
    tasks = sorted(by_task.items(), key=_natural)
    return {task: board(task, found, (primary or {}).get(task, "")) for task, found in tasks}


def _natural(item: tuple[str, list[Record]]) -> list[tuple[bool, int, str]]:
    """The name in words and numbers, numbers first and by their size."""
    words = re.findall(r"\d+|\D+", item[0])
    return [(False, int(w), "") if w.isdigit() else (True, 0, w) for w in words]


def place(record: Record) -> tuple[int, str, int, str, int]:
    """Sorts records by family, then name; controls from the ceiling down; then by seed."""
    frame = _FRAME.index(record.model) if record.model in _FRAME else len(_FRAME)
    control = frame if record.family == "control" else 0
    return family_rank(record.family), record.family, control, record.model, record.seed


def board(task: str, records: Iterable[Record], primary: str = "") -> Board:
    """Builds the tables of one task from its records."""
    records = sorted(records, key=place)
    by_model: dict[str, list[Record]] = {}
    for record in records:
        by_model.setdefault(record.model, []).append(record)
    found = columns_of(records)
    rows = [_row(cells, found) for cells in by_model.values()]
    warnings = {c: text for c in found if (text := _warning(c, rows))}
    rows = _judged(rows, [c for c in found if not c.is_cost])
    rows = _crowned(rows, [c for c in found if c not in warnings and not c.is_cost])
    left_out, notes = _left_out(records, found), _footnotes(rows, found)
    curves = points(records)
    return Board(
        task, found, rows, left_out, warnings, notes, curves, curve_columns(records, curves),
        primary, records,
    )  # fmt: skip


def _row(records: Sequence[Record], found: Sequence[Column]) -> Row:
    first = records[0]
    return Row(
        model=first.model,
        family=first.family,
        learns_from=first.learns_from,
        likelihood=first.likelihood,
        seeds=len(records),
        admitted=any(record.status != "not admitted" for record in records),
        cells={column: measured(column, records) for column in found},
        flags=(*ranged(flag for record in records for flag in record.flags), *_mixed(records)),
        is_floor=first.is_floor,
        notes=tuple(ranged(note for record in records for note in record.notes)),
        stored=all(record.stored for record in records),
        tier=first.tier,
        samples_only="samples" in first.keys and "train" not in first.keys,
    )


def _mixed(records: Sequence[Record]) -> list[str]:
    """Says that the seeds of a model were not trained alike; what is fitted counts no steps."""
    trained = [r for r in records if r.status == "ok" and r.family not in _FITTED]
    if all((r.budget, r.arguments) == (trained[0].budget, trained[0].arguments) for r in trained):
        return []
    return ["its seeds differ in steps, batch size or arguments: their mean is one of no recipe"]


def _left_out(records: Sequence[Record], found: Sequence[Column]) -> list[tuple[str, str]]:
    shown = {column.metric for column in found}
    reasons: dict[str, dict[str, None]] = {}
    for score in (score for record in records for score in record.scores):
        if score.metric not in shown:
            reasons.setdefault(score.metric, {})[score.reason or "no reason recorded"] = None
    return [(label(metric), "; ".join(why)) for metric, why in sorted(reasons.items())]


def _warning(column: Column, rows: Sequence[Row]) -> str:
    """Says that a column does not tell the controls apart, so that no number in it is best."""
    control = {row.model: row.cells[column] for row in rows if row.is_control}
    # A copy is what memorisation metrics must catch, nonsense what the others must.
    foe = "memoriser" if column.theme == "memorisation" else "noise"
    if column.is_cost or not column.direction or not {"oracle", foe} <= control.keys():
        return ""
    direction: Literal["lower", "higher"] = "lower" if column.direction == "lower" else "higher"
    if separates(control["oracle"], control[foe], direction):
        return ""
    the_foe = "the memoriser" if foe == "memoriser" else foe
    return (
        f"{column.label} does not put the oracle ahead of {the_foe} on this "
        "task by more than chance: nothing in this column is best."
    )


def _judged(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """Says in each cell what keeps its number from being called best."""
    cells = {row.model: dict(row.cells) for row in rows}
    for column in columns:
        for model, why in _unfit(column, rows).items():
            cell = cells[model][column]
            remark = "; ".join(filter(None, (cell.remark.rstrip("."), why)))
            cells[model][column] = replace(cell, remark=remark, unfit=True)
    return [replace(row, cells=cells[row.model]) for row in rows]


def _unfit(column: Column, rows: Sequence[Row]) -> dict[str, str]:
    """The reasons why numbers of a column may not be best, by the row's name."""
    found, behind = {}, {}
    ours = {row.model: row.cells[column] for row in rows if not row.is_control}
    for model, cell in ours.items():
        if why := _beside_controls(cell, column, rows):
            found[model] = why
        elif ahead := _floors_ahead(model, cell, column, rows):
            found[model] = f"below the floor: {', '.join(ahead)}"
            behind[model] = cell
    # A wide error bar alone, which reaches a floor, makes no number better than those behind it.
    sign = 1 if column.direction == "lower" else -1
    for model, cell in ours.items():
        better = [n for n, b in behind.items() if sign * (_number(cell) - _number(b)) > 0]
        if better and model not in found:
            found[model] = f"worse than what is below the floor: {', '.join(better)}"
    return found


def _beside_controls(cell: Entry, column: Column, rows: Sequence[Row]) -> str:
    """What the controls say against a number."""
    controls = {row.model: row.cells[column] for row in rows if row.is_control}
    if "oracle" in controls and too_good(cell, controls["oracle"], column.direction):
        as_what = "scattered samples are" if column.metric in _DIVERSITY else "collapse is"
        return f"better than the oracle by more than three standard errors, as {as_what}"
    noise = controls.get("noise")
    if noise is not None and cell.value is not None and noise.value is not None:
        if alike(cell, noise):
            told = "its error bar does not tell it from noise"
            return told if cell.stderr else "noise has the same"
    return ""


def _floors_ahead(model: str, cell: Entry, column: Column, rows: Sequence[Row]) -> list[str]:
    """The floors that a number is worse than by more than chance, where that counts."""
    if column.theme not in _ABOVE_FLOORS:
        return []
    ahead = [
        name
        for name, floor in _floors(column, rows)
        if name != model and worse_than(cell, floor, column.direction)
    ]
    return list(dict.fromkeys(ahead))


def _number(cell: Entry) -> float:
    return math.nan if cell.value is None else cell.value


def _floors(column: Column, rows: Sequence[Row]) -> list[tuple[str, Entry]]:
    """The floors' cells of a column; of a likelihood, their exact ones beside other estimators."""
    found = []
    for row in (row for row in rows if row.is_floor):
        same = [
            cell
            for other, cell in row.cells.items()
            if other == column
            or (other.estimator and other.metric == column.metric and other.unit == column.unit)
        ]
        found += [(row.model, cell) for cell in same if cell.value is not None]
    return found


def _crowned(rows: Sequence[Row], ranked: Sequence[Column]) -> list[Row]:
    """Marks the best of each column; those that learn from samples and from a reward apart."""
    best = {column: set[str]() for column in ranked}
    for source in dict.fromkeys(row.learns_from for row in rows):
        for column in ranked:
            group = [row for row in rows if row.learns_from == source and not row.is_control]
            cells = {
                row.model: row.cells[column]
                for row in group
                if row.may_be_best and not row.cells[column].unfit
            }
            rivals = [row.cells[column] for row in group]
            if not _unrivalled(cells.values(), rivals):
                best[column] |= winners(cells, column.direction)
    return [
        replace(
            row,
            cells={
                column: replace(cell, best=row.model in best.get(column, ()))
                for column, cell in row.cells.items()
            },
        )
        for row in rows
    ]


def _unrivalled(fit: Iterable[Entry], every: Iterable[Entry]) -> bool:
    """Whether one number alone has the seeds to be ranked, of all or of those that may be best."""
    counts = [cell.seeds for cell in fit if cell.value is not None]
    among_fit = sum(count >= FEWEST_SEEDS for count in counts) == 1 and len(counts) > 1
    of_all = sum(cell.value is not None and cell.seeds >= FEWEST_SEEDS for cell in every)
    return among_fit or of_all < 2


def _footnotes(rows: Sequence[Row], found: Sequence[Column]) -> dict[str, str]:
    cells = [row.cells[column] for column in found for row in rows]
    of_rows = [remark for row in rows for remark in row.remarks]
    remarks = dict.fromkeys([*of_rows, *(cell.remark for cell in cells if cell.remark)])
    return {remark: _letters(index) for index, remark in enumerate(remarks)}


def _letters(index: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    head, tail = divmod(index, 26)
    return (_letters(head - 1) if head else "") + chr(ord("a") + tail)
