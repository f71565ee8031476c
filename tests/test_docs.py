"""The documentation: every example on its pages runs, in the order of the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.M | re.S)
KEPT = re.compile(r"# kept as (\S+)\n")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_examples_of_a_page_run(page, tmp_path):
    """Python blocks share a process each; what a page says is kept as a file is one."""
    settings = {"DGMBENCH_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    before: list[str] = []
    for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "console":
            for line in text.splitlines():
                assert line.startswith("$ dgmbench "), f"{page.name}: {line}"
                words = shlex.split(line.removeprefix("$ dgmbench "))
                call([str(ROOT / "run_all.py"), *words], tmp_path, settings)
        elif kept := KEPT.match(text):
            (tmp_path / kept[1]).write_text(text)
        else:
            before.append(text)  # a later block goes on where an earlier one stopped
            call(["-c", "\n".join(before)], tmp_path, settings)


def call(words, folder, settings):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{words}: {done.stderr[-2000:]}"


def test_every_page_is_in_the_contents():
    contents = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page.stem == "index" or re.search(rf"^{page.stem}$", contents, re.M), page.name


@pytest.mark.slow
def test_the_pages_are_built_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="needs the extra docs")
    pytest.importorskip("furo", reason="needs the extra docs")
    # The theme writes a tree of all pages on each of them, which takes as long as the rest.
    plain = ("-D", "html_theme=basic")
    built = [sys.executable, "-m", "sphinx", "-q", "-W", *plain, "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [*built, str(ROOT / "docs"), str(tmp_path / "pages")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    page = (tmp_path / "pages" / "records.html").read_text()
    assert "log_prob" in page and "Provenance" in page
