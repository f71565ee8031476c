"""Maps without a network: points as they are, pixels, one-hot, principal axes, projections."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .frozen import FrozenMap


def flat(x: Tensor) -> Tensor:
    """Returns points as floating-point rows: float64 stays, all else becomes float32."""
    return x.flatten(1) if x.dtype == torch.float64 else x.flatten(1).float()


class Identity(FrozenMap):
    """The points themselves, flattened; d is the number of coordinates."""

    name = "identity"

    def features(self, x: Tensor) -> Tensor:
        return flat(x)


class _OfLevels(FrozenMap):
    """A map that reads the number of levels of a domain."""

    def __init__(self, levels: int, batch: int = 1024) -> None:
        super().__init__(batch)
        if levels < 2:
            raise ValueError(f"Expected at least 2 levels, got {levels}.")
        self.levels = levels

    def settings(self) -> dict[str, object]:
        return {"levels": self.levels}


class Pixels(_OfLevels):
    """The levels of an image as numbers from 0 to 1; d is the number of coordinates.

    Args:
        levels: Number K of levels; 0 becomes 0 and K - 1 becomes 1.
        batch: Rows at once.

    Raises:
        ValueError: Fewer than two levels.
    """

    name = "pixels"

    def features(self, x: Tensor) -> Tensor:
        return flat(x) / (self.levels - 1)


class OneHot(_OfLevels):
    """One coordinate for each level of each position: for tokens, whose order means nothing.

    The squared Euclidean distance of two points is twice the number of positions in which they
    differ (Hamming).

    Args:
        levels: Number K of levels; d is K times the number of positions.
        batch: Rows at once.

    Raises:
        ValueError: Fewer than two levels, or a point with a level outside 0..K-1.
    """

    name = "one-hot"

    def features(self, x: Tensor) -> Tensor:
        index = x.flatten(1).long()
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= self.levels:
            raise ValueError(f"Expected levels 0..{self.levels - 1}, got {low}..{high}.")
        return functional.one_hot(index, self.levels).flatten(1).float()


class PCA(FrozenMap):
    """Coordinates along the principal axes of the reference.

    The axes come from the reference alone: were they fitted on the samples too, two models on one
    task would be measured in two spaces. Each axis points to where its largest coordinate is
    positive.

    Args:
        reference: Points that the axes are fitted on, shape `(N, *shape)`, N >= 2.
        dim: Number d of axes, at most min(N - 1, D).
        whiten: Whether coordinates are divided by their standard deviation over the reference.
        batch: Rows at once.

    Raises:
        ValueError: Fewer axes than asked for, or none of variance where they are to be whitened.
    """

    name = "pca"
    mean: Tensor
    axes: Tensor

    def __init__(
        self, reference: Tensor, dim: int = 64, whiten: bool = False, batch: int = 4096
    ) -> None:
        super().__init__(batch)
        points = reference.flatten(1).double()
        most = min(len(points) - 1, points.shape[1])
        if not 1 <= dim <= most:
            raise ValueError(
                f"Expected 1 to {most} axes of {len(points)} points "
                f"of {points.shape[1]} coordinates, got {dim}."
            )
        mean = points.mean(0)
        _, spread, axes = torch.linalg.svd(points - mean, full_matrices=False)
        largest = axes.abs().argmax(1, keepdim=True)
        axes = (axes * axes.gather(1, largest).sign())[:dim].T  # (D, d)
        if whiten:
            # What lies below the rounding of the points' own type is no variance.
            own = reference.dtype if reference.is_floating_point() else torch.float64
            least = max(1e-12, 30 * torch.finfo(own).eps)
            axes = axes / self._deviation(spread[:dim], len(points), least)
        self.register_buffer("mean", mean)
        self.register_buffer("axes", axes.contiguous())
        self.freeze()

    @staticmethod
    def _deviation(spread: Tensor, n: int, least: float) -> Tensor:
        flat_axes = int((spread <= spread[0] * least).sum())
        if flat_axes:
            raise ValueError(
                f"Expected a reference with variance along every whitened axis, "
                f"got {flat_axes} of {len(spread)} axes without."
            )
        return spread / (n - 1) ** 0.5

    def features(self, x: Tensor) -> Tensor:
        if x[0].numel() != len(self.mean):
            raise ValueError(
                f"Expected points of {len(self.mean)} coordinates, as the reference, "
                f"got shape {tuple(x.shape)}."
            )
        return (x.flatten(1).to(self.mean) - self.mean) @ self.axes


class RandomProjection(FrozenMap):
    """A Gaussian random projection: distances keep their squares in expectation.

    Johnson & Lindenstrauss, Extensions of Lipschitz mappings into a Hilbert space, 1984: entries
    are N(0, 1/d).

    Args:
        dim: Number d of directions.
        seed: Seed of the directions; they are the same on every device.
        batch: Rows at once.
    """

    name = "random-projection"

    def __init__(self, dim: int = 64, seed: int = 0, batch: int = 4096) -> None:
        super().__init__(batch)
        if dim < 1:
            raise ValueError(f"Expected at least 1 direction, got {dim}.")
        self.dim = dim
        self.seed = seed
        self.freeze()

    def settings(self) -> dict[str, object]:
        return {"dim": self.dim, "seed": self.seed}

    def features(self, x: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        size = (x[0].numel(), self.dim)
        directions = torch.randn(size, generator=generator, dtype=torch.float64) / self.dim**0.5
        # MPS has no float64.
        dtype = torch.float32 if x.device.type == "mps" else torch.float64
        return x.flatten(1).to(dtype) @ directions.to(x.device, dtype)
