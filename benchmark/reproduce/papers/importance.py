r"""The importance-weighted bound in training: nets and data of the paper, on a short schedule.

Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, ICLR 2016, arXiv:1509.00519,
Table 1, MNIST with one stochastic layer. Pixels are drawn anew in every pass with the grey levels
as probabilities (section 5), encoder and decoder have two layers of 200 tanh units, z has 50
coordinates, and -L_5000 of test rows is the number. A unit of z is active where its posterior mean
has a variance above 0.01 over rows (section 5.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ....baselines.latent.iwae import IWAE
from ....baselines.streams import Rows
from ...contract.model import Budget, seeded
from ...contract.task import Domain, TrainingTask
from ..comparison import Comparison, Finding, Listing, averaged, order, part
from ..published import Published, one
from .images import MNIST, mnist_images

DOMAIN = Domain((784,), levels=2)
LATENT, WIDTH, LAYERS = 50, 200, 2
BATCH, LR = 20, 1e-3
# The paper makes 3,280 passes, on a rate that falls to 1e-4.
PASSES, TEST, DRAWS = 40, 1000, 5000
DRAWN = (1, 5, 50)
ACTIVE = 0.01
NEAR = 1.5  # tolerance in nats


class PapersIWAE(IWAE):
    """The nets of the paper; batches are bits drawn from grey rows.

    Args:
        k: Draws of z per row in training; 1 is the VAE.
        grey: Levels 0..255 of the training rows, shape `(N, 784)`.
    """

    def __init__(self, k: int, grey: Tensor) -> None:
        super().__init__(DOMAIN, k, latent=LATENT, lr=LR)
        self.grey = grey
        self.encoder = nn.Sequential(nn.Flatten(), _tanh(784, 2 * LATENT))
        self.decoder = _tanh(LATENT, 784)
        mean = grey.float().mean(0).div(255).clamp(1e-3, 1 - 1e-3)
        with torch.no_grad():
            list(self.decoder.parameters())[-1].copy_(mean.logit())

    def batches(self, task: TrainingTask, batch_size: int) -> Iterator[Any]:
        return Rows(self.grey, batch_size, self.device, transform=bits)


def _tanh(inputs: int, outputs: int) -> nn.Sequential:
    """Hidden layers of tanh units and an affine one, as Glorot & Bengio start them."""
    layers: list[nn.Module] = []
    for before, after in pairwise([inputs, *[WIDTH] * LAYERS]):
        layers += [nn.Linear(before, after), nn.Tanh()]
    net = nn.Sequential(*layers, nn.Linear(WIDTH, outputs))
    for layer in net:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return net


def bits(grey: Tensor) -> Tensor:
    """Draws bits with levels 0..255 as probabilities, any shape."""
    return (255 * torch.rand(grey.shape, device=grey.device) < grey).long()


def trained(k: int) -> dict[str, Any]:
    """Trains one model; "bound" of each test row in nats, and how many units are "active"."""
    images = mnist_images()
    with seeded(0):  # the same bits for every model
        chosen = torch.randperm(10_000)[:TEST]
        test = bits(torch.as_tensor(images["test"]).flatten(1)[chosen])
    grey = torch.as_tensor(images["train"]).flatten(1)
    with seeded(k):
        model = PapersIWAE(k, grey)
        budget = Budget(PASSES * len(grey) // BATCH, BATCH)
        model.fit(TrainingTask(DOMAIN, bits(grey)), budget)
        bound = -model.log_prob(test, draws=DRAWS)
        with torch.no_grad():
            means = model.posterior(test).mean
    return {"bound": bound.tolist(), "active": int((means.var(0) > ACTIVE).sum())}


def iwae_mnist() -> Iterator[Finding | Listing]:
    """Table 1: the bound of 5,000 draws after training on 1, 5 and 50."""
    found = {k: part(f"k = {k}", partial(trained, k)) for k in DRAWN}
    for k, result in found.items():
        mean, error = averaged(result["bound"])
        yield Finding(_row(k), mean, error, NEAR)
    for few, more in pairwise(DRAWN):
        yield order(_row(more), _row(few), found[more]["bound"], found[few]["bound"])
    yield Listing(
        f"-L_{DRAWS} of {TEST:,} test digits in nats, and the units of z that are used",
        ("k", "-L", "Printed", "Active units of 50", "Printed"),
        [_line(k, result) for k, result in found.items()],
    )


def _row(k: int) -> Published:
    return one(
        "bmnist_iwae",
        table="Table 1",
        dataset="MNIST dynamic binarisation (pixel values as Bernoulli means, 60000 train)",
        method=f"IWAE k={k} 1 stochastic layer(s)",
    )


def _line(k: int, result: dict[str, Any]) -> tuple[str, ...]:
    mean, error = averaged(result["bound"])
    row = _row(k)
    active = row.protocol_note.split(";")[0].removeprefix("active units ")
    return str(k), f"{mean:.2f} ± {error:.2f}", str(row.value), str(result["active"]), active


IWAE_MNIST = Comparison(
    "iwae-mnist",
    "Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, table 1",
    "The likelihood bound of binarised digits, for auto-encoders that were trained on the bounds "
    "of 1, 5 and 50 draws.",
    "an hour and a half",
    f"{NEAR} nats, and each order by its sign. Fewer passes leave more nats.",
    f"{PASSES} passes over train in place of 3,280, on a rate that falls from 1e-3 to 0 by half a "
    "cosine, with Adam's own epsilon and gradients cut at a norm of 10; outputs start at the "
    "logits of the mean digit; "
    f"{TEST:,} random test rows in place of all. Errors are over test rows, of one training each.",
    iwae_mnist,
    MNIST,
    ("bmnist_iwae",),
)
