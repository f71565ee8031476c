"""Which tensors a metric gets, by the names of its arguments, and why one is missing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....metrics.features import FEATURE_MAPS, FeatureCache, FrozenMap, feature_map
from ...contract.evidence import Evidence
from ...contract.model import Likelihood
from ...contract.probe import Probe
from ...contract.task import Task
from .subset import fixed_subset, judged

# Samples per state that a count of states needs at least.
PER_STATE = 5

NO_REWARD = "the task has no reward"

# Names that no probe and no task of these suites gives, with the reason that a table prints.
NEVER = {
    "probabilities": "no classifier's probabilities are measured here",
    "score": "no score of the model is measured here",
}


@lru_cache(maxsize=4)
def load_map(name: str, levels: int | None, device: str = "cpu") -> tuple[FrozenMap | None, str]:
    """Returns the feature map of a task, or None and why it cannot be had on this machine.

    Args:
        name: Name of the map.
        levels: Levels of the task's domain.
        device: Where it computes.

    Raises:
        ValueError: No map has that name, or its weights are not the published ones.
    """
    # Maps that read the levels of a domain say so in their arguments.
    asks = "levels" in inspect.signature(FEATURE_MAPS.get(name, feature_map)).parameters
    try:
        return feature_map(name, **({"levels": levels} if asks else {})).to(device), ""
    except (FileNotFoundError, ImportError) as error:
        # Tables are shown to others: the reader's home is none of their business.
        return None, f"no features: {error}".replace(str(Path.home()), "~")


class Inputs:
    """The tensors of one answer of a model, and of its task, by name.

    What is costly is computed when it is first asked for.

    Args:
        task: The task, with what is known of its law.
        probe: The question.
        evidence: The answer.
        likelihood: What its log-probabilities claim.
        estimator: How they were computed ("exact", "IWAE-64").
        cache: Keeps the features of test and train rows, which are the same for every model.
        device: Where features and metrics are computed.
        reason: Why a likelihood that the model claims is missing, if one is.

    Attributes:
        missing: Name to the reason why there is none.
        n: Number of samples; 0 without.
    """

    def __init__(
        self,
        task: Task,
        probe: Probe,
        evidence: Evidence,
        likelihood: Likelihood,
        estimator: str = "",
        cache: FeatureCache | None = None,
        device: str = "cpu",
        reason: str = "",
    ) -> None:
        self.reason = reason
        self.task, self.probe, self.likelihood, self.estimator = task, probe, likelihood, estimator
        self.cache, self.device = cache, device
        self.n = 0 if evidence.samples is None else len(evidence.samples)
        self._given: dict[str, Callable[[], Any]] = {}
        self.missing: dict[str, str] = dict(NEVER)
        if evidence.samples is not None:
            # Kept in the smallest type; arithmetic on levels needs a wide one.
            real = evidence.samples.is_floating_point()
            samples = evidence.samples if real else evidence.samples.long()
            self._points(samples)
            self._own(samples, evidence)
        if probe.kind == "likelihood":
            self._likelihood(evidence)
            self._data_law()
        self._put("dims", task.domain.dim if task.domain.levels else None, "real-valued data")

    def _put(self, name: str, value: Any, reason: str) -> None:
        """Keeps a value, or a function that makes it; None is missing for the reason given."""
        if value is None:
            self.missing[name] = reason
        else:
            self._given[name] = cache(value) if callable(value) else lambda: value

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def asked(self, name: str) -> bool:
        """Whether the probe is one that answers for the name, or says why it is missing."""
        return name in self._given or name in self.missing

    def get(self, name: str) -> Any:
        """Returns the tensor or number of that name, on the device."""
        value = self._given[name]()
        return value.to(self.device) if isinstance(value, Tensor) else value

    def _points(self, samples: Tensor) -> None:
        task = self.task
        features, reason = load_map(task.feature_map, task.domain.levels, self.device)
        rows = {"samples": samples, "reference": self.reference, "train": task.train}
        for name, points in rows.items():
            if features is None or points is None:
                self.missing[name] = reason or "the task has no such rows"
            else:
                compute = partial(self._features, features, points, name != "samples")
                self._put(name, compute, "")
        modes, unknown = task.modes, "the modes of the task are not known"
        self._put("labels", modes and partial(modes.assign, samples), unknown)
        self._put("modes", modes and modes.count, unknown)
        self._states(samples)
        if task.domain.is_enumerable:
            self._put_target()

    def _states(self, samples: Tensor) -> None:
        """The index of each sample, where samples are enough to count states."""
        domain = self.task.domain
        if not domain.is_enumerable:
            self.missing["states"] = "the states of the task cannot be enumerated"
        elif len(samples) < PER_STATE * domain.num_states:
            self.missing["states"] = (
                f"{len(samples):,} samples are too few to count {domain.num_states:,.0f} states: "
                f"fewer than {PER_STATE} per state"
            )
        else:
            self._put("states", partial(domain.index, samples), "")

    @property
    def reference(self) -> Tensor | None:
        """A fixed random subset of the split that samples are compared with, as many as they."""
        rows: Tensor | None = getattr(self.task, self.probe.split)
        return None if rows is None else rows[fixed_subset(len(rows), self.n)]

    def _features(self, network: FrozenMap, points: Tensor, kept: bool) -> Tensor:
        if self.cache is None or not kept or not network.state_dict():
            return network(points)
        return self.cache(network, points)

    def _own(self, samples: Tensor, evidence: Evidence) -> None:
        exact = self.reason or "the model's own log p(x) is not exact"
        self._put("log_prob_samples", evidence.log_prob_samples, exact)
        density = self.task.log_density
        given = () if evidence.context is None else (evidence.context,)
        at_samples = None if density is None else partial(density, samples, *given)
        self._put("log_density_samples", at_samples, "the density of the task is not known")
        self._rewards(samples, evidence)

    def _rewards(self, samples: Tensor, evidence: Evidence) -> None:
        """Rewards of samples, and their importance weights: of points, or of trajectories."""
        reward, log_q = self.task.log_reward, evidence.log_prob_samples
        if reward is None:
            self.missing |= dict.fromkeys(("log_reward_samples", "log_weights"), NO_REWARD)
            return
        self._put("log_reward_samples", partial(reward, samples), "")
        weights: Any = evidence.log_weights
        if weights is None and log_q is not None:
            weights = lambda: reward(samples).double() - log_q  # noqa: E731
        self._put("log_weights", weights, "the model has no importance weights")
        self._put("log_z", self.task.log_z, NO_REWARD)

    def _likelihood(self, evidence: Evidence) -> None:
        why = self.reason or {
            Likelihood.NONE: "the model gives samples, no likelihood",
            Likelihood.UNNORMALIZED: "log p(x) up to a constant: no NLL until it is estimated",
        }.get(self.likelihood, "the log-probability was not probed")
        self._put("log_prob", evidence.log_prob, why)
        self._put("law", evidence.law, "the model has no exact law over the states")
        self._put("log_z_estimate", evidence.log_z, "the model does not estimate log Z")
        self._ranked(evidence)

    def _ranked(self, evidence: Evidence) -> None:
        """What the model and the reward say of the task's points, and weights of test rows."""
        task, reward = self.task, self.task.log_reward
        if reward is None or task.test is None:
            names = ("log_prob_points", "log_reward_points", "log_weights_test")
            self.missing |= dict.fromkeys(names, NO_REWARD)
            return
        test, said = judged(task.test, self.probe), evidence.log_prob
        points = test if task.reward_points is None else task.reward_points
        log_p = said if task.reward_points is None else evidence.log_prob_points
        self._put("log_prob_points", log_p, "the model gives no likelihood")
        self._put("log_reward_points", partial(reward, points), "")
        weights: Any = evidence.log_weights_test
        if weights is None and self.likelihood is Likelihood.EXACT and said is not None:
            weights = lambda: reward(test).double() - said  # noqa: E731
        self._put("log_weights_test", weights, "the model has no importance weights")

    def _data_law(self) -> None:
        task, density = self.task, self.task.log_density
        context = task.context.get("test")
        given = () if context is None else (judged(context, self.probe),)
        at_test = None
        if density is not None and task.test is not None:
            at_test = partial(density, judged(task.test, self.probe), *given)
        self._put("log_density", at_test, "the density of the task is not known")
        self._put_target()
        self._put("log_z", task.log_z, NO_REWARD)

    def _put_target(self) -> None:
        task, density = self.task, self.task.log_density
        if density is None or task.conditional or not task.domain.is_enumerable:
            self.missing["target"] = "the task has no exact law over states"
        else:
            self._put("target", partial(_law, task), "")


def _law(task: Task) -> Tensor:
    """The task's exact law over its states, float64."""
    density = task.log_density
    if density is None:
        raise ValueError(f"Expected {task.name} to have a known density, got none.")
    return task.domain.completed(density(task.domain.states()).double().exp())


def log_prob_rows(log_prob: Tensor, most: int = 2048) -> Tensor:
    """Returns the log-probabilities of a fixed subset of the test rows, float32, in nats.

    Args:
        log_prob: Of all test rows, shape `(M,)`.
        most: Size of the subset at most.
    """
    return log_prob[fixed_subset(len(log_prob), most)].to(torch.float32)
