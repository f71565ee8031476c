"""Reads .npz files without ever unpickling."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data_root import damaged


def read_npz(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Returns arrays of an .npz file.

    Args:
        path: The file.
        names: Names of the arrays; all of them where left out.

    Raises:
        ValueError: The file is damaged, has no such array, or has pickled objects.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile("no archive of arrays, as numpy.savez writes it")
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise ValueError(f"Expected array {missing[0]!r} in {path}, got {archive.files}.")
            return {name: archive[name] for name in names or archive.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise damaged("a whole .npz file", path, error) from error
