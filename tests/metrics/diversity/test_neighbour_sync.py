"""Two gloo processes with halves of the rows give what one process gives with all of them."""

import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from dgmbench.metrics.diversity.modes import ModeCoverage
from dgmbench.metrics.diversity.ndb import NDB
from dgmbench.metrics.diversity.pairwise_diversity import PairwiseDiversity
from dgmbench.metrics.diversity.prdc import PRDC
from dgmbench.metrics.diversity.vendi import VendiScore
from dgmbench.metrics.exact.exact_law import (
    EmpiricalL1Distance,
    EmpiricalTotalVariation,
    L1Distance,
    LogZError,
    TotalVariation,
)
from dgmbench.metrics.exact.fisher_divergence import FisherDivergence
from dgmbench.metrics.exact.kl import KLToTruth, ReverseKLToTruth
from dgmbench.metrics.likelihood.nll import NLL, BitsPerDim
from dgmbench.metrics.memorisation.authenticity import Authenticity
from dgmbench.metrics.memorisation.ct_score import CTScore
from dgmbench.metrics.memorisation.feature_likelihood import FeatureLikelihoodDivergence
from dgmbench.metrics.memorisation.nearest_neighbour_ratio import NearestNeighbourRatio


def rows():
    g = torch.Generator().manual_seed(0)
    x, y, t = (torch.randn(n, 3, generator=g) for n in (61, 50, 70))
    law = torch.tensor([0.5, 0.3, 0.2])
    log_p, log_q = torch.randn(2, 33, generator=g)
    label = torch.randint(-1, 5, (33,), generator=g)
    state = torch.randint(0, 3, (33,), generator=g)
    return {
        "PRDC": (PRDC(k=3), (x, y), ()),
        "VendiScore": (VendiScore(), (x,), ()),
        "PairwiseDiversity": (PairwiseDiversity(), (x,), ()),
        "ModeCoverage": (ModeCoverage(), (label,), (5,)),
        "NDB": (NDB(bins=5), (x, y), ()),
        "Authenticity": (Authenticity(), (x, t), ()),
        "CTScore": (CTScore(cells=1), (x, y, t), ()),
        "NearestNeighbourRatio": (NearestNeighbourRatio(), (x, y, t), ()),
        "FeatureLikelihoodDivergence": (FeatureLikelihoodDivergence(), (x, y, t), ()),
        "NLL": (NLL(), (log_q,), ()),
        "BitsPerDim": (BitsPerDim(), (log_q,), (4,)),
        "KLToTruth": (KLToTruth(), (log_q, log_p), ()),
        "ReverseKLToTruth": (ReverseKLToTruth(), (log_q, log_p), ()),
        "TotalVariation": (TotalVariation(), (), (law, law.flip(0))),
        "L1Distance": (L1Distance(), (), (law, law.flip(0))),
        "EmpiricalTotalVariation": (EmpiricalTotalVariation(), (state,), (law,)),
        "EmpiricalL1Distance": (EmpiricalL1Distance(), (state,), (law,)),
        "LogZError": (LogZError(), (), (1.0, 3.0)),
        "FisherDivergence": (FisherDivergence(), (x, x * 2), ()),
    }


def numbers(metric):
    found = metric.estimate()
    found = found if isinstance(found, dict) else {"": found}
    return {name: (e.value, e.stderr, e.n) for name, e in found.items()}


def a_part_of_the_rows(rank, port, path):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    result = {}
    for name, (metric, split, whole) in rows().items():
        metric.update(*(r[: len(r) // 3] if rank else r[len(r) // 3 :] for r in split), *whole)
        result[name] = numbers(metric)
    if rank == 0:
        torch.save(result, path)
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(a_part_of_the_rows, (port, tmp_path / "both.pt"), nprocs=2)
    together = torch.load(tmp_path / "both.pt")
    for name, (metric, split, whole) in rows().items():
        metric.update(*split, *whole)
        for key, expected in numbers(metric).items():
            found = together[name][key]
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), (name, key)
