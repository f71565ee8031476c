"""Standings: scores between floor and oracle, coverage, ranks, what is said first."""

from datetime import UTC, datetime

import numpy as np
import pytest
from dgmbench.benchmark.contract.record import Record, Score
from dgmbench.leaderboards.tables.board import boards
from dgmbench.leaderboards.tables.standings import _cut_error, standings

WHEN = datetime(2025, 1, 2, tzinfo=UTC)


def cells(task, model, value, family="flow", seeds=3, stderr=0.01, **rest):
    scores = [
        Score(metric="mmd", value=value, stderr=stderr, direction="lower", protocol="p", n=1000),
        Score(metric="training_core_seconds", value=60.0, unit="seconds", direction="lower"),
    ]
    return [
        Record(
            suite="s", task=task, task_version=1, created=WHEN, model=model, family=family,
            seed=seed, scores=scores, **rest,
        )
        for seed in range(seeds)
    ]  # fmt: skip


def rescored(records, change):
    """Records with other scores."""
    return [r.model_copy(update={"scores": tuple(change(r.scores))}) for r in records]


def frame(task, floor=1.0, oracle=0.0):
    return [
        *cells(task, "oracle", oracle, "control"),
        *cells(task, "noise", 2 * floor + 1, "control", is_floor=True),
        *cells(task, "gaussian", floor, "classical", is_floor=True),
    ]


def table(**models):
    """Two tasks of different scales; a model's number is its share of the way to the floor."""
    records = []
    for place, (task, scale) in enumerate({"one": 1.0, "two": 50.0}.items()):
        records += frame(task, scale)
        for name, shares in models.items():
            if len(shares) > place:
                records += cells(task, name, shares[place] * scale, stderr=0.01 * scale)
    return standings(boards(records))


def test_scores_lie_between_the_best_floor_and_the_oracle():
    found = table(good=(0.1, 0.2), bad=(0.5, 0.9))
    good, bad, floor = found.rows
    assert [row.model for row in found.rows] == ["good", "bad", "gaussian"]
    assert {t: s.value for t, s in good.scores.items()} == pytest.approx({"one": 0.9, "two": 0.8})
    assert good.mean == pytest.approx(0.85) and bad.mean == pytest.approx(0.3)
    assert floor.mean == pytest.approx(0.0) and floor.is_floor and floor.ranks is None
    assert good.core_seconds == pytest.approx(60)
    # Two equal errors of the frame's size, halved by the mean: seeds and rows in common.
    one = good.scores["one"].stderr
    assert good.stderr == pytest.approx(one * 2**0.5 / 2)


def test_higher_may_be_better():
    records = []
    for model, value, family in [("oracle", 0.9, "control"), ("noise", 0.1, "control")]:
        records += cells("t", model, value, family, is_floor=model == "noise")
    records += cells("t", "a", 0.5)
    turn = {"metric": "inception_score", "direction": "higher"}
    turned = rescored(
        records,
        lambda scores: [s.model_copy(update=turn) if s.metric == "mmd" else s for s in scores],
    )
    (row,) = standings(boards(turned)).rows
    assert row.mean == pytest.approx(0.5)


def test_what_went_wrong_on_one_task_does_not_decide_alone():
    found = table(broken=(0.0, 1000.0))
    assert found.rows[0].scores["two"].value == -1.0
    assert found.rows[0].scores["two"].stderr < 1e-9 < found.rows[0].scores["one"].stderr


@pytest.mark.parametrize("value", [-4.0, -1.3, -1.0, -0.9, 0.5])
def test_the_error_of_a_cut_score_is_that_of_what_is_left(value):
    drawn = np.maximum(value + 0.3 * np.random.default_rng(0).standard_normal(200_000), -1)
    assert _cut_error(value, 0.3) == pytest.approx(drawn.std(), abs=2e-3)


def test_a_model_that_lacks_a_task_has_no_mean_and_no_rank():
    found = table(whole=(0.5, 0.5), half=(0.0,))
    half = found.rows[-1]
    assert half.model == "half" and half.mean is None and half.ranks is None
    assert list(half.scores) == ["one"]
    assert "Of 1 models" in found.summary[0] and "whole leads" in found.summary[0]


def test_ranks_are_as_sure_as_the_numbers():
    found = table(a=(0.1, 0.1), b=(0.1, 0.1001), c=(0.8, 0.8))
    ranks = {row.model: row.ranks for row in found.ranked}
    assert ranks == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}
    assert "b may lead as well" in found.summary[0]
    assert "at 60 core seconds" in found.summary[0]
    assert found.critical is not None and set(found.critical.ranks) == {"a", "b", "c"}
    assert found.told_apart == [] and found.needed > 2


def test_fewer_than_three_seeds_rank_nobody():
    records = []
    for task in ("one", "two"):
        records += [*frame(task), *cells(task, "a", 0.2, seeds=2)]
    found = standings(boards(records))
    assert found.ranked == [] and found.rows[0].mean == pytest.approx(0.8)
    assert found.summary == ["Nobody is ranked: no learned model has all 2 tasks with 3 seeds."]


def test_reward_and_samples_are_ranked_apart():
    records = []
    for task in ("one", "two"):
        records += [*frame(task), *cells(task, "a", 0.2)]
        records += cells(task, "g", 0.1, "gflownet", learns_from="reward")
    found = standings(boards(records))
    assert {row.model: row.ranks for row in found.ranked} == {"a": (1, 1), "g": (1, 1)}
    assert [("samples" in text, "reward" in text) for text in found.summary] == [
        (True, False),
        (False, True),
    ]


def test_a_task_whose_metric_tells_nothing_is_left_out_with_the_reason():
    records = [*frame("one"), *cells("one", "a", 0.2), *cells("bare", "a", 0.2)]
    records += [*frame("blind", floor=0.001), *cells("blind", "a", 0.2)]
    found = standings(boards(records))
    assert list(found.columns) == ["one"]
    assert dict(found.left_out).keys() == {"bare", "blind"}
    assert {why for _, why in found.left_out} == {
        "it has no distance that tells an oracle from the best floor"
    }


def test_floors_and_controls_choose_the_metric():
    """Of two metrics that all models have the one whose ends are farther apart in errors."""
    records = []
    for model, sharp, family in [("oracle", 0.0, "control"), ("noise", 1.0, "control")]:
        records += cells("t", model, sharp, family, is_floor=model == "noise")
    records += cells("t", "a", 0.25)
    blur = Score(metric="frechet_distance", value=1.0, stderr=0.5, direction="lower")
    blurred = rescored(records, lambda scores: [*scores, blur])
    found = standings(boards(blurred))
    assert [column.metric for column in found.columns.values()] == ["mmd"]
    assert found.rows[0].mean == pytest.approx(0.75)


def test_copies_of_the_data_have_no_score():
    records = [*frame("one"), *cells("one", "copy", 0.0, flags=("samples are copies",))]
    rows = {row.model: row for row in standings(boards(records)).rows}
    assert rows["copy"].scores == {}


def test_no_table_has_no_standings():
    found = standings({})
    assert found.rows == [] and found.critical is None
