"""Image sets of 256 levels, from Parquet files as the `datasets` library writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...contract.task import Card, Domain, Modes, Task
from ..outline import Loaded, Outline
from ..readers.array_cache import Cached, cached
from ..readers.data_root import verify
from ..readers.decode import parquet_pixels
from ..refusals import CLASSIFIED, IMAGES, too_few, too_wide
from ..split import tensors
from .cards import CELEBA, CIFAR10, CIFAR10_20K, FASHION, MNIST

# Images of each split. Train, val and holdout are the training file in its order, test is its own.
SIZES = {
    "mnist": {"train": 50_000, "val": 5_000, "test": 10_000, "holdout": 5_000},
    "fashion-mnist": {"train": 50_000, "val": 5_000, "test": 10_000, "holdout": 5_000},
    "cifar10": {"train": 40_000, "val": 5_000, "test": 10_000, "holdout": 5_000},
    "cifar10-20k": {"train": 8_000, "val": 1_000, "test": 10_000, "holdout": 1_000},
    "celeba-64": {"train": 157_770, "val": 19_867, "test": 19_962, "holdout": 5_000},
}

# Checksums of the pixels, whatever file they came from.
SHA256 = {
    "mnist": "063c7de192273238f85d4f48659b715c355c7f150402e1ba61d73f7ff64fe264",
    "fashion-mnist": "d04e996a2fcd6434f97b2aecf4dc04ed3ee752521a8c55e71377ad6695061b85",
    "cifar10-20k": "c534c4609bae46556cfba3279d46cb7ba87e39ec05ac8561179e02668e5a1f29",
}


def classify_mnist(images: Tensor) -> Tensor:
    """Returns the classes 0..9 of digits `(N, 1, 28, 28)`, levels 0..255, as int64 `(N,)`."""
    from ....metrics.features.mnist_cnn import MNISTCNN

    return MNISTCNN.on_cpu().classify(images).to(images.device)


def image_task(
    name: str,
    domain: Domain,
    test_rows: int,
    card: Card,
    *,
    modes: Modes | None = None,
    feature_map: str = "pixels",
    version: int = 1,
) -> Task:
    """Returns the task of learning images, without its rows.

    Args:
        name: Its name.
        domain: What an image is.
        test_rows: Number of test images.
        card: Where it comes from.
        modes: The classes, where a classifier tells them.
        feature_map: See `Task`.
        version: See `Task`.
    """
    refuses = IMAGES if modes is None else CLASSIFIED
    if feature_map == "pixels":
        refuses = {**refuses, **too_wide(domain.dim), **too_few(test_rows, domain.dim)}
    return Task(
        name=name,
        version=version,
        domain=domain,
        kind=image_kind(domain),
        modes=modes,
        feature_map=feature_map,
        primary="mmd" if feature_map == "pixels" else "frechet_distance",
        refuses=refuses,
        card=card,
    )


def image_kind(domain: Domain) -> str:
    """Returns the kind of a task of images: bits and colours need recipes of their own.

    A step on three channels of 256 levels takes several times as long as one on 784 bits.
    """
    if domain.levels == 2:
        return "binary-image"
    return "image" if domain.shape[0] == 1 else "colour-image"


def pair(folder: str, train: str = "train", test: str = "test") -> tuple[str, str]:
    """Returns the files of a set with a train and a test file."""
    return f"{folder}/{train}.parquet", f"{folder}/{test}.parquet"


def decoded(
    name: str,
    paths: Sequence[Path],
    splits: Sequence[str] = ("train", "test"),
    crop: int | None = None,
    side: int | None = None,
) -> Cached:
    """Returns the images of Parquet files, shape `(N, C, H, W)`, decoded once and then cached.

    Args:
        name: Name of the set, for the cache.
        paths: The files.
        splits: The split that each of them holds.
        crop: See `parquet_pixels`.
        side: See `parquet_pixels`.

    Raises:
        ValueError: A file is damaged.
    """
    files = dict(zip(splits, paths, strict=True))
    return cached(
        name, paths, lambda: {k: parquet_pixels(path, crop, side) for k, path in files.items()}
    )


def cut_train(name: str, train: NDArray[Any], sizes: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """Returns training images, in their order, as train, val and holdout.

    Args:
        name: Name of the task, for the message.
        train: Shape `(N, C, H, W)`.
        sizes: Images of each split; a split that is not there has none.

    Raises:
        ValueError: N is not the sum of the sizes.
    """
    counts = {split: sizes.get(split, 0) for split in ("train", "val", "holdout")}
    total = sum(counts.values())
    if len(train) != total:
        raise ValueError(f"Expected {total:,} training images of {name}, got {len(train):,}.")
    ends = np.cumsum(list(counts.values()))[:-1]
    return dict(zip(counts, np.split(train, ends), strict=True))


def read_pair(
    name: str, paths: Sequence[Path], task: str = ""
) -> tuple[dict[str, NDArray[Any]], str]:
    """Returns images by split, of a set of a train and a test file, and their checksum.

    Args:
        name: Name of the set in `SIZES`.
        paths: Its files.
        task: Name of the task for messages, where it is another.

    Raises:
        ValueError: A file is damaged, or its images are not the published ones.
    """
    arrays, checksum = decoded(name, paths)
    verify(task or name, SHA256.get(name), checksum)
    parts = cut_train(task or name, arrays["train"], SIZES[name])
    return {**parts, "test": arrays["test"]}, checksum


def parquet_set(
    name: str,
    files: tuple[str, str],
    shape: tuple[int, int, int],
    card: Card,
    modes: Modes | None = None,
    feature_map: str = "pixels",
    version: int = 1,
) -> Outline:
    """Returns the outline of a set of 256 levels with a train and a test file.

    Args:
        name: Its name in `SIZES`.
        files: Paths in the data root.
        shape: `(C, H, W)`.
        card: Where it comes from.
        modes: See `image_task`.
        feature_map: See `Task`.
        version: See `Task`.
    """
    sizes, domain = SIZES[name], Domain(shape, levels=256)
    task = image_task(
        name,
        domain,
        sizes["test"],
        card,
        modes=modes,
        feature_map=feature_map,
        version=version,
    )

    def read(*paths: Path) -> Loaded:
        parts, checksum = read_pair(name, paths)
        return Loaded(tensors(parts), checksum)

    return Outline(task, sizes, read, files)


def mnist() -> Outline:
    """Returns `mnist`: 50,000 train, 5,000 val, 10,000 test, 5,000 held out."""
    modes = Modes(10, classify_mnist, over="all")
    return parquet_set("mnist", pair("mnist"), (1, 28, 28), MNIST, modes, "mnist-cnn")


def fashion_mnist() -> Outline:
    """Returns `fashion-mnist`, split as `mnist` is."""
    # Version 1 measured distances between levels 0..255, whose cube the kernel distance takes.
    return parquet_set("fashion-mnist", pair("fashion_mnist"), (1, 28, 28), FASHION, version=2)


def cifar10() -> Outline:
    """Returns `cifar10`: 40,000 train, 5,000 val, 10,000 test, 5,000 held out."""
    files = pair("cifar10")
    return parquet_set("cifar10", files, (3, 32, 32), CIFAR10, feature_map="inception-v3")


def cifar10_20k() -> Outline:
    """Returns `cifar10-20k`: the first training batch and the test images."""
    files = pair("cifar10", "train-batch1")
    # Version 1 had Inception's features, which machines that have but a part of CIFAR-10 lack.
    return parquet_set("cifar10-20k", files, (3, 32, 32), CIFAR10_20K, version=2)


def celeba_64() -> Outline:
    """Returns `celeba-64`: its own train, valid and test; 5,000 of train are held out."""
    splits, sizes = ("train", "valid", "test"), SIZES["celeba-64"]

    def read(*paths: Path) -> Loaded:
        arrays, checksum = decoded("celeba-64", paths, splits, crop=140, side=64)
        parts = cut_train("celeba-64", arrays["train"], {**sizes, "val": 0})
        parts |= {"val": arrays["valid"], "test": arrays["test"]}
        return Loaded(tensors(parts), checksum)

    domain = Domain((3, 64, 64), levels=256)
    task = image_task("celeba-64", domain, sizes["test"], CELEBA, feature_map="inception-v3")
    return Outline(task, sizes, read, tuple(f"celeba/{split}.parquet" for split in splits))
