"""Where data lie on disk, and how to know that they are what they should be."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...contract.files import cache_folder


class MissingData(ValueError):
    """A set is not in the data root; the message says how to bring it."""


def data_root() -> Path:
    """Returns the data root: DGMBENCH_DATA, by default `data` in the user's cache folder."""
    named = os.environ.get("DGMBENCH_DATA")
    return Path(named).expanduser() if named else cache_folder() / "data"


def find(task: str, *names: str) -> list[Path]:
    """Returns the files of a task in the data root.

    Args:
        task: The task's name, for the message.
        names: Paths relative to the data root.

    Raises:
        MissingData: One of them is not there.
    """
    paths = [data_root() / name for name in names]
    for name, path in zip(names, paths, strict=True):
        if not path.is_file():
            raise MissingData(
                f"Expected {name} for task {task!r} in the data root {data_root()}, got no such "
                f"file: run `run_all.py fetch {task}` once, or set DGMBENCH_DATA to a root "
                "that has it."
            )
    return paths


def damaged(what: str, path: Path, error: BaseException) -> ValueError:
    """Returns the error of a file that cannot be read, in one sentence.

    Args:
        what: What it should be ("a whole table").
        path: The file.
        error: What its reader said, whose first line is told.
    """
    said = (str(error) or type(error).__name__).splitlines()[0][:120].rstrip(".")
    ours = path.resolve().is_relative_to(data_root().resolve())
    remedy = ": it was altered or cut short; delete it and fetch it again" if ours else ""
    return ValueError(f"Expected {what} at {path}, got one that cannot be read ({said}){remedy}.")


def sha256(*arrays: NDArray[np.generic]) -> str:
    """Returns the SHA-256 of the bytes of arrays, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def verify(name: str, expected: str | None, actual: str) -> str:
    """Returns the SHA-256 of what was loaded, and refuses it if it is not the one expected.

    Args:
        name: What was loaded, for the message.
        expected: The SHA-256 that it must have; None accepts what is there.
        actual: The SHA-256 that it has.

    Raises:
        ValueError: The data were altered, cut short or are of another version.
    """
    if expected is not None and actual != expected:
        raise ValueError(
            f"Expected {name} with SHA-256 {expected[:16]}..., got {actual[:16]}...: the data "
            "were altered or cut short and are not used; delete the files and fetch them again."
        )
    return actual
