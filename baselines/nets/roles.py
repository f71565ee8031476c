"""Nets by the role that they play in a model: each domain gets what suits it.

| role | vectors, tables, bits, tokens | images |
|---|---|---|
| encoder, decoder, critic | multilayer perceptron | convolutions (`images`) |
| denoiser: a point and its time | perceptron shifted by the time (`time`) | U-Net (`unet`) |

`hidden` are the widths of a perceptron's layers, `channels` those of a convolutional net at the
finest resolution; a recipe gives both for each compute class. Nets know no probability.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from ...benchmark.contract.task import Domain
from .images import ImageCritic, ImageDecoder, ImageEncoder, leaky
from .mlp import MLP
from .time import TimeMLP
from .unet import UNet
from .waves import Waves


class Flat(nn.Sequential):
    """Layers whose input is flattened first."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps `(B, ...)` to the output of the last layer for `(B, D)`."""
        return super().forward(x.flatten(1))


def has_images(domain: Domain) -> bool:
    """Whether points are images that are worth convolutions."""
    return domain.is_image and min(domain.shape[1:]) >= 8


def encoder(
    domain: Domain, features: int, outputs: int, hidden: Sequence[int], channels: int
) -> nn.Module:
    """Returns a net from features of the coordinates, `(B, D, E)`, to `(B, outputs)`."""
    if not has_images(domain):
        return Flat(MLP(domain.dim * features, outputs, hidden))
    C, H, W = domain.shape
    return Planes((C, H, W), ImageEncoder((C * features, H, W), outputs, channels))


class Planes(nn.Module):
    """A net of images behind features of their coordinates: E planes for each channel.

    Args:
        shape: `(C, H, W)` of a point.
        net: Takes images of C E channels.
    """

    def __init__(self, shape: Sequence[int], net: nn.Module) -> None:
        super().__init__()
        self.shape, self.net = tuple(shape), net

    def forward(self, x: Tensor) -> Tensor:
        """Maps `(B, D, E)` to the net's output."""
        return self.net(x.mT.reshape(len(x), -1, *self.shape[1:]))


def decoder(
    inputs: int, domain: Domain, numbers: int, hidden: Sequence[int], channels: int
) -> nn.Module:
    """Returns a net from latents `(..., inputs)` to numbers of each coordinate, `(..., D P)`."""
    if not has_images(domain):
        return MLP(inputs, domain.dim * numbers, hidden)
    C, H, W = domain.shape
    return Coordinates(numbers, ImageDecoder(inputs, (C * numbers, H, W), channels))


class Coordinates(nn.Module):
    """A net of images whose channels are P numbers of each coordinate, given out flat.

    Args:
        numbers: Numbers P of a coordinate.
        net: Gives images of P C channels.
    """

    def __init__(self, numbers: int, net: nn.Module) -> None:
        super().__init__()
        self.numbers, self.net = numbers, net

    def forward(self, z: Tensor) -> Tensor:
        """Maps `(..., inputs)` to `(..., D P)`, the numbers of a coordinate side by side."""
        planes = self.net(z.flatten(0, -2)).unflatten(1, (self.numbers, -1))
        return planes.flatten(2).mT.flatten(1).unflatten(0, z.shape[:-1])


def critic(
    domain: Domain,
    hidden: Sequence[int],
    channels: int,
    wrap: Callable[[nn.Module], nn.Module] = lambda layer: layer,
    activation: Callable[[], nn.Module] = leaky,
) -> nn.Module:
    """Returns a net from scaled points `(B, *shape)` to one number each, `(B, 1)`.

    Args:
        domain: What one point is.
        hidden: See the module.
        channels: See the module.
        wrap: Applied to each layer with weights.
        activation: Makes an activation.
    """
    if has_images(domain):
        return ImageCritic(domain.shape, channels, wrap, activation)
    waves = Waves(domain.dim)
    net = MLP(waves.width, 1, hidden, activation)
    layers = [wrap(layer) if isinstance(layer, nn.Linear) else layer for layer in net]
    return Flat(waves, *layers)


def denoiser(domain: Domain, hidden: Sequence[int], channels: int, outputs: int = 1) -> nn.Module:
    """Returns a net of flat points `(B, D)` and times `(B,)`, to `(B, outputs D)`."""
    if has_images(domain):
        return Pictures(domain.shape, UNet(domain.shape, channels, outputs=outputs))
    return TimeMLP(domain.dim, hidden, outputs=outputs)


class Pictures(nn.Module):
    """A net of images and times that takes and gives them flat.

    Args:
        shape: `(C, H, W)` of a point.
        net: The net.
    """

    def __init__(self, shape: Sequence[int], net: nn.Module) -> None:
        super().__init__()
        self.shape, self.net = tuple(shape), net

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Maps `(B, D)` and `(B,)` to `(B, outputs D)`."""
        return self.net(x.unflatten(1, self.shape), t).flatten(1)
