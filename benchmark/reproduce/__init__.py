"""Published comparisons: numbers of papers beside ours, with a verdict."""

from __future__ import annotations

from . import shown
from .comparison import Comparison
from .papers.bit_strings import GFLOWNET_BITS
from .papers.bit_vectors import DEBD
from .papers.decoders import WU2017
from .papers.games.digit_games import KID_MNIST
from .papers.games.packing import PACGAN_GRID, PACGAN_RING
from .papers.games.stacks import STACKED_MNIST
from .papers.games.veegan import VEEGAN_GRID, VEEGAN_HIGH
from .papers.gflownets import GFLOWNET_HYPERGRID
from .papers.human_ranks import HUMAN_RANKS
from .papers.importance import IWAE_MNIST
from .papers.known_answers import FID_BIAS, HUMAN_ERROR, HYPERGRID, PRDC_GAUSSIANS, VENDI
from .papers.maf_tables import MAF_TABULAR, TABULAR_GAUSSIAN
from .papers.metric_checks import NDB_MNIST
from .papers.plane_flows import CFM_2D
from .papers.sanity.checks import SANITY_CHECKS
from .papers.two_samples import TWO_SAMPLE_POWER

COMPARISONS: dict[str, Comparison] = {
    comparison.name: comparison
    for comparison in (
        FID_BIAS,
        VENDI,
        PRDC_GAUSSIANS,
        HUMAN_ERROR,
        HYPERGRID,
        SANITY_CHECKS,
        NDB_MNIST,
        IWAE_MNIST,
        HUMAN_RANKS,
        GFLOWNET_HYPERGRID,
        GFLOWNET_BITS,
        WU2017,
        TWO_SAMPLE_POWER,
        PACGAN_RING,
        PACGAN_GRID,
        VEEGAN_GRID,
        VEEGAN_HIGH,
        CFM_2D,
        TABULAR_GAUSSIAN,
        MAF_TABULAR,
        DEBD,
        STACKED_MNIST,
        KID_MNIST,
    )
}

__all__ = ["COMPARISONS", "shown"]
