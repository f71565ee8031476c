"""Tasks: real data, exact densities, rewards; `load_task(name)` loads any of them."""

from __future__ import annotations

from .outline import Outline
from .readers.data_root import MissingData, data_root
from .readers.fetch import fetch
from .registry import TASKS, load_task, outline_of

__all__ = ["TASKS", "MissingData", "Outline", "data_root", "fetch", "load_task", "outline_of"]
