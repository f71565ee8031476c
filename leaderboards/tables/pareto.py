"""Quality against compute: the numbers of one task, and the models that no other beats in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...benchmark.contract.record import Record
from .columns import Column, columns_of
from .compare import COSTS
from .entry import Entry, is_finite, measured


@dataclass(frozen=True)
class Trade:
    """What models cost and what they reach on one task.

    Attributes:
        cost: The cost's column.
        quality: The quality's column.
        models: By name, the number in either column; every cost is above zero.
    """

    cost: Column
    quality: Column
    models: Mapping[str, tuple[Entry, Entry]]

    @property
    def finite(self) -> dict[str, tuple[Entry, Entry]]:
        """The models whose cost and quality can be drawn."""
        return {m: (a, b) for m, (a, b) in self.models.items() if is_finite(a) and is_finite(b)}

    @property
    def front(self) -> list[str]:
        """The models that no other beats in both, the cheapest first (the Pareto front)."""
        sign = -1.0 if self.quality.direction == "higher" else 1.0

        def key(model: str) -> tuple[float, float]:
            cost, quality = self.models[model]
            return cost.value or 0.0, sign * (quality.value or 0.0)

        found, best = [], float("inf")
        for model in sorted(self.models, key=key):
            if key(model)[1] < best:
                found.append(model)
                best = key(model)[1]
        return found


def trade(records: Sequence[Record], metric: str, cost: str = "") -> Trade | None:
    """Returns cost and quality of all models of one task; None where none has both.

    Args:
        records: Of one task.
        metric: The quality's metric.
        cost: The cost's; by default the first of `COSTS` that a model has.
    """
    by_model: dict[str, list[Record]] = {}
    for record in records:
        if record.status == "ok":
            by_model.setdefault(record.model, []).append(record)
    columns = columns_of(records)
    for wanted in [cost] if cost else COSTS:
        for x in (c for c in columns if c.metric == wanted):
            for y in (c for c in columns if c.metric == metric):
                cells = {m: (measured(x, r), measured(y, r)) for m, r in by_model.items()}
                kept = {
                    m: (a, b)
                    for m, (a, b) in cells.items()
                    if a.value is not None and a.value > 0 and b.value is not None
                }
                if kept:
                    return Trade(x, y, kept)
    return None
