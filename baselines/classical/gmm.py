r"""Gaussian mixture, fitted by expectation maximisation.

Dempster, Laird & Rubin, Maximum Likelihood from Incomplete Data via the EM Algorithm, JRSS B 39
(1977). With p(x) = sum_k w_k N(x; m_k, S_k), an iteration computes responsibilities
r_k(x) ~ w_k N(x; m_k, S_k), then, over the N rows (Bishop 2006, eqs. 9.24-9.27),

    n_k = sum r_k(x),  w_k = n_k / N,  m_k = sum r_k(x) x / n_k,
    S_k = sum r_k(x) (x - m_k)(x - m_k)^T / n_k + floor I,

and never lowers the likelihood (with a floor: but for its effect). Means start as k-means++
(Arthur & Vassilvitskii 2007) draws them, and of several short runs the best goes on (Biernacki,
Celeux & Govaert 2003, "em-EM").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from .estimator import Estimator

# Iterations of a short run.
SHORT = 20
SHOWN = 5_000


@dataclass
class Mixture:
    """Parameters of K Gaussians in D dimensions, float64.

    Attributes:
        log_weights: Shape `(K,)`.
        means: Shape `(K, D)`.
        factors: Lower Cholesky factors of the covariances, shape `(K, D, D)`.
    """

    log_weights: Tensor
    means: Tensor
    factors: Tensor

    def joint(self, x: Tensor) -> Tensor:
        """Returns log w_k N(x; m_k, S_k) for points `(N, D)`: shape `(N, K)`."""
        parts = zip(self.means, self.factors, strict=True)
        squares = [self._mahalanobis(x - mean, factor) for mean, factor in parts]
        log_det = self.factors.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = self.log_weights - log_det - 0.5 * x.shape[1] * math.log(2 * math.pi)
        return constant - 0.5 * torch.stack(squares, dim=1)

    @staticmethod
    def _mahalanobis(centred: Tensor, factor: Tensor) -> Tensor:
        """Returns c^T S^-1 c of the rows c `(N, D)` of one component, shape `(N,)`."""
        return torch.linalg.solve_triangular(factor, centred.mT, upper=False).square().sum(0)


def kmeans_plus_plus(x: Tensor, count: int) -> Tensor:
    """Draws starting means among rows `(N, D)`, far from one another: shape `(count, D)`."""
    means = x[torch.randint(len(x), (1,), device=x.device)]
    distance = torch.full((len(x),), math.inf).to(x)
    for _ in range(count - 1):
        distance = distance.minimum((x - means[-1]).square().sum(1))
        # Where every row is a mean already, any row will do.
        weights = distance if bool(distance.any()) else torch.ones_like(distance)
        means = torch.cat([means, x[weights.multinomial(1)]])
    return means


def maximise(x: Tensor, responsibilities: Tensor, floor: float) -> Mixture:
    """The M-step.

    Args:
        x: Rows, shape `(N, D)`.
        responsibilities: Shape `(N, K)`, rows sum to 1.
        floor: Added to the diagonal of the covariances.
    """
    counts = responsibilities.sum(0).clamp_min(1e-10)
    means = responsibilities.T @ x / counts.unsqueeze(1)
    scatters = []
    for weights, mean in zip(responsibilities.T, means, strict=True):  # one at a time: O(N D)
        scaled = (x - mean) * weights.sqrt().unsqueeze(1)
        scatters.append(scaled.T @ scaled)
    covariance = torch.stack(scatters) / counts.view(-1, 1, 1)
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    factors = torch.linalg.cholesky(covariance + floor * eye)
    return Mixture((counts / counts.sum()).log(), means, factors)


def start(x: Tensor, components: int, floor: float) -> Mixture:
    """Each row belongs to the nearest of the k-means++ means."""
    nearest = torch.cdist(x, kmeans_plus_plus(x, components)).argmin(1)
    return maximise(x, torch.nn.functional.one_hot(nearest, components).to(x), floor)


def em(
    x: Tensor, mixture: Mixture, floor: float, steps: int, tolerance: float = 1e-4
) -> tuple[Mixture, list[float]]:
    """Alternates E- and M-steps until the mean log-likelihood gains less than `tolerance` D.

    Args:
        x: Rows, shape `(N, D)`.
        mixture: Where it starts.
        floor: Added to the diagonal of the covariances.
        steps: Most iterations.
        tolerance: In nats a coordinate.

    Returns:
        The mixture, and the mean log-likelihood before each iteration.
    """
    path: list[float] = []
    for _ in range(steps):
        joint = mixture.joint(x)
        path.append(float(joint.logsumexp(1).mean()))
        if len(path) > 1 and path[-1] - path[-2] < tolerance * x.shape[1]:
            break
        mixture = maximise(x, joint.softmax(1), floor)
    return mixture, path


class GMM(Estimator):
    """Gaussian mixture with full covariances.

    On at most 5,000 rows several starts make a short run with the highest floor, for every number
    of components, and the likeliest goes on to the end with every floor. The validation likelihood
    chooses among the ends, and the best goes on with all rows. Numbers of components above a tenth
    of the rows are left out.

    Args:
        domain: What one point is.
        components: Number K of Gaussians, or several of which val chooses one.
        floors: What is added to the covariances' diagonals, in scaled units; val chooses one.
        restarts: Starts of each.
        max_rows: See `Estimator`.
    """

    paper = "Dempster, Laird & Rubin 1977"

    log_weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(
        self,
        domain: Domain,
        *,
        components: int | tuple[int, ...] = (4, 8, 16, 32, 64),
        floors: tuple[float, ...] = (1e-6, 1e-3, 1e-2),
        restarts: int = 3,
        max_rows: int | None = None,
    ) -> None:
        super().__init__(domain, max_rows)
        self.components = (components,) if isinstance(components, int) else tuple(components)
        self.floors, self.restarts = floors, restarts
        if min(self.components) < 1 or min(floors) <= 0 or restarts < 1:
            raise ValueError("Expected positive numbers of components, floors and restarts.")
        K, D = self.components[0], domain.dim
        self.register_buffer("log_weights", torch.full((K,), -math.log(K), dtype=torch.double))
        self.register_buffer("means", torch.zeros(K, D, dtype=torch.double))
        self.register_buffer("factors", torch.eye(D, dtype=torch.double).repeat(K, 1, 1))

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        if domain.dim > 1024:
            return "full covariances of more than 1,024 coordinates are too large"
        return super().supports(domain)

    @property
    def mixture(self) -> Mixture:
        """The fitted parameters."""
        return Mixture(self.log_weights, self.means, self.factors)

    def estimate(self, train: Tensor, val: Tensor, steps: int) -> None:
        rows = train[torch.randperm(len(train), device=train.device)[:SHOWN]]
        best, chosen = -math.inf, None
        fewest = min(self.components)
        for components in self.components:
            if components > max(fewest, len(train) // 10):
                continue
            first, path = self._best_start(rows, components, steps)
            for floor in self.floors:
                mixture, rest = em(rows, first, floor, steps - len(path))
                score = float(mixture.joint(val).logsumexp(1).mean())
                if chosen is None or score > best:
                    best, chosen = score, (mixture, floor, path + rest)
        if chosen is None:
            raise ValueError(
                "Expected numbers of components and floors to choose from, got "
                f"{self.components} and {self.floors}."
            )
        mixture, floor, path = chosen
        if len(rows) < len(train):
            mixture, rest = em(train, mixture, floor, steps - len(path))
            path = path + rest
        self._keep(mixture, path)

    def _best_start(
        self, rows: Tensor, components: int, steps: int
    ) -> tuple[Mixture, list[float]]:
        """Makes a short run from each start and returns the likeliest, with its path."""
        floor, short = max(self.floors), min(SHORT, steps)
        runs = [
            em(rows, start(rows, components, floor), floor, short) for _ in range(self.restarts)
        ]
        return max(runs, key=lambda run: run[1][-1])

    def _keep(self, mixture: Mixture, path: list[float]) -> None:
        self.log_weights, self.means = mixture.log_weights, mixture.means
        self.factors = mixture.factors
        self.curve = [(i, "log-likelihood", value) for i, value in enumerate(path)]

    def density(self, y: Tensor) -> Tensor:
        return self.mixture.joint(y).logsumexp(1)

    def generate(self, n: int) -> Tensor:
        k = self.log_weights.exp().multinomial(n, replacement=True)
        noise = torch.randn(n, self.domain.dim, 1, dtype=torch.double, device=self.device)
        y = self.means[k].clone()
        for i in range(len(self.means)):  # A factor a component, not a factor a point.
            y[k == i] += (self.factors[i] @ noise[k == i]).squeeze(2)
        return y
