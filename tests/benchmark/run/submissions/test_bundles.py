"""Bundles: what is handed in is what was scored, and what was tampered with is found."""

import json
import shutil
import zipfile

import pytest
import torch
from dgmbench.benchmark.cli import main as cli
from dgmbench.benchmark.contract.record import read_records
from dgmbench.benchmark.run.submissions.bundle import make_bundle, read_bundle
from dgmbench.benchmark.run.submissions.verify import verify
from dgmbench.benchmark.run.users.submission import score_samples
from dgmbench.benchmark.suites import load_suite
from dgmbench.benchmark.tasks import load_task, outline_of
from dgmbench.leaderboards.tables.board import boards
from safetensors.torch import load, save


def submitted(root, samples, name="mine"):
    """A results folder with a row of samples on ring-8."""
    score_samples(samples, name, outline_of("ring-8"), load_suite("quick"), root / "quick")
    return root / "quick"


@pytest.fixture(scope="module")
def fresh():
    task = load_task("ring-8")
    torch.manual_seed(5)
    return task.draw(12_000)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, fresh):
    folder = tmp_path_factory.mktemp("bundle")
    make_bundle(submitted(folder, fresh), "mine", folder / "mine.zip")
    return folder / "mine.zip"


def rewritten(bundle, path, name, change, rehash=True):
    """A bundle with one file changed, the manifest with it or not."""
    with zipfile.ZipFile(bundle) as archive:
        content = {n: archive.read(n) for n in archive.namelist()}
    (name,) = [n for n in content if n.endswith(name)] if name else [None]
    content[name] = change(content[name])
    if rehash:
        import hashlib

        manifest = json.loads(content["manifest.json"])
        data = content[name]
        manifest["files"][name] = [len(data), hashlib.sha256(data).hexdigest()]
        content["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for n, data in content.items():
            archive.writestr(n, data)
    return read_bundle(path)


def with_value(metric, **changes):
    def change(lines):
        record = json.loads(lines)
        for score in record["scores"]:
            if score["metric"] == metric:
                score.update(changes)
        return json.dumps(record).encode() + b"\n"

    return change


def troubles(found):
    return [text for verdict in found.verdicts for text in verdict.trouble]


def test_an_honest_bundle_is_scored_again_to_the_same_numbers(bundle):
    read = read_bundle(bundle)
    assert read.trouble == [] and len(read.records) == 1
    found = verify(read)
    assert troubles(found) == [] and found.tier == "re-scored"
    assert {record.tier for record in found.records} == {"re-scored"}
    rows = boards(found.records)["ring-8"].rows
    assert [row.standing for row in rows] == ["samples only, re-scored"]
    card = read.content["card.md"].decode()
    assert card.startswith("# mine") and "- tasks: ring-8" in card


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"value": 1e-9}, "its value is"),
        ({"stderr": 1e-7}, "its stderr is"),
        ({"n": 10**6}, "its n is"),
        ({"value": None}, "the record is silent on it"),
    ],
)
def test_a_tampered_value_is_found(bundle, tmp_path, changes, told):
    read = rewritten(bundle, tmp_path / "b.zip", "records.jsonl", with_value("mmd", **changes))
    found = verify(read)
    assert found.tier == "" and not found.ok and found.records == []
    assert any(text.startswith("mmd") and told in text for text in troubles(found))


def test_a_number_under_another_protocol_is_no_way_around(bundle, tmp_path):
    forged = with_value("mmd", value=1e-9, protocol="MMD(); as I like it")
    read = rewritten(bundle, tmp_path / "b.zip", "records.jsonl", forged)
    assert any(
        "by the suite's protocol, which the record lacks" in t for t in troubles(verify(read))
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"probes": {}}, "it names no answers"),
        ({"rows": ""}, "its rows are not those of the task"),
        ({"rows": "0" * 64}, "its rows are not those of the task"),
    ],
)
def test_a_record_that_cannot_be_scored_again_is_refused(bundle, tmp_path, changes, told):
    def change(lines):
        return json.dumps({**json.loads(lines), **changes}).encode()

    found = verify(rewritten(bundle, tmp_path / "b.zip", "records.jsonl", change))
    assert not found.ok and any(told in text for text in troubles(found))


def test_a_likelihood_without_its_answer_is_found(tmp_path, fresh):
    task = load_task("ring-8")
    root = tmp_path / "quick"
    suite, outline = load_suite("quick"), outline_of("ring-8")
    score_samples(fresh, "mine", outline, suite, root, task.log_density(task.test).float())
    make_bundle(root, "mine", tmp_path / "mine.zip")
    assert verify(read_bundle(tmp_path / "mine.zip")).tier == "re-scored"
    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        names = [n for n in archive.namelist() if n.endswith(".safetensors")]
        (name,) = [n for n in names if "log_prob" in load(archive.read(n))]
    read = rewritten(tmp_path / "mine.zip", tmp_path / "b.zip", name, lambda data: save({}))
    told = troubles(verify(read))
    assert any(text.startswith("nll cannot be computed from the answers") for text in told)


def test_a_wrong_hash_is_found(bundle, tmp_path):
    spoil = with_value("mmd", value=0.5)
    read = rewritten(bundle, tmp_path / "b.zip", "records.jsonl", spoil, rehash=False)
    assert any("its SHA-256 differs" in text for text in troubles(verify(read)))


