"""Metrics: pure functions of tensors that return an `Estimate`, and their torchmetrics classes.

`FUNCTIONS` maps each class to its function: `FrechetDistance` and `frechet_distance` are one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .distance.c2st import C2ST, c2st
from .distance.cmmd import CMMD, cmmd
from .distance.energy_distance import EnergyDistance, energy_distance
from .distance.frechet import (
    FrechetDistance,
    FrechetDistanceInfinity,
    frechet_distance,
    frechet_distance_infinity,
)
from .distance.inception_score import InceptionScore, inception_score
from .distance.kernel_distance import KernelDistance, kernel_distance
from .distance.mind import MIND, mind
from .distance.mmd import MMD, MMDTest, mmd, mmd_test
from .distance.sinkhorn import SinkhornDivergence, sinkhorn_divergence
from .distance.sliced_wasserstein import SlicedWasserstein, sliced_wasserstein
from .distance.wasserstein import Wasserstein, wasserstein
from .diversity.alpha_precision import AlphaPrecision, BetaRecall, alpha_precision, beta_recall
from .diversity.clipped import (
    ClippedCoverage,
    ClippedDensity,
    clipped_coverage,
    clipped_density,
)
from .diversity.modes import ModeCoverage, mode_coverage, nearest_mode
from .diversity.ndb import NDB, ndb
from .diversity.pairwise_diversity import PairwiseDiversity, pairwise_diversity
from .diversity.prdc import PRDC, prdc
from .diversity.probabilistic import (
    ProbabilisticPrecision,
    ProbabilisticRecall,
    probabilistic_precision,
    probabilistic_recall,
)
from .diversity.symmetric import (
    SymmetricPrecision,
    SymmetricRecall,
    symmetric_precision,
    symmetric_recall,
)
from .diversity.vendi import VendiScore, vendi_score
from .estimate import Estimate, EstimatedMetric
from .exact.exact_law import (
    EmpiricalL1Distance,
    EmpiricalTotalVariation,
    JensenShannonDivergence,
    L1Distance,
    LogZError,
    TotalVariation,
    empirical_l1_distance,
    empirical_total_variation,
    jensen_shannon_divergence,
    l1_distance,
    log_z_error,
    total_variation,
)
from .exact.fisher_divergence import FisherDivergence, fisher_divergence
from .exact.kl import KLToTruth, ReverseKLToTruth, kl_to_truth, reverse_kl_to_truth
from .likelihood.nll import NLL, BitsPerDim, bits_per_dim, nll
from .memorisation.authenticity import Authenticity, authenticity
from .memorisation.ct_score import CTScore, ct_score
from .memorisation.feature_likelihood import (
    FeatureLikelihoodDivergence,
    feature_likelihood_divergence,
)
from .memorisation.nearest_neighbour_ratio import NearestNeighbourRatio, nearest_neighbour_ratio
from .reward.points import RewardCorrelation, TopReward, reward_correlation, top_reward
from .reward.weights import (
    EffectiveSampleSize,
    ELBOGap,
    EUBOGap,
    ImportanceLogZError,
    effective_sample_size,
    elbo_gap,
    eubo_gap,
    importance_log_z_error,
)

FUNCTIONS: dict[type[EstimatedMetric], Callable[..., Any]] = {
    # Distances between samples
    FrechetDistance: frechet_distance,
    FrechetDistanceInfinity: frechet_distance_infinity,
    KernelDistance: kernel_distance,
    MMD: mmd,
    MMDTest: mmd_test,
    CMMD: cmmd,
    EnergyDistance: energy_distance,
    SlicedWasserstein: sliced_wasserstein,
    MIND: mind,
    Wasserstein: wasserstein,
    SinkhornDivergence: sinkhorn_divergence,
    C2ST: c2st,
    InceptionScore: inception_score,
    # Fidelity and diversity
    PRDC: prdc,
    ClippedDensity: clipped_density,
    ClippedCoverage: clipped_coverage,
    SymmetricPrecision: symmetric_precision,
    SymmetricRecall: symmetric_recall,
    ProbabilisticPrecision: probabilistic_precision,
    ProbabilisticRecall: probabilistic_recall,
    AlphaPrecision: alpha_precision,
    BetaRecall: beta_recall,
    VendiScore: vendi_score,
    PairwiseDiversity: pairwise_diversity,
    ModeCoverage: mode_coverage,
    NDB: ndb,
    # Memorisation
    Authenticity: authenticity,
    CTScore: ct_score,
    NearestNeighbourRatio: nearest_neighbour_ratio,
    FeatureLikelihoodDivergence: feature_likelihood_divergence,
    # Likelihood
    NLL: nll,
    BitsPerDim: bits_per_dim,
    # Against a known truth
    KLToTruth: kl_to_truth,
    ReverseKLToTruth: reverse_kl_to_truth,
    TotalVariation: total_variation,
    L1Distance: l1_distance,
    JensenShannonDivergence: jensen_shannon_divergence,
    EmpiricalTotalVariation: empirical_total_variation,
    EmpiricalL1Distance: empirical_l1_distance,
    LogZError: log_z_error,
    FisherDivergence: fisher_divergence,
    # Samplers of a reward
    EffectiveSampleSize: effective_sample_size,
    ELBOGap: elbo_gap,
    EUBOGap: eubo_gap,
    ImportanceLogZError: importance_log_z_error,
    TopReward: top_reward,
    RewardCorrelation: reward_correlation,
}

__all__ = [
    "FUNCTIONS",
    "Estimate",
    "EstimatedMetric",
    "nearest_mode",
    *(cls.__name__ for cls in FUNCTIONS),
    *(function.__name__ for function in FUNCTIONS.values()),
]
