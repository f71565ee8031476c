"""One model against others: paired, corrected, honest about what could not be shown."""

import base64
import json
import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from dgmbench.benchmark.contract.record import Record, Score
from dgmbench.leaderboards.exports.comparison import FORMATS, rendered
from dgmbench.leaderboards.exports.front import draw
from dgmbench.leaderboards.tables.compare import compare
from dgmbench.leaderboards.tables.entry import Entry
from dgmbench.leaderboards.tables.pareto import trade
from scipy import stats

LOW = {"direction": "lower", "protocol": "p", "n": 1000}


def record(model, seed, value, *, stderr=0.01, shared=0.0, rows=None, **further):
    scores = [Score(metric="mmd", value=value, stderr=stderr, shared=shared, **LOW)]
    if rows is not None:
        text = base64.b64encode(rows.astype("<f4").tobytes()).decode()
        further |= {"log_prob": {"likelihood": text}, "rows": "abc"}
        error = float(rows.std() / math.sqrt(len(rows)))
        scores = [
            Score(
                metric="nll", value=-float(rows.mean()), stderr=error, shared=error, mark="=",
                probe="likelihood", **LOW,
            )
        ]  # fmt: skip
    scores.append(Score(metric="training_seconds", value=further.pop("seconds", 10.0), unit="s"))
    return Record(
        suite="quick", task=further.pop("task", "ring-8"), task_version=1, model=model,
        family="flow", seed=seed, scores=tuple(scores), created=datetime(2025, 1, 2, tzinfo=UTC),
        **further,
    )  # fmt: skip


def seeded(model, values, **further):
    return [record(model, seed, value, **further) for seed, value in enumerate(values)]


def test_a_difference_is_welchs_test():
    a, b = [0.10, 0.13, 0.11, 0.12], [0.20, 0.24, 0.21, 0.19]
    records = seeded("mine", a, stderr=0.0) + seeded("nsf", b, stderr=0.0)
    (found,) = compare(records, "mine", ["nsf"]).differences
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert found.gap == pytest.approx(np.mean(a) - np.mean(b))
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert found.verdict == "better"
    t = stats.t(expected.df)
    assert found.smallest == pytest.approx((t.ppf(0.975) + t.ppf(0.8)) * found.error)


def test_holm_corrects_all_that_are_judged():
    """As statsmodels' multipletests(method="holm"), written out."""
    records = seeded("mine", [0.1, 0.12, 0.11])
    for name, values in {"a": [0.13, 0.15, 0.14], "b": [0.3, 0.31, 0.32], "c": [0.11] * 3}.items():
        records += seeded(name, values)
    found = {d.other: d for d in compare(records, "mine").differences}
    alone = {n: compare(records, "mine", [n]).differences[0].p for n in found}
    order = sorted(alone, key=alone.get)
    largest = 0.0
    for rank, name in enumerate(order):
        largest = max(largest, min(1.0, alone[name] * (3 - rank)))
        assert found[name].p == pytest.approx(largest)
    assert found["b"].verdict == "better" and found["c"].verdict == "alike"


def test_only_common_seeds_count():
    records = seeded("mine", [0.1, 0.1, 0.1, 9.0]) + seeded("nsf", [0.1, 0.1, 0.1])
    (found,) = compare(records, "mine").differences
    assert found.gap == 0 and found.mine.seeds == 3


def test_likelihoods_are_compared_row_by_row():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=4000) * 5
    records = [
        r
        for seed in range(3)
        for r in (
            record("mine", seed, 0, rows=rows + 0.05 + 0.01 * rng.normal(size=4000)),
            record("nsf", seed, 0, rows=rows + 0.01 * rng.normal(size=4000)),
        )
    ]
    (found,) = compare(records, "mine").differences
    assert found.gap == pytest.approx(-0.05, abs=2e-3)
    assert found.mine.stderr > 0.05 > 20 * found.error
    assert found.verdict == "better"


@pytest.mark.parametrize(
    ("mine", "theirs", "reason"),
    [
        (seeded("mine", [0.1, 0.2]), seeded("nsf", [0.3, 0.4]), "fewer than 3 seeds"),
        (seeded("mine", [0.1] * 3, flags=("copies",)), seeded("nsf", [0.3] * 3), "are copies"),
        (seeded("mine", [0.1, math.inf, 0.1]), seeded("nsf", [0.3] * 3), "infinite"),
        (seeded("mine", [0.1] * 3, stderr=0), seeded("nsf", [0.3] * 3, stderr=0), "no error"),
    ],
)
def test_what_cannot_be_judged_says_why(mine, theirs, reason):
    (found,) = compare(mine + theirs, "mine").differences
    assert (found.verdict, found.p) == ("not judged", None)
    assert reason in found.reason


def test_no_difference_is_claimed_more_often_than_chance_allows():
    """400 pairs of equal models with three seeds: at most 5 % of false claims, and its error."""
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(400):
        values = rng.normal(1, 0.1, size=(2, 3))
        records = seeded("mine", values[0], stderr=0) + seeded("nsf", values[1], stderr=0)
        false += compare(records, "mine").differences[0].verdict != "alike"
    assert false <= 400 * 0.05 + 2 * math.sqrt(400 * 0.05 * 0.95)


def test_names_and_shared_results_are_asked_for():
    records = seeded("mine", [0.1] * 3) + seeded("nsf", [0.1] * 3, task="digits")
    with pytest.raises(ValueError, match="did you mean nsf"):
        compare(records, "mine", ["nfs"])
    for names in ({"metrics": ["mdm"]}, {"tasks": ["digts"]}):
        with pytest.raises(ValueError, match=r"did you mean (mmd|digits)"):
            compare(records, "mine", **names)
    with pytest.raises(ValueError, match="run the suite first"):
        compare([], "mine")
    with pytest.raises(ValueError, match="Expected results that mine shares with nsf"):
        compare(records, "mine")


def test_every_format_holds_every_difference():
    records = seeded("mine", [0.1, 0.12, 0.11]) + seeded("n_s&f", [0.3, 0.31, 0.32])
    found = compare(records, "mine")
    for form in FORMATS:
        text = rendered(found, form)
        assert "-0.200" in text or "-0.2" in text, form
    assert json.loads(rendered(found, "json"))["differences"][0]["verdict"] == "better"
    assert r"n\_s\&f" in rendered(found, "tex")
    assert "mine against n_s&f: 1 better." in rendered(found, "text")
    assert "1e+01" not in rendered(found, "md")
    with pytest.raises(ValueError, match="Expected a format among"):
        rendered(found, "html")


def test_the_front_holds_whom_nobody_beats_in_both(tmp_path):
    cells = {
        name: (Entry(cost), Entry(quality))
        for name, cost, quality in (("a", 1, 3), ("b", 2, 1), ("c", 3, 2), ("d", 0.5, 9))
    }
    records = seeded("mine", [0.1, 0.12, 0.11], seconds=5.0) + seeded("nsf", [0.3, 0.31, 0.32])
    found = trade(records, "mmd")
    assert (found.cost.metric, found.quality.metric) == ("training_seconds", "mmd")
    assert set(found.models) == {"mine", "nsf"}
    assert replace(found, models=cells).front == ["d", "a", "b"]
    turned = replace(found.quality, direction="higher")
    assert replace(found, models=cells, quality=turned).front == ["d"]
    for suffix in ("png", "svg"):
        draw(compare(records, "mine"), tmp_path / f"front.{suffix}")
        assert (tmp_path / f"front.{suffix}").stat().st_size > 5000
    with pytest.raises(ValueError, match="Expected a picture as"):
        draw(compare(records, "mine"), tmp_path / "front.txt")
