"""Whether samples are copies of rows that were shown, or of rows that must not have been.

A sample that equals a row to the last bit is a copy. On small discrete domains fresh data repeat
rows, too: what is told is a share beyond that of fresh data. There a model that draws what is
frequent too often, which is no copying, repeats rows of every split alike. So those rows must also
come back more often than rows that nobody was shown, among those that are there but once.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...contract.task import Task

# A share of copies counts when it is this many standard errors above that of fresh data.
ERRORS = 5.0


def copy_flags(samples: Tensor, task: Task) -> tuple[str, ...]:
    """Returns a sentence for each split whose rows come back as samples more often than by chance.

    Args:
        samples: Points of the task's domain, shape `(N, *shape)`.
        task: The task with its rows.
    """
    found = []
    for split, words in (("train", "training"), ("test", "test")):
        rows = getattr(task, split)
        if rows is None:
            continue
        fresh = task.test if split == "train" else task.unseen
        count = int(_among(samples, rows).sum())
        chance = 0.0 if fresh is None or not len(fresh) else float(_among(fresh, rows).mean())
        many = _beyond(count, len(samples), chance, 0 if fresh is None else len(fresh))
        if many and (fresh is None or chance == 0 or _preferred(samples, rows, fresh)):
            found.append(f"{count:,} of {len(samples):,} samples are copies of {words} rows")
    return tuple(found)


def _preferred(samples: Tensor, shown: Tensor, others: Tensor) -> bool:
    """Whether shown rows come back more often than others, of rows that are there but once."""
    both = np.concatenate([_words(rows.to(samples.dtype)) for rows in (shown, others)])
    values, first, counts = np.unique(both, return_index=True, return_counts=True)
    once = counts == 1
    hit, of_shown = np.isin(values[once], _words(samples)), first[once] < len(shown)
    sizes = int(of_shown.sum()), int((~of_shown).sum())
    if not all(sizes):
        return False
    share = float(hit.mean())
    error = math.sqrt(share * (1 - share) * (1 / sizes[0] + 1 / sizes[1]))
    return bool(hit[of_shown].mean() - hit[~of_shown].mean() > ERRORS * error)


def _among(x: Tensor, rows: Tensor) -> NDArray[np.bool_]:
    """Whether each point equals one of the rows, shape `(N,)`."""
    return np.isin(_words(x), _words(rows.to(x.dtype)))


def _words(x: Tensor) -> NDArray[np.void]:
    """Each row as one value that compares by its bytes, shape `(N,)`."""
    flat = np.ascontiguousarray(x.flatten(1).cpu().numpy() + 0)  # -0.0 is 0.0
    return flat.view([("row", np.void, flat.dtype.itemsize * flat.shape[1])])["row"].reshape(-1)


def _beyond(count: int, n: int, chance: float, fresh: int) -> bool:
    """Whether `count` of n is above a share estimated from `fresh` rows by more than chance."""
    if count < 2:
        return False
    share = (count + chance * fresh) / (n + fresh)
    error = math.sqrt(share * (1 - share) * (1 / n + (1 / fresh if fresh else 0.0)))
    return count / n > chance + ERRORS * error or (chance == 0 and count / n > 0.01)
