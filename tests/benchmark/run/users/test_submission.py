"""Samples only: what is read, what is refused, and what the scores say."""

import numpy as np
import pytest
import torch
from dgmbench.benchmark.contract.record import Record, read_records, write_record
from dgmbench.benchmark.contract.task import Domain
from dgmbench.benchmark.run.users.sample_files import read_only_log_prob, read_samples
from dgmbench.benchmark.run.users.submission import Spent, score_samples
from dgmbench.benchmark.suites import load_suite
from dgmbench.benchmark.tasks import load_task, outline_of
from dgmbench.leaderboards.tables.board import boards
from PIL import Image
from safetensors.torch import save_file

PLANE, IMAGE = Domain((2,)), Domain((1, 8, 8), levels=17)


def test_every_format_gives_the_same_points(tmp_path):
    x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x)
    np.savez(tmp_path / "b.npz", samples=x, labels=np.zeros(5))
    np.save(tmp_path / "c.npy", x)
    save_file({"x": torch.from_numpy(x)}, tmp_path / "d.safetensors")
    for name in ("a.npz", "b.npz", "c.npy", "d.safetensors"):
        read = read_samples(tmp_path / name, PLANE)
        assert read.dtype == torch.float32
        assert torch.equal(read, torch.from_numpy(x))


def test_a_folder_of_images(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 17, size=(3, 8, 8), dtype=np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    read = read_samples(tmp_path, IMAGE)
    assert torch.equal(read, torch.from_numpy(pixels).long().unsqueeze(1))


def refused(path, domain, said):
    with pytest.raises(ValueError, match=said):
        read_samples(path, domain)


def test_wrong_input_is_told(tmp_path):
    np.save(tmp_path / "shape.npy", np.zeros((5, 3)))
    refused(tmp_path / "shape.npy", PLANE, r"shape \(N, 2\), got \(5, 3\)")
    np.save(tmp_path / "nan.npy", np.array([[0.0, np.nan], [0, 0]]))
    refused(tmp_path / "nan.npy", PLANE, "1 of 2 samples")
    np.save(tmp_path / "range.npy", np.full((2, 1, 8, 8), 17))
    refused(tmp_path / "range.npy", IMAGE, r"within 0\.\.16, got 17\.\.17")
    np.save(tmp_path / "fraction.npy", np.full((2, 1, 8, 8), 0.5))
    refused(tmp_path / "fraction.npy", IMAGE, "fractions")
    np.savez(tmp_path / "two.npz", a=np.zeros(2), b=np.zeros(2))
    refused(tmp_path / "two.npz", PLANE, "one called samples, got a, b")
    refused(tmp_path / "absent.npy", PLANE, "not there")
    (tmp_path / "x.txt").write_text("1 2")
    refused(tmp_path / "x.txt", PLANE, "got x.txt")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 cut short")
    refused(tmp_path / "bad.npz", PLANE, "bad.npz")
    (tmp_path / "bad.safetensors").write_bytes(b"cut short")
    refused(tmp_path / "bad.safetensors", PLANE, "safetensors")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", IMAGE, "Expected images")
    (tmp_path / "empty" / "a.png").write_bytes(b"no image")
    refused(tmp_path / "empty", IMAGE, "a.png")
    Image.fromarray(np.zeros((9, 8), dtype=np.uint8)).save(tmp_path / "empty" / "a.png")
    refused(tmp_path / "empty", IMAGE, "8 x 8 pixels, got 9 x 8")


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    np.savez(tmp_path / "bomb.npz", samples=np.array([Bomb()], dtype=object))
    refused(tmp_path / "bomb.npz", PLANE, "pickled objects, which are refused")
    assert not (tmp_path / "exploded").exists()


def test_draws_of_the_truth_score_as_the_truth(tmp_path):
    task, suite = load_task("ring-8"), load_suite("quick")
    torch.manual_seed(3)
    record = score_samples(task.draw(3000), "mine", outline_of("ring-8"), suite, tmp_path)
    scores = {s.metric: s for s in record.scores}
    assert abs(scores["mmd"].value) < 4 * scores["mmd"].stderr
    assert scores["modes_captured"].value == 8
    assert scores["nll"].value is None
    assert "no likelihood" in scores["nll"].reason
    assert scores["parameters"].reason == "only samples were given"
    assert [r.model for r in read_records(tmp_path)] == ["mine"]


def test_too_few_samples_and_a_taken_name_are_refused(tmp_path):
    task, suite = outline_of("ring-8"), load_suite("quick")
    with pytest.raises(ValueError, match="at least 2048 samples for ring-8"):
        score_samples(torch.zeros(10, 2), "mine", task, suite, tmp_path)
    with pytest.raises(ValueError, match="got vae"):
        score_samples(torch.zeros(4000, 2), "vae", task, suite, tmp_path)


@pytest.mark.parametrize("name", ["..", ".hidden", "x" * 300, "a\nb", ""])
def test_a_name_is_one_of_a_row(tmp_path, name):
    outline = outline_of("ring-8")
    x = torch.zeros(2048, 2)
    with pytest.raises(ValueError, match="Expected a name of 1 to 100 printed letters"):
        score_samples(x, name, outline, load_suite("quick"), tmp_path)


def test_samples_do_not_take_the_row_of_a_model(tmp_path):
    record = Record(
        suite="quick", task="ring-8", task_version=1, model="Mine", family="user", seed=0,
        model_path="mine.py:Mine", created="2026-01-01T00:00:00Z",
    )  # fmt: skip
    write_record(record, tmp_path)
    with pytest.raises(ValueError, match=r"no model in .* has, got Mine"):
        score_samples(
            torch.zeros(2048, 2), "Mine", outline_of("ring-8"), load_suite("quick"), tmp_path
        )


def test_costs_and_names_are_the_submitters(tmp_path):
    """Spaces, slashes and brackets are fine in a name; what a cost is, the submitter says."""
    task, suite = load_task("ring-8"), load_suite("quick")
    x = task.draw(2048)
    spent = Spent(parameters=123, nfe=7.0)
    name = "mine [wide] / 2"
    record = score_samples(x, name, outline_of("ring-8"), suite, tmp_path, spent=spent)
    costs = {s.metric: s for s in record.scores}
    assert (costs["parameters"].value, costs["parameters"].note) == (123, "as submitted")
    assert (costs["nfe"].value, costs["training_seconds"].value) == (7, None)
    assert costs["training_seconds"].reason == "only samples were given"
    (row,) = boards(read_records(tmp_path))["ring-8"].rows
    assert (row.model, row.standing) == (name, "samples only")
    other = score_samples(x, name, outline_of("ring-8"), suite, tmp_path)
    assert other.keys["score"] != record.keys["score"]


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_costs_are_numbers(value):
    with pytest.raises(ValueError, match="of 0 or more"):
        Spent(nfe=value)


def test_log_probabilities_may_lie_in_a_file_of_their_own(tmp_path):
    values = np.linspace(-3, -1, 7)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "b.npz", anything=values)
    np.savez(tmp_path / "c.npz", log_prob=values, samples=np.zeros((3, 2)))
    for name in ("a.npy", "b.npz", "c.npz"):
        assert read_only_log_prob(tmp_path / name, 7).tolist() == values.tolist()
    np.savez(tmp_path / "d.npz", samples=values)
    with pytest.raises(ValueError, match="one called log_prob, got samples"):
        read_only_log_prob(tmp_path / "d.npz", 7)
    with pytest.raises(ValueError, match=r"of shape \(8,\)"):
        read_only_log_prob(tmp_path / "a.npy", 8)
