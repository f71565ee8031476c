"""The files of texts, tables, faces, chorales and binary vectors, written from their originals.

Addresses are of the repository and commit that this project's checksums were taken from, or of the
page of S. Roweis.
"""

from __future__ import annotations

import gzip
import re
import tarfile
import urllib.request
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from ..discrete.debd import SETS as DEBD_SETS

Writer = Callable[[Path], Any]

RAW = "https://raw.githubusercontent.com"
DEBD = f"{RAW}/UCLA-StarAI/Density-Estimation-Datasets/37d53c1a8ba488d0a39e8c64bd3387577080b143"
BROWNLEE = f"{RAW}/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f"
GERON = f"{RAW}/ageron/handson-ml2/1e2115277b50f6c584cd668fa30e3af309a5b136"
ROWEIS = "https://cs.nyu.edu/~roweis/data"
KARPATHY = f"{RAW}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"


def download(url: str) -> bytes:
    """Returns the content of an address; OSError where it cannot be reached."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


def _write_text(url: str, path: Path) -> None:
    path.write_bytes(gzip.compress(download(url), mtime=0))


def _write_faces(url: str, variable: str, side: tuple[int, int], path: Path) -> None:
    """Writes the columns of a matrix of S. Roweis as images; a square one holds its transpose."""
    columns = loadmat(BytesIO(download(url)))[variable]
    images = columns.T.reshape(-1, *side)
    if side[0] == side[1]:
        images = images.transpose(0, 2, 1)
    people = (np.arange(len(images)) // 10).astype(np.uint8)  # of olivetti, in this order
    with path.open("wb") as file:
        np.savez_compressed(file, images=images, labels=people)


def _write_chorales(url: str, path: Path) -> None:
    """Writes the pieces of an archive of tables, one chorale each, as arrays `(T, 4)`."""
    pieces: dict[str, Any] = {}
    with tarfile.open(fileobj=BytesIO(download(url))) as archive:
        for member in archive:
            found = re.search(r"(train|valid|test)/chorale_(\d+)\.csv$", member.name)
            table = archive.extractfile(member) if found else None
            if found and table:
                notes = np.loadtxt(table, delimiter=",", skiprows=1, dtype=np.uint8, ndmin=2)
                pieces["_".join(found.groups())] = notes
    with path.open("wb") as file:
        np.savez_compressed(file, **pieces)


def _write_bits(folder: str, path: Path) -> None:
    """Writes the three splits of a DEBD set, lines of 0 and 1 with commas, as one .npz file."""
    parts: dict[str, Any] = {
        split: np.loadtxt(
            download(f"{DEBD}/datasets/{folder}/{folder}.{split}.data").decode().splitlines(),
            delimiter=",",
            dtype=np.uint8,
        )
        for split in ("train", "valid", "test")
    }
    with path.open("wb") as file:
        np.savez_compressed(file, **parts)


# Task to the files in the data root, and what writes each from its original.
ORIGINALS: dict[str, dict[str, Writer]] = {
    "tinyshakespeare": {
        "sequences/tinyshakespeare.txt.gz": partial(
            _write_text, f"{KARPATHY}/data/tinyshakespeare/input.txt"
        )
    },
    "abalone": {"tabular/abalone.csv.gz": partial(_write_text, f"{BROWNLEE}/abalone.csv")},
    "adult": {
        "tabular/adult_train.csv.gz": partial(_write_text, f"{BROWNLEE}/adult-train.csv"),
        "tabular/adult_test.csv.gz": partial(_write_text, f"{BROWNLEE}/adult-test.csv"),
    },
    "wine-quality": {
        "tabular/winequality_red.csv.gz": partial(_write_text, f"{BROWNLEE}/winequality-red.csv"),
        "tabular/winequality_white.csv.gz": partial(
            _write_text, f"{BROWNLEE}/winequality-white.csv"
        ),
    },
    "california-housing": {
        "tabular/california_housing.csv.gz": partial(
            _write_text, f"{GERON}/datasets/housing/housing.csv"
        )
    },
    "olivetti": {
        "olivetti_faces/olivettifaces.npz": partial(
            _write_faces, f"{ROWEIS}/olivettifaces.mat", "faces", (64, 64)
        )
    },
    "frey-faces": {
        "frey_faces/freyfaces.npz": partial(
            _write_faces, f"{ROWEIS}/frey_rawface.mat", "ff", (28, 20)
        )
    },
    "jsb-chorales": {
        "sequences/jsb_chorales.npz": partial(
            _write_chorales, f"{GERON}/datasets/jsb_chorales/jsb_chorales.tgz"
        )
    },
    **{
        name: {f"debd/{name.replace('-', '_')}.npz": partial(_write_bits, name.replace("-", "_"))}
        for name in DEBD_SETS
    },
}
