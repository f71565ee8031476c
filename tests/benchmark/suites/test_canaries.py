"""One cheap cell per family is trained again and must fall where the committed seeds fall.

`leaderboards/results/canary/records.csv` holds the seeds 0 to 9, made by
`run_all.py run --suite canary --seeds 10`. Where a change of code is meant to move a family, they
are made again with it, and the change log says so.
"""

import csv
import math
import statistics
import subprocess
import sys
from pathlib import Path

import dgmbench
import pytest
from dgmbench.baselines import MODELS
from dgmbench.benchmark.contract.record import read_records
from dgmbench.benchmark.suites import load_suite
from scipy import stats

ROOT = Path(dgmbench.__file__).parent
COMMITTED = ROOT / "leaderboards" / "results" / "canary" / "records.csv"
METRICS = ("mmd", "energy_distance", "nll", "l1_distance")
LEVEL = 0.999


def committed():
    """Value and standard error of the committed seeds: by cell and metric, then by seed."""
    found = {}
    with COMMITTED.open(newline="") as file:
        for line in csv.DictReader(file):
            if line["metric"] in METRICS and line["value"]:
                cell = tuple(line[k] for k in ("task", "model", "metric", "protocol"))
                found.setdefault(cell, {})[int(line["seed"])] = [
                    float(line[k] or 0) for k in ("value", "stderr")
                ]
    return found


def interval(values, least=0.0, level=LEVEL):
    """Where one more value falls with that probability, if all are normal: Student's t.

    Fits without chance agree over seeds to the last digits, which differ between processors:
    the spread counts as `least` at least.
    """
    k, spread = len(values), max(statistics.stdev(values), least)
    reach = stats.t.ppf((1 + level) / 2, k - 1) * spread * math.sqrt(1 + 1 / k)
    return statistics.fmean(values) - reach, statistics.fmean(values) + reach


def test_an_interval_holds_as_many_values_as_it_says():
    draws = stats.norm(3, 2).rvs((2000, 10), random_state=0)
    inside = [low <= x[0] <= high for x in draws for low, high in [interval(x[1:], level=0.9)]]
    assert statistics.fmean(inside) == pytest.approx(0.9, abs=0.03)


def test_every_family_has_a_canary():
    families = {cls.family for cls in MODELS.values()}
    assert {MODELS[name].family for name in load_suite("canary").models} == families
    assert {MODELS[model].family for _, model, _, _ in committed()} == families


@pytest.mark.slow
def test_every_family_still_learns_what_it_did(tmp_path):
    run = ["run", "--suite", "canary", "--seeds", "1", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_all.py"), *run],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    now = {
        (r.task, r.model, s.metric, s.protocol): s.value
        for r in read_records(tmp_path / "canary")
        for s in r.scores
        if s.metric in METRICS and s.value is not None
    }
    before = committed()
    assert set(now) == set(before)
    moved = {}
    for cell, seeds in before.items():
        values, errors = zip(*(found for seed, found in seeds.items() if seed > 0), strict=True)
        low, high = interval(values, least=0.1 * max(errors))
        if not low <= now[cell] <= high:
            moved[cell] = f"{now[cell]:.4g} is not in {low:.4g}..{high:.4g}"
    assert not moved
