from __future__ import annotations

import base64
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from dgmbench.benchmark.contract.record import Record, Score
from dgmbench.leaderboards.exports.latex import leaderboard_tex
from dgmbench.leaderboards.exports.markdown import leaderboard_md
from dgmbench.leaderboards.tables.board import board, boards
from dgmbench.leaderboards.tables.columns import FAMILIES

WHEN = datetime(2025, 1, 2, tzinfo=UTC)


def record(model, *scores, family="flow", seed=0, **rest):
    identity = {"suite": "s", "task": "t", "task_version": 1, "created": WHEN}
    return Record(**identity, model=model, family=family, seed=seed, scores=scores, **rest)


def mmd(value, stderr=0.01, protocol="n=100", **rest):
    return Score(
        metric="mmd", value=value, stderr=stderr, protocol=protocol, direction="lower", **rest
    )


def over_seeds(model, *scores, **rest):
    """Three seeds with the same scores."""
    return [record(model, *scores, seed=seed, **rest) for seed in range(3)]


def only_cells(found):
    """The cells of a board with one column, by model."""
    (column,) = found.columns
    return {row.model: row.cells[column] for row in found.rows}


def test_rows_stand_by_family_and_controls_last_from_the_ceiling_down():
    records = [record(f"m-{family}", mmd(1.0), family=family) for family in sorted(FAMILIES[:-1])]
    controls = ("noise", "memoriser", "oracle")
    records += [record(name, mmd(1.0), family="control") for name in controls]
    found = board("t", records)
    assert [row.family for row in found.models] == list(FAMILIES[:-1])
    assert [row.model for row in found.controls] == ["oracle", "memoriser", "noise"]


def test_seeds_of_two_recipes_are_told_and_never_best():
    budgets = [{"steps": 100, "batch_size": 8}] * 2 + [{"steps": 200, "batch_size": 8}]
    mixed = [record("a", mmd(0.5), seed=seed, budget=b) for seed, b in enumerate(budgets)]
    found = board("t", [*mixed, *over_seeds("b", mmd(1.0))])
    a, b = found.rows
    assert "seeds differ in steps" in a.flags[0] and not b.flags
    cells = only_cells(found)
    assert cells["b"].best and not cells["a"].best
    fitted = [r.model_copy(update={"family": "classical"}) for r in mixed]
    assert not board("t", fitted).rows[0].flags


def test_the_only_one_with_three_seeds_is_not_best_beside_others_without():
    """Bold would say that it is ahead of numbers that it was never ranked among."""
    alone = over_seeds("a", mmd(5.0))
    assert not only_cells(board("t", alone))["a"].best
    beside = [*alone, record("b", mmd(1.0)), record("c", mmd(1.2))]
    assert not any(cell.best for cell in only_cells(board("t", beside)).values())
    two = [*beside, *over_seeds("d", mmd(2.0))]
    assert only_cells(board("t", two))["d"].best


def test_two_protocols_never_share_a_column():
    b_score = mmd(0.25, protocol="n=200")
    found = board("t", [*over_seeds("a", mmd(1.0)), *over_seeds("b", b_score)])
    first, second = found.columns
    assert (first.protocol, second.protocol) == ("n=100", "n=200")
    assert (first.label, second.label) == ("MMD² [A]", "MMD² [B]")
    a, b = found.rows
    assert (a.cells[first].value, a.cells[second].value) == (1.0, None)
    assert (b.cells[first].value, b.cells[second].value) == (None, 0.25)
    assert b.cells[first].remark == "measured under another protocol"
    # Each is alone in its column: nobody is there that it would be better than.
    assert not a.cells[first].best
    assert not b.cells[second].best
    third = over_seeds("c", mmd(2.0))
    found = board("t", [*over_seeds("a", mmd(1.0)), *over_seeds("b", b_score), *third])
    assert [row.cells[found.columns[0]].best for row in found.rows] == [True, False, False]


def test_two_units_never_share_a_column():
    found = board("t", [record("a", mmd(1.0, unit="nats")), record("b", mmd(1.0, unit="bits"))])
    assert [column.unit for column in found.columns] == ["bits", "nats"]


def test_empty_cells_say_why():
    records = [
        record("ok", mmd(1.0)),
        record("empty", Score(metric="mmd", reason="Means nothing here.")),
        record("nan", mmd(math.nan)),
        record("silent"),
        record("broken", status="diverged", phase="train", reason="NaN at step 3."),
    ]
    cells = only_cells(board("t", records))
    assert cells["ok"].remark == ""
    assert cells["empty"].remark == "Means nothing here."
    assert cells["nan"].remark == "not a number"
    assert cells["silent"].remark == "not measured"
    assert cells["broken"].remark == "diverged in train: NaN at step 3."
    assert cells["broken"].short == "diverged"
    assert [name for name, cell in cells.items() if cell.value is not None] == ["ok"]


