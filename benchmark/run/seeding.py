"""Seeds of a job: one for each axis of chance, none shared."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np

from ..contract.model import seeded

Axis = Literal["training", "sampling", "likelihood", "warm-up", "tuning"]


def derived_seed(seed: int, axis: Axis, task: str, model: str) -> int:
    """Returns the seed of one axis of chance of a job, from 0 to 2^32 - 1.

    Models, tasks and axes do not share their noise, and a sample never repeats the draws of
    training.

    Args:
        seed: The job's seed.
        axis: What is drawn.
        task: Name of the task.
        model: The model's class.
    """
    text = f"{seed} {axis} {task} {model}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


@contextmanager
def all_seeded(seed: int) -> Iterator[None]:
    """As `seeded`, and for the global generators of NumPy and Python, which users' models use."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    np.random.seed(seed % 2**32)
    random.seed(seed)
    try:
        with seeded(seed):
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
