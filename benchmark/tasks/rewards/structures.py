r"""Bayesian structure learning: the posterior over acyclic graphs of 3 to 5 nodes as a reward.

Deleu et al. 2022 (Bayesian Structure Learning with Generative Flow Networks, arXiv:2202.13903):
100 rows of a random linear-Gaussian network are the data, and R(G) = p(data | G) under a uniform
prior over graphs. p(data | G) is the BGe score (Geiger & Heckerman 1994; in the form of Kuipers,
Moffa & Heckerman, Annals of Statistics 42, 2014, eq. 2 to 5): with N rows, n nodes, alpha_mu = 1,
alpha_w = n + 2, T = t I, t = alpha_mu (alpha_w - n - 1) / (alpha_mu + 1), and
R = T + S_N + N alpha_mu / (N + alpha_mu) mean mean^T, a node i with l parents P adds

    1/2 log(alpha_mu / (N + alpha_mu)) - N/2 log pi
    + log Gamma((N + alpha_w - n + l + 1) / 2) - log Gamma((alpha_w - n + l + 1) / 2)
    + (alpha_w - n + 2 l + 1) / 2 log t
    + (N + alpha_w - n + l) / 2 log |R_PP| - (N + alpha_w - n + l + 1) / 2 log |R_QQ|,

Q = P and i together. Log rewards are given above that of the empty graph.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...contract.model import seeded
from ...contract.task import Card, Domain
from ..outline import Outline
from .enumerated import enumerated
from .environments import AcyclicGraphs

ROWS = 100
NETWORK_SEED = 220_213_903
NOISE_VARIANCE = 0.1


class BGe:
    """log p(data | G) above that of the empty graph, from a table of all parent sets.

    Args:
        data: Rows, shape `(N, n)`, float64.
    """

    def __init__(self, data: Tensor) -> None:
        self.nodes = data.shape[1]
        self.environment = AcyclicGraphs(self.nodes)
        scores = local_scores(data)
        self.scores = scores - scores[:, :1]

    def log_reward(self, x: Tensor) -> Tensor:
        """Returns log R(G) in nats: points of `AcyclicGraphs`, `(B, D)` to `(B,)`."""
        parents = self.environment.adjacency(x).transpose(-1, -2)  # (B, node, parent)
        place = 2 ** torch.arange(self.nodes, device=x.device)
        chosen = (parents * place).sum(-1)  # (B, n)
        scores = self.scores.to(x.device)
        return scores.gather(1, chosen.T).sum(0).float()


def local_scores(data: Tensor) -> Tensor:
    """Returns the score of every node with every set of parents, in nats, `(n, 2^n)`.

    Sets are numbered by their bits; a node is no parent of its own: -inf there.
    """
    N, n = data.shape
    alpha_mu, alpha_w = 1.0, n + 2.0
    t = alpha_mu * (alpha_w - n - 1) / (alpha_mu + 1)
    mean = data.mean(0)
    centred = data - mean
    R = t * torch.eye(n, dtype=data.dtype) + centred.T @ centred
    R = R + N * alpha_mu / (N + alpha_mu) * torch.outer(mean, mean)
    scores = torch.full((n, 2**n), -math.inf, dtype=torch.double)
    for i in range(n):
        for number in range(2**n):
            P = [j for j in range(n) if number >> j & 1]
            if i in P:
                continue
            Q, a = [*P, i], alpha_w - n + len(P)
            scores[i, number] = (
                0.5 * math.log(alpha_mu / (N + alpha_mu))
                - N / 2 * math.log(math.pi)
                + math.lgamma((N + a + 1) / 2)
                - math.lgamma((a + 1) / 2)
                + (a + len(P) + 1) / 2 * math.log(t)
                + (N + a) / 2 * float(R[P][:, P].logdet() if P else 0.0)
                - (N + a + 1) / 2 * float(R[Q][:, Q].logdet())
            )
    return scores


def network_data(nodes: int) -> Tensor:
    """Returns 100 rows of a random linear-Gaussian network, always the same, `(100, nodes)`.

    One edge a node on average, weights of N(0, 1), noise of variance 0.1 (arXiv:2202.13903,
    section 5.1).
    """
    with seeded(NETWORK_SEED + nodes):
        share = min(1.0, 2.0 / (nodes - 1))
        edges = torch.rand(nodes, nodes, dtype=torch.double).triu(1) > 1 - share
        weights = torch.randn(nodes, nodes, dtype=torch.double) * edges
        order = torch.randperm(nodes)
        noise = math.sqrt(NOISE_VARIANCE) * torch.randn(ROWS, nodes, dtype=torch.double)
        data = torch.zeros(ROWS, nodes, dtype=torch.double)
        for i in range(nodes):
            data[:, i] = data @ weights[:, i] + noise[:, i]
        return data[:, order]


def structures(nodes: int) -> Outline:
    """Returns `structures-N`, the posterior over acyclic graphs of N nodes.

    Args:
        nodes: 3, 4 or 5.
    """
    if nodes not in (3, 4, 5):
        raise ValueError(f"Expected 3, 4 or 5 nodes, whose graphs can be listed, got {nodes}.")
    reward = BGe(network_data(nodes))
    environment = reward.environment
    domain = Domain((environment.width,), levels=2, layout="bits", environment=environment)
    card = Card(
        summary=f"An acyclic graph of {nodes} nodes, by its posterior given 100 rows of data.",
        citation="Deleu et al. 2022, Bayesian Structure Learning with Generative Flow Networks, "
        "arXiv:2202.13903",
        pitfalls="Graphs that say the same independences have the same score. Bits with a cycle "
        "are no points: what a model puts there is counted as one more state.",
    )
    return enumerated(f"structures-{nodes}", domain, reward.log_reward, card, reward.log_reward)
