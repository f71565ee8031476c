"""Tasks: real data, exact densities, rewards; `load_task(name)` loads any of them."""

from __future__ import annotations

from functools import lru_cache

from ..contract.task import Task
from .images.by_name import folder_images, hub_images
from .outline import Outline
from .readers.data_root import MissingData, data_root
from .readers.fetch import fetch
from .registry import TASKS, known_task


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


__all__ = ["TASKS", "MissingData", "Outline", "data_root", "fetch", "load_task"]
