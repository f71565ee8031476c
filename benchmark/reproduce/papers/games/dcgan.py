"""The nets of DCGAN for 28x28 images, as the code of several papers has them.

Radford, Metz & Chintala, Unsupervised representation learning with deep convolutional generative
adversarial networks, 2016, arXiv:1511.06434: filters of five by five pixels, four strides of two,
batch normalisation in the generator; the weights start as small normal numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from .....baselines.streams import Rows
from ....contract.task import TrainingTask
from .as_printed import AsPrinted

SIZES = (2, 4, 7, 14, 28)  # of the images, from the noise to the pixels
START = 0.02  # standard deviation of weights


class Generator(nn.Module):
    """From noise to images.

    Args:
        latent: Coordinates of the noise.
        channels: Channels of an image.
        filters: Filters of the last hidden layer; the others have two, four and eight times more.
        last: What bounds the pixels.
    """

    def __init__(self, latent: int, channels: int, filters: int, last: nn.Module) -> None:
        super().__init__()
        widths = [8 * filters, 4 * filters, 2 * filters, filters]
        self.first = nn.Linear(latent, widths[0] * SIZES[0] ** 2)
        layers: list[nn.Module] = [nn.Unflatten(1, (widths[0], SIZES[0], SIZES[0]))]
        sides = list(pairwise(SIZES))
        for (inputs, outputs), (side, larger) in zip(
            pairwise([*widths, channels]), sides, strict=True
        ):
            more = larger - (2 * side - 1)  # 28 is no power of two
            layers += [
                nn.BatchNorm2d(inputs),
                nn.ReLU(),
                nn.ConvTranspose2d(inputs, outputs, 5, 2, padding=2, output_padding=more),
            ]
        self.rest = nn.Sequential(*layers, last)
        started(self)

    def forward(self, z: Tensor) -> Tensor:
        """Returns images `(B, C * 784)` of noise `(B, latent)`."""
        return self.rest(self.first(z)).flatten(1)


class Critic(nn.Module):
    """From images to numbers.

    Args:
        channels: Channels of an image.
        filters: Filters of the first layer; the others have two, four and eight times more.
        outputs: Numbers of an image.
        normalised: Whether all layers but the first have batch normalisation.
    """

    def __init__(
        self, channels: int, filters: int, outputs: int = 1, normalised: bool = False
    ) -> None:
        super().__init__()
        self.shape = (channels, SIZES[-1], SIZES[-1])
        widths = [channels, filters, 2 * filters, 4 * filters, 8 * filters]
        layers: list[nn.Module] = []
        for k, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Conv2d(before, after, 5, 2, padding=2))
            if normalised and k > 0:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(0.2))
        last = nn.Linear(widths[-1] * SIZES[0] ** 2, outputs)
        self.layers = nn.Sequential(*layers, nn.Flatten(), last)
        started(self)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the outputs `(B, outputs)` of images of any shape that has C * 784 pixels."""
        return self.layers(x.reshape(len(x), *self.shape))


def started(net: nn.Module) -> None:
    """Sets the weights of all layers that have some as the code does, and their biases to 0."""
    for layer in net.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, std=START)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class OfPixels(AsPrinted):
    """Training as printed on images with pixels in [0, 1], from noise that is uniform.

    It stands before the model in the bases of a class.
    """

    generator: nn.Module
    latent: int

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[Any]:
        """Yields rows of levels 0..255 as pixels."""
        if task.train is None:
            raise ValueError(f"Expected images for {type(self).__name__}, got none.")
        return Rows(task.train, batch_size, self.device, transform=lambda x: x.float() / 255)

    def generate(self, n: int) -> Tensor:
        """Returns n images, shape `(n, C * 784)`."""
        return self.generator(2 * torch.rand(n, self.latent, device=self.device) - 1)


def levels(pixels: Tensor) -> Tensor:
    """Returns pixels as levels 0..255, uint8; what is below 0 is black."""
    return (255 * pixels).round().clamp(0, 255).to(torch.uint8)
