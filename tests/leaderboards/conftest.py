"""A results folder with every status, several seeds and all kinds of samples, made by numpy."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from dgmbench.benchmark.contract.record import (
    File,
    Provenance,
    Record,
    Score,
    TaskRecord,
    write_record,
    write_task,
)

MODELS = (
    ("vae", "latent", "<=", "arXiv:1312.6114"),
    ("gan", "adversarial", "", "arXiv:1406.2661"),
    ("nsf", "flow", "=", "arXiv:1906.04032"),
    ("made", "autoregressive", "=", "arXiv:1502.03509"),
    ("ddpm", "diffusion", "<=", "Ho et al., NeurIPS 2020, arXiv:2006.11239"),
    ("flow-matching", "transport", "~", "arXiv:2210.02747"),
    ("ebm", "energy", "", "arXiv:1912.03263"),
    ("gmmn", "moment", "", "arXiv:1502.02761"),
    ("gfn-tb", "gflownet", "~", "arXiv:2201.13259"),
    ("gmm", "classical", "=", ""),
    ("kde", "classical", "=", "Parzen, Ann. Math. Stat. 1962"),
    ("<b>&_%", "user", "", ""),
    ("oracle", "control", "=", ""),
    ("memoriser", "control", "", ""),
    ("noise", "control", "=", ""),
)
CLAIMS = {"=": "exact", "<=": "lower bound", "~": "estimate", "": "none"}
WHEN = datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
ENVIRONMENT = Provenance(
    commit="0123abc",
    dirty=True,
    dgmbench="0.1.0",
    python="3.11.7",
    torch="2.13.0",
    platform="Linux",
    hardware="2 cores",
    device="cpu",
)


def save(root: Path, name: str, value: object) -> File:
    """Writes an .npy, .npz or .json file and describes it."""
    path = root / "files" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".json"):
        path.write_text(json.dumps(value))
    elif name.endswith(".npz"):
        np.savez(path, **value)
    else:
        np.save(path, value)
    return File.of(path, root)


def ring(rng, n, spread=0.1):
    angle = rng.integers(8, size=n) * np.pi / 4
    return np.stack([np.cos(angle), np.sin(angle)], 1) + spread * rng.normal(size=(n, 2))


def digits(rng, n, blur):
    y, x = np.mgrid[:8, :8]
    centre = 3.5 + rng.normal(size=(n, 2, 1, 1)) * 0.6
    radius = np.hypot(y - centre[:, 0], x - centre[:, 1])
    clean = 16 * np.exp(-((radius - 2.4) ** 2) / 1.4)
    return np.clip(clean + blur * rng.normal(size=(n, 8, 8)), 0, 16).round().astype(int)[:, None]


def grid_law():
    place = np.abs(np.arange(8) / 7 - 0.5)
    high, ring_ = place > 0.25, (place > 0.3) & (place < 0.4)
    reward = 0.1 + 0.5 * np.outer(high, high) + 2 * np.outer(ring_, ring_)
    return (reward / reward.sum()).ravel()


def task_records(root: Path) -> list[TaskRecord]:
    rng = np.random.default_rng(0)
    x = np.linspace(-1.6, 1.6, 96)
    centres = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], 1)
    squared = (x[None, :, None] - centres[:, 0]) ** 2 + (x[:, None, None] - centres[:, 1]) ** 2
    plane = {
        "density": np.exp(-squared / 0.02).sum(-1),
        "extent": np.array([-1.6, 1.6, -1.6, 1.6]),
        "rows": ring(rng, 500).astype(np.float32),
    }
    card = {
        "summary": "Eight Gaussians of standard deviation 0.1 on the unit circle.",
        "source": "defined by formula",
        "licence": "none needed",
        "citation": "",
        "pitfalls": "A median-width MMD does not see the modes' width.",
    }
    counts = {"train": 2000, "val": 500, "test": 1000, "holdout": 0}
    law = grid_law()
    states = rng.choice(64, size=500, p=law)
    sequences = rng.integers(4, size=(20, 24))
    return [
        TaskRecord(
            name="ring-8",
            version=1,
            kind="plane",
            shape=(2,),
            entropy=0.3024,
            primary="mmd",
            counts=counts,
            card=card,
            files={"data": save(root, "ring-8.npz", plane)},
        ),
        TaskRecord(
            name="digits",
            version=1,
            kind="image",
            shape=(1, 8, 8),
            levels=17,
            primary="frechet_distance",
            counts=counts,
            card={"summary": "Handwritten digits, 8x8 pixels.", "citation": "UCI, 1998"},
            files={"data": save(root, "digits.npz", {"rows": digits(rng, 100, 0)})},
        ),
        TaskRecord(
            name="hypergrid-8x8",
            version=1,
            kind="grid",
            shape=(2,),
            levels=8,
            log_z=3.1091,
            entropy=3.5,
            primary="l1_distance",
            files={
                "data": save(
                    root, "grid.npz", {"law": law, "rows": np.stack([states // 8, states % 8], 1)}
                )
            },
        ),
        TaskRecord(
            name="words",
            version=1,
            kind="sequence",
            shape=(24,),
            levels=4,
            files={"data": save(root, "words.npz", {"rows": sequences})},
        ),
    ]


def task_samples(task: str, model: str, rng) -> np.ndarray:
    wide = {"oracle": 0.0, "memoriser": 0.0, "noise": 6.0}.get(model, rng.uniform(0.1, 2))
    if task == "ring-8":
        noise = rng.uniform(-2, 2, size=(1500, 2))
        return noise if model == "noise" else ring(rng, 1500, 0.1 + 0.1 * wide)
    if task == "digits":
        return digits(rng, 100, wide)
    if task == "words":
        return rng.integers(4, size=(30, 24))
    states = rng.choice(64, size=1000, p=None if model == "noise" else grid_law())
    return np.stack([states // 8, states % 8], 1)


def task_scores(task: str, model: str, mark: str, rng) -> tuple[Score, ...]:
    bad = {"oracle": 0.0, "memoriser": 0.05, "noise": 3.0}.get(model, rng.uniform(0.02, 1))
    low = {"direction": "lower", "n": 1000, "protocol": "n=1000; test[1000]; identity"}
    high = {**low, "direction": "higher"}
    jitter = rng.normal() * 0.003
    admitted = "Means nothing on 64 enumerable states."
    scores = [
        Score(metric="mmd", value=0.001 * bad**3 + jitter * 0.01, stderr=5e-5, **low),
        Score(metric="energy_distance", value=0.2 * bad + jitter, stderr=0.0031, **low),
        Score(metric="sliced_wasserstein", value=0.5 * bad + jitter, stderr=0.012, **low),
        Score(metric="precision", value=max(0.0, 0.98 - bad / 3), stderr=0.0098, **high),
        Score(metric="coverage", value=max(0.0, 0.97 - bad / 3), stderr=0.0101, **high),
        Score(metric="vendi_score", value=8 + bad, stderr=0.11, **high),
        Score(metric="strange_new_metric", value=bad * 12345, stderr=230.0, **low),
        Score(metric="parameters", value=float(rng.integers(200, 2_000_000))),
        Score(metric="training_seconds", value=5 * rng.uniform(), unit="s"),
        Score(metric="samples_per_second", value=1e5 * rng.uniform(), stderr=321.0),
        Score(metric="nfe", value=float(rng.integers(1, 100))),
        Score(metric="peak_memory", value=1e8 * rng.uniform(), unit="bytes"),
    ]
    if task == "hypergrid-8x8":
        scores.append(Score(metric="frechet_distance", reason=admitted))
        scores.append(Score(metric="l1_distance", value=0.2 * bad, stderr=0.01, **low))
    else:
        scores.append(Score(metric="frechet_distance", value=40 * bad + 1.2, stderr=0.61, **low))
        ratio = 0.11 if model == "memoriser" else 1 + jitter
        scores.append(Score(metric="nearest_neighbour_ratio", value=ratio, stderr=0.02, **high))
    if mark:
        scores.append(
            Score(metric="nll", value=0.3 + bad, stderr=0.02, unit="nats", mark=mark, **low)
        )
    else:
        scores.append(Score(metric="nll", unit="nats", reason=f"{model} claims no likelihood."))
    return tuple(scores)


def cell(root: Path, task: str, entry: tuple[str, str, str, str], seed: int) -> Record:
    model, family, mark, paper = entry
    rng = np.random.default_rng([seed, *task.encode(), *model.encode()])
    slug = "".join(char if char.isalnum() else "-" for char in model)
    stem = f"{task}-{slug}-{seed}"
    steps = range(0, 1000, 5)
    players = ("generator", "critic") if family == "adversarial" else ("loss",)
    losses = [
        [step, player, 3.0 * (1 + place) / (1 + step / 50) + 0.1 * rng.normal()]
        for place, player in enumerate(players)
        for step in steps
    ]
    files = {"samples": save(root, f"{stem}.npy", task_samples(task, model, rng))}
    if family not in ("control", "classical"):
        files["curve"] = save(root, f"{stem}.json", losses)
    if task == "hypergrid-8x8" and model in ("gfn-tb", "made", "oracle"):
        files["law"] = save(root, f"{stem}-law.npy", grid_law() ** (0.8 + 0.2 * (seed + 1)))
    return Record(
        suite="quick",
        task=task,
        task_version=1,
        model=model,
        family=family,
        seed=seed,
        arguments={"hidden": [64, 64]},
        paper=paper,
        likelihood=CLAIMS[mark],
        learns_from="reward" if family == "gflownet" else "samples",
        keys={"score": f"{seed}"},
        scores=task_scores(task, model, mark, rng),
        files=files,
        environment=ENVIRONMENT,
        created=WHEN,
    )


BROKEN = {
    ("ring-8", "gfn-tb"): ("not admitted", "", "Learns from a reward, and ring-8 has none."),
    ("digits", "gfn-tb"): ("not admitted", "", "Learns from a reward, and digits has none."),
    ("words", "gfn-tb"): ("not admitted", "", "Learns from a reward, and words has none."),
    ("ring-8", "ebm"): ("diverged", "train", "The loss became NaN at step 212."),
    ("digits", "ebm"): ("timed out", "train", "Stopped after 600 seconds."),
    ("digits", "gmmn"): ("out of memory", "train", "Needed more than 2 GiB."),
    ("hypergrid-8x8", "gan"): ("failed", "probe", "ValueError: Expected <x> & y, got {z}."),
    ("hypergrid-8x8", "ddpm"): ("killed", "train", "The worker was killed by signal 9."),
}


def write_results(root: Path, seeds: int = 1) -> Path:
    """Writes tasks, records and their files under `root`; returns `root`."""
    for task in task_records(root):
        write_task(task, root)
        for entry in MODELS:
            for seed in range(seeds):
                record = cell(root, task.name, entry, seed)
                if broken := BROKEN.get((task.name, entry[0])):
                    status, phase, reason = broken
                    change = {"status": status, "phase": phase, "reason": reason}
                    record = record.model_copy(update={**change, "scores": (), "files": {}})
                write_record(record, root)
    return root


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    """A folder of one seed a cell; tests that change it copy it first."""
    return write_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="session")
def seeded_results(tmp_path_factory) -> Path:
    """A folder of three seeds a cell."""
    return write_results(tmp_path_factory.mktemp("seeded"), seeds=3)
