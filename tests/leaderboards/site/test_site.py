"""A site over several suites: every link arrives, every record is there, nothing leaves it."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from dgmbench.baselines import MODELS
from dgmbench.benchmark.cli.main import app
from dgmbench.benchmark.contract.record import Record, read_records, write_record
from dgmbench.leaderboards.report import Results
from dgmbench.leaderboards.site.bibliography import bibtex, title
from dgmbench.leaderboards.site.defaults import default_arguments
from dgmbench.leaderboards.site.site import write_site
from typer.testing import CliRunner

UNPUBLISHED = ("maximum likelihood", "independent marginals", "")


class Page(HTMLParser):
    """The addresses and anchors of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.ids, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [attrs[key] for key in ("src", "href") if key in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []

    def handle_data(self, data):
        self.text += data


def other(root, to, suite):
    """A copy of a results folder under another suite's name."""
    shutil.copytree(root, to)
    shutil.rmtree(to / "records")
    for record in read_records(root):
        write_record(record.model_copy(update={"suite": suite}), to)
    return to


@pytest.fixture(scope="module")
def site(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    second = other(results, folder / "second", "second")
    found = {r.records[0].suite: r for r in (Results.read(results), Results.read(second))}
    write_site(found, (), folder / "site")
    return folder / "site", found


def test_every_link_of_every_page_arrives(site):
    folder, _ = site
    pages = {path: Page(path.read_text()) for path in folder.rglob("*.html")}
    assert len(pages) > 15
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path
        for address in page.addresses:
            if address.startswith(("data:", "https://arxiv.org/")):
                continue
            assert "://" not in address, address
            name, _, anchor = address.partition("#")
            target = (path.parent / name).resolve() if name else path
            assert target.is_file(), f"{path.name} leads to {address}"
            if anchor:
                assert anchor in pages[target].ids, f"{path.name} leads to {address}"


def test_every_record_is_in_the_site_as_it_was_written(site):
    folder, found = site
    for results in found.values():
        kept = [
            Record.model_validate_json(path.read_text())
            for path in (folder / "records" / results.records[0].suite).glob("*.json")
        ]
        assert sorted(kept, key=lambda r: r.cell) == sorted(results.records, key=lambda r: r.cell)


def test_the_search_knows_models_tasks_and_suites(site):
    folder, found = site
    text = (folder / "search.js").read_text()
    places = json.loads(text.removeprefix("const PLACES = ").rstrip(";\n"))
    titles = {title for title, _, _ in places}
    for results in found.values():
        assert {r.task for r in results.records} <= titles
        assert {r.model for r in results.records if r.family != "control"} <= titles
    assert "<" not in text  # nothing in it can end a script element


def test_a_card_says_paper_defaults_and_hardware(site):
    page = Page((site[0] / "models" / "made.html").read_text()).text
    assert "MADE: Masked Autoencoder for Distribution Estimation" in page
    assert "@inproceedings{germain2015made" in page
    assert "2 cores" in page


def test_suites_are_named_once_and_not_like_pages(site, tmp_path):
    some = next(iter(site[1].values()))
    with pytest.raises(ValueError, match="none of the site's own pages, got models"):
        write_site({"models": some}, (), tmp_path)
    with pytest.raises(ValueError, match="got none"):
        write_site({}, (), tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_defaults_read_from_a_source_are_those_of_the_class(name):
    cls = MODELS[name]
    wanted = {
        argument: parameter.default
        for argument, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    found = default_arguments(f"{cls.__module__}:{cls.__qualname__}")
    assert found.keys() == wanted.keys()
    for argument, text in found.items():
        if re.fullmatch(r"[-\d.e]+|None|True|False|\([\d, ]*\)|'[^']*'", text):
            assert eval(text) == wanted[argument]  # a literal, as the pattern says


@pytest.mark.parametrize("name", MODELS)
def test_every_published_model_has_its_bibtex(name):
    paper = MODELS[name].paper
    if paper not in UNPUBLISHED:
        assert bibtex(paper).startswith("@"), paper
        assert title(paper), paper


def test_what_is_no_model_of_the_package_has_no_defaults():
    for path in ("", "mine:Model", "dgmbench.baselines:Nothing", "dgmbench.nowhere:X", "os:path"):
        assert default_arguments(path) == {}
    assert bibtex("nobody 2031") == title("nobody 2031") == ""


def report(*arguments):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_a_site_of_stored_suites_is_one_command(tmp_path):
    done = report("quick", "--site", tmp_path / "site")
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "site" / "index.html") in done.output
    page = Page((tmp_path / "site" / "quick.html").read_text()).text
    assert "Eight Gaussians" in page or "digits" in page


def test_a_folder_twice_is_refused(results, tmp_path):
    done = report(results, results, "--site", tmp_path / "site")
    assert isinstance(done.exception, ValueError)
    assert "each suite once" in str(done.exception)


@pytest.mark.parametrize(
    "words", [("report", "quick", "--site"), ("figures", None, "--to"), ("cards", None, "--to")]
)
def test_a_file_where_a_folder_is_to_be_is_named(words, results, tmp_path):
    (tmp_path / "file").write_text("kept")
    command, source, option = words
    done = CliRunner().invoke(
        app, [command, source or str(results), option, str(tmp_path / "file")]
    )
    assert isinstance(done.exception, ValueError)
    assert "Expected a folder to write into, got the file" in str(done.exception)
    assert (tmp_path / "file").read_text() == "kept"


def test_what_holds_no_records_is_named(tmp_path):
    (tmp_path / "empty" / "records").mkdir(parents=True)
    for source, said in (("empty", "Expected records in"), ("nowhere", "Expected a folder")):
        done = report(tmp_path / source, "--site", tmp_path / "site")
        assert isinstance(done.exception, ValueError) and said in str(done.exception)


def test_a_site_of_folders_needs_no_torch(results, tmp_path):
    code = (
        "import sys\n"
        "from dgmbench.benchmark.cli.main import main\n"
        f"sys.argv = ['dgmbench', 'report', {str(results)!r}, '--site', {str(tmp_path)!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
