"""Features and classes of 28x28 digits: the small network under the distances of `mnist`.

It also counts the modes of `stacked-mnist`. `train_mnist_cnn` trains it on the first 50,000 images
of MNIST; of the 10,000 test images it gets 99.39 % right.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from .frozen import FrozenMap

WEIGHTS = Path(__file__).with_name("mnist_cnn.safetensors")


class MNISTNetwork(nn.Module):
    """Three convolutions, d = 64 features behind a layer norm, ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.GELU(),
            nn.AvgPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.GELU(),
            nn.AvgPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.GELU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(576, 64),
            nn.LayerNorm(64),
            nn.GELU(),
        )
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the features of images with values in [-1, 1], `(B, 1, 28, 28)` to `(B, 64)`."""
        return self.body(x)


def to_unit(images: Tensor) -> Tensor:
    """Returns levels 0..255 as float32 in [-1, 1]."""
    return images.float() * (2 / 255) - 1


class MNISTCNN(FrozenMap):
    """The trained network, frozen.

    Args:
        weights: A safetensors file of a `MNISTNetwork`; by default the one that is shipped.
        batch: Images that go through the network at once.
    """

    name = "mnist-cnn"

    def __init__(self, weights: Path | str = WEIGHTS, batch: int = 1024) -> None:
        super().__init__(batch)
        self.network = MNISTNetwork()
        self.network.load_state_dict(load_file(weights))
        self.freeze()

    def features(self, x: Tensor) -> Tensor:
        return self.network(to_unit(check_mnist(x)))

    def probabilities(self, images: Tensor) -> Tensor:
        """Returns the probability of each class, `(N, 1, 28, 28)`, levels 0..255, to `(N, 10)`."""
        with torch.no_grad():
            return self.network.head(self(images)).softmax(1)

    def classify(self, images: Tensor) -> Tensor:
        """Returns the most probable class, `(N, 1, 28, 28)`, levels 0..255, to int64 `(N,)`."""
        return self.probabilities(images).argmax(1)


def check_mnist(x: Tensor) -> Tensor:
    """Returns `x` if it is a batch of 28x28 images with values within 0..255.

    Raises:
        ValueError: Another shape, or values that are not finite or outside the levels.
    """
    if tuple(x.shape[1:]) != (1, 28, 28):
        raise ValueError(f"Expected digits of shape (N, 1, 28, 28), got {tuple(x.shape)}.")
    if not bool(((x >= 0) & (x <= 255)).all()):
        raise ValueError(f"Expected digits with levels within 0..255, got {x.min()}..{x.max()}.")
    return x


@cache
def mnist_cnn() -> MNISTCNN:
    """Returns the shipped network on the CPU, loaded once a process."""
    return MNISTCNN()


def probabilities(images: Tensor) -> Tensor:
    """Returns the probability of each class, `(N, 1, 28, 28)`, levels 0..255, to `(N, 10)`."""
    return mnist_cnn().probabilities(images)


def classify(images: Tensor) -> Tensor:
    """Returns the most probable class, `(N, 1, 28, 28)`, levels 0..255, to int64 `(N,)`."""
    return mnist_cnn().classify(images)
