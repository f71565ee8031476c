"""Tables, arrays and texts by address: what is decided by which rule, and what is refused how."""

import numpy as np
import pandas as pd
import pytest
import torch
from dgmbench.benchmark.cli.app import addresses
from dgmbench.benchmark.contract.record import read_records
from dgmbench.benchmark.run.execution import execute
from dgmbench.benchmark.run.plan import make_plan, suite_of
from dgmbench.benchmark.tasks import load_task, outline_of

N = 400


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def frame(**further):
    rng = np.random.default_rng(0)
    a = rng.normal(size=N)
    return pd.DataFrame({"a": a, "b": 2 * a + rng.normal(size=N), **further})


def csv(tmp_path, table, options="", **how):
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False, **how)
    return f"csv:{path}{options}"


def test_numbers_are_standardised_and_split(tmp_path):
    task = load_task(csv(tmp_path, frame()))
    assert (task.domain.shape, task.domain.levels, task.kind) == ((2,), None, "table")
    assert [len(x) for x in (task.train, task.val, task.test, task.holdout)] == [240, 40, 60, 60]
    assert task.train.mean(0).abs().max() < 1e-6
    assert (task.train.std(0, correction=0) - 1).abs().max() < 1e-5
    assert "file t.csv" in task.card.source


@pytest.mark.parametrize("how", [{"sep": ";"}, {"sep": "\t"}, {"compression": None}])
def test_separators_are_told_apart(tmp_path, how):
    assert load_task(csv(tmp_path, frame(), **how)).domain.shape == (2,)


def test_every_format_gives_the_same_rows(tmp_path):
    import datasets

    table = frame()
    one = load_task(csv(tmp_path, table, float_format="%.17g")).train
    table.to_parquet(tmp_path / "t.parquet")
    assert (load_task(f"parquet:{tmp_path / 't.parquet'}").train == one).all()
    datasets.Dataset.from_pandas(table).save_to_disk(str(tmp_path / "saved"))
    assert (load_task(f"datasets:{tmp_path / 'saved'}").train == one).all()


def test_whole_numbers_are_levels_and_bits(tmp_path):
    rng = np.random.default_rng(0)
    five = pd.DataFrame(rng.integers(0, 5, size=(N, 3)), columns=list("abc"))
    task = load_task(csv(tmp_path, five))
    assert (task.domain.levels, task.domain.ordered, task.kind) == (5, True, "table")
    bits = load_task(csv(tmp_path, five >= 2))
    assert (bits.domain.levels, bits.domain.layout, bits.kind) == (2, "bits", "binary")
    assert load_task(csv(tmp_path, five * 100)).domain.levels is None


