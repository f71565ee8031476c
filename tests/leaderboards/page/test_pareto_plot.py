"""Quality against compute as a picture: whom nobody beats stands on the line."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from dgmbench.leaderboards.page.pareto_plot import pareto_plot
from dgmbench.leaderboards.tables.entry import Entry
from dgmbench.leaderboards.tables.pareto import trade


@pytest.fixture
def found(results):
    from dgmbench.benchmark.contract.record import read_records

    records = [r for r in read_records(results) if r.task == "ring-8" and r.family != "control"]
    return trade(records, "mmd", "training_seconds")


def test_every_model_is_a_point_and_the_front_a_line(found):
    drawn = pareto_plot(found)
    assert drawn.count("<circle") == len(found.models)
    assert drawn.count('class="model"') == len(found.front)
    (path,) = re.findall(r'class="line c0" d="M([^"]+)"', drawn)
    assert len(path.split("L")) == len(found.front)


@pytest.mark.parametrize("direction", ["lower", "higher"])
def test_points_at_one_place_have_names_apart(found, direction):
    """All on the free side: above their point where lower is better, else below it."""
    same = {name: (Entry(1.0), Entry(2.0, 0.1)) for name in ("a", "b", "c")}
    column = replace(found.quality, direction=direction)
    drawn = pareto_plot(replace(found, quality=column, models=same))
    heights = sorted(float(y) for y in re.findall(r'<text x="[\d.]+" y="([\d.]+)">[abc]<', drawn))
    assert len(heights) == 3 and min(b - a for a, b in pairwise(heights)) >= 14
    (point,) = set(re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', drawn))
    if direction == "lower":
        assert heights[-1] < float(point)
    else:
        assert heights[0] - 10 > float(point)  # `y` is a letter's foot


def test_among_many_models_those_on_the_front_are_named(found):
    many = {f"m{i}": (Entry(1.0 + i), Entry(2.0 + i)) for i in range(13)}
    drawn = pareto_plot(replace(found, models=many))
    assert re.findall(r">(m\d+)</text>", drawn) == ["m0"]


def test_one_model_is_no_picture(found):
    assert pareto_plot(replace(found, models={"a": (Entry(1.0), Entry(2.0))})) == ""
