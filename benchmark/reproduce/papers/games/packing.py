r"""Modes that GANs drop, and packing: the nets and the training of the paper on its two laws.

Lin, Khetan, Fanti & Oh, PacGAN: The power of two samples in generative adversarial networks,
NeurIPS 2018, arXiv:1712.04086, Table 1. The generator has four layers of 400 rectifiers with batch
normalisation; the discriminator, of m points side by side, three layers of 200 maxout units, each
the largest of five affine maps (Goodfellow et al. 2013, arXiv:1302.4389).

Of 2,500 draws those within three standard deviations of a mode are of high quality, a mode that
has one is captured, and the reverse KL is that of their histogram from the uniform law.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from .....baselines.adversarial.pacgan import PacGAN
from .....metrics.diversity.modes import mode_coverage
from ....contract.model import Budget, seeded
from ....contract.task import Domain, TrainingTask
from ....tasks.densities.mixtures import veegan_grid, veegan_ring
from ....tasks.outline import Outline
from ...comparison import Comparison, Finding, Listing, averaged, order
from ...published import those
from .as_printed import AsPrinted, over_seeds

# The paper's protocol, but for a twentieth of its 400,000 steps and three of its ten trials.
POINTS, PACKS, STEPS, TRIALS = 100_000, 100, 20_000, range(3)
LATENT, WIDTH, LAYERS, MAXOUT, PIECES, JUDGES = 2, 400, 4, 200, 5, 3
LR, BETAS, FORGETS, START = 1e-4, (0.8, 0.999), 0.05, 0.02
DRAWS = 2500
PACKED = {"GAN": 1, "PacGAN2": 2, "PacGAN3": 3, "PacGAN4": 4}
# What two printed standard errors are widened by: modes, percent, nats.
SLACK = {"modes_captured": 1.0, "high_quality_samples": 5.0, "reverse_kl": 0.1}
RING, GRID = "2D ring (8 Gaussians)", "2D grid (25 Gaussians)"
TASKS: dict[str, Callable[[], Outline]] = {RING: veegan_ring, GRID: veegan_grid}


class Maxout(nn.Module):
    """Units that are the largest of several affine maps.

    Args:
        inputs: Coordinates of a point.
        units: Number of units.
    """

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.maps = nn.Linear(inputs, units * PIECES)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the units `(B, units)` of points `(B, inputs)`."""
        return self.maps(x).unflatten(1, (PIECES, -1)).amax(1)


class PapersGAN(AsPrinted, PacGAN):
    """PacGAN with the nets of its code, on raw points of the plane.

    Args:
        packed: Points that are judged at once; 1 is the GAN.
    """

    def __init__(self, packed: int) -> None:
        super().__init__(Domain((2,)), packed, LATENT, gamma=0.0, lr=LR, pace=1.0, betas=BETAS)
        widths = [LATENT, *[WIDTH] * LAYERS]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            norm = nn.BatchNorm1d(outputs, momentum=FORGETS)
            layers += [nn.Linear(inputs, outputs, bias=False), norm, nn.ReLU()]
        self.generator = nn.Sequential(*layers, nn.Linear(WIDTH, 2))
        judges = [Maxout(2 * packed if k == 0 else MAXOUT, MAXOUT) for k in range(JUDGES)]
        self.discriminator = nn.Sequential(*judges, nn.Linear(MAXOUT, 1))
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=START)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def trial(dataset: str, packed: int, seed: int) -> dict[str, float]:
    """Trains one model and returns its "modes_captured", "high_quality_samples", "reverse_kl".

    Args:
        dataset: A name of `TASKS`.
        packed: See `PapersGAN`.
        seed: Of data, training and draws.

    Returns:
        Modes, percent, and nats: log K where no draw is of high quality.
    """
    task = TASKS[dataset]().task
    modes = task.modes
    if task.draw is None or modes is None:
        raise ValueError(f"Expected {task.name} to have exact draws and modes, got none.")
    with seeded(seed):
        model = PapersGAN(packed)
        model.fit(TrainingTask(task.domain, task.draw(POINTS)), Budget(STEPS, packed * PACKS))
        labels = modes.assign(model.sample(DRAWS))
    found = {name: each.value for name, each in mode_coverage(labels, modes.count).items()}
    divergence = found["reverse_kl"]
    return {
        "modes_captured": found["modes_captured"],
        "high_quality_samples": 100 * found["high_quality"],
        "reverse_kl": math.log(modes.count) if math.isnan(divergence) else divergence,
    }


def over_trials(dataset: str, method: str) -> dict[str, list[float]]:
    """Returns the numbers of all trials of a method by metric."""
    return over_seeds(f"{dataset}, {method}", TRIALS, partial(trial, dataset, PACKED[method]))


def pacgan_ring() -> Iterator[Finding | Listing]:
    """Table 1 on the ring."""
    return modes_of(RING)


def pacgan_grid() -> Iterator[Finding | Listing]:
    """Table 1 on the grid."""
    return modes_of(GRID)


def modes_of(dataset: str) -> Iterator[Finding | Listing]:
    """The paper's numbers of one law, and whether packing helps as it says."""
    rows = those("pacgan_synthetic", dataset=dataset)
    by_name = {(row.method, row.metric): row for row in rows}
    for row in rows:
        if row.method not in PACKED:
            yield Finding(row, None, note="not a model of this catalogue")
            continue
        mean, error = averaged(over_trials(dataset, row.method)[row.metric])
        yield Finding(row, mean, error, 2 * (row.uncertainty or 0.0) + SLACK[row.metric])
    for method in list(PACKED)[1:]:
        for metric in ("modes_captured", "reverse_kl"):
            ours = [over_trials(dataset, name)[metric] for name in (method, "GAN")]
            yield order(by_name[method, metric], by_name["GAN", metric], *ours)
    yield Listing(
        f"Mean ± standard error over {len(TRIALS)} trials of {STEPS:,} steps",
        ("Method", "Modes", "High quality, %", "Reverse KL, nats"),
        [_line(dataset, method) for method in PACKED],
    )


def _line(dataset: str, method: str) -> tuple[str, ...]:
    found = [averaged(values) for values in over_trials(dataset, method).values()]
    digits = (1, 1, 2)
    cells = [f"{m:.{d}f} ± {e:.{d}f}" for (m, e), d in zip(found, digits, strict=True)]
    return (method, *cells)


def _comparison(
    name: str, what: str, measure: Callable[[], Iterator[Finding | Listing]]
) -> Comparison:
    return Comparison(
        name,
        "Lin, Khetan, Fanti & Oh, NeurIPS 2018, arXiv:1712.04086, Table 1",
        f"How many of {what} a GAN captures, and PacGAN with two to four points in a pack.",
        "two hours",
        "Within two printed standard errors and one mode, 5 % of the draws or 0.1 nats; what "
        "packing changes, by its sign.",
        f"{STEPS:,} of the 400,000 steps and {len(TRIALS)} of the ten trials; both nets learn in "
        "turn, not from one and the same state; draws for the measures are made anew. ALI is not "
        "in the catalogue.",
        measure,
        numbers=("pacgan_synthetic",),
    )


PACGAN_RING = _comparison("pacgan-ring", "eight modes on a ring", pacgan_ring)
PACGAN_GRID = _comparison("pacgan-grid", "25 modes on a grid", pacgan_grid)
