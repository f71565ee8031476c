"""A probe: one question to a trained model, with everything that decides the answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Probe:
    """One question to a trained model.

    What a model leaves in answer is its `Evidence`. A suite asks several: samples and
    likelihoods of every model, and samples in 1, 5 or 25 steps of those that have steps.

    Attributes:
        kind: "samples": draws, and what an exact model says of its own draws. "likelihood": what
            the model says of the test rows, of every state of a small domain, and of log Z.
        n: Number of samples; None is the suite's, on every task as many as it has test rows. Of a
            likelihood the number of test rows, a fixed random subset; None is all.
        sampler: Name of the sampler; None is the model's own default.
        steps: Steps of the sampler; None is the model's own default.
        draws: Draws K of a likelihood's bound or estimate; None is the model's own default.
        split: The split that samples are compared with.
        models: Names of the models that are asked; empty asks all that can answer.
        tasks: Names of the tasks on which it is asked; empty asks on all of the suite's.
        metrics: Names of the metrics that read the answer; empty is all of the suite's.
    """

    kind: Literal["samples", "likelihood"] = "samples"
    n: int | None = None
    sampler: str | None = None
    steps: int | None = None
    draws: int | None = None
    split: Literal["test", "train"] = "test"
    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    @property
    def question(self) -> dict[str, Any]:
        """What decides the evidence: not who reads it, nor what it is compared with."""
        beside = ("split", "models", "tasks", "metrics")
        return {k: v for k, v in asdict(self).items() if k not in beside}

    @property
    def settings(self) -> dict[str, Any]:
        """The fields that are not as in the default probe of its kind."""
        default = asdict(Probe(self.kind))
        return {k: v for k, v in asdict(self).items() if v != default[k]}

    @property
    def label(self) -> str:
        """What sets the probe apart from the default one of its kind, in words; empty for that."""
        parts = [
            self.sampler or "",
            f"{self.steps} step{'s' if self.steps != 1 else ''}" if self.steps else "",
            f"{self.draws} draw{'s' if self.draws != 1 else ''}" if self.draws else "",
            f"{self.n:,} {'samples' if self.kind == 'samples' else 'rows'}" if self.n else "",
            f"against {self.split}" if self.split != "test" else "",
        ]
        return ", ".join(part for part in parts if part)

    @property
    def name(self) -> str:
        """The probe among those of a suite: kind and label, such as "samples: ddim, 5 steps"."""
        return f"{self.kind}: {self.label}" if self.label else self.kind


DEFAULT_PROBES = (Probe("samples"), Probe("likelihood"))
