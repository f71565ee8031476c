"""Files that are whole or not there, and what to do with one that is neither."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Writes to a temporary name beside `path` and renames: nothing half-written is ever read.

    Raises:
        OSError: The disk is full or the folder cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@cache
def _umask() -> int:
    """The permissions that new files of this process lack; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def set_aside(path: Path, root: Path, why: str) -> None:
    """Moves a damaged file or folder to `root/damaged` and says so; where it cannot, says it only.

    Args:
        path: What is damaged, under `root`.
        root: The results folder.
        why: What is wrong with it, for the sentence.
    """
    folder = root / "damaged"
    try:
        folder.mkdir(exist_ok=True)
        taken = {other.name for other in folder.iterdir()}
        names = (f"{path.name}.{k}" if k else path.name for k in range(len(taken) + 1))
        place = folder / next(name for name in names if name not in taken)
        path.rename(place)
        tell(f"{path} {why}; it is set aside as {place} and made again when needed.")
    except OSError:
        tell(f"{path} {why}; it is left out.")


def folder_for(path: Path) -> Path:
    """Makes a folder where there is none, and returns it.

    Raises:
        ValueError: A file is there.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"Expected a folder to write into, got the file {path}.")
    path.mkdir(parents=True, exist_ok=True)
    return path


def tell(sentence: str) -> None:
    """Prints a sentence on stderr, once per process."""
    if sentence not in _TOLD:
        _TOLD.add(sentence)
        print(f"Note: {sentence}", file=sys.stderr)


_TOLD: set[str] = set()


def cache_folder() -> Path:
    """Returns the user's cache folder of dgmbench: under XDG_CACHE_HOME, by default ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dgmbench"
