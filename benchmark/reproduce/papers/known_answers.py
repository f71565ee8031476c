"""Known answers: numbers that are exact or cheap, by which metrics and tasks are checked first."""

from __future__ import annotations

import gzip
import io
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch

from ....metrics import FrechetDistance, frechet_distance, prdc, vendi_score
from ...contract.model import seeded
from ...tasks.readers.data_root import data_root
from ...tasks.rewards.hypergrid import Hypergrid
from ..comparison import Comparison, Finding, part
from ..published import one, those


def vendi() -> Iterator[Finding]:
    """The two examples of the authors' README that need no weights.

    The rows of a Cholesky factor of a kernel have it as their cosines.
    """
    values = torch.tensor([0.0, 10.0, 20.0]).double()
    kernels = {
        "samples 0,0,10,10,20,20 with exp(-|a-b|)": (-(values[:, None] - values).abs()).exp(),
        "3x3 matrix with one 0.9 pair": torch.tensor(
            [[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]]
        ).double(),
    }
    for dataset, kernel in kernels.items():
        row = one("metric_validation", source_id="friedman2023_vendi", dataset=dataset)
        ours = vendi_score(torch.linalg.cholesky(kernel)).value
        # The first is printed cut after four decimals, not rounded.
        yield Finding(row, ours, tolerance=1.01e-4)


PRDC_TOLERANCES = {"precision": 0.03, "recall": 0.03, "density": 0.2, "coverage": 0.02}


def prdc_gaussians(draws: int = 3, n: int = 10_000, dim: int = 1000) -> Iterator[Finding]:
    """Precision, recall, density and coverage of draws of one normal law against others."""
    found: dict[str, list[float]] = {name: [] for name in PRDC_TOLERANCES}
    for draw in range(draws):
        with seeded(draw):
            x, y = torch.randn(2, n, dim)
        for name, estimate in prdc(x, y, k=5, stderr=False).items():
            found[name].append(estimate.value)
    for name, tolerance in PRDC_TOLERANCES.items():
        row = one(
            "metric_validation", source_id="naeem2020_prdc", table="README example", metric=name
        )
        values = np.array(found[name])
        error = float(values.std(ddof=1) / draws**0.5)
        yield Finding(row, float(values.mean()), error, tolerance, f"mean of {draws} draws")


RECTIFIED = {"P1": (0.0, 1.0), "Q": (1.0, 1.0)}  # mean and deviation before the ReLU


def fid_bias(repeats: int = 2, dim: int = 2048) -> Iterator[Finding]:
    """The Frechet distance of samples errs by their number, and puts two models in a wrong order.

    P1 = ReLU(N(0, I)), P2 = ReLU(N(1, 0.8 S + 0.2 I)), Q = ReLU(N(1, I)), S = 4/d C C^T with C of
    standard normal entries. The reference is Q itself: 2 d points with its mean and covariance.
    """
    rows = {
        (row.method, row.dataset, row.n_samples): row
        for row in those("metric_validation", source_id="binkowski2018", table="Appendix D.2")
    }
    plug_in = "plug-in Frechet distance d=2048"
    reference = _with_moments(*RECTIFIED["Q"], dim)
    exact = frechet_distance(_with_moments(*RECTIFIED["P1"], dim), reference).value
    yield Finding(rows[plug_in, "FID(P1,Q) population", "inf"], exact, None, 0.05)
    for size, apart in ((50_000, 2.5), (100_000, -1.6)):
        found = {"P1": [], "P2": []}  # type: dict[str, list[float]]
        for repeat in range(repeats):
            for name in found:
                draw = f"{name}, {size}, {repeat}"
                found[name].append(
                    part(draw, partial(_sampled_fid, name, size, dim, reference, repeat))
                )
        means = {name: float(np.mean(values)) for name, values in found.items()}
        for name, tolerance in (("P1", 1.0), ("P2", 3.0)):
            row = rows[plug_in, f"FID({name}hat,Q)", str(size)]
            error = float(np.std(found[name], ddof=1) / repeats**0.5)
            note = "" if name == "P1" else "C is another draw: P2 itself moves by about 2"
            yield Finding(row, means[name], error, tolerance, note)
        order = replace(row, metric="P2hat less P1hat", value=apart, uncertainty=None)
        note = "the wrong order" if apart > 0 else "the right order"
        yield Finding(order, means["P2"] - means["P1"], note=note, by_sign=True)


