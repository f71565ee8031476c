"""Figures for papers: what there are numbers for is drawn, the same records make the same file."""

from __future__ import annotations

import re

import pytest
from dgmbench.leaderboards.exports.figures import write_figures
from dgmbench.leaderboards.report import Results


@pytest.fixture(scope="module")
def found(seeded_results):
    return Results.read(seeded_results).boards


def test_every_task_gets_its_values_and_every_model_is_named(found, tmp_path):
    paths = write_figures(found, tmp_path, "svg")
    assert {path.name for path in paths} >= {f"{task}-values.svg" for task in found}
    text = (tmp_path / "ring-8-values.svg").read_text()
    lead = next(column for column in found["ring-8"].leading if not column.is_cost)
    for row in found["ring-8"].rows:
        if row.cells[lead].value is not None:
            assert re.search(rf">{re.escape(row.model)}( \(|<)", text) or "&lt;" in text


@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_the_same_records_make_the_same_file(found, tmp_path, form):
    one = {"ring-8": found["ring-8"]}
    first, second = (write_figures(one, tmp_path / name, form) for name in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_nothing_to_draw_is_said(tmp_path):
    with pytest.raises(ValueError, match="Expected records with numbers to draw"):
        write_figures({}, tmp_path)
