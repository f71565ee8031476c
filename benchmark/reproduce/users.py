"""Comparisons of the user's own, from a file."""

from __future__ import annotations

from pathlib import Path

from ..suites.model_file import load_module
from .comparison import Comparison


def comparisons_of(path: str) -> dict[str, Comparison]:
    """Returns the `Comparison` objects of a Python file, by name.

    Raises:
        ValueError: It does not import, or holds none.
    """
    module = load_module(str(Path(path).resolve()))
    found = {c.name: c for c in vars(module).values() if isinstance(c, Comparison)}
    if not found:
        raise ValueError(f"Expected a Comparison in {path}, got none.")
    return found
