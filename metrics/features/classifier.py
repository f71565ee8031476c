"""Small classifiers of images as feature maps: features under distances, classes as modes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import ClassVar, Self

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from .frozen import FrozenMap


def to_unit(images: Tensor, levels: int) -> Tensor:
    """Returns levels 0..levels-1 as float32 in [-1, 1]."""
    return images.float() * (2 / (levels - 1)) - 1


class FrozenClassifier(FrozenMap):
    """A trained network with a head of classes, frozen.

    Args:
        weights: A safetensors file of the network; by default the one that is shipped.
        batch: Images that go through the network at once.

    Attributes:
        architecture: The network: it maps images with values in [-1, 1] to features `(B, d)`, and
            its `head` maps those to logits.
        shipped: Its trained weights, a safetensors file of the package.
        shape: Event shape of the images, `(C, H, W)`.
        levels: Number of levels of a pixel.
    """

    architecture: ClassVar[type[nn.Module]]
    shipped: ClassVar[Path]
    shape: ClassVar[tuple[int, int, int]]
    levels: ClassVar[int]

    def __init__(self, weights: Path | str | None = None, batch: int = 1024) -> None:
        super().__init__(batch)
        self.network = self.architecture()
        self.network.load_state_dict(load_file(weights or self.shipped))
        self.freeze()

    @classmethod
    def weights_file(cls) -> Path:
        return cls.shipped

    @classmethod
    @cache
    def on_cpu(cls) -> Self:
        """Returns the shipped network on the CPU, loaded once a process."""
        return cls()

    def features(self, x: Tensor) -> Tensor:
        return self.network(to_unit(self.check(x), self.levels))

    def probabilities(self, images: Tensor) -> Tensor:
        """Returns the probability of each class, integer images `(N, *shape)` to `(N, K)`."""
        with torch.no_grad():
            return self.network.get_submodule("head")(self(images)).softmax(1)

    def classify(self, images: Tensor) -> Tensor:
        """Returns the most probable class, integer images `(N, *shape)` to int64 `(N,)`."""
        return self.probabilities(images).argmax(1)

    def check(self, x: Tensor) -> Tensor:
        """Returns `x` if it is a batch of images of this shape with values within the levels.

        Raises:
            ValueError: Another shape, or values that are not finite or outside the levels.
        """
        if tuple(x.shape[1:]) != self.shape:
            want = ", ".join(map(str, self.shape))
            raise ValueError(f"Expected digits of shape (N, {want}), got {tuple(x.shape)}.")
        if not bool(((x >= 0) & (x <= self.levels - 1)).all()):
            raise ValueError(
                f"Expected digits with levels within 0..{self.levels - 1}, "
                f"got {x.min()}..{x.max()}."
            )
        return x
