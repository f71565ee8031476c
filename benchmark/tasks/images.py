"""Image sets of 256 levels, from Parquet files as the `datasets` library writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from ..task import Card, Domain, Modes, Task
from .arrays import Cached, cached
from .pictures import parquet_pixels
from .refusals import CLASSIFIED, IMAGES, too_few
from .root import find, verify
from .split import tensors

# Checksums of the pixels, whatever file they came from.
SHA256 = {
    "mnist": "063c7de192273238f85d4f48659b715c355c7f150402e1ba61d73f7ff64fe264",
    "fashion-mnist": "d04e996a2fcd6434f97b2aecf4dc04ed3ee752521a8c55e71377ad6695061b85",
    "cifar10-20k": "c534c4609bae46556cfba3279d46cb7ba87e39ec05ac8561179e02668e5a1f29",
}

MNIST = Card(
    summary="A handwritten digit, 28x28 pixels of 256 levels of grey.",
    source="ylecun/mnist on the Hugging Face hub",
    licence="CC BY-SA 3.0, as commonly stated",
    citation="LeCun, Bottou, Bengio & Haffner 1998, Proceedings of the IEEE 86",
    pitfalls="Train is the first 50,000 images; of the other 10,000 half are val and half held "
    "out for the oracle. Bits per dimension are of the 256 levels, not of binarised pixels. The "
    "Frechet distance is in features of a small network of our own and compares with no "
    "published one.",
)
FASHION = Card(
    summary="A piece of clothing, 28x28 pixels of 256 levels of grey.",
    source="zalando-datasets/fashion_mnist on the Hugging Face hub",
    licence="MIT",
    citation="Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747",
    pitfalls="Train is the first 50,000 images; of the other 10,000 half are val and half held "
    "out for the oracle. Distances are between raw pixels.",
)
CIFAR10 = Card(
    summary="A small photograph of one of ten classes, 32x32 RGB pixels of 256 levels.",
    source="uoft-cs/cifar10 on the Hugging Face hub",
    licence="none stated; citation asked for",
    citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    pitfalls="Train is the first 40,000 images in the files' order; 5,000 are val, 5,000 held "
    "out. Published Frechet distances use all 50,000 training images as reference. About 3 % of "
    "the test images have near-duplicates in train (Barz & Denzler 2020, arXiv:1902.00423).",
)
CIFAR10_20K = Card(
    summary=CIFAR10.summary,
    source="data_batch_1 and test_batch of CIFAR-10",
    licence=CIFAR10.licence,
    citation=CIFAR10.citation,
    pitfalls="A part of CIFAR-10: 8,000 images to train on, 1,000 val, 1,000 held out. Its "
    "numbers compare with none of the 50,000.",
)
CELEBA = Card(
    summary="A celebrity's face, the central 140x140 square resized to 64x64 RGB pixels.",
    source="flwrlabs/celeba on the Hugging Face hub",
    licence="non-commercial research only; must not be passed on",
    citation="Liu, Luo, Wang & Tang 2015, arXiv:1411.7766",
    pitfalls="Crops of 108, 140, 148 and 178 pixels are all in use: distances differ by the crop.",
)


def classify_mnist(images: Tensor) -> Tensor:
    """Returns the classes 0..9 of digits `(N, 1, 28, 28)`, levels 0..255, as int64 `(N,)`."""
    from ...metrics.features.mnist_cnn import classify

    return classify(images).to(images.device)


def image_task(
    name: str,
    parts: Mapping[str, NDArray[Any]],
    checksum: str,
    card: Card,
    *,
    modes: Modes | None = None,
    feature_map: str = "identity",
    levels: int = 256,
) -> Task:
    """Returns the task of learning images.

    Args:
        name: Its name.
        parts: Images of each split, shape `(N, C, H, W)`.
        checksum: Of what was loaded.
        card: Where it comes from.
        modes: The classes, where a classifier tells them.
        feature_map: See `Task`.
        levels: Number of levels of a pixel.
    """
    domain = Domain(tuple(parts["train"].shape[1:]), levels=levels)
    refuses = IMAGES if modes is None else CLASSIFIED
    if feature_map == "identity":
        refuses = {**refuses, **too_few(len(parts["test"]), domain.dim)}
    return Task(
        name=name,
        version=1,
        domain=domain,
        kind="image",
        modes=modes,
        feature_map=feature_map,
        primary="mmd" if feature_map == "identity" else "frechet_distance",
        refuses=refuses,
        card=card,
        checksum=checksum,
        **tensors(parts),
    )


def load_parquet(
    task: str, files: Mapping[str, str], crop: int | None = None, side: int | None = None
) -> Cached:
    """Returns the images of Parquet files in the data root, decoded once and then cached.

    Args:
        task: Name of the task, for messages and for the cache.
        files: Path relative to the data root of each split.
        crop: See `parquet_pixels`.
        side: See `parquet_pixels`.

    Raises:
        MissingData: A file is not there.
        ValueError: A file is damaged.
    """
    paths = find(task, *files.values())
    return cached(
        task,
        paths,
        lambda: {k: parquet_pixels(p, crop, side) for k, p in zip(files, paths, strict=True)},
    )


def cut_train(train: NDArray[Any], val: int, holdout: int) -> dict[str, NDArray[Any]]:
    """Returns train without its last rows, and these as val and holdout."""
    n = len(train) - val - holdout
    if n < 1:
        raise ValueError(f"Expected more than {val + holdout} training images, got {len(train)}.")
    return {"train": train[:n], "val": train[n : n + val], "holdout": train[n + val :]}


def pair(folder: str, train: str = "train", test: str = "test") -> dict[str, str]:
    """Returns the files of a set with a train and a test file."""
    return {"train": f"{folder}/{train}.parquet", "test": f"{folder}/{test}.parquet"}


def load_mnist(task: str = "mnist") -> tuple[dict[str, NDArray[Any]], str]:
    """Returns the images of MNIST by split, shape `(N, 1, 28, 28)`, and their checksum."""
    arrays, checksum = load_parquet("mnist", pair("mnist"))
    verify(task, SHA256["mnist"], checksum)
    return {**cut_train(arrays["train"], 5_000, 5_000), "test": arrays["test"]}, checksum


def mnist() -> Task:
    """Returns `mnist`: 50,000 train, 5,000 val, 10,000 test, 5,000 held out."""
    parts, checksum = load_mnist()
    modes = Modes(10, classify_mnist, over="all")
    return image_task("mnist", parts, checksum, MNIST, modes=modes, feature_map="mnist-cnn")


def fashion_mnist() -> Task:
    """Returns `fashion-mnist`, split as `mnist` is."""
    arrays, checksum = load_parquet("fashion-mnist", pair("fashion_mnist"))
    verify("fashion-mnist", SHA256["fashion-mnist"], checksum)
    parts = {**cut_train(arrays["train"], 5_000, 5_000), "test": arrays["test"]}
    return image_task("fashion-mnist", parts, checksum, FASHION)


def cifar10() -> Task:
    """Returns `cifar10`: 40,000 train, 5,000 val, 10,000 test, 5,000 held out."""
    arrays, checksum = load_parquet("cifar10", pair("cifar10"))
    counts = {k: len(v) for k, v in arrays.items()}
    if counts != {"train": 50_000, "test": 10_000}:
        raise ValueError(f"Expected 50,000 and 10,000 images of cifar10, got {counts}.")
    parts = {**cut_train(arrays["train"], 5_000, 5_000), "test": arrays["test"]}
    return image_task("cifar10", parts, checksum, CIFAR10, feature_map="inception-v3")


def cifar10_20k() -> Task:
    """Returns `cifar10-20k`: the first training batch and the test images."""
    arrays, checksum = load_parquet("cifar10-20k", pair("cifar10", "train-batch1"))
    verify("cifar10-20k", SHA256["cifar10-20k"], checksum)
    parts = {**cut_train(arrays["train"], 1_000, 1_000), "test": arrays["test"]}
    return image_task("cifar10-20k", parts, checksum, CIFAR10_20K, feature_map="inception-v3")


def celeba_64() -> Task:
    """Returns `celeba-64`: its own train, valid and test; 5,000 of train are held out."""
    files = {**pair("celeba"), "valid": "celeba/valid.parquet"}
    arrays, checksum = load_parquet("celeba-64", files, crop=140, side=64)
    holdout = min(5_000, len(arrays["train"]) // 10)
    parts = cut_train(arrays["train"], 0, holdout)
    parts |= {"val": arrays["valid"], "test": arrays["test"]}
    return image_task("celeba-64", parts, checksum, CELEBA, feature_map="inception-v3")
