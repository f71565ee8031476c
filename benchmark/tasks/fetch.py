"""Brings the files of a task into the data root, once; everything works offline after that.

Image sets come from the Hugging Face hub through the `datasets` library; texts and tables from the
repository and commit that this project's checksums were taken from. What was brought is checked
when the task is loaded.
"""

from __future__ import annotations

import gzip
import os
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

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
    "olivetti": "olivettifaces.mat of S. Roweis, as arrays images (400, 64, 64) and labels, uint8",
    "frey-faces": "frey_rawface.mat of S. Roweis, as an array images (1965, 28, 20), uint8",
    "cifar10-20k": "data_batch_1 and test_batch of CIFAR-10, written by `datasets`",
    "jsb-chorales": "ageron/handson-ml2 jsb_chorales.tgz, as arrays {train,valid,test}_NNN "
    "(T, 4), uint8",
    **dict.fromkeys(MAF_FILES, "zenodo.org/records/1161203"),
}

Writer = Callable[[Path], None]


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
