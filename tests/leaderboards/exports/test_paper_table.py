"""A table for a paper: what is chosen, bold and underlined, in three formats."""

import csv
import io
import shutil
import subprocess
from datetime import UTC, datetime

import pandas as pd
import pytest
from dgmbench.benchmark.contract.record import Record, Score
from dgmbench.leaderboards.exports.paper_table import Chosen, paper_parquet, paper_table
from dgmbench.leaderboards.tables.board import board

WHEN = datetime(2025, 1, 2, tzinfo=UTC)
VALUES = {"first_&": 0.101, "near": 0.102, "far": 0.9, "oracle": 0.0, "noise": 2.0}


def the_board():
    records = []
    for model, value in VALUES.items():
        control = model in ("oracle", "noise")
        scores = (
            Score(
                metric="mmd", value=value, stderr=0.0104, direction="lower", protocol="p", n=900
            ),
            Score(metric="coverage", value=1 - value / 2, stderr=0.02, direction="higher", n=900),
        )
        records += [
            Record(
                suite="s", task="t", task_version=1, model=model, seed=seed, created=WHEN,
                family="control" if control else "flow", scores=scores, is_floor=model == "noise",
            )
            for seed in range(3)
        ]  # fmt: skip
    records.append(
        Record(
            suite="s", task="t", task_version=1, model="broken", seed=0, created=WHEN,
            family="flow", status="failed", phase="train", reason="it_raised",
        )
    )  # fmt: skip
    return board("t", records)


def table(form="md", **chosen):
    return paper_table(the_board(), form, Chosen(**chosen))


def test_the_best_is_bold_and_what_ties_with_it_underlined():
    lines = table(metrics=["mmd"], models=["near", "first_&", "far"]).splitlines()
    assert lines[0] == "| Model | MMD² ↓ |"
    assert lines[2:5] == [
        "| near | <u>0.102 ± 0.010</u> |",
        r"| first\_&amp; | **0.101 ± 0.010** |",
        "| far | 0.900 ± 0.010 |",
    ]


def test_higher_may_be_better():
    text = table(metrics=["coverage"], models=["first_&", "far"])
    assert "**0.950 ± 0.020**" in text and "0.550 ± 0.020 |" in text


def test_digits_hold_for_value_and_error():
    assert "**0.1 ± 0.0**" in table(metrics=["mmd"], models=["first_&"], decimals=1)
    assert "**0.1010 ± 0.0104**" in table(metrics=["mmd"], models=["first_&"], decimals=4)


def test_models_may_be_columns():
    found = table("csv", metrics=["mmd", "coverage"], models=["far", "near"], transposed=True)
    rows = list(csv.reader(io.StringIO(found)))
    assert rows[0] == ["Metric", "far", "near"]
    assert [row[0] for row in rows[1:]] == ["MMD² ↓", "Coverage ↑"]
    assert rows[1][1:] == ["0.900 ± 0.010", "0.102 ± 0.010"]


def test_a_cell_without_a_number_says_why_below():
    assert "- broken: failed in train: it\\_raised" in table(metrics=["mmd"], models=["broken"])


def test_all_models_and_few_metrics_by_default():
    lines = table().splitlines()
    assert "oracle (ceiling)" in table() and "noise (floor)" in table()
    assert lines[0].count("|") == 4


def test_latex_is_a_fragment_that_escapes():
    text = table("tex", metrics=["mmd"])
    assert text.count(r"\begin{tabular}") == 1 and "documentclass" not in text
    assert r"first\_\& & \textbf{0.101 $\pm$ 0.010} \\" in text
    assert r"near & \underline{0.102 $\pm$ 0.010} \\" in text
    assert text.startswith("% broken: failed in train: it")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles_without_overfull_boxes(tmp_path):
    (tmp_path / "table.tex").write_text(table("tex"))
    (tmp_path / "main.tex").write_text(
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}"
        r"\begin{document}\input{table}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Overfull" not in done.stdout


@pytest.mark.parametrize(
    ("form", "chosen", "message"),
    [
        ("html", {}, "one of md, tex, csv|format"),
        ("md", {"metrics": ["mdm"]}, "did you mean mmd"),
        ("md", {"models": ["nera"]}, "did you mean near"),
        ("md", {"decimals": 9}, "0 to 6 digits, got 9"),
    ],
)
def test_bad_choices_are_named(form, chosen, message):
    with pytest.raises(ValueError, match=message):
        table(form, **chosen)


def test_parquet_holds_whole_numbers_their_errors_and_what_is_best():
    content = paper_parquet(the_board(), Chosen(metrics=["mmd"], models=["far", "first_&"]))
    frame = pd.read_parquet(io.BytesIO(content))
    assert list(frame["model"]) == ["far", "first_&"]
    assert list(frame["MMD² ↓"]) == pytest.approx([0.9, 0.101])
    assert list(frame["MMD² ↓ best"]) == [False, True]
    assert (frame["MMD² ↓ stderr"] > 0).all()
