from __future__ import annotations

import csv
import io
import math
import re
import shutil
import subprocess

import pytest
from dgmbench.benchmark.contract.record import Record, read_records
from dgmbench.leaderboards.exports import latex, markdown
from dgmbench.leaderboards.exports.csv_tables import leaderboard_csv, records_csv
from dgmbench.leaderboards.exports.terminal import print_boards
from dgmbench.leaderboards.hardware import machines
from dgmbench.leaderboards.report import Results
from dgmbench.leaderboards.tables.board import boards
from rich.console import Console


@pytest.fixture(scope="module")
def records(results):
    return read_records(results)


@pytest.fixture(scope="module")
def tex(records):
    return latex.leaderboard_tex(boards(records))


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_records_csv_has_exactly_the_named_columns(records):
    assert records_csv(records).splitlines()[0] == (
        "suite,task,model,family,seed,metric,value,stderr,shared,n,unit,direction,mark,"
        "probe,estimator,protocol,status,reason"
    )


def test_records_csv_has_a_row_a_score_and_a_row_a_broken_cell(records):
    rows = read(records_csv(records))
    broken = [row for row in rows if row["status"] != "ok"]
    assert len(broken) == sum(record.status != "ok" for record in records) == 8
    assert all(row["metric"] == "" and row["reason"] for row in broken)
    assert len(rows) - len(broken) == sum(len(record.scores) for record in records)
    assert all(row["value"] or row["reason"] for row in rows)


def test_records_csv_gives_numbers_and_names_back_unchanged(records):
    rows = read(records_csv(records))
    scores = [score for record in records for score in record.scores if score.value is not None]
    assert [float(row["value"]) for row in rows if row["value"]] == [s.value for s in scores]
    assert "<b>&_%" in {row["model"] for row in rows}


def test_leaderboard_csv_has_a_row_a_cell(records):
    found = boards(records)
    rows = read(leaderboard_csv(found))
    assert len(rows) == sum(len(board.rows) * len(board.columns) for board in found.values())
    assert all(row["printed"] or row["remark"] for row in rows)
    assert not any(row["best"] == "True" for row in rows)  # one seed ranks nobody


def test_leaderboard_csv_marks_the_best(seeded_results):
    rows = read(leaderboard_csv(boards(read_records(seeded_results))))
    assert any(row["best"] == "True" for row in rows)


def test_leaderboard_csv_keeps_the_two_sources_of_an_error_apart(seeded_results):
    rows = read(leaderboard_csv(boards(read_records(seeded_results))))
    parts = [row for row in rows if row["stderr_drawn"]]
    assert parts
    for row in parts:
        both = math.hypot(float(row["stderr_drawn"]), float(row["stderr_shared"]))
        assert both == pytest.approx(float(row["stderr"]), abs=1e-9)
        assert int(row["seeds"]) > 1


def test_latex_is_balanced_and_escaped(tex):
    plain = re.sub(r"\\[\\{}&%$#_]", "", tex)
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert "%" not in plain
    assert "#" not in plain
    for opening, closing in (("begin", "end"), ("toprule", "bottomrule")):
        assert tex.count(f"\\{opening}") == tex.count(f"\\{closing}") > 0
    assert tex.isascii()
    assert r"\textless{}b\textgreater{}\&\_\%" in tex


def test_latex_rows_have_as_many_cells_as_their_table(tex):
    tables = re.findall(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}(.*?)\\end\{tabular\}", tex, re.S)
    for spec, body in tables:
        lines = [line for line in body.splitlines() if line.endswith(r"\\")][1:]
        cells = {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines}
        assert cells == {len(spec)}


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a_b & 5%", r"a\_b \& 5\%"),
        ("\\{x}~^", r"\textbackslash{}\{x\}\textasciitilde{}\textasciicircum{}"),
        ("naïve 漢", "naive ?"),
        ("Fréchet", r"Fr\'echet"),
    ],
)
def test_latex_escapes_text(text, escaped):
    assert latex.escape(text) == escaped


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_latex_compiles(tex, tmp_path):
    (tmp_path / "leaderboard.tex").write_text(tex)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "leaderboard.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0


def test_markdown_tables_are_rectangular_and_escaped(records):
    facts = machines(records)
    text = markdown.leaderboard_md(boards(records), "dgmbench: quick", facts)
    assert f"- hardware: {dict(facts)['hardware'][0]}" in text
    assert "<b>" not in text
    assert r"&lt;b&gt;&amp;\_%" in text
    widths = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        widths.append({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()})
    assert widths
    assert all(len(width) == 1 for width in widths)


def test_summary_leads_with_the_primary_metric(results):
    found, out = Results.read(results), io.StringIO()
    print_boards(found.boards, Console(file=out, width=140, color_system=None))
    text = out.getvalue()
    digits = text[text.index("digits") :].splitlines()[2]
    assert digits.split("  ")[0].strip() == "family"
    assert digits.index("Fréchet distance") < digits.index("MMD²")
    assert "<b>&_%" in text
    assert max(map(len, text.splitlines())) <= 140


def test_no_text_is_a_formula_to_a_spreadsheet():
    text = '=HYPERLINK("http://x")'
    broken = Record(
        suite="s", task="t", task_version=1, model="m", family="user", seed=0, status="failed",
        phase="train", reason=text, created="2026-01-01T00:00:00Z",
    )  # fmt: skip
    (row,) = read(records_csv([broken]))
    assert row["reason"] == f"'{text}"
