r"""GANs that know from which noise a point comes: VEEGAN and ALI beside the plain game.

Srivastava, Valkov, Russell, Gutmann & Sutton, VEEGAN: Reducing mode collapse in GANs using
implicit variational learning, NeurIPS 2017, arXiv:1705.07761, Table 1. A reconstructor maps points
back to noise, z' ~ N(F(x), I), and the discriminator judges pairs of noise and point:

    D:     min  E[softplus(-D(z', x))] + E[softplus(D(z, G(z)))]
    G, F:  min  -E[D(z, G(z))] + E||z - F(G(z))||^2 / 2                          (algorithm 1)

In ALI (Dumoulin et al. 2017, arXiv:1606.00704) F plays against D, too, and nothing is
reconstructed; the GAN has no F. Nets and rates are those of the authors' notebook of the grid.

Of 2,500 draws those within three standard deviations of the nearest centre are of high quality,
in Euclidean distance, and a mode that has one is captured. In 1,200 dimensions no exact draw is of
high quality by this rule: 700 coordinates of noise are a distance of 26 from their centre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from .....baselines.adversarial.gan import GAN
from .....baselines.nets.mlp import MLP
from .....baselines.players import Player
from .....metrics.diversity.modes import mode_coverage
from ....contract.model import Budget, seeded
from ....contract.task import Domain, TrainingTask
from ....tasks.densities.highdim import FLAT, NOISY, SHIFTS, veegan_1200_assign, veegan_1200_draw
from ....tasks.densities.mixtures import veegan_grid
from ...comparison import Comparison, Finding, Listing, averaged, order
from ...published import those
from .as_printed import AsPrinted, over_seeds

# The authors' notebook: noise that is reconstructed, and one coordinate that is not.
NOISE, EXTRA, WIDTH, LR, BETAS = 254, 1, 128, 1e-3, (0.5, 0.999)
SEEDS, DRAWS = range(3), 2500
METRICS = ("modes_captured", "high_quality_samples")
SLACK = {"modes_captured": 2.0, "high_quality_samples": 10.0}  # modes, percent
BLIND = "by the paper's rule exact draws have no mode"
GRID, HIGH = "2D grid (25 Gaussians)", "1200D synthetic (10 Gaussians)"


@dataclass(frozen=True)
class Law:
    """Gaussians of equal weight, and how they are learnt.

    Attributes:
        draw: Draws n points `(n, D)`.
        centres: Shape `(K, D)`.
        sd: Standard deviation of a coordinate.
        points: Training points.
        steps: Training steps.
        batch: Points of a step.
    """

    draw: Callable[[int], Tensor]
    centres: Tensor
    sd: float
    points: int
    steps: int
    batch: int

    def assign(self, x: Tensor) -> Tensor:
        """Returns the mode of each point `(N, D)`, int64 `(N,)`; -1 for none."""
        distance, mode = torch.cdist(x, self.centres).min(1)
        return mode.where(distance <= 3 * self.sd, -1)


def laws() -> dict[str, Law]:
    """Returns the two laws by the names of the published table."""
    grid = veegan_grid().task.draw
    if grid is None:
        raise ValueError("Expected veegan-grid to have exact draws, got none.")
    line = torch.arange(-4.0, 5.0, 2.0)
    high = torch.tensor(SHIFTS)[:, None].expand(-1, NOISY + FLAT)
    return {
        GRID: Law(grid, torch.cartesian_prod(line, line), 0.05, 100_000, 25_000, 500),
        HIGH: Law(veegan_1200_draw, high, 1.0, 20_000, 10_000, 100),
    }


class Plain(AsPrinted, GAN):
    """The GAN with the nets of the notebook, on raw points.

    Args:
        dimension: Coordinates D of a point.
    """

    judged = 0  # coordinates of the noise that the discriminator sees

    def __init__(self, dimension: int) -> None:
        super().__init__(
            Domain((dimension,)), NOISE + EXTRA, gamma=0.0, lr=LR, pace=1.0, betas=BETAS
        )
        self.generator = MLP(NOISE + EXTRA, dimension, (WIDTH, WIDTH), nn.ReLU)
        self.discriminator = MLP(dimension + self.judged, 1, (WIDTH,), nn.ReLU)


class ALI(Plain):
    """Pairs of noise and point are judged; the reconstructor plays with the generator."""

    judged = NOISE

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self.reconstructor = MLP(dimension, NOISE, (WIDTH, WIDTH), nn.ReLU)

    def players(self) -> list[Player]:
        """One optimiser moves the generator and the reconstructor."""
        D, G = super().players()
        both = [*self.generator.parameters(), *self.reconstructor.parameters()]
        return [D, replace(G, params=both)]

    def reconstructed(self, x: Tensor) -> Tensor:
        """Draws z' of each point `(B, D)`, shape `(B, 254)`."""
        mean = self.reconstructor(x)
        return mean + torch.randn_like(mean)

    def pairs(self, n: int) -> tuple[Tensor, Tensor]:
        """Draws n pairs of noise `(n, 254)` and point `(n, D)`."""
        z = torch.randn(n, self.latent, device=self.device)
        return z[:, :NOISE], self.generator(z)

    def value(self, z: Tensor, x: Tensor) -> Tensor:
        """Returns the discriminator's output on pairs, shape `(B, 1)`."""
        return self.discriminator(torch.cat([x, z], 1))

    def discriminator_loss(self, batch: Tensor) -> Tensor:
        with torch.no_grad():
            z, drawn = self.pairs(len(batch))
            z_of_data = self.reconstructed(batch)
        return self.against(self.value(z_of_data, batch), self.value(z, drawn))

    def generator_loss(self, batch: Tensor) -> Tensor:
        data = self.value(self.reconstructed(batch), batch)
        drawn = self.value(*self.pairs(len(batch)))
        return functional.softplus(data).mean() + functional.softplus(-drawn).mean()


