"""What trackers are told of a cell: a name, what it was given, and numbers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from ...benchmark.contract.record import MODES, Record
from ..page.attachments import Unshown, curve


@dataclass(frozen=True)
class Told:
    """A cell as trackers take it.

    Attributes:
        name: Task, model and seed.
        given: Model, task, seed, budget, arguments, hardware and commit, as text.
        curves: By "loss/<player>", (step, value); "modes" over the rewards asked for.
        scores: Finite scores by metric, with their standard errors as "<metric>_stderr"; a metric
            that was measured in several ways has its probe's name behind it.
    """

    name: str
    given: dict[str, str]
    curves: dict[str, list[tuple[int, float]]]
    scores: dict[str, float]


class ToTracker(ABC):
    """The callback of a tracker: tells it of a record.

    Args:
        root: Results folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, record: Record) -> None:
        """Writes a cell."""
        self.write(record, told(record, self.root))

    @abstractmethod
    def write(self, record: Record, cell: Told) -> None:
        """Writes what is told of a record."""


def told(record: Record, root: Path) -> Told:
    """Returns what a tracker is told of a record.

    Args:
        record: The record.
        root: Results folder.
    """
    facts = {
        "suite": record.suite,
        "task": record.task,
        "model": record.model,
        "family": record.family,
        "seed": record.seed,
        "status": record.status,
        "likelihood": record.likelihood,
        "hardware": record.environment.hardware,
        "commit": record.environment.commit,
        **record.budget,
        **{f"argument/{name}": value for name, value in record.arguments.items()},
    }
    return Told(
        name=f"{record.task}/{record.model}/seed-{record.seed}",
        given={name: str(value) for name, value in facts.items()},
        curves=_curves(record, root),
        scores=_scores(record),
    )


def _curves(record: Record, root: Path) -> dict[str, list[tuple[int, float]]]:
    try:
        players = curve(record.files.get("curve"), root)
    except Unshown:
        return {}
    return {
        "modes" if player == MODES else f"loss/{player}": [
            (int(step), value) for step, value in rows if math.isfinite(value)
        ]
        for player, rows in players.items()
    }


def _scores(record: Record) -> dict[str, float]:
    kept = [s for s in record.scores if s.value is not None and math.isfinite(s.value)]
    ways: dict[str, int] = {}
    for score in kept:
        ways[score.metric] = ways.get(score.metric, 0) + 1
    found: dict[str, float] = {}
    for score in kept:
        name = score.metric if ways[score.metric] == 1 else f"{score.metric}/{score.probe}"
        found[name] = score.value or 0.0
        if score.stderr is not None and math.isfinite(score.stderr):
            found[f"{name}_stderr"] = score.stderr
    return found
