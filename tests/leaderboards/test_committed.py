"""The committed records: whole, framed by controls, and printed as they are."""

import csv
import io
import re

import pytest
from dgmbench.leaderboards.exports.csv_tables import records_csv
from dgmbench.leaderboards.exports.markdown import leaderboard_md
from dgmbench.leaderboards.hardware import machines, title
from dgmbench.leaderboards.stored import RESULTS, unpacked
from dgmbench.leaderboards.tables.board import boards
from dgmbench.leaderboards.tables.standings import standings

SUITES = sorted(path.name.removesuffix(".jsonl.gz") for path in RESULTS.glob("*.jsonl.gz"))


def records_of(suite):
    path = RESULTS / f"{suite}.jsonl.gz"
    found = unpacked(path.read_bytes(), path.name)
    return [record.model_copy(update={"stored": False}) for record in found]


def test_there_are_records():
    assert {"quick", "standard", "mnist", "reward"} <= set(SUITES)


@pytest.mark.parametrize("suite", SUITES)
def test_cells_are_of_their_suite_and_each_once(suite):
    found = records_of(suite)
    assert {record.suite for record in found} == {suite}
    cells = [record.cell for record in found]
    assert len(cells) == len(set(cells))
    assert all(r.settled and (r.status == "not admitted" or r.scores) for r in found)
    assert all(r.environment.hardware and r.environment.commit for r in found)


@pytest.mark.parametrize("suite", SUITES)
def test_the_page_is_what_the_records_render_to(suite):
    found = records_of(suite)
    text = leaderboard_md(boards(found), title(found), machines(found))
    assert (RESULTS / suite / "leaderboard.md").read_text(encoding="utf-8") == text
    lines = (RESULTS / suite / "records.csv").read_text(encoding="utf-8")
    kept, rendered = (list(csv.reader(io.StringIO(t))) for t in (lines, records_csv(found)))
    assert sorted(kept) == sorted(rendered)


@pytest.mark.parametrize("suite", SUITES)
def test_every_task_is_framed(suite):
    """An oracle, a memoriser, noise and a floor beside whatever learned models there are."""
    found = [record for record in records_of(suite) if record.status == "ok"]
    for task in {record.task for record in found}:
        here = [record for record in found if record.task == task]
        assert {"oracle", "memoriser", "noise"} <= {record.model for record in here}, task
        assert any(r.is_floor and r.family != "control" for r in here), task


@pytest.mark.parametrize("suite", SUITES)
def test_seeds_of_a_model_share_its_recipe(suite):
    """A mean over seeds is one of one recipe; what is fitted in closed form counts no steps."""
    recipes = {}
    for record in records_of(suite):
        if record.status == "ok" and record.family not in ("classical", "control"):
            recipe = record.budget, record.arguments
            first = recipes.setdefault((record.task, record.model), (record.seed, recipe))
            assert first[1] == recipe, f"{record.task}, {record.model}: {first[0]}, {record.seed}"


def test_the_readme_says_what_the_records_say():
    """Its table is a part of standard's for ring-8, and its leader leads over all tasks."""
    text = (RESULTS.parents[1] / "README.md").read_text(encoding="utf-8")
    page = (RESULTS / "standard" / "leaderboard.md").read_text(encoding="utf-8")
    ring = page.split("\n## ring-8\n")[1].split("\n## ")[0]
    table = text.split("| family | model | MMD² ↓")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) > 10
    for line in table:
        family, model, *numbers = (cell.strip() for cell in line.strip("|").split("|"))
        rows = [row for row in ring.splitlines() if row.startswith(f"| {family} | {model}")]
        printed = {
            re.sub(r"<sup>.*?</sup>", "", c).strip() for row in rows for c in row.split("|")
        }
        for number in numbers:
            assert number in printed or "±" not in number, f"{model}: {number}"
    first = standings(boards(records_of("standard"))).rows[0]
    assert (
        f"{first.model} leads with a mean score of {first.mean:.3f} ± {first.stderr:.3f}" in text
    )
