r"""Digits of MMD-GAN and of WGAN-GP, whose order by two distances is compared.

Binkowski, Sutherland, Arbel & Gretton, Demystifying MMD GANs, ICLR 2018, arXiv:1801.01401,
Table 3: DCGAN's nets with a critic of 16 filters, five steps of the critic for each of the
generator, Adam with a rate of 1e-4 and decays of 0.5 and 0.9; a penalty of 1 on the slope of the
witness of MMD-GAN and of 10 on that of WGAN-GP. Their metrics are in the features and classes of a
small classifier of their own, so that numbers do not compare: their order does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from .....baselines.adversarial.wgan_gp import WGANGP
from .....baselines.moment.mmd_gan import MMDGAN
from .....baselines.training import NeuralModel
from .....metrics.distance.frechet import frechet_distance
from .....metrics.distance.inception_score import inception_score
from .....metrics.distance.kernel_distance import kernel_distance
from .....metrics.features.mnist_cnn import MNISTCNN
from ....contract.model import Budget, seeded
from ....contract.task import Domain, TrainingTask
from ...comparison import Comparison, Finding, Listing, averaged, order
from ...published import Published, those
from ..images import MNIST, mnist_images
from .as_printed import over_seeds
from .dcgan import Critic, Generator, OfPixels, levels

DATASET = "MNIST (LeNet features, not Inception)"
IMAGES = Domain((1, 28, 28))
LATENT, FILTERS, JUDGES, FEATURES = 100, 64, 16, 16
LR, BETAS, TURNS = 1e-4, (0.5, 0.9), 5
# The paper makes 50,000 steps of the generator and draws 100,000 digits.
BATCH, STEPS, SEEDS, DRAWS = 64, 1500, range(2), 10_000
METRICS = ("fid", "kid", "inception_score")
ORDERED = ("fid", "kid")  # the printed scores of classes are 0.01 apart, half of their spread


class PapersMMDGAN(OfPixels, MMDGAN):
    """MMD-GAN with the nets of the paper."""

    def __init__(self) -> None:
        super().__init__(IMAGES, LATENT, features=FEATURES, weight=1.0, turns=TURNS, lr=LR)
        self.generator = Generator(LATENT, 1, FILTERS, nn.Sigmoid())
        self.critic = Critic(1, JUDGES, FEATURES)


class PapersWGANGP(OfPixels, WGANGP):
    """WGAN-GP with the nets of the paper."""

    def __init__(self) -> None:
        super().__init__(IMAGES, LATENT, weight=10.0, turns=TURNS, lr=LR)
        self.betas = BETAS
        self.generator = Generator(LATENT, 1, FILTERS, nn.Sigmoid())
        self.discriminator = Critic(1, JUDGES)


MODELS: dict[str, Callable[[], NeuralModel]] = {
    "MMD rq (critic 16)": PapersMMDGAN,
    "WGAN-GP (critic 16)": PapersWGANGP,
}


def trial(method: str, seed: int) -> dict[str, float]:
    """Trains one model and returns its `METRICS` against test.

    Args:
        method: A name of `MODELS`.
        seed: Of training and draws.
    """
    images = {name: torch.as_tensor(rows) for name, rows in mnist_images().items()}
    with seeded(seed):
        model = MODELS[method]()
        model.fit(TrainingTask(IMAGES, images["train"]), Budget(STEPS, BATCH))
        drawn = levels(model.sample(DRAWS))
    return judged(drawn, images["test"])


def judged(drawn: Tensor, test: Tensor) -> dict[str, float]:
    """Returns `METRICS` of drawn digits, each set `(N, 1, 28, 28)` of levels 0..255."""
    network = MNISTCNN.on_cpu()
    features, reference = network(drawn), network(test)
    found = (
        frechet_distance(features, reference),
        kernel_distance(features, reference),
        inception_score(network.probabilities(drawn)),
    )
    return {name: each.value for name, each in zip(METRICS, found, strict=True)}


def of_seeds(method: str) -> dict[str, list[float]]:
    """Returns the numbers of all seeds of a method by metric."""
    return over_seeds(method, SEEDS, partial(trial, method))


def kid_mnist() -> Iterator[Finding | Listing]:
    """Table 3: who is ahead by each metric."""
    rows = those("fid_cifar10", source_id="binkowski2018", dataset=DATASET)
    by_name = {(row.method, row.metric): row for row in rows}
    first, second = MODELS
    for metric in ORDERED:
        ours = [of_seeds(method)[metric] for method in MODELS]
        yield order(by_name[first, metric], by_name[second, metric], *ours)
    for row in rows:
        what = "features and classes are of another classifier"
        other = "not a model of this catalogue"
        yield Finding(row, None, note=what if row.method in MODELS else other)
    yield Listing(
        f"Mean ± standard error over {len(SEEDS)} seeds of {STEPS:,} steps, in mnist-cnn",
        ("Method", "Fréchet distance", "Kernel distance", "Score of classes"),
        [_line(method, by_name) for method in MODELS],
    )


def _line(method: str, printed: dict[tuple[str, str], Published]) -> tuple[str, ...]:
    found = [averaged(values) for values in of_seeds(method).values()]
    theirs = [printed[method, metric].value for metric in METRICS]
    cells = [f"{m:.3g} ± {e:.2g} ({p:g})" for (m, e), p in zip(found, theirs, strict=True)]
    return (f"{method} (printed)", *cells)


KID_MNIST = Comparison(
    "kid-mnist",
    "Binkowski, Sutherland, Arbel & Gretton, ICLR 2018, arXiv:1801.01401, Table 3",
    "Which of MMD-GAN and WGAN-GP makes better digits, by Fréchet and by kernel distance.",
    "three hours",
    "Orders by their sign alone: the classifier is another one. The printed scores of classes are "
    "too near to each other to be ordered.",
    f"{STEPS:,} of the 50,000 steps, {len(SEEDS)} seeds, a rate that stays (theirs falls where a "
    f"test of three samples finds no progress), gradients that are not cut, {DRAWS:,} draws in "
    "place of 100,000, which are made with running averages of batch normalisation.",
    kid_mnist,
    MNIST,
    ("fid_cifar10",),
)
