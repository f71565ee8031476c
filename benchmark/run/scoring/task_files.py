"""What a page needs to know of a task: its card, and pictures of its data."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from ...contract.files import write_atomically
from ...contract.record import File, TaskRecord, read_task, safe_name, write_task
from ...contract.task import Task
from ...tasks import Outline
from .subset import fixed_subset

GRID = 160
SHOWN = 64


def keep_description(task: Task, root: Path) -> None:
    """Writes the description of a task under `root` where it is not there, or of other rows."""
    known = read_task(root, task.name)
    if (
        known is None
        or known.rows != task.checksum
        or known.version != task.version
        or "data" not in known.files
    ):
        write_task(describe_task(task, root), root)


def describe_task(task: Task, root: Path) -> TaskRecord:
    """Writes what is known of a task's data under `root/files`; returns its description."""
    folder = root / "files" / safe_name(f"{task.name}-v{task.version}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "data.npz"
    content = io.BytesIO()
    np.savez(content, **of_data(task))  # type: ignore[arg-type]  # keywords are arrays
    write_atomically(path, content.getvalue())
    splits = {"train": task.train, "val": task.val, "test": task.test, "holdout": task.holdout}
    counts = {name: len(rows) for name, rows in splits.items() if rows is not None}
    return _told(task, counts).model_copy(
        update={"rows": task.checksum, "files": {"data": File.of(path, root)}}
    )


def outlined(outline: Outline) -> TaskRecord:
    """Returns what is known of a task without its rows."""
    return _told(outline.task, dict(outline.sizes or {}))


def _told(task: Task, counts: dict[str, int]) -> TaskRecord:
    return TaskRecord(
        name=task.name,
        version=task.version,
        kind=task.kind,
        shape=task.domain.shape,
        levels=task.domain.levels,
        entropy=task.entropy,
        log_z=task.log_z,
        primary=task.primary,
        counts=counts,
        card=asdict(task.card),
    )


def of_data(task: Task) -> dict[str, np.ndarray]:
    """Returns `rows` of test, and `law` or `density` with its `extent` where they are known."""
    arrays: dict[str, np.ndarray] = {}
    if task.test is not None:
        some = fixed_subset(len(task.test), SHOWN if task.domain.is_image else 2048)
        arrays["rows"] = task.test[some].numpy()
    if task.log_density is not None and task.domain.is_enumerable:
        law = task.log_density(task.domain.states()).double().exp()
        arrays["law"] = task.domain.on_grid(law).numpy()
    if task.log_density is not None and task.domain.shape == (2,) and task.domain.levels is None:
        arrays |= _plane(task)
    return arrays


def _plane(task: Task) -> dict[str, np.ndarray]:
    """Density on a grid over the box of the test rows, a tenth wider on each side."""
    if task.test is None or task.log_density is None:
        return {}
    low, high = task.test.amin(0), task.test.amax(0)
    pad = 0.1 * (high - low)
    x, y = (
        torch.linspace(float(a), float(b), GRID)
        for a, b in zip(low - pad, high + pad, strict=True)
    )
    points = torch.cartesian_prod(x, y)
    density = task.log_density(points).exp().reshape(GRID, GRID).T  # rows are y
    extent = np.array([float(x[0]), float(x[-1]), float(y[0]), float(y[-1])])
    return {"density": density.float().numpy(), "extent": extent}
