"""Small models for tests of the harness, loaded by path as a user's are."""

import math

import torch
from dgmbench.benchmark.contract.model import GenerativeModel, Likelihood

RADIUS, SCALE = 2.0, 0.1


def centres(modes):
    """Returns the means of modes 0..7 on a ring, shape `(B, 2)`."""
    angle = modes.double() * math.pi / 4
    return RADIUS * torch.stack((angle.cos(), angle.sin()), 1).float()


class RingByLabel(GenerativeModel):
    """The mean of each label's training rows, with the scale that they have around it."""

    family = "classical"
    conditional = True
    likelihood = Likelihood.EXACT

    def __init__(self, domain):
        self.domain = domain

    def fit(self, task, budget):
        x, label = task.train, task.context["train"]
        self.means = torch.stack([x[label == k].mean(0) for k in range(8)])
        self.scale = (x - self.means[label]).std()

    def sample(self, n, *, context=None, sampler=None, steps=None):
        return self.means[context] + self.scale * torch.randn(n, 2)

    def log_prob(self, x, context=None, *, draws=None):
        normal = torch.distributions.Normal(self.means[context], self.scale)
        return normal.log_prob(x).sum(1)


class Refined(GenerativeModel):
    """Samples that come nearer to the ring with every step of its sampler; counts its training."""

    family = "diffusion"
    network = "net"
    samplers = ("walk",)
    probe_arguments = frozenset({"rate"})
    trained = 0

    def __init__(self, domain, rate=0.2):
        self.domain, self.rate = domain, rate
        self.net = torch.nn.Identity()

    def fit(self, task, budget):
        type(self).trained += 1

    def state_dict(self):
        return {"nothing": torch.zeros(1)}

    def load_state_dict(self, state):
        pass

    def sample(self, n, *, context=None, sampler=None, steps=None):
        x, goal = torch.randn(n, 2) * 5, centres(torch.randint(8, (n,)))
        goal = goal + SCALE * torch.randn(n, 2)
        for _ in range(steps or 10):
            x = self.net(x) + self.rate * (goal - x)
        return x
