"""Curves and scores of finished cells for experiment trackers: one callback, three services."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol

from ...benchmark.contract.record import Record

# Module of this package, and what it imports; the extra `track` installs all of them.
_KNOWN = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
TRACKERS = tuple(_KNOWN)


class Tracker(Protocol):
    """Takes a cell when it has ended."""

    def __call__(self, record: Record) -> None:
        """Sends a record's arguments, curve and scores."""


def tracker(name: str, root: Path) -> Tracker:
    """Returns the callback of a tracker.

    Args:
        name: One of `TRACKERS`.
        root: Results folder: records' files lie in it, and so does what the tracker writes unless
            its own settings say otherwise.

    Raises:
        ValueError: There is no such tracker, or its package is not installed.
    """
    if name not in _KNOWN:
        raise ValueError(f"Expected a tracker among {', '.join(TRACKERS)}, got {name!r}.")
    try:
        import_module(_KNOWN[name])
    except ImportError:
        raise ValueError(
            f"Expected the package {_KNOWN[name]} for --track {name}, got none; "
            "pip install 'dgmbench[track]'."
        ) from None
    found: Callable[[Path], Tracker] = import_module(f".to_{name}", __name__).tracker
    return found(root)
