r"""The invertible layers of coupling flows.

Each maps (x, inverse) to the image and the log |det| of the map that was asked for. Forward is
from data to noise, the direction that training needs; `inverse=True` is from noise to data.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..nets.mlp import ResidualMLP
from ..nets.waves import Waves, frequencies
from .maps import Map
from .splines import numbers, spline


class Chain(nn.Module):
    """Invertible layers one after the other.

    Args:
        layers: The layers, in the order from data to noise.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        """Maps `(B, D)` to images `(B, D)` and log |det| `(B,)`."""
        total = x.new_zeros(len(x))
        for layer in reversed(self.layers) if inverse else self.layers:
            x, log_det = layer(x, inverse)
            total = total + log_det
        return x, total


class Affine(nn.Module):
    """y = (x - shift) / scale, set from data (Kingma & Dhariwal 2018, arXiv:1807.03039, sec. 3.1).

    Args:
        dim: Coordinates D.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(torch.zeros(dim))

    @torch.no_grad()
    def fit(self, mean: Tensor, std: Tensor) -> None:
        """Sets mean 0 and standard deviation 1 for rows of these moments, each `(D,)`."""
        self.shift.copy_(mean)
        self.log_scale.copy_(std.clamp_min(1e-6).log())

    def fit_rows(self, rows: Tensor) -> None:
        """Sets mean 0 and standard deviation 1 for rows `(B, D)`, or images `(B, D, H, W)`."""
        numbers = rows.movedim(1, -1).flatten(0, -2)
        self.fit(numbers.mean(0), numbers.std(0))

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        scale, log_det = self.log_scale.exp(), self.log_scale.sum()
        if inverse:
            return x * scale + self.shift, log_det
        return (x - self.shift) / scale, -log_det


class LULinear(nn.Module):
    """y = L U P x with P the reversal of the coordinates, started at L = U = I.

    The reversal lets each coupling layer move what the one before it left alone.

    Args:
        dim: Coordinates D.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        # L below the diagonal, where it is 1; U above it, and its log on it.
        self.weight = nn.Parameter(torch.zeros(dim, dim))

    def factors(self) -> tuple[Tensor, Tensor]:
        """Returns L and U, each `(D, D)`."""
        lower = self.weight.tril(-1) + torch.eye(len(self.weight)).to(self.weight)
        return lower, self.weight.triu(1) + self.weight.diagonal().exp().diag()

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        lower, upper = self.factors()
        log_det = self.weight.diagonal().sum()
        if not inverse:
            return x.flip(1) @ upper.T @ lower.T, log_det  # L U itself would cost O(D^3)
        y = torch.linalg.solve_triangular(lower, x.T, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(upper, y, upper=True).T.flip(1), -log_det


class SplineCoupling(nn.Module):
    """Splines whose parameters are free for the first half and a net of it for the second.

    Durkan et al. 2019 (arXiv:1906.04032), section 3.2: theta_{<d} are trainable parameters,
    theta_{>=d} = NN(x_{<d}), and y_i = g_{theta_i}(x_i) for all i. One coordinate alone has a free
    spline.

    Args:
        dim: Coordinates D.
        width: Width of the net.
        blocks: Residual blocks of the net.
        bins: Bins K of a spline.
        bound: The splines live on [-bound, bound].
    """

    def __init__(self, dim: int, width: int, blocks: int, bins: int, bound: float) -> None:
        super().__init__()
        self.kept = (dim + 1) // 2
        self.bins, self.bound = bins, bound
        self.free = nn.Parameter(torch.zeros(self.kept, numbers(bins)))
        moved = dim - self.kept
        self.net: nn.Module | None = None
        if moved:
            waves = Waves(self.kept, frequencies(dim))
            net = ResidualMLP(waves.width, moved * numbers(bins), width, blocks)
            self.net = nn.Sequential(waves, net)

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        free = self.free.expand(len(x), -1, -1)
        kept, moved = x.tensor_split([self.kept], dim=1)
        if inverse:
            kept, log1 = spline(kept, free, self.bound, inverse=True)
            moved, log2 = spline(moved, self.theta(kept), self.bound, inverse=True)
            return torch.cat([kept, moved], 1), log1.sum(1) + log2.sum(1)
        # Both halves at once: for few coordinates the time is that of the number of operations.
        theta = torch.cat([free, self.theta(kept)], 1)
        y, log_slope = spline(x, theta, self.bound)
        return y, log_slope.sum(1)

    def theta(self, kept: Tensor) -> Tensor:
        """Returns the second half's raw numbers, `(B, D - d, 3 K - 1)`, for a first `(B, d)`."""
        if self.net is None:
            return kept.new_zeros(len(kept), 0, numbers(self.bins))
        return self.net(kept).unflatten(1, (-1, numbers(self.bins)))


class Flip(nn.Module):
    """Reverses the coordinates, so that the next layer moves what this one left alone."""

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        return x.flip(1), x.new_zeros(len(x))


def silence(net: nn.Sequential) -> None:
    """Sets the last layer of a net to zeros: its layer of the flow begins as the identity.

    Scales of a chain of random nets multiply to numbers that float32 does not hold.
    """
    nn.init.zeros_(net[-1].weight)  # type: ignore[arg-type]
    nn.init.zeros_(net[-1].bias)  # type: ignore[arg-type]


class Coupling(nn.Module):
    """Leaves the first half as it is and maps the second by numbers that a net makes of the first.

    Dinh et al. 2017 (arXiv:1605.08803), eq. 4 to 8. It begins as the identity. One coordinate
    alone has a free map.

    Args:
        dim: Coordinates D.
        width: Width of the net.
        blocks: Residual blocks of the net.
        mapping: The map of a coordinate.
    """

    def __init__(self, dim: int, width: int, blocks: int, mapping: Map) -> None:
        super().__init__()
        self.kept, self.mapping = dim // 2, mapping
        waves = Waves(self.kept, frequencies(dim))
        outputs = (dim - self.kept) * mapping.numbers
        self.net: nn.Module
        if self.kept:
            net = ResidualMLP(waves.width, outputs, width, blocks)
            silence(net)
            self.net = nn.Sequential(waves, net)
        else:
            self.net = Free(outputs)

    def forward(self, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        kept, moved = x.tensor_split([self.kept], dim=1)
        theta = self.net(kept).unflatten(1, (-1, self.mapping.numbers))
        moved, log_slope = self.mapping(moved, theta, inverse)
        return torch.cat([kept, moved], 1), log_slope.sum(1)


class Free(nn.Module):
    """A net of nothing: trainable numbers, the same for all rows.

    Args:
        outputs: How many.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.free = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Maps `(B, ...)` to `(B, outputs)`."""
        return self.free.expand(len(x), -1)