def test_a_metric_without_any_number_is_left_out_with_its_reason():
    found = board("t", [record("a", mmd(1.0), Score(metric="vendi_score", reason="Too few."))])
    assert [column.metric for column in found.columns] == ["mmd"]
    assert found.left_out == [("Vendi score", "Too few.")]


def test_one_seed_keeps_the_measurement_error():
    found = board("t", [record("a", mmd(1.0, 0.07))])
    assert only_cells(found)["a"].stderr == 0.07
    assert "measurement only, not of training" in found.caption


def test_seeds_give_mean_and_standard_error_of_the_mean():
    found = board("t", [record("a", mmd(v, 0.01), seed=s) for s, v in enumerate((1.0, 2.0, 6.0))])
    cell = only_cells(found)["a"]
    # Deviations -2, -1, 3: variance 14 / 2 = 7, so that what seeds draw has the error sqrt(7 / 3).
    assert cell.value == pytest.approx(3.0)
    assert cell.drawn == pytest.approx(math.sqrt(7 / 3))
    assert cell.stderr == pytest.approx(math.sqrt(7 / 3 + 0.01**2))
    assert cell.seeds == 3
    assert found.caption.startswith("3 seeds: the mean over seeds")


def test_fewer_than_200_test_rows_rank_nobody():
    few = [*over_seeds("a", mmd(1.0, n=199)), *over_seeds("b", mmd(9.0, n=199))]
    found = board("t", few)
    assert not any(cell.best for cell in only_cells(found).values())
    assert "Fewer than 200 test rows: this task ranks nobody." in found.caption
    enough = [*over_seeds("a", mmd(1.0, n=200)), *over_seeds("b", mmd(9.0, n=200))]
    assert only_cells(board("t", enough))["a"].best
    assert "ranks nobody" not in board("t", enough).caption


def test_what_seeds_share_does_not_average_out():
    def error(shared):
        scores = [record("a", mmd(1.0, 0.5, shared=shared), seed=s) for s in range(4)]
        return only_cells(board("t", scores))["a"].stderr

    assert error(0.5) == pytest.approx(0.5)  # test rows alone: four seeds are one measurement
    assert error(None) == pytest.approx(0.5)  # not said: the same
    assert error(0.0) == pytest.approx(0.25)  # samples alone: four seeds are four measurements
    assert error(0.3) == pytest.approx(math.sqrt(0.4**2 / 4 + 0.3**2))


def test_copies_are_shown_and_never_best():
    copies = ("400 of 400 samples are copies of training rows",)
    rows = [*over_seeds("honest", mmd(1.0)), *over_seeds("copier", mmd(0.1), flags=copies)]
    found = board("t", rows)
    assert {name for name, cell in only_cells(found).items() if cell.best} == {"honest"}
    assert found.footnotes == {copies[0]: "a"}
    for text in (leaderboard_md({"t": found}, "t", []), leaderboard_tex({"t": found})):
        assert "copier<sup>a</sup>" in text or r"copier\textsuperscript{a}" in text
        assert copies[0] in text


def test_one_seed_ranks_nobody():
    found = board("t", [record("a", mmd(1.0)), record("b", mmd(2.0))])
    assert not any(cell.best for cell in only_cells(found).values())
    assert "nobody is ranked" in found.caption


def test_a_failed_seed_is_told():
    broken = record("a", seed=1, status="killed", phase="train", reason="Signal 9.")
    cell = only_cells(board("t", [record("a", mmd(1.0, 0.07)), broken]))["a"]
    assert (cell.value, cell.stderr, cell.seeds) == (1.0, 0.07, 1)
    assert "1 of 2 seeds; seed 1: killed in train: Signal 9." in cell.remark
    assert "measurement only" in cell.remark


def test_seeds_of_different_claims_carry_the_weakest():
    found = board("t", [record("a", mmd(1.0, mark=m), seed=s) for s, m in enumerate(("=", "~"))])
    assert only_cells(found)["a"].mark == "~"


def test_controls_are_never_best():
    oracle = record("oracle", mmd(0.0), family="control")
    noise = record("noise", mmd(9.0), family="control")
    rows = [*over_seeds("a", mmd(1.0)), *over_seeds("b", mmd(2.0))]
    found = board("t", [oracle, noise, *rows])
    assert {name for name, cell in only_cells(found).items() if cell.best} == {"a"}
    assert not found.warnings


def test_nothing_is_best_where_the_oracle_is_not_ahead_of_noise():
    oracle = record("oracle", mmd(1.0), family="control")
    noise = record("noise", mmd(1.02), family="control")
    found = board("t", [oracle, noise, *over_seeds("a", mmd(0.5))])
    assert not any(cell.best for cell in only_cells(found).values())
    (warning,) = found.warnings.values()
    assert "oracle ahead of noise" in warning


