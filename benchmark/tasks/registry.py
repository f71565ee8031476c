"""Every task that has a name, as an outline that costs nothing to make."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

from ..contract.task import Task
from .addresses import READERS
from .densities.checkerboard import checkerboard
from .densities.curves import circles, moons, pinwheel, rings, swiss_roll, two_spirals
from .densities.highdim import gaussian, mixture, veegan_1200
from .densities.mixtures import eight_gaussians, grid_25, ring_8, veegan_grid, veegan_ring
from .densities.shapes import banana, funnel, student_t
from .densities.targets import gaussians_40, many_well
from .discrete.debd import SETS, binary
from .discrete.hmm import hmm
from .discrete.sequences import jsb_chorales, tinyshakespeare
from .images import binary_mnist
from .images.by_name import folder_images, hub_images
from .images.digits import digits
from .images.faces import frey_faces, olivetti
from .images.parquet_sets import celeba_64, cifar10, cifar10_20k, fashion_mnist, mnist
from .images.stacked_mnist import stacked_mnist
from .outline import Outline
from .rewards.bit_sequences import bit_sequences
from .rewards.hypergrid import hypergrid
from .rewards.ising import ising
from .rewards.structures import structures
from .rewards.subsets import subsets
from .tables.maf import maf, miniboone_part
from .tables.small import table

DIMENSIONS = (2, 16, 64, 256)
EMBEDDED_TABLES = ("wine", "breast-cancer", "diabetes", "iris")
ROOT_TABLES = ("abalone", "california-housing", "wine-quality", "adult")
MAF_TABLES = ("power", "gas", "hepmass", "miniboone", "bsds300")

TASKS: dict[str, Callable[[], Outline]] = {
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
    "miniboone-1523": miniboone_part,
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
    "hypergrid-8x8x8x8-sparse": partial(hypergrid, 4, 8, 1e-3, name="hypergrid-8x8x8x8-sparse"),
    "hypergrid-8x8-2021": partial(hypergrid, 2, 8, 0.1, True, name="hypergrid-8x8-2021"),
    "hypergrid-8x8x8x8-2021": partial(hypergrid, 4, 8, 0.1, True, name="hypergrid-8x8x8x8-2021"),
    **{f"bit-sequences-{bits}": partial(bit_sequences, bits) for bits in (1, 2, 4, 8)},
    **{f"ising-{side}x{side}": partial(ising, side) for side in (3, 4)},
    "subsets-12-5": partial(subsets, 12, 5),
    "subsets-30-20": partial(subsets, 30, 20),
    **{f"structures-{nodes}": partial(structures, nodes) for nodes in (3, 4, 5)},
    "gaussians-40": gaussians_40,
    "many-well-32": many_well,
}

# What has an address in the place of a name: image sets, tables, arrays, texts.
BY_ADDRESS: dict[str, Callable[[str], Task]] = {
    "hf": hub_images,
    "folder": folder_images,
    **READERS,
}

_FORMS = [f"{kind}:path" for kind in BY_ADDRESS if kind != "hf"]


def outline_of(address: str) -> Outline:
    """Returns the outline of a task, without its rows where it has a name.

    Args:
        address: A name of `TASKS`, or an address: `hf:owner/name`, `folder:path`, `csv:path`,
            `parquet:path`, `datasets:folder`, `npz:path`, `text:path`. What lies at an address is
            known only from reading it.

    Raises:
        MissingData: The files of an address are not there; the message says how to bring them.
        ValueError: No task has that name (the message names the nearest), or its data are damaged.
    """
    kind, _, _ = address.partition(":")
    if kind in BY_ADDRESS:
        return replace(Outline.of(BY_ADDRESS[kind](address)), address=address)
    return replace(TASKS[known_task(address)](), address=address)


def load_task(address: str) -> Task:
    """Returns a task with its rows: from memory, where it has a name and is of the last eight.

    Args:
        address: As in `outline_of`.

    Raises:
        MissingData: Its data are not in the data root; the message says how to bring them.
        ValueError: No task has that name (the message names the nearest), or its data are damaged.
    """
    # What lies at an address may have changed.
    return named_task(address) if address in TASKS else outline_of(address).load()


@lru_cache(maxsize=8)
def named_task(name: str) -> Task:
    """Returns a task of `TASKS` with its rows, from memory if it was among the last eight."""
    return outline_of(name).load()


def known_task(name: str) -> str:
    """Returns the name if a task has it.

    Raises:
        ValueError: None has; the message names the nearest.
    """
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1, cutoff=0)[0]
        raise ValueError(
            f"Expected the name of a task, hf:owner/name, or one of {', '.join(_FORMS)}, got "
            f"{name!r}; the nearest name is {near!r}."
        )
    return name
