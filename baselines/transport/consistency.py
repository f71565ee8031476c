r"""Consistency training.

Song, Dhariwal, Chen & Sutskever, Consistency Models, ICML 2023, arXiv:2303.01469; with the choices
of Song & Dhariwal, Improved Techniques for Training Consistency Models, ICLR 2024,
arXiv:2310.14189.

A function f maps every point of a noising path to its beginning. That f(x, sigma_min) = x holds by
construction, f = c_skip x + c_out F (eq. 5); that neighbours on a path agree is trained, without a
teacher (eq. 10 of the first),

    L = E 1/(s_{n+1} - s_n) d(f(x + s_{n+1} e, s_{n+1}), sg f(x + s_n e, s_n)),

with the pseudo-Huber distance d, levels n drawn log-normally, and a number of levels that doubles
from 10 to 160 in training (section 3 of the second). A draw takes one evaluation at sigma_max;
more steps add noise and map again (algorithm 1).

The papers' sigma_max of 80 is for pictures of thousands of coordinates. In few, where a level of
7 already leaves nothing of the data to be seen, it is five times the size of a point: levels above
it are hardly drawn in training, and the one step of a sample is taken from the highest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..dequantisers import Dequantised, dequantiser
from ..nets.roles import denoiser

LOW, HIGH, CURVE = 0.002, 80.0, 7.0
FAR = 5.0  # the highest level in units of a point's size, at most HIGH
FEWEST, DOUBLINGS = 10, 4  # levels at the start, and how often they double
MEAN, STD = -1.1, 2.0  # of log sigma


class Consistency(Dequantised):
    """A net that maps noise to data in one step, trained without a teacher.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers of the net on vectors.
        channels: Channels of the U-Net on images.
        steps: Default number of steps of a sample.
        lr: Learning rate.
        dequantisation: How integers become real: "uniform" or "logit".
    """

    family = "transport"
    paper = "arXiv:2303.01469"
    likelihood = Likelihood.NONE
    half_life = 0.05
    samplers = ("multistep",)
    probe_arguments = frozenset({"steps"})

    spread: Tensor
    highest: Tensor

    def __init__(
        self,
        domain: Domain,
        hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        steps: int = 1,
        lr: float = 2e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, lr)
        self.steps = steps
        self.dequantiser = dequantiser(self.scaling, dequantisation, by_likelihood=False)
        self.net = denoiser(domain, hidden, channels)
        self.register_buffer("spread", torch.tensor(0.5))
        self.register_buffer("highest", torch.tensor(HIGH))

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return "it adds noise to numbers, and names are none" if domain.is_nominal else None

    def prepare(self, task: TrainingTask) -> None:
        """Sets the standard deviation of the data, over all coordinates, and the highest level."""
        super().prepare(task)
        if task.train is not None:
            self.spread.copy_(self.dequantiser.size(task.train))
            size = math.sqrt(self.domain.dim) * self.spread
            self.highest.copy_((FAR * size).clamp(2 * LOW, HIGH))

    def f(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns the beginning of the path of x `(B, D)` at levels `(B,)`, shape `(B, D)`."""
        s, level = self.spread, sigma[:, None]
        skip = s.square() / ((level - LOW).square() + s.square())
        out = s * (level - LOW) / (level.square() + s.square()).sqrt()
        into = 1 / (level.square() + s.square()).sqrt()
        t = (sigma / LOW).log() / (self.highest / LOW).log()
        return skip * x + out * self.net(into * x, t)

    def levels(self, count: int) -> Tensor:
        """Returns `count` levels from low to high, evenly spread in sigma^{1/7}, `(count,)`."""
        low, high = LOW ** (1 / CURVE), float(self.highest) ** (1 / CURVE)
        return torch.linspace(low, high, count, device=self.device) ** CURVE

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the loss of rows `(B, *shape)`, mean over rows."""
        data = self.dequantiser(batch)[0].flatten(1)
        count = FEWEST * 2 ** min(int(self.progress * (DOUBLINGS + 1)), DOUBLINGS) + 1
        sigma = self.levels(count)
        n = neighbours(sigma).multinomial(len(data), replacement=True)
        below, above = sigma[n], sigma[n + 1]
        noise = torch.randn_like(data)
        guess = self.f(data + above[:, None] * noise, above)
        with torch.no_grad():
            target = self.f(data + below[:, None] * noise, below)
        c = 0.00054 * math.sqrt(data.shape[1])
        distance = ((guess - target).square().sum(1) + c**2).sqrt() - c
        return (distance / (above - below)).mean()

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Maps noise to data; more steps noise it again, to ever lower levels."""
        count = steps or self.steps
        sigma = self.levels(count + 1).flip(0)[:count]
        x = torch.zeros(n, self.domain.dim, device=self.device)
        for level in sigma:
            noisy = x + (level.square() - LOW**2).sqrt() * self.noise(n)
            x = self.f(noisy, level.expand(n))
        return self.points(x)


def neighbours(sigma: Tensor) -> Tensor:
    """Returns weights of pairs of neighbouring levels: the mass of N(-1.1, 2^2) between logs."""
    edge = torch.erf((sigma.log() - MEAN) / (math.sqrt(2) * STD))
    return edge.diff()
