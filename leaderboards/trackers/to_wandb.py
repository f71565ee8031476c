"""Weights & Biases: one project per suite, one run per cell.

Its own settings hold (`WANDB_MODE`, `WANDB_ENTITY`, ...); files go to `<results>/wandb`.
"""

from __future__ import annotations

from ...benchmark.contract.record import Record
from .told import Told, ToTracker


class ToWandb(ToTracker):
    """Writes what was given as configuration, curves over steps and scores as summary."""

    def write(self, record: Record, cell: Told) -> None:
        import wandb

        with wandb.init(
            project=f"dgmbench-{record.suite}",
            name=cell.name,
            config=cell.given,
            dir=str(self.root),
            reinit="finish_previous",
        ) as run:
            for name, rows in cell.curves.items():
                run.define_metric(name, step_metric=f"step/{name}")
                for step, value in rows:
                    run.log({name: value, f"step/{name}": step})
            run.summary.update({f"score/{name}": x for name, x in cell.scores.items()})
