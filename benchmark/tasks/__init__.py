"""Tasks: real data, exact densities, rewards; `load_task(name)` loads any of them."""

from __future__ import annotations

from functools import lru_cache

from ..task import Task
from .fetch import fetch
from .named import TASKS, known_task
from .outline import Outline
from .own_images import folder_images, hub_images
from .root import MissingData, data_root
from .show import show


@lru_cache(maxsize=8)
def load_task(name: str) -> Task:
    """Returns the task of that name, from memory if it was among the last eight loaded.

    Args:
        name: A name of `TASKS`, `hf:owner/name` or `folder:path`.

    Raises:
        MissingData: Its data are not in the data root; the message says how to bring them.
        ValueError: No task has that name (the message names the nearest), or its data are damaged.
    """
    if name.startswith("hf:"):
        return hub_images(name)
    if name.startswith("folder:"):
        return folder_images(name)
    return TASKS[known_task(name)]().load()


__all__ = ["TASKS", "MissingData", "Outline", "data_root", "fetch", "load_task", "show"]
