"""Brings the files of a task into the data root, once; everything works offline after that.

Image sets come from the Hugging Face hub through the `datasets` library; texts and tables from the
repository and commit that this project's checksums were taken from, faces from the page of S.
Roweis. What was brought is checked when the task is loaded.
"""

from __future__ import annotations

import gzip
import os
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

from .binary import SETS as DEBD_SETS
from .maf import FILES as MAF_FILES
from .muted import muted
from .named import TASKS, known_task
from .own_images import repository
from .root import MissingData, data_root

RAW = "https://raw.githubusercontent.com"
DEBD = f"{RAW}/UCLA-StarAI/Density-Estimation-Datasets/37d53c1a8ba488d0a39e8c64bd3387577080b143"
BROWNLEE = f"{RAW}/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f"
GERON = f"{RAW}/ageron/handson-ml2/1e2115277b50f6c584cd668fa30e3af309a5b136"
ROWEIS = "https://cs.nyu.edu/~roweis/data"
KARPATHY = f"{RAW}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"

# Repository on the hub and folder in the data root.
HUB = {
    "mnist": ("ylecun/mnist", "mnist"),
    "binary-mnist-dynamic": ("ylecun/mnist", "mnist"),
    "stacked-mnist": ("ylecun/mnist", "mnist"),
    "fashion-mnist": ("zalando-datasets/fashion_mnist", "fashion_mnist"),
    "cifar10": ("uoft-cs/cifar10", "cifar10"),
    "celeba-64": ("flwrlabs/celeba", "celeba"),
}

# Gzipped texts: file in the data root and address.
TEXTS = {
    "tinyshakespeare": {
        "sequences/tinyshakespeare.txt.gz": f"{KARPATHY}/data/tinyshakespeare/input.txt"
    },
    "abalone": {"tabular/abalone.csv.gz": f"{BROWNLEE}/abalone.csv"},
    "adult": {
        "tabular/adult_train.csv.gz": f"{BROWNLEE}/adult-train.csv",
        "tabular/adult_test.csv.gz": f"{BROWNLEE}/adult-test.csv",
    },
    "wine-quality": {
        "tabular/winequality_red.csv.gz": f"{BROWNLEE}/winequality-red.csv",
        "tabular/winequality_white.csv.gz": f"{BROWNLEE}/winequality-white.csv",
    },
    "california-housing": {
        "tabular/california_housing.csv.gz": f"{GERON}/datasets/housing/housing.csv"
    },
}

# What has to be brought by hand, and where it comes from.
BY_HAND = {
    "binary-mnist-static": "the page of H. Larochelle",
    **dict.fromkeys(MAF_FILES, "zenodo.org/records/1161203"),
}

Writer = Callable[[Path], Any]
BATCH, BEGINNING = 10_000, (6, 9, 9, 4, 1, 1, 2, 7, 8, 3)  # data_batch_1 and its first labels


def fetch(name: str) -> list[Path]:
    """Brings the files of a task into the data root.

    Args:
        name: Name of a task, `hf:owner/name` included.

    Returns:
        The files that were written; none where the task needs none or has them already.

    Raises:
        MissingData: The files could not be brought, or have to be by hand; the message says which
            they are and where they belong.
        ValueError: No task has that name, or the data root cannot be written.
    """
    if name in BY_HAND:
        _by_hand(name)
        return []
    if name.startswith("hf:"):
        return _hub(name, repository(name), f"hf/{repository(name)}")
    if name in HUB:
        return _hub(name, *HUB[name])
    if name in DEBD_SETS:
        folder = name.replace("-", "_")
        return _write(name, {f"debd/{folder}.npz": partial(_write_bits, folder)})
    if name.startswith("folder:"):
        return []
    if name == "cifar10-20k":
        return _first_batch(name)
    if name in ARRAYS:
        file, write = ARRAYS[name]
        return _write(name, {file: write})
    texts = TEXTS.get(known_task(name), {})
    return _write(name, {file: partial(_write_text, url) for file, url in texts.items()})


