"""Samples from files of others: looked at before they are read, never unpickled, checked."""

from __future__ import annotations

import math
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...contract.model import Diverged
from ...contract.task import Domain
from ...tasks.readers.decode import folder_pixels
from .checks import checked_log_prob, checked_samples

# Of one array are read at most the bytes of so many points in float64, and in any case so many.
MOST_POINTS, ALWAYS_READ = 100_000, 2**28
SUFFIXES = (".npz", ".npy", ".safetensors")


def read_samples(path: Path, domain: Domain) -> Tensor:
    """Reads samples from .npz, .npy, .safetensors or a folder of images.

    Args:
        path: An .npz or .safetensors with one array (or one called "samples"), an .npy, or a
            folder of images.
        domain: What one point must be.

    Returns:
        Shape `(N, *shape)`, of the types of `checked_samples`.

    Raises:
        ValueError: No such file, another format, pickled objects, far too large, or rows outside
            the domain.
    """
    if path.is_dir():
        found = _images(path, domain)
    else:
        found = _array(_regular(path), path, "samples", MOST_POINTS * domain.dim * 8)
    try:
        return checked_samples(found, None, domain, f"samples in {path.name}")
    except Diverged as error:
        raise ValueError(f"Expected finite samples, but {error}.") from None


def read_log_prob(path: Path, n: int) -> Tensor | None:
    """Returns `log_prob` of the test rows from a file that holds it beside the samples.

    Args:
        path: As in `read_samples`.
        n: Number of test rows.

    Returns:
        In nats, float64 `(n,)`; None where the file holds none.

    Raises:
        ValueError: Another shape, NaN, or numbers that no density has.
    """
    if path.is_dir() or path.suffix not in (".npz", ".safetensors"):
        return None
    if "log_prob" not in _names(_regular(path), path):
        return None
    return read_only_log_prob(path, n)


def read_only_log_prob(path: Path, n: int) -> Tensor:
    """Returns the log-probabilities of a file: its only array, or the one called "log_prob".

    Args:
        path: An .npz, .npy or .safetensors.
        n: Number of test rows.

    Raises:
        ValueError: As `read_log_prob`, or no such array.
    """
    return checked_log_prob(_array(_regular(path), path, "log_prob", 8 * n), n)


def _regular(path: Path) -> Path:
    """Refuses what is no file to read: a pipe would make the command wait for ever."""
    try:
        mode = path.stat().st_mode
    except OSError:
        raise ValueError(
            f"Expected a file or a folder of samples, got {path}, which is not there."
        ) from None
    if not stat.S_ISREG(mode):
        raise ValueError(f"Expected a file of samples, got {path}, which is no regular file.")
    if path.suffix not in SUFFIXES:
        raise ValueError(
            f"Expected samples as .npz, .npy, .safetensors or a folder of images, got {path.name}."
        )
    return path


def _names(path: Path, shown: Path) -> list[str]:
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                return list(file.keys())
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (SafetensorError, zipfile.BadZipFile, OSError, struct.error) as error:
        raise _unreadable(shown, error) from None


def _array(path: Path, shown: Path, name: str, most: int) -> Any:
    """Returns one array of a file, of `most` bytes at most: that of the name, or the only one."""
    most = max(most, ALWAYS_READ)
    if path.suffix == ".npy":
        with path.open("rb") as file:
            return _npy(file, path.stat().st_size, shown, most)
    chosen = _only(_names(path, shown), shown, name)
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                return _numbers(file.get_tensor(chosen), shown)
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo(f"{chosen}.npy")
            with archive.open(entry) as file:
                return _npy(file, entry.file_size, shown, most)
    except (SafetensorError, zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError) as error:
        raise _unreadable(shown, error) from None
    except (NotImplementedError, RuntimeError) as error:  # an encrypted or odd archive
        raise _unreadable(shown, error) from None


def _numbers(x: Tensor, shown: Path) -> Tensor:
    """Types for which torch has no arithmetic, by way of those for which it has."""
    if x.dtype in (torch.uint16, torch.uint32, torch.uint64):
        return torch.from_numpy(x.numpy().astype(np.int64))
    if "float8" in str(x.dtype) or "float4" in str(x.dtype):
        kind = str(x.dtype).removeprefix("torch.")
        raise ValueError(f"Expected numbers of 16 bits or more in {shown.name}, got {kind}.")
    return x


def _npy(file: IO[bytes], size: int, shown: Path, most: int) -> np.ndarray[Any, Any]:
    """Reads an array after a look at its header, which says how much it claims to be."""
    try:
        version = np.lib.format.read_magic(file)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if header is None:
            raise ValueError(f"format {version[0]}.{version[1]}")
        shape, fortran, dtype = header(file)
    except Exception as error:  # the header is evaluated text: it may raise whatever text can
        raise _unreadable(shown, error) from None
    if dtype.hasobject:
        raise ValueError(
            f"Expected plain numbers in {shown.name}, got pickled objects, which are refused; "
            "save with numpy.savez(path, samples=array) of a numeric dtype."
        )
    if dtype.kind not in "fiub":
        raise ValueError(f"Expected numbers in {shown.name}, got dtype {dtype}.")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > most:
        raise ValueError(
            f"Expected at most {most / 2**30:.3g} GiB of samples in {shown.name}, got a file "
            f"that claims {claimed / 2**30:.3g} GiB: give fewer of them."
        )
    if claimed > size:
        raise ValueError(
            f"Expected the whole of {shown.name}, got one that was cut short: its header claims "
            f"{claimed} bytes, and it has {size}."
        )
    try:
        data = file.read(claimed)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise _unreadable(shown, error) from None
    if len(data) < claimed:
        raise ValueError(f"Expected the whole of {shown.name}, got one that was cut short.")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _only(names: Iterable[str], path: Path, wanted: str) -> str:
    """Returns the name of the wanted array among those of a file."""
    found = list(names)
    if wanted in found:
        return wanted
    left = [name for name in found if name not in ("log_prob", "samples")]
    if len(left) != 1 or len(found) - len(left) > (wanted == "samples"):
        raise ValueError(
            f"Expected one array in {path.name}, or one called {wanted}, "
            f"got {', '.join(found) or 'none'}."
        )
    return left[0]


def _images(folder: Path, domain: Domain) -> Tensor:
    if not domain.is_image:
        raise ValueError(
            f"Expected points of shape {domain.shape}, got a folder of images; give a file."
        )
    found = folder_pixels(folder)
    channels, height, width = domain.shape
    if found.shape[2:] != (height, width):
        raise ValueError(
            f"Expected images of {height} x {width} pixels, "
            f"got {found.shape[2]} x {found.shape[3]} in {folder}."
        )
    if found.shape[1] == 1 and channels == 3:
        found = found.repeat(3, axis=1)
    if found.shape[1] != channels:
        raise ValueError(
            f"Expected images of {channels} channel{'s' if channels != 1 else ''} in {folder}, "
            "got colour."
        )
    return torch.from_numpy(found)


def _unreadable(path: Path, error: BaseException) -> ValueError:
    said = (str(error).splitlines() or [type(error).__name__])[0][:150].rstrip(".")
    kind = "safetensors" if path.suffix == ".safetensors" else "NumPy"
    return ValueError(f"Expected a {kind} file in {path.name}, got an unreadable one: {said}.")
