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

from ..task import Card, Task
from .arrays import cached
from .images import image_task, load_mnist
from .root import find

STATIC_ROWS = {"train": 50_000, "valid": 10_000, "test": 10_000}
COPIES = 4


def bernoulli(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Returns one binarisation of images of 256 levels, always the same for a seed."""
    random = np.random.RandomState(seed)
    # In parts, so that the uniform draws of 50,000 images are never in memory at once.
    parts = np.array_split(images, max(1, len(images) // 1000))
    return np.concatenate([255 * random.random_sample(x.shape) < x for x in parts]).astype(
        np.uint8
    )


def dynamic() -> Task:
    """Returns `binary-mnist-dynamic`, split as `mnist` is."""
    paths = find("binary-mnist-dynamic", "mnist/train.parquet", "mnist/test.parquet")

    def build() -> dict[str, NDArray[np.uint8]]:
        parts, _ = load_mnist("binary-mnist-dynamic")
        bits = {split: bernoulli(x, 10 + i) for i, (split, x) in enumerate(sorted(parts.items()))}
        copies = [bernoulli(parts["train"], seed) for seed in range(COPIES)]
        return {**bits, "train": np.concatenate(copies)}

    found = cached("binary-mnist-dynamic", paths, build)
    card = Card(
        summary="A handwritten digit, 28x28 bits drawn with the grey levels as probabilities.",
        source="ylecun/mnist on the Hugging Face hub",
        licence="CC BY-SA 3.0, as commonly stated",
        citation="Salakhutdinov & Murray 2008; Burda et al. 2016, arXiv:1509.00519, table 1",
        pitfalls=f"Train holds {COPIES} draws of each of 50,000 images, where papers draw anew "
        "each epoch; val and test are one draw each. Not comparable with the static set.",
    )
    return image_task("binary-mnist-dynamic", found.arrays, found.checksum, card, levels=2)


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


def static() -> Task:
    """Returns `binary-mnist-static` from the original files: 50,000, 10,000 and 10,000 images.

    Raises:
        MissingData: The files are not in the data root.
    """
    names = {k: f"binary_mnist/binarized_mnist_{k}.amat" for k in STATIC_ROWS}
    paths = dict(zip(names, find("binary-mnist-static", *names.values()), strict=True))
    found = cached(
        "binary-mnist-static",
        paths.values(),
        lambda: {k: read_amat(paths[k], n) for k, n in STATIC_ROWS.items()},
    )
    parts = dict(found.arrays)
    parts["val"] = parts.pop("valid")
    card = Card(
        summary="A handwritten digit, 28x28 bits of one fixed binarisation.",
        source="binarized_mnist_{train,valid,test}.amat of H. Larochelle",
        licence="CC BY-SA 3.0, as commonly stated for MNIST",
        citation="Larochelle & Murray 2011, NADE; Salakhutdinov & Murray 2008",
        pitfalls="Not comparable with dynamic binarisation: models overfit the fixed bits.",
    )
    return image_task("binary-mnist-static", parts, found.checksum, card, levels=2)