class VEEGAN(ALI):
    """The reconstructor learns from the generator's points alone, to find their noise."""

    def generator_loss(self, batch: Tensor) -> Tensor:
        z, drawn = self.pairs(len(batch))
        miss = (z - self.reconstructor(drawn)).square().sum(1) / 2
        return miss.mean() - self.value(z, drawn).mean()


METHODS: dict[str, type[Plain]] = {"GAN": Plain, "ALI": ALI, "VEEGAN": VEEGAN}
ORDERS = (("VEEGAN", "GAN"), ("VEEGAN", "ALI"), ("ALI", "GAN"))


def trial(dataset: str, method: str, seed: int) -> dict[str, float]:
    """Trains one model and returns its "modes_captured" and "high_quality_samples".

    Args:
        dataset: A name of `laws`.
        method: A name of `METHODS`.
        seed: Of data, training and draws.

    Returns:
        Modes, and percent; in 1,200 dimensions also the two by the chi-square law of a mode's
        points, "modes_of_noise" and "high_quality_of_noise".
    """
    law = laws()[dataset]
    with seeded(seed):
        model = METHODS[method](law.centres.shape[1])
        task = TrainingTask(model.domain, law.draw(law.points))
        model.fit(task, Budget(law.steps, law.batch))
        drawn = model.sample(DRAWS)
    found = _counted(law.assign(drawn), len(law.centres))
    if dataset == HIGH:
        modes, share = _counted(veegan_1200_assign(drawn), len(law.centres)).values()
        found |= {"modes_of_noise": modes, "high_quality_of_noise": share}
    return found


def _counted(labels: Tensor, count: int) -> dict[str, float]:
    found = mode_coverage(labels, count)
    values = (found["modes_captured"].value, 100 * found["high_quality"].value)
    return dict(zip(METRICS, values, strict=True))


def of_seeds(dataset: str, method: str) -> dict[str, list[float]]:
    """Returns the numbers of all seeds of a method by metric."""
    return over_seeds(f"{dataset}, {method}", SEEDS, partial(trial, dataset, method))


