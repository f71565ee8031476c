"""Quality against the number of function evaluations: one trained model, asked for several steps.

A probe that names a sampler or its steps is a point of a curve, not a column: its samples are the
model's at another price.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...benchmark.contract.record import Record
from .columns import Column, is_curve, order, theme
from .entry import Entry, is_number, measured


@dataclass(frozen=True)
class Point:
    """One model, asked once.

    Attributes:
        model: Name of the model.
        question: How it was asked, such as "ddim, 5 steps".
        nfe: Function evaluations per sample, the mean over seeds; None where not counted.
        entries: Numbers over seeds, by name of the metric.
    """

    model: str
    question: str
    nfe: float | None
    entries: Mapping[str, Entry]

    def entry(self, metric: str) -> Entry:
        """Returns the number of a metric, or an empty cell."""
        return self.entries.get(metric) or Entry(None, seeds=0, remark="not measured")


def points(records: Sequence[Record]) -> list[Point]:
    """Returns the points of every model's curve on a task, by model and function evaluations.

    Args:
        records: The records of one task, of all models and seeds.
    """
    by_model: dict[str, list[Record]] = {}
    for record in records:
        by_model.setdefault(record.model, []).append(record)
    found = [
        _point(model, name, cells)
        for model, cells in by_model.items()
        for name in _curve_probes(cells)
    ]
    return sorted(found, key=lambda p: (p.model, p.nfe is None, p.nfe or 0.0, p.question))


def curve_columns(records: Sequence[Record], found: Sequence[Point]) -> list[Column]:
    """Returns one column per metric that the points have, by theme; costs are left away."""
    metrics = {name for point in found for name in point.entries}
    columns = {
        s.metric: Column(s.metric, s.unit, "", s.direction)
        for s in (score for record in records for score in record.scores)
        if s.metric in metrics and theme(s.metric) != "cost"
    }
    return sorted(columns.values(), key=order)


def _curve_probes(records: Iterable[Record]) -> list[str]:
    return list(
        dict.fromkeys(
            name for r in records for name, settings in r.probes.items() if is_curve(settings)
        )
    )


def _point(model: str, probe: str, records: Sequence[Record]) -> Point:
    scores = [s for r in records for s in r.scores if s.probe == probe and is_number(s)]
    columns = {s.metric: Column(s.metric, s.unit, s.protocol, s.direction) for s in scores}
    entries = {name: measured(column, records) for name, column in columns.items()}
    evaluated = [s.value for s in scores if s.metric == "nfe" and s.value is not None]
    question = probe.partition(": ")[2] or probe
    return Point(model, question, statistics.fmean(evaluated) if evaluated else None, entries)
