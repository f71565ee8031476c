"""Features and classes of 28x28 digits: the small network under `mnist` and `stacked-mnist`.

It also counts the modes of `stacked-mnist`. `benchmark/tasks/images/train_classifiers.py` trains
it on the first 50,000 images of MNIST; of the 10,000 test images it gets 99.39 % right.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from torch import Tensor, nn

from . import classifier
from .classifier import FrozenClassifier
from .frozen import FrozenMap

WEIGHTS = Path(__file__).with_name("mnist_cnn.safetensors")
LEVELS = 256


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


to_unit = partial(classifier.to_unit, levels=LEVELS)


class MNISTCNN(FrozenClassifier):
    """The trained network, frozen.

    Args:
        weights: A safetensors file of a `MNISTNetwork`; by default the one that is shipped.
        batch: Images that go through the network at once.
    """

    name = "mnist-cnn"
    shape = (1, 28, 28)
    levels = LEVELS

    def __init__(self, weights: Path | str = WEIGHTS, batch: int = 1024) -> None:
        super().__init__(MNISTNetwork(), weights, batch)

    @classmethod
    def weights_file(cls) -> Path:
        return WEIGHTS


class StackedMNISTCNN(FrozenMap):
    """The features of the digit in each channel, side by side: of three channels d = 192.

    Args:
        weights: As in `MNISTCNN`.
        batch: Stacks that go through the network at once.
    """

    name = "stacked-mnist-cnn"

    def __init__(self, weights: Path | str = WEIGHTS, batch: int = 512) -> None:
        super().__init__(batch)
        self.digit = MNISTCNN(weights)

    @classmethod
    def weights_file(cls) -> Path:
        return WEIGHTS

    def features(self, x: Tensor) -> Tensor:
        """Returns features, levels 0..255, shape `(B, C, 28, 28)` to `(B, 64 C)`.

        Raises:
            ValueError: Another shape, or values outside the levels.
        """
        if x.ndim != 4:
            raise ValueError(f"Expected stacks of shape (N, C, 28, 28), got {tuple(x.shape)}.")
        return self.digit.features(x.flatten(0, 1).unsqueeze(1)).reshape(len(x), -1)


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
