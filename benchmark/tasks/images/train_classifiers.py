"""Trains the feature networks of the digits and of MNIST: some ten minutes on one core each.

    python -m dgmbench.benchmark.tasks.images.train_classifiers digits-cnn [weights.safetensors]
    python -m dgmbench.benchmark.tasks.images.train_classifiers mnist-cnn [weights.safetensors]

A network sees training rows alone and is judged on rows that it never saw. What it must not do is
know its training images by heart: a generator that copies them would then look different from
fresh images under its features. Hence the augmentation, the soft targets and the weight decay.
The shipped weights of `digits-cnn` were annealed per epoch instead of per step.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor, nn

from ....metrics.features.classifier import FrozenClassifier, to_unit
from ....metrics.features.digits_cnn import DigitsCNN
from ....metrics.features.mnist_cnn import MNISTCNN
from ...contract.model import seeded
from ..readers.data_root import data_root
from .digits import digits

Labelled = Mapping[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

    Attributes:
        map: The feature map: its architecture, and where its shipped weights are.
        data: Reads images `(N, 1, H, W)` and classes `(N,)` of the splits train, val and test.
        augment: Maps images in [-1, 1] and soft targets `(B, 10)` to what is learnt of them.
        epochs: Passes over the training rows.
        batch: Rows per step.
        lr: Learning rate of AdamW, annealed to 0 by a half cosine.
        decay: Weight decay.
        average: Decay of the running average of the weights; 0 keeps the last ones.
    """

    map: type[FrozenClassifier]
    data: Callable[[], Labelled]
    augment: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    epochs: int
    batch: int
    lr: float
    decay: float
    average: float

    def to_unit(self, images: Tensor) -> Tensor:
        """Returns levels as the network takes them, in [-1, 1]."""
        return to_unit(images, self.map.levels)


def train(recipe: Recipe, splits: Labelled) -> nn.Module:
    """Returns the network; of an averaged one, that with the lowest loss on val."""
    network = recipe.map.architecture()
    average = copy.deepcopy(network)
    best, lowest = average, math.inf
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.lr, weight_decay=recipe.decay)
    images, labels = splits["train"]
    targets = F.one_hot(labels, 10).float()
    steps = recipe.epochs * math.ceil(len(images) / recipe.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(recipe.epochs):
        for rows in torch.randperm(len(images)).split(recipe.batch):
            x, y = recipe.augment(recipe.to_unit(images[rows]), targets[rows])
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(logits(network, x), y).backward()
            optimiser.step()
            schedule.step()
            _follow(average, network, recipe.average)
        seen = _loss(average, recipe, *splits["val"])
        print(f"epoch {epoch + 1} of {recipe.epochs}: loss on val {seen:.4f}", flush=True)
        if recipe.average and epoch >= recipe.epochs // 3 and seen < lowest:
            best, lowest = copy.deepcopy(average), seen
    return best.eval()


def logits(network: nn.Module, x: Tensor) -> Tensor:
    """Returns the logits of images in [-1, 1], `(B, 1, H, W)` to `(B, 10)`."""
    return network.get_submodule("head")(network(x))


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)


@torch.no_grad()
def _loss(network: nn.Module, recipe: Recipe, images: Tensor, labels: Tensor) -> float:
    parts = zip(images.split(1000), labels.split(1000), strict=True)
    sums = [
        F.cross_entropy(logits(network, recipe.to_unit(x)), y, reduction="sum") for x, y in parts
    ]
    return float(torch.stack(sums).sum()) / len(images)


@torch.no_grad()
def correct(network: nn.Module, recipe: Recipe, images: Tensor, labels: Tensor) -> int:
    """Returns how many images the network puts into their class."""
    guesses = [logits(network, recipe.to_unit(x)).argmax(1) for x in images.split(1000)]
    return int((torch.cat(guesses) == labels).sum())


