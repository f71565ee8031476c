"""Trains the feature network of the digits, in about ten minutes on one core.

    python -m dgmbench.benchmark.tasks.train_digits_cnn [weights.safetensors]

The network sees the training rows of the task `digits` alone and is chosen on its validation rows.
What it must not do is know its training images by heart: a generator that copies them would then
look different from fresh digits under its features. Hence the augmentation (turns, shifts, zoom,
noise, mixup), the weight decay and the averaged weights.
"""

from __future__ import annotations

import copy
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor

from ...metrics.features.digits_cnn import WEIGHTS, DigitsCNN, DigitsNetwork, to_unit
from ..model import seeded
from .digits import digits


def augmented(x: Tensor) -> Tensor:
    """Returns turned, zoomed, shifted and noisy images, `(B, 1, 8, 8)` in [-1, 1].

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
    noise = torch.randn_like(x) * torch.rand(len(x), 1, 1, 1) * 0.15
    return (turned + noise).clamp(-1, 1)


def mixed(x: Tensor, y: Tensor, strength: float = 0.2) -> tuple[Tensor, Tensor]:
    """Returns mixup of images and of their one-hot labels (arXiv:1710.09412)."""
    share = torch.distributions.Beta(strength, strength).sample((len(x),))
    other = torch.randperm(len(x))
    wide = share.view(-1, 1, 1, 1)
    return wide * x + (1 - wide) * x[other], share[:, None] * y + (1 - share)[:, None] * y[other]


def train(
    images: Tensor, labels: Tensor, val: tuple[Tensor, Tensor], epochs: int = 300
) -> DigitsNetwork:
    """Returns the network with the lowest loss on the validation rows.

    Args:
        images: Training images, levels 0..16, shape `(N, 1, 8, 8)`.
        labels: Their classes, int64, shape `(N,)`.
        val: Validation images and classes.
        epochs: Passes over the training rows.
    """
    network = DigitsNetwork()
    average = copy.deepcopy(network)
    best, lowest = copy.deepcopy(network), math.inf
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    x, y = to_unit(images), F.one_hot(labels, 10).float()
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            inputs, targets = mixed(augmented(x[rows]), y[rows])
            loss = F.cross_entropy(network.head(network(inputs)), targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            _follow(average, network, decay=0.995)
        schedule.step()
        seen = _loss(average, *val)
        if epoch >= epochs // 3 and seen < lowest:
            best, lowest = copy.deepcopy(average), seen
    return best


@torch.no_grad()
def _follow(average: DigitsNetwork, network: DigitsNetwork, decay: float) -> None:
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)


@torch.no_grad()
def _loss(network: DigitsNetwork, images: Tensor, labels: Tensor) -> float:
    return F.cross_entropy(network.head(network(to_unit(images))), labels).item()


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


def labelled() -> dict[str, tuple[Tensor, Tensor]]:
    """Returns images and classes of the task's splits train, val and test."""
    task = digits().load()
    splits = {"train": task.train, "val": task.val, "test": task.test}
    return {name: (x, labels_of(x)) for name, x in splits.items() if x is not None}


def main(out: Path = WEIGHTS, seed: int = 0) -> None:
    """Trains on the rows of the task `digits`, says how well, and writes the weights."""
    splits = labelled()
    with seeded(seed):
        network = train(*splits["train"], splits["val"])
    save_file(network.state_dict(), out)
    for name, (images, labels) in splits.items():
        right = DigitsCNN(out).classify(images) == labels
        print(f"{name}: {int(right.sum())} of {len(images)} right")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else WEIGHTS)
