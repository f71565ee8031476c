r"""Generative flow network trained by forward-looking detailed balance.

Pan, Malkin, Zhang & Bengio, Better Training of GFlowNets with Local Credit and Incomplete
Trajectories, ICML 2023, arXiv:2302.01687, section 4. Where a state on the way is already worth
something, log R(s) = -E(s), the net gives only what the flow has beyond it,
log F(s) = log F~(s) - E(s), and detailed balance becomes

    L(s, s') = (log F~(s) + log P_F(s' | s) - log F~(s') - log P_B(s | s') + E(s') - E(s))^2.
"""

from __future__ import annotations

from torch import Tensor

from ...benchmark.contract.task import TrainingTask
from .detailed_balance import DetailedBalance
from .trajectories import Trajectories


class ForwardLooking(DetailedBalance):
    """Detailed balance of flows in units of what a state is worth by itself.

    Where a task says nothing of states on the way it is detailed balance.
    """

    paper = "arXiv:2302.01687"
    looks_forward = True

    def prepare(self, task: TrainingTask) -> None:
        """Takes what the source is worth: log Z = log F~(s_0) + log R(s_0)."""
        super().prepare(task)
        if task.log_partial_reward is not None:
            source = self.environment.source(1, self.device)
            self.worth_of_source.copy_(task.log_partial_reward(source)[0])

    def log_z(self) -> float | None:
        beyond = super().log_z()
        return None if beyond is None else beyond + float(self.worth_of_source)

    def log_flows(self, batch: Trajectories, log_flow: Tensor) -> Tensor:
        return log_flow + batch.log_partial
