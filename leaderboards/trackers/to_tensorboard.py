"""TensorBoard: event files under `<results>/tensorboard`, one run per cell."""

from __future__ import annotations

import json

from ...benchmark.contract.record import Record
from .told import Told, ToTracker


class ToTensorBoard(ToTracker):
    """Writes curves as scalars over steps, scores at step 0 and what was given as text."""

    def write(self, record: Record, cell: Told) -> None:
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(self.root / "tensorboard" / cell.name)) as writer:
            for name, rows in cell.curves.items():
                for step, value in rows:
                    writer.add_scalar(name, value, step)
            for name, value in cell.scores.items():
                writer.add_scalar(f"score/{name}", value, 0)
            writer.add_text("given", f"```\n{json.dumps(cell.given, indent=1)}\n```", 0)