def test_columns_go_as_the_address_says(tmp_path):
    table = frame(
        y=np.arange(N) % 3, text=["x", "y"] * (N // 2), same=1.0, gap=[np.nan, 1.5] * 200
    )
    path = csv(tmp_path, table)
    for options, said in (
        (
            "",
            r"something else in text: leave out with \?drop=text or .*\?categorical=codes",
        ),
        ("?drop=text", r"got missing ones in gap \(200\).*\?missing=drop"),
        ("?drop=text,gap", r"constant same: leave them out with \?drop=same"),
        ("?drop=text,gap,sam", "did you mean same"),
        ("?drup=text", "did you mean drop"),
        ("?missing=fill", "Expected missing=drop"),
        ("?drop=a,b,y,text,same,gap", "Expected rows and columns"),
    ):
        with pytest.raises(ValueError, match=said):
            outline_of(path + options)
    assert load_task(f"{path}?drop=text,gap,same&target=y").domain.shape == (2,)
    with pytest.raises(ValueError, match="constant same, gap"):
        outline_of(f"{path}?drop=text&missing=drop")
    coded = load_task(f"{path}?drop=a,b,same,gap&categorical=codes")
    assert (coded.domain.levels, coded.domain.is_nominal) == (3, True)


def test_a_first_line_of_numbers_is_no_line_of_names(tmp_path):
    """It would be lost; but a count of the columns, as tools write it, is one."""
    rows = np.random.default_rng(0).normal(size=(N, 2))
    (tmp_path / "bare.csv").write_text("\n".join(f"{a},{b}" for a, b in rows))
    with pytest.raises(ValueError, match=r"first line of bare.csv, got numbers .*\?header=none"):
        outline_of(f"csv:{tmp_path / 'bare.csv'}")
    for name, first in (
        ("one", "5.2"),
        ("equal", "1.5,1.5"),
        ("gap", "1.5,,0.5"),
        ("unknown", "?,2"),
    ):
        line = ",".join(["0.5"] * len(first.split(",")))
        (tmp_path / f"{name}.csv").write_text("\n".join([first, *[line] * N]))
        with pytest.raises(ValueError, match=f"first line of {name}.csv, got numbers"):
            outline_of(f"csv:{tmp_path / name}.csv")
    bare = load_task(f"csv:{tmp_path / 'bare.csv'}?header=none")
    counted = load_task(csv(tmp_path, pd.DataFrame(rows)))
    for task in (bare, counted):
        assert sum(len(x) for x in (task.train, task.val, task.test, task.holdout)) == N
    with pytest.raises(ValueError, match="Expected header=none, got header=yes"):
        outline_of(f"csv:{tmp_path / 'bare.csv'}?header=yes")


def test_numbers_between_semicolons_may_have_decimal_commas(tmp_path):
    rows = np.random.default_rng(0).normal(size=(N, 2))
    lines = [f"{a:.4f};{b:.4f}" for a, b in rows]
    (tmp_path / "points.csv").write_text("x;y\n" + "\n".join(lines))
    (tmp_path / "commas.csv").write_text("x;y\n" + "\n".join(lines).replace(".", ","))
    points, commas = (load_task(f"csv:{tmp_path / n}.csv") for n in ("points", "commas"))
    torch.testing.assert_close(points.train, commas.train, rtol=0, atol=0)


def test_damaged_and_missing_files_are_one_sentence(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "names.csv").write_text("a,b\n")
    (tmp_path / "lists.csv").write_text("a\n" + "1\n" * 10)
    for address, said in (
        (f"parquet:{tmp_path / 't.parquet'}", "whole table"),
        (f"csv:{tmp_path / 'empty.csv'}", "whole table"),
        (f"csv:{tmp_path / 'lists.csv'}", "constant a"),
        (f"csv:{tmp_path / 'names.csv'}", "Expected rows of numbers in names.csv, got none"),
        (f"csv:{tmp_path / 'none.csv'}", "got none"),
        ("csv:", "got no path"),
        ("tsv:x", "one of folder:path, csv:path"),
    ):
        with pytest.raises(ValueError, match=said) as caught:
            outline_of(address)
        assert "\n" not in str(caught.value)


def test_arrays_are_vectors_bits_or_images(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "x.npz"

    def task(**arrays):
        np.savez(path, **arrays)
        return load_task(f"npz:{path}")

    real = task(x=rng.normal(size=(N, 3)))
    assert "Columns are standardised by the training rows" in real.card.pitfalls
    assert "dequantised" not in real.card.pitfalls
    assert (real.domain.shape, real.domain.levels) == ((3,), None)
    assert task(x=rng.integers(0, 2, size=(N, 9))).domain.layout == "bits"
    grey = task(x=rng.integers(0, 256, size=(N, 6, 6), dtype=np.uint8))
    assert (grey.domain.shape, grey.domain.levels, grey.kind) == ((1, 6, 6), 256, "image")
    own = task(train=rng.normal(size=(100, 2)), test=rng.normal(size=(50, 2)))
    assert [len(x) for x in (own.train, own.val, own.test)] == [90, 10, 50]
    for arrays, said in (
        ({"x": rng.normal(size=(N, 1, 6, 6))}, "whole numbers 0..255"),
        ({"x": np.zeros(5)}, r"\(N, D\)"),
        ({"a": np.zeros(5), "b": np.zeros(5)}, "Expected one array, or train, val and test"),
        ({"x": np.full((N, 2), np.nan)}, "finite"),
        ({"x": np.tile([1.5, 2.5], (N, 1))}, "constant column 0"),
    ):
        with pytest.raises(ValueError, match=said):
            task(**arrays)


def test_what_is_no_archive_is_one_sentence_without_advice_to_delete_it(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((N, 2)))
    (tmp_path / "p.npz").write_bytes(b"\x80\x04]\x94K\x01a.")  # a pickle
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n1,2,3\n")
    for address in ("npz:x.npy", "npz:p.npz", "csv:bad.csv", "csv:.", "text:x.npy"):
        kind, _, name = address.partition(":")
        with pytest.raises(ValueError, match=r"Expected a .*got one that cannot be read") as told:
            outline_of(f"{kind}:{tmp_path / name}")
        assert "delete" not in str(told.value) and "\n" not in str(told.value)


def test_a_text_is_windows_of_characters(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("to be or not to be, that is the question\n" * 400)
    task = load_task(f"text:{path}")
    assert task.domain.shape == (64,) and task.domain.is_nominal and task.kind == "sequence"
    path.write_text("abc" * 100)
    with pytest.raises(ValueError, match="at least 6,400 characters"):
        outline_of(f"text:{path}")
    path.write_text("".join(map(chr, range(0x4E00, 0x4E00 + 300))) * 100)
    with pytest.raises(ValueError, match="at most 256 different characters, got 300"):
        outline_of(f"text:{path}")


def test_the_content_tells_one_table_from_another(tmp_path):
    first = load_task(csv(tmp_path, frame())).checksum
    assert load_task(csv(tmp_path, frame() + 1e-3 * frame().to_numpy() ** 2)).checksum != first


def test_the_suite_is_the_tasks_or_one_of_its_kind(tmp_path):
    assert suite_of([]).name == suite_of(["ring-8"]).name == "quick"
    assert suite_of(["mnist"]).name == "mnist"
    assert suite_of(["nltcs"]).name == "standard"
    assert suite_of(["nltcs", "dna"]).name == "binary"
    assert suite_of(["ring-8"], "toy2d").name == "toy2d"
    assert suite_of(["hepmass"]).name == "tabular"
    assert suite_of([csv(tmp_path, frame())]).name == "tabular"


def test_any_task_runs_and_its_record_is_found(tmp_path):
    address = csv(tmp_path, frame())
    plan = make_plan(None, out=tmp_path / "out", tasks=[address], models=["gaussian", "noise"])
    execute(plan, lambda job, record: None)
    found = {r.model: r for r in read_records(tmp_path / "out" / "tabular")}
    assert {r.status for r in found.values()} == {"ok"}, [r.reason for r in found.values()]
    assert found["gaussian"].task == address
    again = make_plan(None, out=tmp_path / "out", tasks=[address], models=["gaussian", "noise"])
    assert again.todo == []
    frame().mul(2).add(1).round(3).to_csv(tmp_path / "t.csv", index=False)
    again = make_plan(None, out=tmp_path / "out", tasks=[address], models=["gaussian", "noise"])
    assert len(again.todo) == 2


def test_commas_of_an_address_are_its_own():
    assert addresses("ring-8,csv:a.csv?drop=x,y&target=z,digits,npz:b.npz") == [
        "ring-8",
        "csv:a.csv?drop=x,y&target=z",
        "digits",
        "npz:b.npz",
    ]
    assert addresses(None) is None
