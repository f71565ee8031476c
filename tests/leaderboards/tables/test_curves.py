"""One trained model asked for several numbers of steps: a curve, never a column."""

import re
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from dgmbench.benchmark.contract.record import Record, Score
from dgmbench.leaderboards.exports.markdown import leaderboard_md
from dgmbench.leaderboards.page.nfe_plot import nfe_plot
from dgmbench.leaderboards.tables.board import board
from dgmbench.leaderboards.tables.curves import points

STEPS = (1, 5, 25)


def record(seed=0, model="edm"):
    """MMD of 1/steps, and of the model's own 100 steps."""
    asked = {"samples": {}, **{f"samples: heun, {k} steps": {"steps": k} for k in STEPS}}
    scores = []
    for name, settings in asked.items():
        steps = settings.get("steps", 100)
        given = {"probe": name, "protocol": f"MMD; {name}"}
        scores.append(
            Score(
                metric="mmd",
                value=1 / steps + 0.01 * seed,
                stderr=0.01,
                direction="lower",
                **given,
            )
        )
        scores.append(Score(metric="nfe", value=2 * steps, direction="lower", **given))
    return Record(
        suite="s", task="ring", task_version=1, model=model, family="diffusion", seed=seed,
        scores=tuple(scores), probes=asked, created=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def test_points_are_in_the_order_of_their_price():
    found = points([record(0), record(1)])
    assert [p.nfe for p in found] == [2, 10, 50]
    assert [p.question for p in found] == [f"heun, {k} steps" for k in STEPS]
    assert found[0].entries["mmd"].value == pytest.approx(1 + 0.005)
    assert found[0].entries["mmd"].seeds == 2


def test_a_table_has_the_models_own_answer_alone():
    shown = board("ring", [record()])
    mmd = [column for column in shown.columns if column.metric == "mmd"]
    assert [column.protocol for column in mmd] == ["MMD; samples"]
    assert shown.rows[0].cells[mmd[0]].value == pytest.approx(0.01)
    assert [c.metric for c in shown.curve_columns] == ["mmd"]


def test_the_page_draws_a_line_per_model():
    picture = nfe_plot(points([record(), record(model="ddpm")]), "mmd")
    assert picture.count("<circle") == 6
    assert ">edm</text>" in picture and ">ddpm</text>" in picture


@pytest.mark.parametrize("count", [10, 16, 40])
def test_names_of_lines_that_end_alike_stand_apart_within_the_drawing(count):
    models = [f"model-{k}" for k in range(count)]
    picture = nfe_plot(points([record(model=model) for model in models]), "mmd")
    high = float(re.search(r'viewBox="0 0 \d+ (\d+)"', picture)[1])
    named = re.findall(r'y="([\d.-]+)">model-\d+</text>', picture)
    heights = sorted(float(height) for height in named)
    assert len(heights) == count and heights[0] > 10 and heights[-1] < high - 24
    assert all(b - a >= 13.9 for a, b in pairwise(heights))
    looks = re.findall(r'<g><path class="line (c\d" stroke-dasharray="[^"]*)"', picture)
    assert len(set(looks)) == min(count, 16)


def test_one_point_is_no_curve():
    assert nfe_plot(points([record()])[:1], "mmd") == ""


def test_markdown_lists_the_points():
    text = leaderboard_md({"ring": board("ring", [record()])}, "t", [])
    assert "### Quality against function evaluations" in text
    assert "| edm | heun, 5 steps | 10 |" in text


def test_columns_of_one_metric_are_told_apart_by_how_they_were_computed():
    def bound(estimator, value, model):
        score = Score(
            metric="nll", value=value, direction="lower", probe="likelihood",
            estimator=estimator, protocol=f"NLL; {estimator}",
        )  # fmt: skip
        return record(model=model).model_copy(update={"scores": (score,)})

    shown = board("ring", [bound("IWAE-64", 1.0, "vae"), bound("ELBO", 1.2, "ladder-vae")])
    assert {c.label for c in shown.columns} == {"NLL [IWAE-64]", "NLL [ELBO]"}
