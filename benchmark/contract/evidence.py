"""The tensors that a trained model leaves behind; metrics see nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor


@dataclass(frozen=True)
class Evidence:
    """What one probe of one model produced.

    Attributes:
        samples: Points of the task's domain, shape `(N, *shape)`; None where none were asked for.
        context: What each sample was conditioned on, shape `(N, *context)`; None without one.
        log_prob: What the model says of the test rows, in nats, shape `(M,)`; None
            without a claim.
        log_prob_samples: The same of its own samples, shape `(N,)`; only of exact models.
        law: Exact probability of every state of an enumerable domain, shape `(S,)`.
        log_z: The model's estimate of the reward's log normaliser in nats, a scalar.
        log_weights: log R(x) - log q of its own draws against a reward, in nats, shape `(N,)`;
            None of models with an exact likelihood, whose q is p(x).
        log_weights_test: The same of test rows, in nats, shape `(M,)`.
        log_prob_points: What the model says of the task's `reward_points`, in nats, shape `(P,)`.
    """

    samples: Tensor | None = None
    context: Tensor | None = None
    log_prob: Tensor | None = None
    log_prob_samples: Tensor | None = None
    law: Tensor | None = None
    log_z: Tensor | None = None
    log_weights: Tensor | None = None
    log_weights_test: Tensor | None = None
    log_prob_points: Tensor | None = None

    def save(self, path: Path) -> None:
        """Writes what there is as safetensors."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        save_file({k: v.cpu().contiguous() for k, v in tensors.items() if v is not None}, path)

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """Reads what `save` wrote."""
        return cls(**load_file(path))
