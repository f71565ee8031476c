"""What is timed: metrics at the sizes of practice, training steps; who else does it; the aims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...metrics.distance.energy_distance import energy_distance
from ...metrics.distance.frechet import frechet_distance
from ...metrics.distance.kernel_distance import kernel_distance
from ...metrics.distance.sliced_wasserstein import sliced_wasserstein
from ...metrics.diversity.prdc import prdc
from ...metrics.diversity.vendi import vendi_score
from . import annealing as annealing
from . import peers as peers
from . import training as training

Timed = Callable[[Tensor, Tensor], float]


@dataclass(frozen=True)
class Contender:
    """Somebody who computes a case.

    Attributes:
        name: What the table calls it.
        call: Features `(N, d)` of samples and of reference to one number.
        package: What must be installed, by the name of its import.
        aim: The least ratio of its time to ours that is aimed at, where it has one of its own.
    """

    name: str
    call: Timed
    package: str = ""
    aim: float | None = None


@dataclass(frozen=True)
class Case:
    """One row of the comparison.

    Attributes:
        name: Kebab-case name.
        n: Points a side.
        d: Features a point.
        ours: What dgmbench does.
        peers: Who else does it.
        flops: Floating-point operations of the matrix products and decompositions that the metric
            cannot do without, n and d to a number.
        faster: The least ratio of the fastest peer's time to ours that is aimed at.
        seconds: The most seconds that are aimed at.
        megabytes: The most memory beyond the features that is aimed at.
    """

    name: str
    n: int
    d: int
    ours: Timed
    peers: tuple[Contender, ...]
    flops: Callable[[int, int], float]
    faster: float | None = None
    seconds: float | None = None
    megabytes: float | None = None

    def contenders(self) -> tuple[Contender, ...]:
        """Returns ours and the peers."""
        return (Contender("dgmbench", self.ours), *self.peers)


def features(n: int, d: int) -> tuple[Tensor, Tensor]:
    """Returns two sets of features with a decaying spectrum, float32, each `(n, d)`."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.arange(1, d + 1) ** -0.5
    x, y = (torch.randn(n, d, generator=generator) * scale for _ in range(2))
    return x + 0.1 * scale, y


def frechet_flops(n: int, d: int) -> float:
    """Two scatter matrices and Cholesky factors, their product, its singular values.

    With fewer points than features the rows themselves are the factors.
    """
    if n < d:
        return 2 * n * n * d + 8 / 3 * n**3
    return 2 * n * d**2 + 2 / 3 * d**3 + 2 * d**3 + 8 / 3 * d**3


def pairs_flops(n: int, d: int) -> float:
    """All inner products within both sides (half of them each) and across."""
    return 4.0 * n * n * d


def kid_subset_flops(n: int, d: int) -> float:
    """A hundred times all pairs of 1,000 a side."""
    return 100 * pairs_flops(1000, d)


def kid_flops(n: int, d: int) -> float:
    """All pairs, or the third moments of both sides where they are less."""
    return min(pairs_flops(n, d), 2.0 * n * d * d * (d + 1))


def vendi_flops(n: int, d: int) -> float:
    """The smaller Gram matrix and its eigenvalues."""
    small, large = min(n, d), max(n, d)
    return large * small**2 + 4 / 3 * small**3


def sliced_flops(n: int, d: int) -> float:
    """The projections of both sides on 1,000 directions."""
    return 4.0 * n * d * 1000


def _frechet(x: Tensor, y: Tensor) -> float:
    return frechet_distance(x, y).value


def _kid(x: Tensor, y: Tensor) -> float:
    return kernel_distance(x, y).value


def _kid_subsets(x: Tensor, y: Tensor) -> float:
    return kernel_distance(x, y, subsets=100).value


def _prdc(x: Tensor, y: Tensor) -> float:
    return prdc(x, y)["density"].value


def _vendi(x: Tensor, y: Tensor) -> float:
    return vendi_score(x).value


def _sliced(x: Tensor, y: Tensor) -> float:
    return sliced_wasserstein(x, y).value


def _energy(x: Tensor, y: Tensor) -> float:
    return energy_distance(x, y, unbiased=False).value


FRECHET: dict[str, Any] = {
    "ours": _frechet,
    "peers": (
        Contender("torchmetrics", peers.frechet_torchmetrics, "torchmetrics"),
        Contender("torch-fidelity", peers.frechet_torch_fidelity, "torch_fidelity"),
        Contender("pytorch-fid", peers.frechet_pytorch_fid, "pytorch_fid"),
    ),
    "flops": frechet_flops,
}
KID: dict[str, Any] = {
    "ours": _kid_subsets,
    "peers": (
        Contender("torchmetrics", peers.kid_torchmetrics, "torchmetrics"),
        Contender("torch-fidelity", peers.kid_torch_fidelity, "torch_fidelity"),
    ),
    "flops": kid_subset_flops,
}
PRDC: dict[str, Any] = {
    "ours": _prdc,
    "peers": (Contender("prdc", peers.prdc_prdc, "prdc"),),
    "flops": pairs_flops,
    "megabytes": 300,
}
VENDI: dict[str, Any] = {
    "ours": _vendi,
    "peers": (
        Contender("vendi-score", peers.vendi_default, "vendi_score", aim=25),
        Contender("vendi-score dual, float32", peers.vendi_dual, "vendi_score", aim=1 / 2.5),
    ),
    "flops": vendi_flops,
}
SLICED: dict[str, Any] = {
    "ours": _sliced,
    "peers": (Contender("POT", peers.sliced_pot, "ot"),),
    "flops": sliced_flops,
    "megabytes": 150,
}
ENERGY: dict[str, Any] = {
    "ours": _energy,
    "peers": (Contender("geomloss", peers.energy_geomloss, "geomloss"),),
    "flops": pairs_flops,
    "megabytes": 100,
}


