"""Features and classes of 8x8 digits: the network under the distances of the task `digits`.

Trained by `benchmark/tasks/images/train_classifiers.py` on the task's 797 training
images; of the 400 test images, which it never saw, it puts 398 (99.5 %) into the right class.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from torch import Tensor, nn

from . import classifier
from .classifier import FrozenClassifier

WEIGHTS = Path(__file__).with_name("digits_cnn.safetensors")
LEVELS = 17


class DigitsNetwork(nn.Module):
    """Three convolutions, d = 32 features, ten classes.

    The features stand behind a layer norm, so no image, however strange, sends them to infinity;
    the GELU behind the norm keeps every coordinate alive.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.GELU(),
            nn.AvgPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.GELU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(256, 32),
            nn.LayerNorm(32),
            nn.GELU(),
        )
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the features of images with values in [-1, 1], `(B, 1, 8, 8)` to `(B, 32)`."""
        return self.body(x)


to_unit = partial(classifier.to_unit, levels=LEVELS)


class DigitsCNN(FrozenClassifier):
    """The trained network, frozen.

    Args:
        weights: A safetensors file of a `DigitsNetwork`; by default the one that is shipped.
        batch: Images that go through the network at once.
    """

    name = "digits-cnn"
    shape = (1, 8, 8)
    levels = LEVELS

    def __init__(self, weights: Path | str = WEIGHTS, batch: int = 1024) -> None:
        super().__init__(DigitsNetwork(), weights, batch)

    @classmethod
    def weights_file(cls) -> Path:
        return WEIGHTS


@cache
def digits_cnn() -> DigitsCNN:
    """Returns the shipped network on the CPU, loaded once a process."""
    return DigitsCNN()


def probabilities(images: Tensor) -> Tensor:
    """Returns the probability of each class, `(N, 1, 8, 8)` with levels 0..16 to `(N, 10)`."""
    return digits_cnn().probabilities(images)


def classify(images: Tensor) -> Tensor:
    """Returns the most probable class, `(N, 1, 8, 8)` with levels 0..16 to int64 `(N,)`."""
    return digits_cnn().classify(images)
