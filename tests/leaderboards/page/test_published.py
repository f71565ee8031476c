"""The section of published numbers: what it reads, shows, shades and leaves out."""

import json
import re

import pytest
from dgmbench.leaderboards.page.published import papers
from dgmbench.leaderboards.stored import RESULTS


def finding(value=1.0, ours=1.1, verdict="reproduced", **more):
    published = {
        "dataset": "ring",
        "method": "a model",
        "metric": "distance",
        "value": value,
        "uncertainty": None,
        "verified": True,
    }
    mine = {"ours": ours, "stderr": 0.05, "tolerance": 0.2, "note": "", "by_sign": False}
    published |= {name: more.pop(name) for name in list(more) if name in published}
    return {"published": published, "verdict": verdict, **mine, **more}


def result(*findings, verdict="reproduced", **more):
    about = {"paper": "A 2026", "summary": "S.", "tolerance": "0.2", "differs": ""}
    return {
        "name": "mine",
        "verdict": verdict,
        "findings": list(findings),
        "about": about,
        "listings": [],
        **more,
    }


def read(folder, *results):
    for found in results:
        (folder / f"{found['name']}.json").write_text(json.dumps(found))
    return papers([folder])


def test_a_row_shows_both_numbers_on_one_axis(tmp_path):
    (paper,) = read(tmp_path, result(finding(uncertainty=0.1)))
    (row,) = paper.rows
    assert (row.published, row.ours, row.shade) == ("1.00 ± 0.10", "1.100 ± 0.050", "green")
    theirs, ours = (float(x) for x in re.findall(r'cx="([\d.]+)"', row.picture))
    left, right = (
        float(x) for x in re.findall(r'class="band" d="M([\d.]+) 3H([\d.]+)', row.picture)[0]
    )
    assert left < theirs < ours < right
    assert (ours - theirs) / (right - left) == pytest.approx(0.1 / 0.4, abs=0.01)


def test_what_is_off_stands_first_and_no_verdict_hides_another(tmp_path):
    many = [finding() for _ in range(40)] + [finding(ours=9, verdict="off", note="a reason")]
    (paper,) = read(tmp_path, result(*many, verdict="40 of 41 reproduced"))
    assert paper.shade == "amber"
    assert paper.rows[0].verdict == "off" and paper.rows[0].reason == "a reason"
    assert len(paper.rows) == 16 and paper.more == "25 more reproduced"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"ours": None, "stderr": None, "note": "no such model"}, "no such model"),
        ({"verified": False}, "not seen in its source"),
    ],
)
def test_what_is_not_comparable_is_grey_with_a_reason(tmp_path, given, reason):
    (paper,) = read(
        tmp_path, result(finding(verdict="not comparable", **given), verdict="not comparable")
    )
    assert paper.shade == paper.rows[0].shade == "grey" and reason in paper.rows[0].reason
    assert (paper.rows[0].ours == "–") == (given.get("ours", 1) is None)


def test_numbers_without_extent_and_beyond_drawing_are_no_fault(tmp_path):
    same = finding(ours=1.0, stderr=None, tolerance=0.0)
    far = finding(ours=float("inf"), verdict="off")
    (paper,) = read(tmp_path, result(same, far))
    assert {row.ours for row in paper.rows} == {"1", "∞"}


def test_a_users_folder_goes_before_and_a_damaged_file_is_left_out(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder, verdict in ((first, "reproduced"), (second, "not comparable")):
        folder.mkdir()
        read(folder, result(finding(), verdict=verdict))
    (first / "broken.json").write_text("{")
    (first / "other.json").write_text('{"name": "x"}')
    (paper,) = papers([first, second, tmp_path / "missing"])
    assert paper.verdict == "reproduced"


def test_the_results_of_the_package_make_a_section():
    found = {paper.name: paper for paper in papers([RESULTS / "reproduce"])}
    assert {"fid-bias", "vendi", "human-error"} <= set(found)
    assert found["human-error"].shade == "amber" and found["human-error"].rows[0].reason