def _with_moments(mean: float, deviation: float, dim: int) -> torch.Tensor:
    """2 d points with the mean and covariance of ReLU(N(mean, deviation^2)) per coordinate."""
    z = mean / deviation
    positive = 0.5 * math.erfc(-z / 2**0.5)
    slope = deviation * math.exp(-(z**2) / 2) / (2 * math.pi) ** 0.5
    first = mean * positive + slope
    second = (mean**2 + deviation**2) * positive + mean * slope
    away = ((second - first**2) * (2 * dim - 1) / 2) ** 0.5
    step = away * torch.eye(dim, dtype=torch.float64)
    return first + torch.cat([step, -step])


def _sampled_fid(name: str, size: int, dim: int, reference: torch.Tensor, seed: int) -> float:
    metric = FrechetDistance(rows=0)
    with seeded(seed):
        root = None
        if name == "P2":
            c = torch.randn(dim, dim)
            root = torch.linalg.cholesky(0.8 * 4 / dim * c @ c.T + 0.2 * torch.eye(dim))
        for _ in range(size // 5_000):
            x = torch.randn(5_000, dim)
            x = x if root is None else 1 + x @ root.T
            metric.update(x.relu(), reference[:0])
    metric.update(reference[:0], reference)
    return float(torch.as_tensor(metric.compute()))


DATASETS = {
    "CIFAR-10": "cifar10",
    "FFHQ": "ffhq256",
    "ImageNet": "imagenet256",
    "LSUN": "lsun256",
}
# Names of the participants' tables for those of the leaderboard.
ALIASES = {
    "pfgm++": "pfgmpp",
    "projected-gan": "projectedgan",
    "diff-projgan": "diffusionprojectedgan",
    "unleash-trans": "unleashing",
    "consistency": "ct2",
    "adm-dropout": "admnetdropout",
}
# The image of the leaderboard prints other numbers than the mean of the participants' own.
EXPLAINED = {
    ("FFHQ", "StyleGAN2-ada"): "the participants' mean is 0.2154",
    ("FFHQ", "InsGen"): "the participants' mean is 0.2552",
}


def human_error() -> Iterator[Finding]:
    """Error rates of people who tell generated images from real ones, from each participant's."""
    tables = {
        name: _participants(f"oracles/dgm_eval_human_error_{file}.csv.gz")
        for name, file in DATASETS.items()
    }
    for row in those("stein2023_dinov2_leaderboard", metric="human_error_rate"):
        name = next(key for key in DATASETS if row.dataset.startswith(key))
        wanted = ALIASES.get(row.method.lower(), _plain(row.method))
        found = [rates for model, rates in tables[name].items() if model.startswith(wanted)]
        rates = tables[name].get(wanted, found[0] if len(found) == 1 else None)
        if rates is None:
            yield Finding(row, None, note="no participant's row has this model")
            continue
        error = float(rates.std(ddof=1) / len(rates) ** 0.5)
        note = EXPLAINED.get((name, row.method), "")
        # Printed to two digits.
        yield Finding(row, float(rates.mean()), error, 0.005 + 1e-9, note)


def _participants(file: str) -> dict[str, np.ndarray]:
    path = data_root() / file
    if not path.is_file():
        raise ValueError(
            f"Expected {file} in the data root {data_root()}: the participants' rows of "
            "layer6ai-labs/dgm-eval, data/human-evaluation-realism/data, as .csv.gz."
        )
    frame = pd.read_csv(io.BytesIO(gzip.decompress(path.read_bytes())))
    return {_plain(str(model)): rows.to_numpy() for model, rows in frame.groupby("model").err_rt}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


EDGE = "H = 16: 3/15 lies on the ring's edge, where floating point counts states that are outside"


def hypergrid_exact() -> Iterator[Finding]:
    """Log Z, states of highest reward and the uniform law's L1 distance, in closed form."""
    for row in those("gflownet_hypergrid_exact"):
        found = re.fullmatch(r"Hypergrid (\d+)\^(\d+) R0=([\d.]+)( \(2021 DAG.*\))?", row.dataset)
        if found is None:
            continue
        height, dim, r0 = int(found[1]), int(found[2]), float(found[3])
        grid = Hypergrid(dim, height, r0, stops_at_edge=bool(found[4]))
        ours = {
            "log_partition": lambda g=grid: g.log_z,
            "mode_states": lambda g=grid: float(g.counts[2]),
            "terminal_states": lambda g=grid: float(g.counts[0]),
            "l1_uniform_sampler": lambda g=grid: _uniform_l1(g),
        }.get(row.metric)
        if ours is not None:
            tolerance = 0.0 if row.metric.endswith("_states") else 5.1e-6
            note = EDGE if height == 16 else ""
            yield Finding(row, ours(), None, tolerance, note)


def _uniform_l1(grid: Hypergrid) -> float:
    """Sum over states of |1 / H^D - p|, by the three levels of the reward."""
    every, outer, ring = grid.counts
    total = sum(grid.masses)
    levels = (
        (every - outer, grid.r0),
        (outer - ring, grid.r0 + 0.5),
        (ring, grid.r0 + 2.5),
    )
    return sum(count * abs(1 / every - reward / total) for count, reward in levels)


FID_BIAS = Comparison(
    "fid-bias",
    "Binkowski et al. 2018, arXiv:1801.01401, appendix D.2",
    "The Frechet distance of 50,000 samples puts two models in the wrong order, that of 100,000 "
    "in the right one.",
    "a minute and a half",
    "P1 within 1, P2, which depends on a random matrix, within 3; the signs of the differences.",
    "Two repeats; the paper has 100.",
    fid_bias,
    numbers=("metric_validation",),
)
VENDI = Comparison(
    "vendi",
    "Friedman & Dieng 2023, arXiv:2210.02410; README of the authors' package",
    "The Vendi score of two small kernels.",
    "a second",
    "The printed digits.",
    "",
    vendi,
    numbers=("metric_validation",),
)
PRDC_GAUSSIANS = Comparison(
    "prdc-gaussians",
    "Naeem et al. 2020, arXiv:2002.09797; README of the authors' package",
    "Precision, recall, density and coverage (k = 5) of 10,000 draws of a normal law of 1,000 "
    "dimensions against 10,000 others.",
    "two and a half minutes",
    "Precision and recall within 0.03, coverage within 0.02, density, which hubs make noisy, "
    "within 0.2.",
    "The mean of three draws; the README prints one.",
    prdc_gaussians,
    numbers=("metric_validation",),
)
HUMAN_ERROR = Comparison(
    "human-error",
    "Stein et al. 2023, arXiv:2306.04675, table 11; participants' rows of the authors' repository",
    "How often people take generated images for real ones and the other way round, for 41 models.",
    "a second",
    "The two printed digits.",
    "",
    human_error,
    tuple(f"oracles/dgm_eval_human_error_{file}.csv.gz" for file in DATASETS.values()),
    ("stein2023_dinov2_leaderboard",),
)
HYPERGRID = Comparison(
    "hypergrid-exact",
    "Bengio et al. 2021, arXiv:2106.04399; reward of the authors' code, enumerated",
    "log Z, the states of highest reward and the uniform law's L1 distance of many hypergrids.",
    "a second",
    "Five decimals; counts exactly.",
    "Bands are compared in whole numbers, in the code of 2021 in floating point.",
    hypergrid_exact,
    numbers=("gflownet_hypergrid_exact",),
)
