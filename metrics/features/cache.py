"""Features on disk, found by what they were computed from and never by a name."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .frozen import FrozenMap, content


def key(network: FrozenMap, x: Tensor, code: str = "") -> str:
    """Returns the SHA-256, in hex, of everything that decides the features of `x`.

    That is shape, dtype and values of the points, the fingerprint of the map (its name, version,
    settings and weights), and whatever `code` says of how it computes.
    """
    digest = hashlib.sha256(f"{network.fingerprint()} {code} {x.dtype} {tuple(x.shape)}".encode())
    digest.update(content(x))
    return digest.hexdigest()


class FeatureCache:
    """A folder of features.

    Two processes may share it: a file is written under a temporary name and renamed. A file
    that is damaged is told on stderr and computed anew.

    Args:
        folder: Where the features lie, a safetensors file each; made when first needed.
        code: What tells this version of the code of the maps from others; part of every key.
    """

    def __init__(self, folder: Path | str, code: str = "") -> None:
        self.folder, self.code = Path(folder), code

    def path(self, network: FrozenMap, x: Tensor) -> Path:
        """Returns the file that holds, or would hold, the features of `x`."""
        return self.folder / f"{key(network, x, self.code)}.safetensors"

    def __call__(self, network: FrozenMap, x: Tensor) -> Tensor:
        """Returns the features of `x`, `(N, *shape)` to `(N, d)`, on the CPU; computed once."""
        path = self.path(network, x)
        features = _read(path)
        if features is None:
            features = network(x).cpu().contiguous()
            _write(path, features)
        return features


def _read(path: Path) -> Tensor | None:
    """Returns the features of a file; None where there is none, or another than was written."""
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            features = file.get_tensor("features")
            expected = (file.metadata() or {}).get("sha256")
    except (OSError, SafetensorError):
        expected, features = None, None
    if features is not None and expected == hashlib.sha256(content(features)).hexdigest():
        return features
    print(f"Note: {path} is damaged; its features are computed anew.", file=sys.stderr)
    return None


def _write(path: Path, features: Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        checksum = hashlib.sha256(content(features)).hexdigest()
        save_file({"features": features}, temporary, metadata={"sha256": checksum})
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
