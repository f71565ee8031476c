r"""Rectified flow, with reflow.

Liu, Gong & Liu, Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified
Flow, ICLR 2023, arXiv:2209.03003.

The first phase of training is flow matching along lines between noise and data (eq. 1),

    min_v  E || (x_1 - x_0) - v(t x_1 + (1 - t) x_0, t) ||^2.

The flow carries noise z_0 to z_1. The second phase trains the net on lines between these pairs
(section 2.2, "2-rectified flow"): they cross less, so that the new flow is straighter and few
steps carry it. The net that makes the pairs is the average of the first phase, held.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from ..paths.ode import push
from ..players import Phase, Player
from .flow_matching import FlowMatching


class RectifiedFlow(FlowMatching):
    """Flow matching, trained once more on pairs of its own.

    Args:
        domain: What one point is.
        hidden: See `FlowMatching`.
        channels: See `FlowMatching`.
        first: Share of the steps of the first phase.
        pairing: Steps of the solver (midpoint) that makes the pairs.
        solver: See `FlowMatching`.
        steps: See `FlowMatching`.
        likelihood_steps: See `FlowMatching`.
        particles: See `FlowMatching`.
        lr: Learning rate.
        dequantisation: See `FlowMatching`.
    """

    paper = "arXiv:2209.03003"

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        first: float = 0.7,
        pairing: int = 8,
        solver: str = "midpoint",
        steps: int = 25,
        likelihood_steps: int = 12,
        particles: int = 8,
        lr: float = 5e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(
            domain,
            hidden=hidden,
            channels=channels,
            sigma_min=0.0,
            solver=solver,
            steps=steps,
            likelihood_steps=likelihood_steps,
            particles=particles,
            lr=lr,
            dequantisation=dequantisation,
        )
        self.first, self.pairing = first, pairing
        self.teacher = copy.deepcopy(self.net).requires_grad_(False)

    def players(self) -> list[Player]:
        return [Player("loss", self.net.parameters(), self.loss, self.lr)]

    def phases(self) -> list[Phase]:
        return [
            Phase("flow", self.first, self.players),
            Phase("reflow", 1 - self.first, self.again),
        ]

    def again(self) -> list[Player]:
        """Holds the flow of the first phase; returns the player of the second."""
        held = self.average.of("net") or self.net.state_dict()
        self.teacher.load_state_dict(held, strict=False)
        return [Player("reflow", self.net.parameters(), self.reflow_loss, self.lr)]

    def reflow_loss(self, batch: Tensor) -> Tensor:
        """Returns the loss on as many pairs of the held flow as `(B, *shape)` has rows."""
        noise = self.noise(len(batch))
        with torch.no_grad():
            data = push(self.teacher, noise, "midpoint", self.pairing)
        t = torch.rand(len(data), device=data.device)
        guess = self.net(self.path.point(data, noise, t), t)
        return (guess - (data - noise)).square().mean()
