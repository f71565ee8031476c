"""A cache of decoded arrays: memory-mapped, so that loading costs no more than their checksum."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...contract.files import cache_folder
from .data_root import sha256

CHECKSUMS = "sha256.json"


class Cached(NamedTuple):
    """Arrays by name, and the SHA-256 of the list of their own."""

    arrays: dict[str, NDArray[Any]]
    checksum: str


def signature(paths: Iterable[Path]) -> str:
    """Returns what tells one state of files from another: places, sizes, times; 16 hex digits."""
    seen = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16]


def cached(name: str, sources: Iterable[Path], build: Callable[[], Mapping[str, Any]]) -> Cached:
    """Returns arrays from the cache, or builds and keeps them.

    A cached array whose checksum is wrong is built again. Arrays are mapped copy-on-write: who
    writes to them changes a copy in memory, never the file.

    Args:
        name: Name of the arrays, a file name.
        sources: Files they are made from; other files, sizes or times make another entry.
        build: Makes them, by name.
    """
    folder = cache_folder() / "arrays" / f"{name}-{signature(sources)}"
    found = _read(folder)
    if found is None:
        built = {k: np.ascontiguousarray(array) for k, array in build().items()}
        checksums = {k: sha256(array) for k, array in built.items()}
        _write(folder, built, checksums)
        # Where another process is just replacing them, those that were built are the same.
        found = _read(folder) or Cached(built, _of_all(checksums))
    return found


def _read(folder: Path) -> Cached | None:
    """Returns the arrays of a folder if all are there and unaltered."""
    try:
        expected = dict(json.loads((folder / CHECKSUMS).read_text()))
        arrays = {k: np.load(folder / f"{k}.npy", mmap_mode="c") for k in expected}
    except (OSError, ValueError, TypeError, EOFError):  # damaged or cut short
        return None
    intact = all(sha256(arrays[k]) == checksum for k, checksum in expected.items())
    if not intact:
        return None
    return Cached(arrays, _of_all(expected))


def _of_all(checksums: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(checksums, sort_keys=True).encode()).hexdigest()


def _write(folder: Path, arrays: Mapping[str, NDArray[Any]], checksums: Mapping[str, str]) -> None:
    """Writes beside the folder and renames, so that nothing half-written is ever read."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="writing-", dir=folder.parent))
    try:
        for k, array in arrays.items():
            np.save(fresh / f"{k}.npy", array)
        (fresh / CHECKSUMS).write_text(json.dumps(checksums))
        if _read(folder) is None:  # else another process was faster
            shutil.rmtree(folder, ignore_errors=True)
        _rename(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _rename(fresh: Path, folder: Path) -> None:
    """Renames; where another process was faster, its arrays, which are the same, stay."""
    try:
        os.rename(fresh, folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
