"""Texts of one's own: `text:` addresses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.task import Domain, Task
from ..discrete.sequences import LENGTH, windows
from ..readers.array_cache import cached
from ..readers.data_root import damaged
from ..refusals import DISCRETE
from .source import Source, outlined


def text_at(address: str) -> Task:
    """Returns the task `text:path`: windows of 64 characters, the text cut 80/5/5/10 in its order.

    Raises:
        ValueError: No UTF-8, fewer than 100 windows, or more than 256 characters in its alphabet.
    """
    source = Source.of(address)
    found = cached(source.cache_name, source.files, lambda: _characters(source))
    levels = 1 + max(int(x.max()) for x in found.arrays.values())
    return outlined(
        source,
        found,
        Domain((LENGTH,), levels, ordered=False, layout="sequence"),
        "sequence",
        DISCRETE,
        f"{LENGTH} characters, an alphabet of {levels}",
        "The last tenth of the text is the test. Windows start anywhere in a word.",
        feature_map="one-hot",
    )


def _characters(source: Source) -> dict[str, NDArray[Any]]:
    try:
        text = source.path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise damaged("a text in UTF-8", source.path, error) from error
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    alphabet, symbols = np.unique(codes, return_inverse=True)
    if len(alphabet) > 256:
        raise ValueError(
            f"Expected a text of at most 256 different characters, got {len(alphabet):,} in "
            f"{source.path}: write it with fewer (lower case, no accents)."
        )
    if len(symbols) < 100 * LENGTH or len(alphabet) < 2:
        raise ValueError(
            f"Expected a text of at least {100 * LENGTH:,} characters, got {len(symbols):,}."
        )
    ends = [len(symbols) * percent // 100 for percent in (80, 85, 90)]
    parts = zip(("train", "val", "holdout", "test"), np.split(symbols, ends), strict=True)
    return {split: windows(part).astype(np.uint8) for split, part in parts}
