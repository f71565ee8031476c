"""Metrics: pure functions of tensors that return an `Estimate`, and their torchmetrics classes.

`FUNCTIONS` maps each class to its function: `FrechetDistance` and `frechet_distance` are one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .authenticity import Authenticity, authenticity
from .c2st import C2ST, c2st
from .cmmd import CMMD, cmmd
from .ct_score import CTScore, ct_score
from .energy_distance import EnergyDistance, energy_distance
from .estimate import Estimate, EstimatedMetric
from .exact_law import (
    EmpiricalL1Distance,
    EmpiricalTotalVariation,
    L1Distance,
    LogZError,
    TotalVariation,
    empirical_l1_distance,
    empirical_total_variation,
    l1_distance,
    log_z_error,
    total_variation,
)
from .feature_likelihood import FeatureLikelihoodDivergence, feature_likelihood_divergence
from .fisher_divergence import FisherDivergence, fisher_divergence
from .frechet import (
    FrechetDistance,
    FrechetDistanceInfinity,
    frechet_distance,
    frechet_distance_infinity,
)
from .inception_score import InceptionScore, inception_score
from .kernel_distance import KernelDistance, kernel_distance
from .likelihood import (
    NLL,
    BitsPerDim,
    KLToTruth,
    ReverseKLToTruth,
    bits_per_dim,
    kl_to_truth,
    nll,
    reverse_kl_to_truth,
)
from .mmd import MMD, MMDTest, mmd, mmd_test
from .modes import ModeCoverage, mode_coverage, nearest_mode
from .ndb import NDB, ndb
from .nearest_neighbour_ratio import NearestNeighbourRatio, nearest_neighbour_ratio
from .pairwise_diversity import PairwiseDiversity, pairwise_diversity
from .prdc import PRDC, prdc
from .sinkhorn import SinkhornDivergence, sinkhorn_divergence
from .sliced_wasserstein import SlicedWasserstein, sliced_wasserstein
from .vendi import VendiScore, vendi_score
from .wasserstein import Wasserstein, wasserstein

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
    Wasserstein: wasserstein,
    SinkhornDivergence: sinkhorn_divergence,
    C2ST: c2st,
    InceptionScore: inception_score,
    # Fidelity and diversity
    PRDC: prdc,
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
    EmpiricalTotalVariation: empirical_total_variation,
    EmpiricalL1Distance: empirical_l1_distance,
    LogZError: log_z_error,
    FisherDivergence: fisher_divergence,
}

__all__ = [
    "FUNCTIONS",
    "Estimate",
    "EstimatedMetric",
    "nearest_mode",
    *(cls.__name__ for cls in FUNCTIONS),
    *(function.__name__ for function in FUNCTIONS.values()),
]