def turned_and_mixed(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns turned, zoomed, shifted and noisy images, mixed up in pairs (arXiv:1710.09412).

    One image in four keeps its place, so that the network also sees strokes that no interpolation
    has blurred.
    """
    angle = torch.randn(len(x)) * 0.15
    zoom = torch.exp(torch.randn(len(x)) * 0.08)
    moved = (torch.rand(len(x)) < 0.75).float()
    cos, sin = (moved * angle).cos() * zoom**moved, (moved * angle).sin() * zoom**moved
    shift = (torch.rand(len(x), 2) - 0.5) * 0.35 * moved[:, None]  # 0.25 is one pixel
    matrix = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], 1).view(-1, 2, 3)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    # Zero padding must be paper (level 0), so the images are shifted to [0, 2] and back.
    turned = F.grid_sample(x + 1, grid, align_corners=False) - 1
    noisy = (turned + torch.randn_like(x) * torch.rand(len(x), 1, 1, 1) * 0.15).clamp(-1, 1)
    share = torch.distributions.Beta(0.2, 0.2).sample((len(x),))
    other, wide = torch.randperm(len(x)), share.view(-1, 1, 1, 1)
    mixed = wide * noisy + (1 - wide) * noisy[other]
    return mixed, share[:, None] * y + (1 - share)[:, None] * y[other]


def shifted_and_smoothed(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the batch moved by up to two pixels, and targets softened by 5 %."""
    rows, columns = torch.randint(-2, 3, (2,)).tolist()
    return x.roll((rows, columns), dims=(2, 3)), 0.95 * y + 0.05 / 10  # MNIST's border is empty


def labels_of(images: Tensor) -> Tensor:
    """Returns the class of each image, looked up by its pixels among scikit-learn's 1,797.

    Args:
        images: Rows of the task `digits`, levels 0..16, shape `(N, 1, 8, 8)`.

    Returns:
        Classes, int64, shape `(N,)`.
    """
    pixels, labels = load_digits(return_X_y=True)
    known = {row.tobytes(): int(y) for row, y in zip(pixels.astype("uint8"), labels, strict=True)}
    rows = images.flatten(1).to(torch.uint8).numpy()
    return torch.tensor([known[row.tobytes()] for row in rows])


def labelled_digits() -> Labelled:
    """Returns images and classes of the task's splits train, val and test."""
    task = digits().load()
    splits = {"train": task.train, "val": task.val, "test": task.test}
    return {name: (x, labels_of(x)) for name, x in splits.items() if x is not None}


def labelled_mnist() -> Labelled:
    """Returns images and classes of MNIST in the data root: 50,000, 10,000 and 10,000."""
    from datasets import load_dataset  # slow to import

    folder = data_root() / "mnist"
    files = {name: str(folder / f"{name}.parquet") for name in ("train", "test")}
    read = load_dataset("parquet", data_files=files)
    both = {
        name: (
            torch.from_numpy(np.stack([np.asarray(image) for image in rows["image"]]))[:, None],
            torch.tensor(rows["label"]),
        )
        for name, rows in read.items()
    }
    x, y = both["train"]
    return {
        "train": (x[:50_000], y[:50_000]),
        "val": (x[50_000:], y[50_000:]),
        "test": both["test"],
    }


RECIPES = {
    "digits-cnn": Recipe(
        DigitsCNN, labelled_digits, turned_and_mixed,
        epochs=300, batch=64, lr=3e-3, decay=0.05, average=0.995,
    ),
    "mnist-cnn": Recipe(
        MNISTCNN, labelled_mnist, shifted_and_smoothed,
        epochs=8, batch=128, lr=2e-3, decay=0.01, average=0.0,
    ),
}  # fmt: skip


def main(name: str, out: Path | None = None, seed: int = 0) -> None:
    """Trains a network, says how good it is on each split, and writes its weights."""
    recipe = RECIPES[name]
    splits = recipe.data()
    with seeded(seed):
        network = train(recipe, splits)
    save_file(network.state_dict(), out or recipe.map.shipped)
    for split, (images, labels) in splits.items():
        print(f"{split}: {correct(network, recipe, images, labels)} of {len(images)} right")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in RECIPES:
        sys.exit(f"Expected the name of a network ({', '.join(RECIPES)}), got {sys.argv[1:]}.")
    main(sys.argv[1], Path(sys.argv[2]) if sys.argv[2:] else None)
