"""Brings the files of a task into the data root, once; everything works offline after that.

Image sets come from the Hugging Face hub through the `datasets` library, the rest from where
`originals.py` says. What was brought is checked when the task is loaded.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..images.by_name import repository
from ..registry import TASKS, known_task
from ..tables.maf import FILES as MAF_FILES
from .data_root import MissingData, data_root
from .originals import ORIGINALS, Writer
from .quiet import critical_logs_only

# Repository on the hub and folder in the data root.
HUB = {
    "mnist": ("ylecun/mnist", "mnist"),
    "binary-mnist-dynamic": ("ylecun/mnist", "mnist"),
    "stacked-mnist": ("ylecun/mnist", "mnist"),
    "fashion-mnist": ("zalando-datasets/fashion_mnist", "fashion_mnist"),
    "cifar10": ("uoft-cs/cifar10", "cifar10"),
    "celeba-64": ("flwrlabs/celeba", "celeba"),
}

# What has to be brought by hand, and where it comes from.
BY_HAND = {
    "binary-mnist-static": "the page of H. Larochelle",
    **dict.fromkeys(MAF_FILES, "zenodo.org/records/1161203"),
}

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
    if name.startswith("folder:"):
        return []
    if name == "cifar10-20k":
        return _first_batch(name)
    return _write(name, ORIGINALS.get(known_task(name), {}))


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
        with critical_logs_only("datasets", "huggingface_hub"):
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
