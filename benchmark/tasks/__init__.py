"""Tasks: real data, exact densities, rewards; `load_task(name)` loads any of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import lru_cache, partial

from ..task import Task
from . import binary_mnist
from .binary import SETS, binary
from .checkerboard import checkerboard
from .curves import circles, moons, pinwheel, rings, swiss_roll, two_spirals
from .digits import digits
from .faces import frey_faces, olivetti
from .fetch import fetch
from .highdim import gaussian, mixture, veegan_1200
from .hmm import hmm
from .hypergrid import hypergrid
from .images import celeba_64, cifar10, cifar10_20k, fashion_mnist, mnist
from .maf import maf
from .mixtures import eight_gaussians, grid_25, ring_8, veegan_grid, veegan_ring
from .own_images import folder_images, hub_images
from .root import MissingData, data_root
from .sequences import jsb_chorales, tinyshakespeare
from .shapes import banana, funnel, student_t
from .show import show
from .stacked_mnist import stacked_mnist
from .tables import table

DIMENSIONS = (2, 16, 64, 256)
EMBEDDED_TABLES = ("wine", "breast-cancer", "diabetes", "iris")
ROOT_TABLES = ("abalone", "california-housing", "wine-quality", "adult")
MAF_TABLES = ("power", "gas", "hepmass", "miniboone", "bsds300")

TASKS: dict[str, Callable[[], Task]] = {
    # Known densities of the plane.
    "ring-8": ring_8,
    "grid-25": grid_25,
    "veegan-ring": veegan_ring,
    "veegan-grid": veegan_grid,
    "8-gaussians": eight_gaussians,
    "moons": moons,
    "circles": circles,
    "rings": rings,
    "two-spirals": two_spirals,
    "swiss-roll": swiss_roll,
    "pinwheel": pinwheel,
    "checkerboard": checkerboard,
    "banana": banana,
    "student-t": student_t,
    # Known densities in more dimensions.
    "funnel": funnel,
    **{f"gaussian-{dim}": partial(gaussian, dim) for dim in DIMENSIONS},
    **{f"mixture-{dim}": partial(mixture, dim) for dim in DIMENSIONS},
    "veegan-1200": veegan_1200,
    # Images.
    "digits": digits,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar10-20k": cifar10_20k,
    "celeba-64": celeba_64,
    "binary-mnist-static": binary_mnist.static,
    "binary-mnist-dynamic": binary_mnist.dynamic,
    "stacked-mnist": stacked_mnist,
    "olivetti": olivetti,
    "frey-faces": frey_faces,
    # Tables, binary vectors.
    **{name: partial(table, name) for name in (*EMBEDDED_TABLES, *ROOT_TABLES)},
    **{name: partial(maf, name) for name in MAF_TABLES},
    **{name: partial(binary, name) for name in SETS},
    # Sequences.
    "tinyshakespeare": tinyshakespeare,
    "jsb-chorales": jsb_chorales,
    "hmm-8": partial(hmm, 3, 4, 8),
    "hmm-64": partial(hmm, 6, 8, 64),
    # Rewards.
    "hypergrid-8x8": partial(hypergrid, 2, 8),
    "hypergrid-64x64": partial(hypergrid, 2, 64),
    "hypergrid-8x8x8x8": partial(hypergrid, 4, 8),
}


@lru_cache(maxsize=8)
def load_task(name: str) -> Task:
    """Returns the task of that name, from memory if it was among the last eight loaded.

    Args:
        name: A name of `TASKS`, `hf:owner/name` or `folder:path`.

    Raises:
        MissingData: Its data are not in the data root; the message says how to bring them.
        ValueError: No task has that name (the message names the nearest), or its data are damaged.
    """
    if name.startswith("hf:"):
        return hub_images(name)
    if name.startswith("folder:"):
        return folder_images(name)
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1, cutoff=0)[0]
        raise ValueError(
            f"Expected the name of a task, hf:owner/name or folder:path, got {name!r}; the "
            f"nearest name is {near!r}."
        )
    return TASKS[name]()


__all__ = ["TASKS", "MissingData", "data_root", "fetch", "load_task", "show"]
