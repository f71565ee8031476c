"""Densities of the plane: modes, rings, spirals and tails, all with an exact log p(x)."""

from __future__ import annotations

from ... import metrics
from ..contract.model import Budget
from ..contract.probe import DEFAULT_PROBES
from .panels import (
    CLASSICAL,
    CONTROLS,
    COPIES,
    DISTANCE,
    EXEMPLARS,
    FLOORS,
    LIKELIHOOD,
    SPREAD,
    TRUTH,
    in_steps,
    named,
)
from .spaces import spaces_of
from .suite import Suite

# Models beside the exemplars whose density, or whose quality in few steps, the plane judges best.
PLANE = (
    "iaf-vae",
    "realnvp",
    "maf",
    "nsf-ar",
    "ffjord",
    "score-sde-ve",
    "score-sde-vp",
    "edm",
    "ot-cfm",
    "consistency",
    "meanflow",
    "drifting",
)
STEPS = in_steps(
    *("ddpm", "score-sde-ve", "score-sde-vp", "edm"),
    *("flow-matching", "ot-cfm", "consistency", "meanflow"),
    counts=(1, 2, 5, 10, 25, 50, 100),
    metrics=("mmd", "energy_distance", "sliced_wasserstein"),
)
PLAYERS = named(*EXEMPLARS, *PLANE, *CLASSICAL, *FLOORS, *CONTROLS)

TOY2D = Suite(
    name="toy2d",
    summary="Fourteen densities of the plane, two core-minutes of training per cell: nine "
    "hours on 2 cores without a GPU.",
    tasks=(
        "ring-8",
        "grid-25",
        "veegan-ring",
        "veegan-grid",
        "8-gaussians",
        "moons",
        "circles",
        "rings",
        "two-spirals",
        "swiss-roll",
        "pinwheel",
        "checkerboard",
        "banana",
        "student-t",
    ),
    models=PLAYERS,
    metrics={
        **DISTANCE,
        "sliced_wasserstein": metrics.SlicedWasserstein,
        **SPREAD,
        **COPIES,
        **LIKELIHOOD,
        **TRUTH,
    },
    budget=Budget(steps=1500, batch_size=128, timeout=300.0),
    core_minutes=2.0,
    samples=2048,
    probes=(*DEFAULT_PROBES, *STEPS),
    spaces=spaces_of(PLAYERS),
)
