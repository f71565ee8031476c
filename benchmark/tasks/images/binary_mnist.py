"""Binarised MNIST: two data sets, `binary-mnist-static` and `binary-mnist-dynamic`.

Static: one binarisation, fixed by Larochelle & Murray 2011, whose files cannot be made from MNIST.
Dynamic: every pixel is a Bernoulli draw with the grey level / 255 as its probability. Likelihoods
of the two do not compare (86-87 nats against 82-83 for the same IWAE; arXiv:1509.00519, tables 1
and 3).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...contract.task import Card, Domain
from ..outline import Loaded, Outline
from ..readers.array_cache import cached
from ..split import tensors
from .cards import OTHER_WRITERS
from .parquet_sets import SIZES, image_task, pair, read_pair

STATIC_ROWS = {"train": 50_000, "valid": 10_000, "test": 10_000}
COPIES = 4
BITS = Domain((1, 28, 28), levels=2)

PITFALLS = (
    "In the papers a training image is binarised anew each time it is used. Models here see fixed "
    f"rows, so train holds {COPIES} draws of each of 50,000 images: a model can overfit them a "
    "little, where theirs cannot. Val, test and held-out rows are one draw each. Not comparable "
    f"with the static set. {OTHER_WRITERS}"
)


def bernoulli(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Returns one binarisation of images of 256 levels, always the same for a seed."""
    random = np.random.RandomState(seed)
    # In parts, so that the uniform draws of 50,000 images are never in memory at once.
    parts = np.array_split(images, max(1, len(images) // 1000))
    return np.concatenate([255 * random.random_sample(x.shape) < x for x in parts]).astype(
        np.uint8
    )


def _draw(*paths: Path) -> Loaded:
    """Returns one binarisation of each image of MNIST, and `COPIES` of each training image."""

    def build() -> dict[str, NDArray[np.uint8]]:
        grey, _ = read_pair("mnist", paths, "binary-mnist-dynamic")
        bits = {split: bernoulli(x, 10 + i) for i, (split, x) in enumerate(sorted(grey.items()))}
        copies = [bernoulli(grey["train"], seed) for seed in range(COPIES)]
        return {**bits, "train": np.concatenate(copies)}

    found = cached("binary-mnist-dynamic", paths, build)
    return Loaded(tensors(found.arrays), found.checksum)


def dynamic() -> Outline:
    """Returns `binary-mnist-dynamic`, split as `mnist` is."""
    sizes = SIZES["mnist"] | {"train": COPIES * SIZES["mnist"]["train"]}
    card = Card(
        summary="A handwritten digit, 28x28 bits drawn with the grey levels as probabilities.",
        source="ylecun/mnist on the Hugging Face hub",
        licence="CC BY-SA 3.0, as commonly stated",
        citation="Salakhutdinov & Murray 2008; Burda et al. 2016, arXiv:1509.00519, table 1",
        pitfalls=PITFALLS,
    )
    task = image_task("binary-mnist-dynamic", BITS, sizes["test"], card)
    return Outline(task, sizes, _draw, pair("mnist"))


def read_amat(path: Path, count: int) -> NDArray[np.uint8]:
    """Returns the images of a text file of 784 bits a line, shape `(count, 1, 28, 28)`.

    Raises:
        ValueError: Other characters, or another number of images.
    """
    bits = np.frombuffer(path.read_bytes().translate(None, b" \n\r\t"), np.uint8) - ord("0")
    if bits.size and bits.max() > 1:
        raise ValueError(f"Expected only 0 and 1 in {path}, got other characters.")
    if bits.size != count * 784:
        raise ValueError(
            f"Expected {count} images of 784 bits in {path}, got {bits.size / 784:g}: "
            "the file was cut short or is another one."
        )
    return bits.reshape(count, 1, 28, 28)


def _read_static(*paths: Path) -> Loaded:
    files = dict(zip(STATIC_ROWS, paths, strict=True))
    found = cached(
        "binary-mnist-static",
        paths,
        lambda: {k: read_amat(files[k], n) for k, n in STATIC_ROWS.items()},
    )
    parts = dict(found.arrays)
    parts["val"] = parts.pop("valid")
    return Loaded(tensors(parts), found.checksum)


def static() -> Outline:
    """Returns `binary-mnist-static` from the original files: 50,000, 10,000 and 10,000 images."""
    sizes = {"val" if split == "valid" else split: n for split, n in STATIC_ROWS.items()}
    card = Card(
        summary="A handwritten digit, 28x28 bits of one fixed binarisation.",
        source="binarized_mnist_{train,valid,test}.amat of H. Larochelle",
        licence="CC BY-SA 3.0, as commonly stated for MNIST",
        citation="Larochelle & Murray 2011, NADE; Salakhutdinov & Murray 2008",
        pitfalls="Not comparable with dynamic binarisation: models overfit the fixed bits.",
    )
    task = image_task("binary-mnist-static", BITS, sizes["test"], card)
    files = tuple(f"binary_mnist/binarized_mnist_{split}.amat" for split in STATIC_ROWS)
    return Outline(task, sizes, _read_static, files)
