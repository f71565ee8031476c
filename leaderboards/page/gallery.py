"""What each model's samples look like beside the data; one file's trouble is one picture's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...benchmark.contract.record import Record, TaskRecord
from . import pictures
from .attachments import Unshown, array, arrays

_POINTS = 1000
_LINES = 12
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Picture:
    """One figure of a gallery.

    Attributes:
        name: Whose samples these are.
        family: Its family; empty for the data.
        uri: PNG data URI, or empty.
        lines: Samples as text, where the task has sequences.
        caption: What is to be known of the picture.
        trouble: "missing", "altered", "unreadable" where there is nothing to show.
    """

    name: str
    family: str = ""
    uri: str = ""
    lines: tuple[str, ...] = ()
    caption: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Gallery:
    """The figures of a task: "image", "points", "grid" or "text"; `backdrop` lies under points."""

    kind: str
    pictures: tuple[Picture, ...]
    backdrop: str = ""


def kind_of(task: TaskRecord) -> str:
    """Returns how samples of a task are shown."""
    if len(task.shape) == 3:
        return "image"
    if task.levels is None:
        return "points"
    return "grid" if task.shape == (2,) or "grid" in task.kind else "text"


def gallery_of(task: TaskRecord, records: Sequence[Record], root: Path) -> Gallery:
    """Draws the data and, of each model, the first seed that left something to show.

    Args:
        task: The task.
        records: Its records, in the order of the figures.
        root: Results folder.
    """
    trouble = ""
    try:
        data = arrays(task.files.get("data"), root)
    except Unshown as error:
        data, trouble = {}, str(error)
    kind = kind_of(task)
    draw = {"image": _image, "points": _points, "grid": _grid, "text": _text}[kind](task, data)
    found = [_data(draw, data, trouble)]
    seen: set[str] = set()
    for record in records:
        if record.model not in seen and {"samples", "law"} & record.files.keys():
            seen.add(record.model)
            found.append(_of_model(draw, record, root))
    backdrop = pictures.density(data["density"]) if _has_density(data) else ""
    return Gallery(kind, tuple(found), backdrop if kind == "points" else "")


_Draw = Callable[[str, str, np.ndarray | None, np.ndarray | None], Picture]


def _data(draw: _Draw, data: dict[str, np.ndarray], trouble: str) -> Picture:
    if trouble:
        return Picture("data", trouble=trouble)
    try:
        return draw("data", "", data.get("rows"), data.get("law"))
    except Unshown as error:
        return Picture("data", trouble=str(error))


def _of_model(draw: _Draw, record: Record, root: Path) -> Picture:
    try:
        samples, law = (
            array(record.files[name], root) if name in record.files else None
            for name in ("samples", "law")
        )
        return draw(record.model, record.family, samples, law)
    except Unshown as error:
        return Picture(record.model, record.family, trouble=str(error))


def _rows(samples: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    if samples is None:
        raise Unshown("missing")
    if samples.shape[1:] != shape or not len(samples):
        raise Unshown("unreadable")
    return samples


def _image(task: TaskRecord, data: dict[str, np.ndarray]) -> _Draw:
    rows = data.get("rows")
    low, high = (float(rows.min()), float(rows.max())) if rows is not None else (0.0, 1.0)

    def draw(name: str, family: str, samples: np.ndarray | None, _: object) -> Picture:
        shown = _rows(samples, task.shape)
        return Picture(name, family, pictures.image_grid(shown, task.levels, low, high))

    return draw


def _points(task: TaskRecord, data: dict[str, np.ndarray]) -> _Draw:
    extent = _extent(data)

    def draw(name: str, family: str, samples: np.ndarray | None, _: object) -> Picture:
        shown = _rows(samples, task.shape)[:_POINTS]
        if shown.ndim != 2 or shown.shape[1] < 2:
            raise Unshown("not drawn: one coordinate")
        outside = 1 - pictures.inside_extent(shown[:, :2], extent).mean()
        caption = f"{outside:.1%} outside" if outside else ""
        return Picture(name, family, pictures.scatter(shown[:, :2], extent), caption=caption)

    return draw


def _has_density(data: dict[str, np.ndarray]) -> bool:
    return "density" in data and data["density"].ndim == 2


def _extent(data: dict[str, np.ndarray]) -> tuple[float, float, float, float]:
    if "extent" in data and data["extent"].shape == (4,):
        x0, x1, y0, y1 = map(float, data["extent"])
        return x0, x1, y0, y1
    rows = data.get("rows")
    if rows is None or rows.ndim != 2 or rows.shape[1] < 2:
        return -4.0, 4.0, -4.0, 4.0
    low, high = rows[:, :2].min(0), rows[:, :2].max(0)
    pad = np.maximum(0.15 * (high - low), 1e-6)
    (x0, y0), (x1, y1) = (low - pad).tolist(), (high + pad).tolist()
    return x0, x1, y0, y1


def _grid(task: TaskRecord, data: dict[str, np.ndarray]) -> _Draw:
    exact = data.get("law")
    top = float(_marginal(exact, task).max()) if exact is not None else None

    def draw(
        name: str, family: str, samples: np.ndarray | None, law: np.ndarray | None
    ) -> Picture:
        caption = "exact law" if law is not None else "histogram"
        shown = _marginal(law, task) if law is not None else _histogram(samples, task)
        uri = pictures.heat(shown, top or float(shown.max()))
        return Picture(name, family, uri, caption=caption)

    return draw


def _marginal(law: np.ndarray, task: TaskRecord) -> np.ndarray:
    """The law of the first two coordinates, shape `(K, K)`."""
    levels, dim = task.levels or 1, math.prod(task.shape)
    if law.shape != (levels**dim,):
        raise Unshown("unreadable")
    return law.reshape(levels, levels, -1).sum(-1)


def _histogram(samples: np.ndarray | None, task: TaskRecord) -> np.ndarray:
    rows = _rows(samples, task.shape).astype(int)
    levels = task.levels or 1
    if rows.min() < 0 or rows.max() >= levels:
        raise Unshown("unreadable")
    counts = np.bincount(rows[:, 0] * levels + rows[:, 1], minlength=levels**2)
    return counts.reshape(levels, levels) / len(rows)


def _text(task: TaskRecord, data: dict[str, np.ndarray]) -> _Draw:
    def draw(name: str, family: str, samples: np.ndarray | None, _: object) -> Picture:
        rows = _rows(samples, task.shape)[:_LINES].reshape(-1, math.prod(task.shape)).astype(int)
        return Picture(name, family, lines=tuple(_line(row, task.levels or 0) for row in rows))

    return draw


def _line(row: np.ndarray, levels: int) -> str:
    if levels <= len(_DIGITS) and row.min() >= 0 and row.max() < len(_DIGITS):
        return "".join(_DIGITS[token] for token in row)
    return " ".join(map(str, row.tolist()))