def test_other_samples_than_those_that_were_scored_are_found(bundle, tmp_path):
    def change(data):
        tensors = load(data)
        return save({"samples": tensors["samples"] * 1.2}) if "samples" in tensors else data

    with zipfile.ZipFile(bundle) as archive:
        names = [n for n in archive.namelist() if n.endswith(".safetensors")]
        (name,) = [n for n in names if "samples" in load(archive.read(n))]
    found = verify(rewritten(bundle, tmp_path / "b.zip", name, change))
    assert any(text.startswith("mmd: its value is") for text in troubles(found))


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_samples_copied_from_the_test_set_are_found(tmp_path, noise):
    test = load_task("ring-8").test
    copied = test + noise * torch.randn(test.shape, generator=torch.Generator().manual_seed(0))
    make_bundle(submitted(tmp_path, copied), "mine", tmp_path / "mine.zip")
    found = verify(read_bundle(tmp_path / "mine.zip"))
    assert any("closer to test rows than fresh data" in text for text in troubles(found))


def test_a_flag_that_was_taken_away_is_found(tmp_path):
    make_bundle(submitted(tmp_path, load_task("ring-8").test), "mine", tmp_path / "mine.zip")

    def change(lines):
        return json.dumps({**json.loads(lines), "flags": []}).encode()

    read = rewritten(tmp_path / "mine.zip", tmp_path / "b.zip", "records.jsonl", change)
    assert any("copies of test rows, which the record" in text for text in troubles(verify(read)))


def test_another_version_of_the_task_is_found(bundle, tmp_path):
    def change(lines):
        return json.dumps({**json.loads(lines), "task_version": 99}).encode()

    found = verify(rewritten(bundle, tmp_path / "b.zip", "records.jsonl", change))
    assert any("of version 99 of the task" in text for text in troubles(found))


def test_an_answer_that_lacks_is_found(bundle, tmp_path):
    with zipfile.ZipFile(bundle) as archive, zipfile.ZipFile(tmp_path / "b.zip", "w") as other:
        for name in archive.namelist():
            if not name.endswith(".safetensors"):
                other.writestr(name, archive.read(name))
    told = troubles(verify(read_bundle(tmp_path / "b.zip")))
    assert any("is not in the bundle" in text for text in told)
    assert any("Expected the answer to 'samples' of ring-8" in text for text in told)


def test_what_is_no_record_is_told_by_its_line(bundle, tmp_path):
    read = rewritten(bundle, tmp_path / "b.zip", "records.jsonl", lambda lines: b'{"a": 1}\n')
    assert any("line 1 of records.jsonl is no record" in text for text in read.trouble)
    assert "it holds no record" in troubles(verify(read))


def call(monkeypatch, capsys, *words, code=0):
    monkeypatch.setattr("sys.argv", ["run_all.py", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    found = capsys.readouterr()
    assert left.value.code == code, found.err + found.out
    return found


def test_the_commands(monkeypatch, capsys, tmp_path, fresh):
    submitted(tmp_path, fresh)
    monkeypatch.setattr("sys.argv", ["run_all.py", "submit", "mine", "--out", str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        cli.main()
    assert "Wrote mine.zip: mine in quick" in capsys.readouterr().out
    told = call(monkeypatch, capsys, "verify", "mine.zip", "--into", tmp_path / "other").out
    assert "mine is re-scored." in told and "1 records went to" in told
    assert [r.tier for r in read_records(tmp_path / "other" / "quick")] == ["re-scored"]
    wrong = call(monkeypatch, capsys, "submit", "mien", "--out", tmp_path, code=2).err
    assert "did you mean mine" in wrong
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 nonsense")
    locked = bytearray((tmp_path / "mine.zip").read_bytes())
    for at in (
        i for i in range(len(locked)) if locked[i : i + 4] in (b"PK\x01\x02", b"PK\x03\x04")
    ):
        locked[at + (8 if locked[at + 2] == 1 else 6)] |= 1  # the flag of a password
    (tmp_path / "locked.zip").write_bytes(locked)
    for name in ("no.zip", "locked.zip"):
        assert "Expected a bundle" in call(monkeypatch, capsys, "verify", name, code=2).err
    assert "Expected a bundle" in call(monkeypatch, capsys, "verify", "none.zip", code=2).err


def test_answers_that_are_not_stored_cannot_be_submitted(tmp_path, fresh):
    root = submitted(tmp_path, fresh)
    shutil.rmtree(root / "stages")
    with pytest.raises(ValueError, match="run that cell again here"):
        make_bundle(root, "mine", tmp_path / "mine.zip")


@pytest.mark.slow
def test_a_model_is_trained_again(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    asked = ["run", "--tasks", "ring-8", "--models", "gaussian,kde", "--workers", 1]
    call(monkeypatch, capsys, *asked)
    monkeypatch.setattr("sys.argv", ["run_all.py", "submit", "gaussian"])
    with pytest.raises(SystemExit):
        cli.main()
    capsys.readouterr()
    told = call(monkeypatch, capsys, "verify", "gaussian.zip", "--retrain", "--workers", 1).out
    assert "gaussian is re-trained." in told
    other = with_value("mmd", value=0.3, stderr=0.001)
    rewritten(tmp_path / "gaussian.zip", tmp_path / "b.zip", "records.jsonl", other)
    assert "is refused" in call(monkeypatch, capsys, "verify", "b.zip", "--retrain", code=1).out