def _by_hand(name: str) -> None:
    missing = TASKS[name]().missing()
    if missing:
        raise MissingData(
            f"Expected {', '.join(missing)} for task {name!r} in the data root {data_root()}, got "
            f"no such file, and it cannot be fetched: put it there by hand, from {BY_HAND[name]}."
        )


def _hub(name: str, source: str, folder: str) -> list[Path]:
    """Writes every split of a set of the hub as one Parquet file."""
    if (data_root() / folder / "train.parquet").is_file():
        return []
    import datasets

    try:
        with muted("datasets", "huggingface_hub"):
            splits = datasets.load_dataset(source)
    except (OSError, datasets.exceptions.DatasetsError) as error:
        raise _unreachable(name, source, error) from error
    if "train" not in splits:
        raise ValueError(f"Expected a split 'train' of {source}, got {list(splits)}.")
    writers = {f"{folder}/{split}.parquet": rows.to_parquet for split, rows in splits.items()}
    # Train last: where it is, the others are.
    return _write(name, dict(sorted(writers.items(), key=lambda item: "train" in item[0])))


def _first_batch(name: str) -> list[Path]:
    """Brings CIFAR-10 and cuts `data_batch_1` out of its training images."""
    outline = TASKS[name]()
    if not outline.missing():
        return []
    brought = _hub(name, *HUB["cifar10"])
    import datasets

    train = str(data_root() / "cifar10" / "train.parquet")
    rows = datasets.load_dataset("parquet", data_files=train, split="train")
    labels = list(rows["label"])
    begins = [i for i in range(0, len(labels), BATCH) if tuple(labels[i : i + 10]) == BEGINNING]
    if len(begins) != 1:
        raise MissingData(
            f"Expected the {BATCH} images of data_batch_1 (labels {BEGINNING}...) in {train}, got "
            f"{len(begins)} such places."
        )
    part = rows.select(range(begins[0], begins[0] + BATCH))
    return brought + _write(name, {"cifar10/train-batch1.parquet": part.to_parquet})


def _write(name: str, writers: dict[str, Writer]) -> list[Path]:
    """Writes files of the data root that are not there, each beside its place and then renamed."""
    written = []
    for file, write in writers.items():
        path = data_root() / file
        if path.is_file():
            continue
        unfinished = _place(path).with_name(f"unfinished-{os.getpid()}-{path.name}")
        try:
            write(unfinished)
            unfinished.replace(path)
        except OSError as error:
            raise _unreachable(name, file, error) from error
        finally:
            unfinished.unlink(missing_ok=True)
        written.append(path)
    return written


def _place(path: Path) -> Path:
    """Returns the path after making its folder.

    Raises:
        ValueError: The data root cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"Expected a data root that can be written, got {data_root()}."
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"Expected a data root that can be written, got {data_root()}.")
    return path


def _unreachable(name: str, what: str, error: Exception) -> MissingData:
    return MissingData(
        f"Expected to fetch {what} for task {name!r} into the data root {data_root()}, got "
        f"{type(error).__name__}: {error}. Run `run_all.py fetch {name}` where there is a "
        "network, or set DGMBENCH_DATA to a root that has the files."
    )


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


# Arrays: file in the data root and what writes it.
ARRAYS: dict[str, tuple[str, Writer]] = {
    "olivetti": (
        "olivetti_faces/olivettifaces.npz",
        partial(_write_faces, f"{ROWEIS}/olivettifaces.mat", "faces", (64, 64)),
    ),
    "frey-faces": (
        "frey_faces/freyfaces.npz",
        partial(_write_faces, f"{ROWEIS}/frey_rawface.mat", "ff", (28, 20)),
    ),
    "jsb-chorales": (
        "sequences/jsb_chorales.npz",
        partial(_write_chorales, f"{GERON}/datasets/jsb_chorales/jsb_chorales.tgz"),
    ),
}