def test_costs_are_never_best_and_unknown_metrics_have_a_table():
    scores = (
        Score(metric="nfe", value=3.0, direction="lower"),
        Score(metric="odd_one", value=1.0),
    )
    found = board("t", [record("a", *scores)])
    assert [name for name, _ in found.themes] == ["further metrics", "cost"]
    assert [column.label for column in found.columns] == ["Odd one", "NFE"]
    assert not any(cell.best for cell in found.rows[0].cells.values())


def test_learns_from_shows_only_where_both_kinds_are_admitted():
    reward = record("r", mmd(1.0), family="gflownet", learns_from="reward")
    refused = reward.model_copy(update={"status": "not admitted", "scores": ()})
    assert board("t", [record("a", mmd(1.0)), reward]).shows_learning
    assert not board("t", [record("a", mmd(1.0)), refused]).shows_learning


def test_learners_of_samples_and_of_a_reward_are_ranked_apart():
    records = [
        *over_seeds("samples-good", mmd(1.0)),
        *over_seeds("samples-bad", mmd(2.0)),
        *over_seeds("reward-good", mmd(0.2), family="gflownet", learns_from="reward"),
        *over_seeds("reward-bad", mmd(0.6), family="gflownet", learns_from="reward"),
    ]
    cells = only_cells(board("t", records))
    assert [name for name, cell in cells.items() if cell.best] == ["samples-good", "reward-good"]


def test_tasks_stand_in_the_order_of_their_numbers():
    names = ["mixture-256", "8-gaussians", "mixture-16", "banana", "mixture-16x2"]
    found = boards(record("vae").model_copy(update={"task": name}) for name in names)
    assert list(found) == ["8-gaussians", "banana", "mixture-16", "mixture-16x2", "mixture-256"]


def log_probs(rows):
    return {"likelihood": base64.b64encode(np.asarray(rows, "<f4").tobytes()).decode()}


def only_numbers(found):
    """The one number of each model, whatever its column."""
    of_rows = {row.model: [c for c in row.cells.values() if c.value] for row in found.rows}
    return {model: cell for model, (cell,) in of_rows.items()}


def nll(rows, mark="=", **rest):
    rows = np.asarray(rows)
    error = float(rows.std() / math.sqrt(len(rows)))
    return Score(
        metric="nll", value=-float(rows.mean()), stderr=error, shared=error, mark=mark,
        direction="lower", probe="likelihood", **rest,
    )  # fmt: skip


def test_likelihoods_are_compared_row_by_row():
    """Two models that differ by 0.01 nats on every row of a wide spread are told apart."""
    rows = np.random.default_rng(0).normal(0, 5, 400)

    def ranked(b):
        records = [
            *over_seeds("a", nll(rows), log_prob=log_probs(rows), rows="r"),
            *over_seeds("b", nll(b), log_prob=log_probs(b), rows="r"),
        ]
        return {name for name, cell in only_cells(board("t", records)).items() if cell.best}

    assert ranked(rows + 0.01) == {"b"}
    assert ranked(np.random.default_rng(1).permutation(rows) - 0.01) == {"a", "b"}


def test_nobody_behind_a_floor_is_best_whatever_its_estimator():
    floor = nll([1.0, 1.1, 0.9], estimator="exact", protocol="exact")
    behind = nll([0.5, 0.6, 0.4], "<=", estimator="bound", protocol="bound")
    ahead = nll([1.5, 1.6, 1.4], "<=", estimator="bound", protocol="bound")
    records = [
        *over_seeds("plain", floor, family="classical", is_floor=True),
        *over_seeds("behind", behind),
    ]
    found = board("t", records)
    assert {row.model: row.role for row in found.rows} == {"plain": "floor", "behind": ""}
    cells = only_numbers(found)
    assert not cells["plain"].best and not cells["behind"].best  # each alone in its column
    assert cells["behind"].remark == "below the floor: plain"
    cells = only_numbers(board("t", [*records, *over_seeds("ahead", ahead)]))
    assert cells["ahead"].best and not cells["behind"].best


def test_a_wide_error_bar_is_no_better_than_what_is_below_the_floor():
    """Three seeds far apart reach the floor, and stood bold behind two that were told from it."""
    floor = over_seeds("plain", mmd(0.1, 0.01), family="classical", is_floor=True)
    sharp = [record("sharp", mmd(v, 0.01), seed=s) for s, v in enumerate((0.29, 0.3, 0.31))]
    wide = [record("wide", mmd(v, 0.01), seed=s) for s, v in enumerate((0.2, 1.0, 3.0))]
    ahead = [record("ahead", mmd(v, 0.01), seed=s) for s, v in enumerate((0.02, 0.1, 0.3))]
    cells = only_cells(board("t", [*floor, *sharp, *wide]))
    assert cells["sharp"].remark == "below the floor: plain"
    assert cells["wide"].remark == "worse than what is below the floor: sharp"
    assert not cells["sharp"].best and not cells["wide"].best
    assert only_cells(board("t", [*floor, *sharp, *ahead]))["ahead"].best


