"""What suites share: who plays, which metrics are asked, which arguments are searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ... import metrics
from ...baselines import MODELS
from ...baselines.classical.gmm import GMM
from ...baselines.classical.kde import KDE
from ...metrics.estimate import EstimatedMetric
from ..contract.probe import Probe

Panel = Mapping[str, Callable[[], EstimatedMetric]]

# Suites name their models: a new one enters `standard` alone.
EXEMPLARS = ("vae", "gan", "nsf", "made", "ddpm", "flow-matching", "ebm", "gmmn")
CLASSICAL = ("gmm", "kde")
FLOORS = ("gaussian", "histogram", "ngram", "chow-liu")
GFLOWNETS = ("gfn-fm", "gfn-db", "gfn-tb", "gfn-subtb", "gfn-vargrad", "gfn-fldb")
SAMPLERS = ("ais", "hmc", "reverse-kl", "continuous-gflownet")
CONTROLS = ("oracle", "memoriser", "mode-dropper", "noise")


def named(*names: str) -> dict[str, type[Any]]:
    """Returns models by their names."""
    return {name: MODELS[name] for name in names}


# Who learns from samples: everybody but the GFlowNets and the samplers of a reward.
SAMPLE_MODELS = named(*EXEMPLARS, *CLASSICAL, *FLOORS, *CONTROLS)

# At 500 pixels and more: a covariance of all pixels costs D^2 a row and iteration.
PIXEL_MODELS: Mapping[str, Callable[..., Any]] = {
    **SAMPLE_MODELS,
    "gmm": partial(GMM, components=(4, 16), floors=(1e-2,), restarts=1, max_rows=10_000),
    "kde": partial(KDE, max_rows=20_000),
}

DISTANCE: Panel = {
    "mmd": metrics.MMD,
    "energy_distance": metrics.EnergyDistance,
}
# The Vendi score takes all of a suite's 2,048 samples: it grows with their number, so scores from
# fewer would not compare with the diversity of the other columns. From eight dimensions on that
# is the decomposition of a 2,048 x 2,048 matrix, two to three seconds on one core, once a cell.
SPREAD: Panel = {
    "prdc": metrics.PRDC,
    "vendi_score": partial(metrics.VendiScore, kernel="rbf"),
    "mode_coverage": metrics.ModeCoverage,
}
COPIES: Panel = {"nearest_neighbour_ratio": metrics.NearestNeighbourRatio}
LIKELIHOOD: Panel = {"nll": metrics.NLL, "bits_per_dim": metrics.BitsPerDim}
TRUTH: Panel = {
    "kl_to_truth": metrics.KLToTruth,
    "reverse_kl_to_truth": metrics.ReverseKLToTruth,
}
STATES: Panel = {
    "total_variation": metrics.TotalVariation,
    "l1_distance": metrics.L1Distance,
    "empirical_total_variation": metrics.EmpiricalTotalVariation,
    "empirical_l1_distance": metrics.EmpiricalL1Distance,
    "log_z_error": metrics.LogZError,
}
WEIGHTS: Panel = {
    "jensen_shannon_divergence": metrics.JensenShannonDivergence,
    "effective_sample_size": metrics.EffectiveSampleSize,
    "elbo_gap": metrics.ELBOGap,
    "eubo_gap": metrics.EUBOGap,
    "importance_log_z_error": metrics.ImportanceLogZError,
    "top_reward": metrics.TopReward,
    "reward_correlation": metrics.RewardCorrelation,
}


def in_steps(
    *models: str,
    counts: tuple[int, ...],
    metrics: tuple[str, ...],
    n: int | None = None,
) -> tuple[Probe, ...]:
    """Returns the probes that ask models for quality at a few steps of their sampler."""
    return tuple(Probe(n=n, steps=k, models=models, metrics=metrics) for k in counts)


# What a suite asks beside samples and likelihoods.
STEPS = in_steps(
    "ddpm", "flow-matching", counts=(1, 5, 25), metrics=("mmd", "energy_distance"), n=512
)
# Quality against evaluations on images, of the exemplars and of the models of few steps.
PICTURE_STEPS = in_steps(
    *("ddpm", "flow-matching", "consistency", "meanflow"),
    counts=(1, 2, 5, 10, 25, 50, 100),
    metrics=("frechet_distance", "mmd", "energy_distance"),
    n=512,
)
