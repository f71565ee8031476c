"""TensorBoard: event files under `<results>/tensorboard`, one run per cell."""

from __future__ import annotations

import json
from pathlib import Path

from ...benchmark.contract.record import Record
from .told import told


class ToTensorBoard:
    """Writes curves as scalars over steps, scores at step 0 and what was given as text.

    Args:
        root: Results folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, record: Record) -> None:
        """Writes a cell."""
        from torch.utils.tensorboard import SummaryWriter

        cell = told(record, self.root)
        with SummaryWriter(str(self.root / "tensorboard" / cell.name)) as writer:
            for name, rows in cell.curves.items():
                for step, value in rows:
                    writer.add_scalar(name, value, step)
            for name, value in cell.scores.items():
                writer.add_scalar(f"score/{name}", value, 0)
            writer.add_text("given", f"```\n{json.dumps(cell.given, indent=1)}\n```", 0)