def test_a_floor_behind_another_is_no_better_than_the_models_behind_it():
    exact = nll([1.0, 1.1, 0.9], estimator="exact", protocol="exact")
    dull = nll([0.4, 0.5, 0.3], estimator="exact", protocol="exact")
    poor = nll([0.2, 0.3, 0.1], "<=", estimator="bound", protocol="bound")
    behind = nll([0.5, 0.6, 0.4], "<=", estimator="bound", protocol="bound")
    records = [
        *over_seeds("sharp", exact, family="classical", is_floor=True),
        *over_seeds("duller", dull, family="classical", is_floor=True),
        *over_seeds("blunt", poor, family="classical", is_floor=True),
        *over_seeds("behind", behind),
    ]
    cells = only_numbers(board("t", records))
    assert [name for name, cell in cells.items() if cell.best] == ["sharp"]
    assert cells["blunt"].remark == "below the floor: duller, sharp"
    assert cells["behind"].remark == "below the floor: sharp"


def test_better_than_the_oracle_is_a_sign_of_collapse():
    oracle = record("oracle", mmd(1.0, 0.1), family="control")
    noise = record("noise", mmd(9.0, 0.1), family="control", is_floor=True)
    found = board("t", [oracle, noise, *over_seeds("a", mmd(0.1)), *over_seeds("b", mmd(0.95))])
    cells = only_cells(found)
    assert (cells["a"].best, cells["b"].best) == (False, True)
    assert "as collapse is" in cells["a"].remark


def test_more_diverse_than_the_oracle_is_a_sign_of_scatter():
    def vendi(value):
        return Score(metric="vendi_score", value=value, stderr=0.1, direction="higher")

    oracle = record("oracle", vendi(5.0), family="control")
    cells = only_cells(board("t", [oracle, *over_seeds("a", vendi(9.0))]))
    assert "as scattered samples are" in cells["a"].remark and not cells["a"].best


def test_what_its_error_bar_does_not_tell_from_noise_is_never_best():
    noise = record("noise", mmd(2.0, 0.1), family="control", is_floor=True)
    found = board("t", [noise, *over_seeds("a", mmd(1.0, 1.5, shared=1.5))])
    assert not only_cells(found)["a"].best
    assert "does not tell it from noise" in only_cells(found)["a"].remark


def test_what_noise_has_too_is_never_best_though_it_has_no_error():
    """No mode found in any seed is known without error, and was best where others had one."""

    def modes(value, stderr):
        return Score(metric="modes_captured", value=value, stderr=stderr, direction="higher")

    oracle = record("oracle", modes(60.0, 0.0), family="control")
    noise = record("noise", modes(0.0, 0.0), family="control", is_floor=True)
    some = [record("a", modes(v, 0.1), seed=seed) for seed, v in enumerate((5.0, 6.0, 11.0))]
    none = [record("b", modes(0.0, 0.0), seed=seed) for seed in range(3)]
    cells = only_cells(board("t", [oracle, noise, *some, *none]))
    assert not cells["b"].best and "noise has the same" in cells["b"].remark
    assert not cells["a"].best and "does not tell it from noise" in cells["a"].remark


def test_few_seeds_tell_less_from_noise_than_one_error_bar():
    """Three seeds need 4.3 errors: ties with the best are as wide, and must not reach noise."""
    noise = record("noise", mmd(0.034, 0.001), family="control", is_floor=True)
    near, far = (
        [record("a", mmd(v, 1e-4), seed=seed) for seed, v in enumerate(values)]
        for values in ((0.014, 0.026, 0.036), (0.0008, 0.001, 0.0012))
    )
    far = [one.model_copy(update={"model": "b"}) for one in far]
    cells = only_cells(board("t", [noise, *near, *far]))
    assert 0.008 < noise.scores[0].value - cells["a"].value < 0.01
    assert "does not tell it from noise" in cells["a"].remark and not cells["a"].best
    assert not cells["b"].remark


def test_log_densities_are_rounded_and_distances_are_not():
    """A gap in nats of 1e-7 is float32's; one of MMD² may be that of data on a small scale."""
    gap = [
        Score(metric="elbo_gap", value=v, stderr=1e-9, unit="nats", direction="lower")
        for v in (0.0, 1e-7)
    ]
    for scores, best in (
        (gap, [True, True]),
        ([mmd(1e-9, 1e-10), mmd(1e-7, 1e-10)], [True, False]),
    ):
        found = board("t", [*over_seeds("a", scores[0]), *over_seeds("b", scores[1])])
        assert [cell.best for cell in only_cells(found).values()] == best
