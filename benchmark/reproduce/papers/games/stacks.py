r"""Stacked digits: how many of 1,000 modes DCGAN captures, and with packing.

Lin, Khetan, Fanti & Oh, PacGAN: The power of two samples in generative adversarial networks,
NeurIPS 2018, arXiv:1712.04086, Table 2, in the setting of VEEGAN (arXiv:1705.07761): 128,000
stacks of digits of train and test, DCGAN's nets with 64 filters and batch normalisation in both,
noise that is uniform, 50 passes of batches of 64 packs, two steps of the generator for each of the
discriminator. Packs lie side by side in the channels.

Of 26,000 draws a classifier reads the three digits: a mode that has one draw is captured, and the
divergence is that of the histogram of all draws from the uniform law.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import nn

from .....baselines.adversarial.pacgan import PacGAN
from .....baselines.players import Player
from .....metrics.diversity.modes import mode_coverage
from ....contract.model import Budget, seeded
from ....contract.task import Domain, TrainingTask
from ....tasks.images.stacked_mnist import classify, stack
from ...comparison import Comparison, Finding, Listing, averaged, order
from ...published import those
from ..images import MNIST, mnist_images
from .as_printed import over_seeds
from .dcgan import Critic, Generator, OfPixels, levels

IMAGES = Domain((3, 28, 28))
STACKS, DRAWS, MODES = 128_000, 26_000, 1000
LATENT, FILTERS, LR, BETAS, TURNS = 100, 64, 2e-4, (0.5, 0.999), 2
BATCH, STEPS, SEEDS = 64, 100_000, range(2)
PACKED = {"DCGAN (re-implemented)": 1, "PacDCGAN2": 2, "PacDCGAN3": 3, "PacDCGAN4": 4}
# What two printed standard errors are widened by: modes, nats.
SLACK = {"modes_captured": 20.0, "kl_modes_uniform": 0.1}


class PacDCGAN(OfPixels, PacGAN):
    """PacGAN with the nets of its code, on stacks of digits.

    Args:
        packed: Stacks that are judged at once; 1 is DCGAN.
    """

    def __init__(self, packed: int) -> None:
        super().__init__(IMAGES, packed, LATENT, gamma=0.0, lr=LR, pace=1.0, betas=BETAS)
        self.generator = Generator(LATENT, 3, FILTERS, nn.Tanh())
        self.discriminator = Critic(3 * packed, FILTERS, normalised=True)

    def players(self) -> list[Player]:
        found = super().players()
        found[1].turns = TURNS
        return found


def trial(packed: int, seed: int) -> dict[str, float]:
    """Trains one model, on a GPU where there is one; returns the metrics of `SLACK`.

    Args:
        packed: See `PacDCGAN`.
        seed: Of data, training and draws.
    """
    images = mnist_images()
    digits = np.concatenate([images["train"], images["test"]])
    rows = torch.as_tensor(stack(digits, STACKS, seed))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with seeded(seed):
        model = PacDCGAN(packed).to(device)
        model.fit(TrainingTask(IMAGES, rows), Budget(STEPS, packed * BATCH))
        labels = classify(levels(model.sample(DRAWS)).cpu())
    found = mode_coverage(labels, MODES)
    return {
        "modes_captured": found["modes_captured"].value,
        "kl_modes_uniform": found["reverse_kl"].value,
    }


def of_seeds(method: str) -> dict[str, list[float]]:
    """Returns the numbers of all seeds of a method by metric."""
    return over_seeds(method, SEEDS, partial(trial, PACKED[method]))


def stacked_mnist() -> Iterator[Finding | Listing]:
    """Table 2: modes and divergence, and whether packing helps as it says."""
    rows = those("pacgan_stacked_mnist", table="Table 2")
    by_name = {(row.method, row.metric): row for row in rows}
    for row in rows:
        if row.method not in PACKED:
            yield Finding(row, None, note="quoted there from another paper")
            continue
        mean, error = averaged(of_seeds(row.method)[row.metric])
        yield Finding(row, mean, error, 2 * (row.uncertainty or 0.0) + SLACK[row.metric])
    plain, *packs = PACKED
    for method in packs:
        for metric in SLACK:
            ours = [of_seeds(name)[metric] for name in (method, plain)]
            yield order(by_name[method, metric], by_name[plain, metric], *ours)


STACKED_MNIST = Comparison(
    "stacked-mnist",
    "Lin, Khetan, Fanti & Oh, NeurIPS 2018, arXiv:1712.04086, Table 2",
    "How many of 1,000 stacks of three digits a DCGAN captures, and with two to four in a pack.",
    "two hours on a large GPU, days without one",
    "Within two printed standard errors and 20 modes or 0.1 nats; what packing changes, by its "
    "sign.",
    f"{len(SEEDS)} of the ten trials; another classifier reads the digits; the generator's second "
    "step has noise of its own; draws are made with running averages of batch normalisation.",
    stacked_mnist,
    MNIST,
    ("pacgan_stacked_mnist",),
)