def no_floor(n: int, d: int) -> float:
    """A training step has no product that it could not do without."""
    return 0.0


NSF_STEPS: dict[str, Any] = {
    "ours": training.nsf,
    "peers": (Contender("zuko", training.nsf_zuko, "zuko"),),
    "flops": no_floor,
    "faster": 1.4,
}
MADE_STEPS: dict[str, Any] = {
    "ours": training.made,
    "peers": (Contender("zuko", training.made_zuko, "zuko"),),
    "flops": no_floor,
    "faster": 1.16,
}
FLOW_MATCHING_STEPS: dict[str, Any] = {
    "ours": training.flow_matching,
    "peers": (Contender("torchcfm", training.flow_matching_torchcfm, "torchcfm"),),
    "flops": no_floor,
    "faster": 1,
}
MAF_STEPS: dict[str, Any] = {
    "ours": training.maf,
    "peers": (Contender("zuko", training.maf_zuko, "zuko"),),
    "flops": no_floor,
    "faster": 1.1,
}
FFJORD_STEPS: dict[str, Any] = {
    "ours": training.ffjord,
    "peers": (Contender("zuko", training.ffjord_zuko, "zuko"),),
    "flops": no_floor,
    "faster": 3,
}
OT_CFM_STEPS: dict[str, Any] = {
    "ours": training.ot_cfm,
    "peers": (Contender("torchcfm", training.ot_cfm_torchcfm, "torchcfm"),),
    "flops": no_floor,
    "faster": 1,
}

AIS: dict[str, Any] = {
    "ours": annealing.ais,
    "peers": (Contender("its products", annealing.products),),
    "flops": annealing.flops,
    "faster": 0.6,
}

GFN_STEPS: dict[str, Any] = {
    "ours": partial(training.gfn, "gfn-tb"),
    "peers": (Contender("torchgfn", training.gfn_tb_torchgfn, "gfn"),),
    "flops": no_floor,
    "faster": 4,
}


def _as_fast_as_tb(objective: str) -> dict[str, Any]:
    """Another objective beside trajectory balance, which may be 1.5 times as fast."""
    tb = Contender("gfn-tb", partial(training.gfn, "gfn-tb"), "torch")
    ours = partial(training.gfn, objective)
    return {"ours": ours, "peers": (tb,), "flops": no_floor, "faster": 1 / 1.5}


CASES = {
    case.name: case
    for case in (
        Case("frechet-10k-2048", 10_000, 2048, **FRECHET, faster=3),
        Case("frechet-10k-512", 10_000, 512, **FRECHET, faster=1 / 1.2),
        Case("frechet-10k-64", 10_000, 64, **FRECHET, seconds=0.02),
        Case("frechet-1k-2048", 1_000, 2048, **FRECHET, faster=20),
        Case("kid-subsets-64", 10_000, 64, **KID, faster=2),
        Case("kid-subsets-2048", 10_000, 2048, **KID, faster=1),
        Case("kid-10k-64", 10_000, 64, _kid, (), kid_flops, seconds=0.8),
        Case("prdc-10k-64", 10_000, 64, **PRDC, faster=3),
        Case("prdc-10k-512", 10_000, 512, **PRDC, faster=1.7),
        Case("vendi-5k-512", 5_000, 512, **VENDI),
        Case("vendi-5k-2048", 5_000, 2048, **VENDI),
        Case("sliced-10k-64", 10_000, 64, **SLICED, faster=20),
        Case("energy-10k-64", 10_000, 64, **ENERGY, faster=1.5),
        Case("energy-5k-512", 5_000, 512, **ENERGY, faster=1),
        Case("ais-100-784", 100, 784, **AIS),
        Case("nsf-steps-2", 10_000, 2, **NSF_STEPS),
        Case("nsf-steps-64", 10_000, 64, **NSF_STEPS),
        Case("made-steps-64", 10_000, 64, **MADE_STEPS),
        Case("flow-matching-steps-2", 10_000, 2, **FLOW_MATCHING_STEPS),
        Case("maf-steps-2", 10_000, 2, **MAF_STEPS),
        Case("maf-steps-64", 10_000, 64, **MAF_STEPS),
        Case("ffjord-steps-2", 10_000, 2, **FFJORD_STEPS),
        Case("ot-cfm-steps-2", 10_000, 2, **OT_CFM_STEPS),
        Case("gfn-tb-steps-8x8", 1_000, 2, **GFN_STEPS),
        *(
            Case(f"{name}-steps-8x8", 1_000, 2, **_as_fast_as_tb(name))
            for name in ("gfn-fm", "gfn-db", "gfn-subtb", "gfn-vargrad", "gfn-fldb")
        ),
    )
}
