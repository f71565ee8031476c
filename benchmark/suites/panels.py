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
from ..contract.task import Domain

Panel = Mapping[str, Callable[[], EstimatedMetric]]

# Suites name their models: a new one enters `standard` alone.
EXEMPLARS = ("vae", "gan", "nsf", "made", "ddpm", "flow-matching", "ebm", "gmmn")
CLASSICAL = ("gmm", "kde")
FLOORS = ("gaussian", "histogram", "ngram", "chow-liu")
CONTROLS = ("oracle", "memoriser", "mode-dropper", "noise")


def named(*names: str) -> dict[str, type[Any]]:
    """Returns models by their names."""
    return {name: MODELS[name] for name in names}


# Who learns from samples: everybody but the GFlowNets.
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

# What a suite asks beside samples and likelihoods: quality at a few function evaluations.
STEPS = tuple(
    Probe(n=512, steps=k, models=("ddpm", "flow-matching"), metrics=("mmd", "energy_distance"))
    for k in (1, 5, 25)
)

# Widths of hidden layers.
SMALL, NARROW, WIDE, WIDER, ONE = (64, 64), (128, 128), (256, 256), (512, 512), (1024,)
DEEP, BROAD = (128, 128, 128), (256, 256, 256)

# The search spaces of the models whose arguments are chosen on validation data. What has no effect
# on a domain, such as the channels of a net on vectors, is not drawn there (`effective`).
SPACES: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "vae": {
        "batch_size": (128, 256),
        "latent": (2, 8, 16),
        "hidden": (WIDE, WIDER, BROAD),
        "channels": (16, 32),
        "lr": (5e-4, 1e-3, 2e-3),
    },
    "iwae": {
        "batch_size": (128, 256),
        "k": (5, 16),
        "latent": (2, 8, 16),
        "hidden": (WIDE, WIDER, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "ladder-vae": {
        "batch_size": (128, 256),
        "layers": ((4, 2), (16, 8), (16, 8, 4)),
        "hidden": (WIDE, WIDER, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "iaf-vae": {
        "batch_size": (128, 256),
        "flows": (2, 4),
        "latent": (2, 8, 16),
        "hidden": (WIDE, WIDER, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "vampprior-vae": {
        "batch_size": (128, 256),
        "pseudo": (50, 200),
        "latent": (2, 8, 16),
        "hidden": (WIDE, WIDER, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "vq-vae": {
        "batch_size": (128, 256),
        "positions": (2, 8, 16),
        "codes": (32, 128),
        "hidden": (WIDE, WIDER, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "gan": {
        "batch_size": (128, 256),
        "latent": (16, 64),
        "hidden": (NARROW, WIDE, BROAD),
        "channels": (16, 32),
        "gamma": (0.1, 1.0),
        "lr": (5e-4, 1e-3, 2e-3),
    },
    "nsf": {
        "batch_size": (256, 512),
        "transforms": (3, 4, 6),
        "width": (32, 64, 128),
        "bins": (8, 12),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "realnvp": {
        "batch_size": (256, 512),
        "width": (32, 64, 128),
        "blocks": (1, 2),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "glow": {
        "batch_size": (256, 512),
        "transforms": (4, 8, 12),
        "width": (32, 64, 128),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "maf": {
        "batch_size": (256, 512),
        "transforms": (3, 5, 8),
        "hidden": (NARROW, WIDE, SMALL),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "iaf": {
        "batch_size": (256, 512),
        "transforms": (2, 4, 6),
        "hidden": (NARROW, WIDE, SMALL),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "nsf-ar": {
        "batch_size": (256, 512),
        "transforms": (2, 3, 5),
        "hidden": (NARROW, WIDE, SMALL),
        "bins": (8, 12),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "ffjord": {
        "batch_size": (256, 512),
        "hidden": (SMALL, NARROW, DEEP),
        "training_steps": (3, 4, 6),
        "lr": (2e-3, 5e-3, 1e-2),
    },
    "tarflow": {
        "batch_size": (64, 128, 256),
        "transforms": (2, 4, 6),
        "width": (32, 64),
        "layers": (1, 2),
        "lr": (1e-3, 2e-3, 4e-3),
    },
    "made": {
        "batch_size": (128, 256, 512),
        "hidden": (WIDE, WIDER, ONE),
        "components": (8, 32),
        "decay": (0.0, 0.1),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "nade": {
        "batch_size": (128, 256, 512),
        "units": (64, 128, 256),
        "components": (8, 32),
        "decay": (0.0, 0.1),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "pixelcnn": {
        "batch_size": (32, 64),
        "channels": (16, 32),
        "layers": (4, 6, 8),
        "dropout": (0.0, 0.2),
        "lr": (1e-3, 2e-3, 4e-3),
    },
    "transformer": {
        "batch_size": (32, 64),
        "width": (32, 64, 128),
        "layers": (2, 4),
        "dropout": (0.0, 0.1),
        "lr": (1e-3, 2e-3, 4e-3),
    },
    "ddpm": {
        "batch_size": (128, 256),
        "predicts": ("noise", "velocity"),
        "schedule": ("linear", "cosine"),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "flow-matching": {
        "batch_size": (128, 256),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "ebm": {
        "batch_size": (128, 256),
        "hidden": (NARROW, WIDE),
        "channels": (16, 32),
        "step": (0.005, 0.01, 0.02),
        "chain": (5, 10, 20),
        "lr": (1e-3, 2e-3),
    },
    "gmmn": {
        "batch_size": (500, 1000),
        "latent": (4, 16, 64),
        "hidden": (NARROW, WIDE, BROAD),
        "codes": (8, 16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "gfn-tb": {
        "batch_size": (64, 128),
        "hidden": (NARROW, WIDE),
        "lr": (1e-3, 2e-3, 5e-3),
        "log_z_lr": (0.05, 0.1),
    },
}


def effective(space: Mapping[str, tuple[Any, ...]], domain: Domain) -> dict[str, tuple[Any, ...]]:
    """Returns the part of a search space that makes a difference on a domain."""
    idle = set() if domain.is_image else {"channels", "codes"}
    if domain.is_image and "channels" in space:
        idle.add("hidden")  # convolutions stand in the place of perceptrons
    if domain.levels is not None and (domain.levels <= 32 or domain.is_nominal):
        idle.add("components")  # a conditional is a softmax over the levels
    return {name: values for name, values in space.items() if name not in idle}


def spaces_of(models: Mapping[str, Any]) -> dict[str, Mapping[str, tuple[Any, ...]]]:
    """Returns the search spaces of those models that have one."""
    return {name: space for name, space in SPACES.items() if name in models}
