"""The search spaces of the models whose arguments are chosen on validation data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contract.task import Domain

# Widths of hidden layers.
SMALL, NARROW, WIDE, WIDER, ONE = (64, 64), (128, 128), (256, 256), (512, 512), (1024,)
DEEP, BROAD = (128, 128, 128), (256, 256, 256)

GFLOWNET: Mapping[str, tuple[Any, ...]] = {
    "batch_size": (64, 128, 256),
    "hidden": (NARROW, WIDE),
    "epsilon": (0.01, 0.05),
    "replay": (0.0, 0.5),
    "lr": (1e-3, 2e-3, 5e-3),
}

# What has no effect on a domain, such as the channels of a net on vectors, is not drawn there
# (`effective`).
SPACES: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "vae": {
        "batch_size": (128, 256),
        "latent": (2, 8, 16),
        "hidden": (WIDE, WIDER, BROAD),
        "channels": (16, 32),
        "warm_up": (0.0, 0.2),
        "lr": (1e-3, 2e-3, 5e-3),
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
        "codewords": (32, 128),
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
    "lsgan": {
        "batch_size": (128, 256),
        "latent": (16, 64),
        "hidden": (NARROW, WIDE, BROAD),
        "channels": (16, 32),
        "gamma": (0.1, 1.0),
        "lr": (5e-4, 1e-3, 2e-3),
    },
    "wgan-gp": {
        "batch_size": (128, 256),
        "latent": (16, 64),
        "hidden": (NARROW, WIDE, BROAD),
        "channels": (16, 32),
        "weight": (0.1, 1.0),
        "turns": (2, 5),
        "lr": (5e-4, 1e-3, 2e-3),
    },
    "sn-gan": {
        "batch_size": (128, 256),
        "latent": (16, 64),
        "hidden": (NARROW, WIDE, BROAD),
        "channels": (16, 32),
        "turns": (1, 3),
        "lr": (5e-4, 1e-3, 2e-3),
    },
    "pacgan": {
        "batch_size": (128, 256),
        "latent": (16, 64),
        "hidden": (NARROW, WIDE, BROAD),
        "channels": (16, 32),
        "packed": (2, 4),
        "gamma": (0.1, 1.0),
        "lr": (5e-4, 1e-3, 2e-3),
    },
    "r3gan": {
        "batch_size": (128, 256),
        "latent": (16, 64),
        "hidden": (NARROW, WIDE, BROAD),
        "channels": (16, 32),
        "gamma": (0.1, 1.0),
        "lr": (5e-4, 1e-3, 2e-3),
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
        "transforms": (5, 8, 12),
        "hidden": (NARROW, WIDE, SMALL),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "iaf": {
        "batch_size": (256, 512),
        "transforms": (4, 8, 12),
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
        "batch_size": (32, 128, 256, 512),
        "hidden": (WIDE, WIDER, ONE),
        "components": (8, 32),
        "decay": (0.0, 0.1, 1.0),
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
    "score-sde-ve": {
        "batch_size": (128, 256),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "high": (10.0, 50.0),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "score-sde-vp": {
        "batch_size": (128, 256),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "edm": {
        "batch_size": (128, 256),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "mean": (-1.2, -0.4),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "masked-diffusion": {
        "batch_size": (32, 64, 128),
        "width": (32, 64, 128),
        "layers": (2, 4),
        "dropout": (0.0, 0.1),
        "lr": (1e-3, 2e-3, 4e-3),
    },
    "flow-matching": {
        "batch_size": (128, 256),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "ot-cfm": {
        "batch_size": (128, 256),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "rectified-flow": {
        "batch_size": (128, 256),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "first": (0.5, 0.7),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "interpolant": {
        "batch_size": (128, 256),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "consistency": {
        "batch_size": (128, 256),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "meanflow": {
        "batch_size": (128, 256),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "apart": (0.25, 0.5, 0.75),
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
    "rbm": {
        "batch_size": (64, 128, 256),
        "hidden": (32, 64, 256),
        "k": (1, 5, 20),
        "persistent": (False, True),
        "lr": (2e-3, 5e-3, 1e-2),
    },
    "nce": {
        "batch_size": (128, 256),
        "hidden": (NARROW, WIDE),
        "channels": (16, 32),
        "ratio": (2, 4, 10),
        "step": (0.005, 0.01, 0.02),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "score-matching": {
        "batch_size": (128, 256),
        "objective": ("denoising", "sliced"),
        "levels": (10, 20),
        "hidden": (DEEP, BROAD),
        "channels": (16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "gmmn": {
        "batch_size": (500, 1000),
        "latent": (4, 16, 64),
        "hidden": (NARROW, WIDE, BROAD),
        "codes": (8, 16, 32),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "mmd-gan": {
        "batch_size": (64, 128),
        "latent": (4, 16, 64),
        "hidden": (SMALL, NARROW, WIDE),
        "channels": (16, 32),
        "weight": (0.1, 1.0),
        "turns": (1, 3),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "sw-generator": {
        "batch_size": (256, 512, 1000),
        "latent": (4, 16, 64),
        "hidden": (NARROW, WIDE, BROAD),
        "channels": (16, 32),
        "directions": (64, 256),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    "drifting": {
        "batch_size": (256, 512),
        "latent": (4, 16, 64),
        "hidden": (NARROW, WIDE, BROAD),
        "channels": (16, 32),
        "temperatures": ((0.02, 0.05, 0.2), (0.05, 0.2)),
        "lr": (1e-3, 2e-3, 5e-3),
    },
    **dict.fromkeys(("gfn-fm", "gfn-db", "gfn-vargrad", "gfn-fldb"), GFLOWNET),
    "gfn-tb": {**GFLOWNET, "log_z_lr": (0.05, 0.1)},
    "gfn-subtb": {**GFLOWNET, "weight": (0.8, 0.9, 0.99)},
    "ais": {"scale": (1.0, 3.0, 40.0), "particles": (4096,), "leapfrog": (3, 5, 10)},
    "hmc": {"scale": (1.0, 3.0, 40.0), "chains": (512, 2048), "leapfrog": (5, 10)},
    "reverse-kl": {
        "batch_size": (256, 512),
        "scale": (1.0, 3.0, 40.0),
        "transforms": (4, 6),
        "bins": (8, 16),
        "lr": (1e-3, 2e-3),
    },
    "continuous-gflownet": {
        "batch_size": (128, 256),
        "scale": (1.0, 3.0, 40.0),
        "hidden": (NARROW, WIDE),
        "steps": (25, 50),
        "fall": (1.0, 2.0),
        "exploration": (0.0, 0.2),
        "lr": (1e-3, 2e-3, 5e-3),
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
