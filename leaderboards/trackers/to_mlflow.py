"""MLflow: one experiment per suite, one run per cell.

`MLFLOW_TRACKING_URI` names the store; without it, it is `<results>/mlflow.db` (SQLite).
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ...benchmark.contract.record import Record
from .told import Told, ToTracker

_BATCH = 500  # metrics of one call; the service takes 1,000 at most


class ToMLflow(ToTracker):
    """Writes what was given as parameters, curves and scores as metrics.

    Args:
        root: Results folder.
    """

    def __init__(self, root: Path) -> None:
        from mlflow.tracking import MlflowClient

        super().__init__(root)
        default = f"sqlite:///{(root / 'mlflow.db').resolve()}"
        root.mkdir(parents=True, exist_ok=True)
        self.client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or default)

    def write(self, record: Record, cell: Told) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        metrics = [Metric(f"score/{name}", x, now, 0) for name, x in cell.scores.items()]
        metrics += [
            Metric(name, x, now, step) for name, rows in cell.curves.items() for step, x in rows
        ]
        run = self.client.create_run(self._experiment(record.suite), run_name=cell.name)
        given = [Param(name, value) for name, value in cell.given.items()]
        self.client.log_batch(run.info.run_id, params=given)
        for start in range(0, len(metrics), _BATCH):
            self.client.log_batch(run.info.run_id, metrics=metrics[start : start + _BATCH])
        ended = "FINISHED" if record.settled else "FAILED"
        self.client.set_terminated(run.info.run_id, ended)

    def _experiment(self, suite: str) -> str:
        name = f"dgmbench/{suite}"
        found = self.client.get_experiment_by_name(name)
        return found.experiment_id if found else self.client.create_experiment(name)
