"""Arrays of one's own: `npz:` addresses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.files import tell
from ...contract.task import Domain, Task
from ..images.parquet_sets import image_kind
from ..readers.array_cache import cached
from ..readers.npz import read_npz
from ..refusals import IMAGES, too_few, too_wide
from ..split import cut
from .source import Source, outlined, split_rows
from .tables import MOST_LEVELS, discrete_task, real_task


def arrays_at(address: str) -> Task:
    """Returns the task `npz:path`: one array, or arrays called train, test and perhaps val.

    Shape `(N, D)` is a vector, `(N, H, W)` and `(N, C, H, W)` an image. Whole numbers up to 255
    are levels; other numbers of vectors are standardised by the training rows.

    Raises:
        ValueError: The file is damaged, or holds other arrays.
    """
    source = Source.of(address)
    found = cached(source.cache_name, source.files, lambda: _arrays(source))
    train = found.arrays["train"]
    if train.dtype.kind == "f":
        return real_task(source, found, "Columns are standardised by the training rows")
    if train.ndim == 2:
        return discrete_task(source, found)
    levels = 2 if max(int(x.max()) for x in found.arrays.values()) < 2 else 256
    domain, rows = Domain(train.shape[1:], levels), len(found.arrays["test"])
    return outlined(
        source,
        found,
        domain,
        image_kind(domain),
        {**IMAGES, **too_wide(domain.dim), **too_few(rows, domain.dim)},
        f"An image of shape {'x'.join(map(str, domain.shape))}",
        "Distances are between raw pixels.",
        feature_map="pixels",
    )


def _arrays(source: Source) -> dict[str, NDArray[Any]]:
    given = read_npz(source.path)
    names = ", ".join(given) or "none"
    if len(given) == 1:
        (rows,) = given.values()
        parts = split_rows(rows) if rows.ndim > 1 else {"train": rows}
    elif {"train", "test"} <= set(given) <= {"train", "val", "test", "holdout"}:
        parts = dict(given)
        if "val" not in parts:
            tell("There is no array val: a tenth of train is.")
            train, tenth = parts["train"], len(parts["train"]) // 10
            chosen = cut(len(train), [len(train) - tenth, tenth])
            parts |= {"train": train[chosen[0]], "val": train[chosen[1]]}
    else:
        raise ValueError(
            f"Expected one array, or train, val and test, in {source.path}, got {names}."
        )
    return _typed(source, parts)


def _typed(source: Source, parts: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    shapes = {x.shape[1:] for x in parts.values()}
    kinds = {x.dtype.kind for x in parts.values()}
    ndim = parts["train"].ndim
    if len(shapes) > 1 or ndim not in (2, 3, 4) or not kinds <= set("fiub"):
        told = ", ".join(f"{k} {x.dtype} {x.shape}" for k, x in parts.items())
        raise ValueError(f"Expected numbers (N, D), (N, H, W) or (N, C, H, W), got {told}.")
    if min(map(len, parts.values())) < 1 or parts["train"].size == 0:
        raise ValueError(f"Expected rows in every split of {source.path}, got none in one.")
    low = min(float(x.min()) for x in parts.values())
    high = max(float(x.max()) for x in parts.values())
    if not np.isfinite([low, high]).all():
        raise ValueError(f"Expected finite numbers in {source.path}, got {low:g}..{high:g}.")
    whole = all(bool((x == np.round(x)).all()) for x in parts.values())
    most = MOST_LEVELS if ndim == 2 else 256
    if whole and low >= 0 and high < most:
        parts = {k: x.astype(np.uint8) for k, x in parts.items()}
        return {k: x[:, None] if ndim == 3 else x for k, x in parts.items()}
    if ndim > 2:
        raise ValueError(
            f"Expected images of whole numbers 0..255 in {source.path}, got {low:g}..{high:g}"
            f"{'' if whole else ' with fractions'}."
        )
    mean, std = parts["train"].mean(0), parts["train"].std(0)
    if not std.all():
        raise ValueError(f"Expected columns that vary, got a constant column {np.argmin(std)}.")
    return {k: ((x - mean) / std).astype(np.float32) for k, x in parts.items()}
