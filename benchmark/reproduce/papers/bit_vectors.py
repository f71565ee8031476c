"""Likelihoods of binary vectors (DEBD): independent bits, Chow-Liu trees, NADE over all orders.

The first two are closed forms of the training rows. A published one may smooth its counts in
another way, which moves the mean of the test rows by about (free parameters) / (training rows)
nats; that is the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ...contract.model import Budget
from ...tasks.discrete.debd import SETS
from ...tasks.readers.data_root import MissingData
from ..comparison import Comparison, Finding, Listing, part
from ..published import Published, those
from .held_out import log_likelihood

# A published method: the model of it, its arguments, and its free parameters at D bits.
METHODS: dict[str, tuple[str, dict[str, Any], Callable[[int], int]]] = {
    "independent": ("histogram", {}, lambda D: D),
    "Chow-Liu": ("chow-liu", {}, lambda D: 2 * D - 1),
    "EoNADE": ("nade", {"units": 200, "orders": 16}, lambda D: 0),
}
TRAINED = 0.02  # of a trained model's tolerance, a share of the published number
BUDGET = Budget(steps=3_000, batch_size=50)
FLOORS = ("independent", "Chow-Liu")


def debd() -> Iterator[Finding | Listing]:
    """What was published, and the two floors on all sets that are here."""
    for row in those("debd"):
        yield _finding(row)
    yield Listing(
        "Test log-likelihood of the floors on every set, nats",
        ("set", "bits", "training rows", *FLOORS),
        [_listed(name) for name in SETS],
    )


def _finding(row: Published) -> Finding:
    try:
        ours, error = _kept(row.method, row.dataset)
    except MissingData:
        return Finding(row, None, note="it is not in the data root")
    D, (rows, _, _) = SETS[row.dataset]
    parameters = METHODS[row.method][2](D)
    tolerance = parameters / rows if parameters else TRAINED * abs(row.value)
    return Finding(row, ours, error, tolerance)


def _listed(name: str) -> tuple[str, ...]:
    D, (rows, _, _) = SETS[name]
    try:
        found = [f"{_kept(method, name)[0]:.4f}" for method in FLOORS]
    except MissingData:
        found = ["not in the data root"] * len(FLOORS)
    return (name, f"{D}", f"{rows:,}", *found)


def _kept(method: str, name: str) -> tuple[float, float]:
    model, arguments, _ = METHODS[method]
    return part(f"{method} on {name}", partial(log_likelihood, name, model, arguments, BUDGET))


DEBD = Comparison(
    "debd",
    "Khargonkar, Chow-Liu trees in cutset networks, report, Table 2; Uria et al., ICML 2014, "
    "arXiv:1310.1757",
    "The log-likelihood of independent bits and of Chow-Liu trees on eight binary sets, and of "
    "NADE over all orders on two.",
    "ten minutes",
    "(free parameters) / (training rows) nats of closed forms, 2 % of what is trained.",
    "The smoothing of counts is chosen on validation rows, where the reports add one to a count; "
    "NADE has one hidden layer of 200 units, of up to two of 500, and 3,000 steps of 50 rows. The "
    "reports' cutset networks with random trees are left out: their numbers lie above all that "
    "was published for these sets.",
    debd,
    tuple(f"debd/{name.replace('-', '_')}.npz" for name in SETS),
    ("debd",),
)
