"""The small files behind a page: read once, checked against their SHA-256, never unpickled."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.contract.record import File


class Unshown(Exception):
    """A file that a page must not show; the message is one word: missing, altered, unreadable."""


def content(file: File | None, root: Path) -> bytes:
    """Returns the bytes that a record was written with.

    Raises:
        Unshown: "missing", or "altered" where the SHA-256 is another one.
    """
    if file is None:
        raise Unshown("missing")
    path = (root / file.path).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise Unshown("missing")
    found = path.read_bytes()
    if hashlib.sha256(found).hexdigest() != file.sha256:
        raise Unshown("altered")
    return found


def array(file: File | None, root: Path) -> np.ndarray:
    """Returns the array of an .npy file; raises `Unshown`."""
    loaded = _load(content(file, root))
    if not isinstance(loaded, np.ndarray) or loaded.dtype.kind not in "biuf":
        raise Unshown("unreadable")
    return loaded


def arrays(file: File | None, root: Path) -> dict[str, np.ndarray]:
    """Returns the numeric arrays of an .npz file by name; raises `Unshown`."""
    loaded = _load(content(file, root))
    if isinstance(loaded, np.ndarray):
        raise Unshown("unreadable")
    try:
        found = {name: loaded[name] for name in loaded.files}
    except (ValueError, OSError, zipfile.BadZipFile):
        raise Unshown("unreadable") from None
    return {name: value for name, value in found.items() if value.dtype.kind in "biuf"}


def curve(file: File | None, root: Path) -> dict[str, list[tuple[float, float]]]:
    """Returns (step, loss) by player from JSON rows [step, player, loss]; raises `Unshown`."""
    try:
        rows = json.loads(content(file, root))
        found: dict[str, list[tuple[float, float]]] = {}
        for step, player, loss in rows:
            found.setdefault(str(player), []).append((float(step), float(loss)))
    except (ValueError, TypeError):
        raise Unshown("unreadable") from None
    return found


def _load(raw: bytes) -> Any:
    try:
        return np.load(io.BytesIO(raw), allow_pickle=False)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile):
        raise Unshown("unreadable") from None