def veegan_grid_modes() -> Iterator[Finding | Listing]:
    """Table 1 on the grid: VEEGAN's numbers, and the order of the three."""
    rows = those("veegan_synthetic", dataset=GRID, method="VEEGAN")
    for row in rows:
        mean, error = averaged(of_seeds(GRID, "VEEGAN")[row.metric])
        yield Finding(row, mean, error, SLACK[row.metric])
    yield from _orders(GRID)


def veegan_high_modes() -> Iterator[Finding | Listing]:
    """Table 1 in 1,200 dimensions: the order of the three."""
    yield from _orders(HIGH)


def _orders(dataset: str) -> Iterator[Finding | Listing]:
    """Whether the methods stand in the printed order, and our table.

    Where exact draws have no mode by the paper's rule nothing is judged by it.
    """
    law = laws()[dataset]
    rows = {(row.method, row.metric): row for row in those("veegan_synthetic", dataset=dataset)}
    tells = _exactly(law, law.assign)["modes_captured"] > 0
    for first, second in ORDERS:
        for metric in METRICS:
            ours = [of_seeds(dataset, method)[metric] for method in (first, second)]
            found = order(rows[first, metric], rows[second, metric], *ours)
            blind = replace(found, ours=None, stderr=None, by_sign=False, note=BLIND)
            yield found if tells else blind
    named = {
        "modes_captured": "Modes",
        "high_quality_samples": "High quality, %",
        "modes_of_noise": "Modes, by chi-square",
        "high_quality_of_noise": "High quality, by chi-square, %",
    }
    lines = [_line(method, of_seeds(dataset, method)) for method in METHODS]
    columns = ("Method", *named.values())[: len(lines[0])]
    yield Listing(
        f"Mean ± standard error over {len(SEEDS)} seeds of {law.steps:,} steps of {law.batch}",
        columns,
        [*lines, _exact(law, dataset)],
    )


def _line(method: str, found: dict[str, list[float]]) -> tuple[str, ...]:
    cells = [averaged(values) for values in found.values()]
    return (method, *(f"{mean:.1f} ± {error:.1f}" for mean, error in cells))


def _exact(law: Law, dataset: str) -> tuple[str, ...]:
    """What exact draws have by the same rules."""
    rules = [law.assign, veegan_1200_assign] if dataset == HIGH else [law.assign]
    found = [_exactly(law, rule).values() for rule in rules]
    return ("exact draws", *(f"{value:.1f}" for values in found for value in values))


def _exactly(law: Law, rule: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """What exact draws have by a rule that assigns points to modes."""
    with seeded(0):
        return _counted(rule(law.draw(DRAWS)), len(law.centres))


def _comparison(
    name: str,
    what: str,
    cost: str,
    tolerance: str,
    differs: str,
    measure: Callable[[], Iterator[Finding | Listing]],
) -> Comparison:
    return Comparison(
        name,
        "Srivastava, Valkov, Russell, Gutmann & Sutton, NeurIPS 2017, arXiv:1705.07761, Table 1",
        f"How many of {what} a GAN, ALI and VEEGAN capture.",
        cost,
        tolerance,
        f"{differs} Both nets learn in turn, on fixed training points. The unrolled GAN is not in "
        "the catalogue.",
        measure,
        numbers=("veegan_synthetic",),
    )


VEEGAN_GRID = _comparison(
    "veegan-grid",
    "25 modes on a grid",
    "an hour",
    "VEEGAN's numbers within two modes and 10 % of the draws; the order of two methods, by the "
    "sign of their difference.",
    "A quarter of the 100,000 steps and three seeds; nets of GAN and ALI, which the authors' "
    "notebook does not have, are those of VEEGAN.",
    veegan_grid_modes,
)
VEEGAN_HIGH = _comparison(
    "veegan-1200d",
    "ten modes in 1,200 dimensions",
    "half an hour",
    "The order of two methods, by the sign of their difference, where exact draws have modes.",
    "The paper does not tell its nets here: they are those of the grid, with 10,000 steps of 100 "
    "and three seeds.",
    veegan_high_modes,
)
