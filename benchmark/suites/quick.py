"""The quick suite: every family on a plane, on small images and on an enumerable reward."""

from __future__ import annotations

from functools import partial

from ... import metrics
from ...baselines import MODELS
from ...baselines.flows.nsf import NSF
from ..model import Budget
from ..suite import Suite

# Widths of hidden layers.
NARROW, WIDE, DEEP, BROAD = (128, 128), (256, 256), (128, 128, 128), (256, 256, 256)

QUICK = Suite(
    name="quick",
    summary="Real work, small: three minutes on 2 cores without a GPU.",
    tasks=("ring-8", "digits", "hypergrid-8x8"),
    # Four spline layers take a third of the whole suite's time on images.
    models={**MODELS, "nsf": partial(NSF, transforms=3)},
    metrics={
        "frechet_distance": metrics.FrechetDistance,
        "mmd": metrics.MMD,
        "energy_distance": metrics.EnergyDistance,
        "prdc": metrics.PRDC,
        "vendi_score": partial(metrics.VendiScore, kernel="rbf"),
        "mode_coverage": metrics.ModeCoverage,
        "nearest_neighbour_ratio": metrics.NearestNeighbourRatio,
        "nll": metrics.NLL,
        "bits_per_dim": metrics.BitsPerDim,
        "kl_to_truth": metrics.KLToTruth,
        "reverse_kl_to_truth": metrics.ReverseKLToTruth,
        "total_variation": metrics.TotalVariation,
        "l1_distance": metrics.L1Distance,
        "empirical_total_variation": metrics.EmpiricalTotalVariation,
        "empirical_l1_distance": metrics.EmpiricalL1Distance,
        "log_z_error": metrics.LogZError,
    },
    budget=Budget(steps=700, batch_size=128, timeout=120.0),
    samples=2048,
    spaces={
        "vae": {"latent": (2, 8, 16), "hidden": (NARROW, WIDE, DEEP), "lr": (1e-3, 2e-3, 5e-3)},
        "gan": {"latent": (4, 16, 64), "hidden": (NARROW, DEEP), "lr": (5e-4, 1e-3, 2e-3)},
        "nsf": {"transforms": (2, 3), "bins": (8, 12), "lr": (2e-3, 5e-3, 1e-2)},
        "made": {"hidden": (NARROW, WIDE, DEEP), "lr": (1e-3, 2e-3, 5e-3)},
        "ddpm": {
            "T": (50, 100),
            "schedule": ("linear", "cosine"),
            "hidden": (DEEP, WIDE, BROAD),
            "lr": (2e-3, 5e-3),
        },
        "flow-matching": {"hidden": (DEEP, WIDE, BROAD), "lr": (1e-3, 2e-3, 5e-3)},
        "ebm": {"hidden": (NARROW, WIDE), "step": (0.005, 0.01, 0.02), "lr": (1e-3, 2e-3)},
        "gmmn": {"latent": (4, 16, 64), "hidden": (NARROW, DEEP), "lr": (2e-3, 5e-3, 1e-2)},
        "gfn-tb": {"hidden": (NARROW, WIDE), "lr": (1e-3, 2e-3), "log_z_lr": (0.05, 0.1)},
        "gmm": {"components": (4, 8, 16)},
    },
)
