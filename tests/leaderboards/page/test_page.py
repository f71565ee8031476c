from __future__ import annotations

import base64
import io
import json
import math
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import dgmbench
import numpy as np
import pytest
from dgmbench.benchmark.contract.record import File, read_records, read_tasks
from dgmbench.leaderboards.hardware import machines, title
from dgmbench.leaderboards.page import pictures, svg
from dgmbench.leaderboards.page.attachments import Unshown, array, content
from dgmbench.leaderboards.page.gallery import gallery_of
from dgmbench.leaderboards.page.page import render_page
from dgmbench.leaderboards.page.rendering import paper
from dgmbench.leaderboards.report import Results, write_report
from dgmbench.leaderboards.tables.board import boards
from PIL import Image

SCRIPT = Path(dgmbench.__file__).parent / "leaderboards/page/templates/report.js"


def page_of(root):
    found = Results.read(root)
    heading, facts = title(found.records), machines(found.records)
    return render_page(heading, facts, found.records, found.tasks, found.boards, root)


VOID = {"meta", "link", "br", "img", "path", "circle", "input"}


class Outline(HTMLParser):
    """Collects what a page refers to, and whether its elements close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.ids, self.wrong = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [attrs[key] for key in ("src", "href") if key in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def html(results):
    return page_of(results)


@pytest.fixture(scope="module")
def outline(html):
    found = Outline()
    found.feed(html)
    return found


def pixels(uri):
    raw = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(raw)).convert("RGBA")).astype(int)


def test_write_report_writes_five_files_whole(results, tmp_path):
    root = shutil.copytree(results, tmp_path / "copy")
    written = write_report(Results.read(root))
    names = ["records.csv", "leaderboard.md", "leaderboard.csv", "leaderboard.tex", "report.html"]
    assert [path.name for path in written] == names
    assert not list(root.glob(".*.tmp"))
    assert written[-1].stat().st_size < 4e6


def test_an_empty_folder_makes_an_empty_report(tmp_path):
    assert "no records" in write_report(Results.read(tmp_path))[-1].read_text()


def test_page_loads_nothing_from_outside(html, outline):
    outside = [a for a in outline.addresses if not a.startswith(("#", "data:"))]
    assert all(a.startswith("https://arxiv.org/abs/") for a in outside)
    assert not re.search(r"@import|<script[^>]+src|<iframe|<object", html)
    assert not re.search(r"url\((?!data:)", html)


def test_page_is_well_formed_and_its_links_arrive(outline):
    assert not outline.wrong
    assert not outline.open
    assert len(outline.ids) == len(set(outline.ids))
    targets = {a[1:] for a in outline.addresses if a.startswith("#")}
    assert targets <= set(outline.ids)


def test_page_escapes_names_and_reasons(html):
    assert "<b>&_%" not in html
    assert "&lt;b&gt;&amp;_%" in html
    assert "Expected &lt;x&gt; &amp; y, got {z}." in html


def test_page_shows_every_status_with_its_reason(html, results):
    broken = [record for record in read_records(results) if record.status != "ok"]
    assert {r.status for r in broken} == {
        "not admitted",
        "failed",
        "diverged",
        "timed out",
        "out of memory",
        "killed",
    }
    assert "The loss became NaN at step 212." in html
    assert "0123abc (with local changes)" in html


def test_page_of_several_seeds_says_so(seeded_results):
    text = page_of(seeded_results)
    assert "3 seeds: the mean over seeds" in text


def test_citations_link_to_arxiv():
    assert str(paper("Ho <et al.>, arXiv:2006.11239")) == (
        'Ho &lt;et al.&gt;, <a href="https://arxiv.org/abs/2006.11239">arXiv:2006.11239</a>'
    )
    assert str(paper("Parzen 1962")) == "Parzen 1962"
    assert str(paper("as `mnist` <b>")) == "as <code>mnist</code> &lt;b&gt;"


def test_altered_and_missing_files_are_not_shown(results, tmp_path):
    root = shutil.copytree(results, tmp_path / "copy")
    records = [r for r in read_records(root) if r.task == "digits" and r.files]
    altered, missing = records[0], records[1]
    (root / altered.files["samples"].path).write_bytes(b"something else")
    (root / missing.files["samples"].path).unlink()
    found = gallery_of(read_tasks(root)["digits"], records, root)
    trouble = {picture.name: picture.trouble for picture in found.pictures}
    assert trouble.pop(altered.model) == "altered"
    assert trouble.pop(missing.model) == "missing"
    assert not any(trouble.values())
    text = page_of(root)
    assert ">altered<" in text
    assert ">missing<" in text


def test_a_file_outside_the_folder_is_missing(tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "root").mkdir()
    digest = File.of(tmp_path / "secret", tmp_path).sha256
    with pytest.raises(Unshown, match="missing"):
        content(File(path="../secret", sha256=digest), tmp_path / "root")


def test_a_pickle_is_never_read(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(Unshown, match="unreadable"):
        array(File.of(tmp_path / "x.npy", tmp_path), tmp_path)


def test_samples_of_a_wrong_shape_are_unreadable(results, tmp_path):
    root = shutil.copytree(results, tmp_path / "copy")
    record = next(r for r in read_records(root) if r.task == "digits" and r.files)
    path = root / record.files["samples"].path
    np.save(path, np.zeros((4, 3)))
    record = record.model_copy(update={"files": {"samples": File.of(path, root)}})
    found = gallery_of(read_tasks(root)["digits"], [record], root)
    assert found.pictures[1].trouble == "unreadable"


def test_image_grid_places_and_scales_pixels():
    samples = np.zeros((9, 1, 8, 8), dtype=int)
    samples[4] = 16  # the middle of three by three
    shown = pixels(pictures.image_grid(samples, 17, 0.0, 1.0))
    cell = shown.shape[0] / 26  # three images of 8 pixels and two gaps
    middle, corner = int(13 * cell), int(4 * cell)
    assert shown[middle, middle, 0] == 255
    assert shown[corner, corner, 0] == 0


def test_scatter_puts_y_upwards_and_drops_points_outside():
    points = np.array([[0.9, 0.9], [5.0, 5.0]])
    alpha = pixels(pictures.scatter(points, (-1.0, 1.0, -1.0, 1.0), 100))[..., 3]
    row, column = np.argwhere(alpha).mean(0)
    assert (row, column) == (5.0, 94.0)


def test_heat_puts_the_first_coordinate_to_the_right():
    law = np.zeros((4, 4))
    law[3, 0] = 1.0
    shown = pixels(pictures.heat(law, 1.0))
    assert np.unravel_index(shown[..., 0].argmax(), (4, 4)) == (3, 3)
    assert shown[3, 3, 0] == 253


def test_grid_laws_and_histograms_agree(results):
    task = read_tasks(results)["hypergrid-8x8"]
    records = [r for r in read_records(results) if r.task == task.name and r.files]
    found = {p.name: p for p in gallery_of(task, records, results).pictures}
    assert found["gfn-tb"].caption == "exact law"
    assert found["vae"].caption == "histogram"
    assert found["oracle"].uri == found["data"].uri  # the fixture's law to the power of one


def test_sequences_are_text(results):
    task = read_tasks(results)["words"]
    records = [r for r in read_records(results) if r.task == task.name and r.model == "vae"]
    found = gallery_of(task, records, results)
    assert found.kind == "text"
    samples = np.load(results / records[0].files["samples"].path)
    assert found.pictures[1].lines[0] == "".join(map(str, samples[0]))


def test_axis_is_logarithmic_only_over_a_wide_range():
    assert svg.axis([1.0, 2.0, 20.0], 0, 100).bend == 0
    wide = svg.axis([1.0, 10.0, 100.0, 1000.0], 0, 100)
    assert wide.bend > 0
    assert [wide(1.0), wide(1000.0)] == [0, 100]
    assert wide(100.0) - wide(10.0) == pytest.approx(wide(1000.0) - wide(100.0), rel=0.02)


def test_curves_break_where_a_loss_is_not_finite():
    rows = [(0.0, 1.0), (1.0, 2.0), (2.0, math.nan), (3.0, 2.0), (4.0, 1.0)]
    drawn = svg.curves({"loss": rows})
    line = re.search(r'class="line c0" d="([^"]+)"', drawn)[1]
    assert line.count("M") == 2
    assert "nan" not in drawn
    assert svg.curves({"loss": [(0.0, math.nan)]}) == ""


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
@pytest.mark.parametrize(
    ("column", "descending", "expected"),
    [
        (["10", "9", "", "-1e-3", "Infinity"], False, ["-1e-3", "9", "10", "Infinity", ""]),
        (["10", "9", "", "-1e-3", "Infinity"], True, ["Infinity", "10", "9", "-1e-3", ""]),
        (["vae", "", "gan"], False, ["gan", "vae", ""]),
        (["vae", "", "gan"], True, ["vae", "gan", ""]),
    ],
)
def test_sorting_is_numeric_with_empty_cells_last(column, descending, expected):
    cells = json.dumps([{"dataset": {"v": value} if value else {}} for value in column])
    code = (
        "globalThis.document = {querySelectorAll: () => [], querySelector: () => null};\n"
        "globalThis.window = {addEventListener() {}};\n"
        f"{SCRIPT.read_text()}\n"
        f"const cells = {cells};"
        f"cells.sort((a, b) => compareCells(a, b, {json.dumps(descending)}));"
        "console.log(JSON.stringify(cells.map((cell) => cell.dataset.v ?? '')));"
    )
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == expected


def test_numbers_sort_by_value_and_not_by_what_is_printed(html):
    cells = re.findall(r'<td class="num(?: best)?" data-v="([^"]*)"', html)
    assert cells
    assert all(math.isfinite(float(value)) for value in cells)


def test_report_imports_no_torch_and_no_bare_package():
    code = (
        "import sys, dgmbench.leaderboards.report, dgmbench.leaderboards.exports.terminal;"
        "print([m for m in ('torch', 'metrics', 'benchmark', 'leaderboards') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_models_name_each_claim_and_the_tasks_of_each_argument(results):
    records = [r for r in read_records(results) if r.model == "nsf" and r.task != "words"]
    change = {"likelihood": "lower bound", "arguments": {"hidden": [9]}}
    records[0] = records[0].model_copy(update=change)  # digits
    text = render_page("t", [], records, {}, boards(records), results)
    assert "<td>lower bound, exact</td>" in text
    assert '<code>hidden=[9]</code> <span class="soft small">digits</span>' in text
    assert '<span class="soft small">hypergrid-8x8, ring-8</span>' in text
