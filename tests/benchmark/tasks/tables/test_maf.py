from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dgmbench.benchmark.tasks import load_task
from dgmbench.benchmark.tasks.readers.data_root import sha256
from dgmbench.benchmark.tasks.registry import named_task
from dgmbench.benchmark.tasks.tables import maf
from dgmbench.benchmark.tasks.tables.maf import PUBLISHED, power, standardised, tenths


@pytest.fixture
def small(monkeypatch):
    """Sets the published counts aside for files of the same layout but few rows."""

    def publish(name, dim, counts):
        monkeypatch.setitem(PUBLISHED, name, (dim, counts))

    return publish


def test_power_drops_two_columns_and_adds_noise_within_the_rounding(root, small):
    (root / "power").mkdir()
    rows = np.round(np.random.RandomState(0).rand(1000, 8) * 50)
    np.save(root / "power" / "data.npy", rows)
    small("power", 6, (810, 90, 100))
    task = load_task("power")
    assert task.train.shape == (810, 6)
    # Undoing the standardisation, the noise is what is beyond the rounded value.
    kept = rows[:, [0, 2, 4, 5, 6, 7]]
    train, val, test = power(root / "power" / "data.npy")
    seen = np.vstack([train, val, test])
    order = np.random.RandomState(42)
    shuffled = rows.copy()
    order.shuffle(shuffled)
    shuffled = shuffled[:, [0, 2, 4, 5, 6, 7]]
    for column, width in enumerate([0.001, 0.01, 1.0, 1.0, 1.0, 0.0]):
        slope, shift = np.polyfit(shuffled[:, column], seen[:, column], 1)
        noise = (seen[:, column] - shift) / slope - shuffled[:, column]
        assert np.ptp(noise) <= 1.1 * width + 1e-9
        assert np.ptp(noise) >= 0.9 * width
    assert kept.shape == (1000, 6)
    assert np.abs(np.vstack([train, val]).mean(0)).max() < 1e-9
    assert np.abs(np.vstack([train, val]).std(0) - 1).max() < 1e-9


def test_gas_drops_correlated_columns_from_the_left(root, small):
    (root / "gas").mkdir()
    random = np.random.RandomState(0)
    base = random.randn(1000, 3)
    frame = pd.DataFrame(
        {
            "Time": np.arange(1000.0),
            "Meth": base[:, 0],
            "Eth": base[:, 1],
            "a": base[:, 0],
            "b": base[:, 0] + 0.01 * random.randn(1000),
            "c": base[:, 2],
        }
    )
    frame.to_parquet(root / "gas" / "ethylene_CO.parquet")
    small("gas", 2, (810, 90, 100))
    task = load_task("gas")
    expected = (
        (frame[["b", "c"]] - frame[["b", "c"]].mean()) / frame[["b", "c"]].std()
    ).to_numpy()
    assert task.train.numpy() == pytest.approx(expected[:810], abs=1e-5)
    frame.drop(columns="Eth").to_parquet(root / "gas" / "ethylene_CO.parquet")
    named_task.cache_clear()
    with pytest.raises(ValueError, match=r"Expected columns Meth, Eth, Time in .* got no 'Eth'"):
        load_task("gas")


def test_hepmass_keeps_the_signal_and_drops_discrete_columns(root, small):
    (root / "hepmass").mkdir()
    random = np.random.RandomState(0)

    def write(name, n, extra):
        columns = {
            "# label": np.arange(n) % 2,
            "f0": random.randn(n),
            "f1": random.randint(0, 3, n),
        }
        columns |= {"f2": 5 + 2 * random.randn(n)}
        columns |= {f"x{i}": np.zeros(n) for i in range(extra)}
        pd.DataFrame(columns).to_csv(root / "hepmass" / name, index=False)
        return pd.DataFrame(columns)

    train, test = write("1000_train.csv", 400, 0), write("1000_test.csv", 100, 1)
    small("hepmass", 2, (180, 20, 50))
    task = load_task("hepmass")
    signal = train[train["# label"] == 1][["f0", "f2"]]
    expected = ((signal - signal.mean()) / signal.std()).to_numpy()
    assert np.vstack([task.train, task.val]) == pytest.approx(expected, abs=1e-5)
    other = test[test["# label"] == 1][["f0", "f2"]]
    expected = ((other - signal.mean()) / signal.std()).to_numpy()
    assert task.test.numpy() == pytest.approx(expected, abs=1e-5)


def test_miniboone_is_cut_and_standardised(root, small):
    (root / "miniboone").mkdir()
    rows = 3 + 2 * np.random.RandomState(0).randn(1000, 43)
    np.save(root / "miniboone" / "data.npy", rows)
    small("miniboone", 43, (810, 90, 100))
    task = load_task("miniboone")
    seen = rows[:900]
    assert task.test.numpy() == pytest.approx((rows[900:] - seen.mean(0)) / seen.std(0), abs=1e-5)


def test_bsds300_is_as_in_the_file(root, small):
    h5py = pytest.importorskip("h5py")
    (root / "BSDS300").mkdir()
    rows = np.random.RandomState(0).randn(30, 63).astype(np.float32)
    with h5py.File(root / "BSDS300" / "BSDS300.hdf5", "w") as file:
        file["train"], file["validation"], file["test"] = rows[:20], rows[20:25], rows[25:]
    small("bsds300", 63, (20, 5, 5))
    assert np.array_equal(load_task("bsds300").val.numpy(), rows[20:25])


def test_other_row_counts_than_the_published_are_refused(root):
    (root / "miniboone").mkdir()
    np.save(root / "miniboone" / "data.npy", np.random.RandomState(0).randn(1000, 43))
    with pytest.raises(
        ValueError, match=r"Expected miniboone of shapes .*29556, 43.* cut short or are other"
    ):
        load_task("miniboone")


@pytest.mark.parametrize("name", ["power", "gas", "miniboone"])
def test_published_counts_are_tenths_of_their_sum(name):
    total = sum(PUBLISHED[name][1])
    sizes = tuple(len(part) for part in tenths(np.empty((total, 0))))
    assert sizes == PUBLISHED[name][1]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("power/data.npy", b"", "No data left in file"),
        ("gas/ethylene_CO.parquet", b"PAR1", "Parquet"),
        ("hepmass/1000_train.csv", b"", "No columns to parse"),
        ("miniboone/data.npy", b"\x93NUMPY\x01\x00xx", "array header"),
        ("BSDS300/BSDS300.hdf5", b"nothing", "signature not found"),
    ],
)
def test_a_damaged_file_is_named_in_one_sentence(file, content, said, root):
    name = file.split("/")[0].lower()
    if name == "bsds300":
        pytest.importorskip("h5py")
    (root / file).parent.mkdir()
    (root / file).write_bytes(content)
    (root / "hepmass").mkdir(exist_ok=True)
    (root / "hepmass" / "1000_test.csv").write_bytes(b"")
    with pytest.raises(ValueError, match=rf"Expected one of MAF's files at .*{file}.*{said}"):
        load_task(name)


def test_a_table_of_other_columns_is_refused(root):
    (root / "power").mkdir()
    np.save(root / "power" / "data.npy", np.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"Expected rows of 8 columns in .*, got shape \(5, 3\)"):
        load_task("power")


def test_pickles_are_refused(root):
    (root / "miniboone").mkdir()
    np.save(root / "miniboone" / "data.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_task("miniboone")


def test_the_real_part_of_miniboone_has_43_continuous_columns(real_root):
    rows = np.load(real_root / "tabular" / "miniboone_part.npz")["data"]
    assert rows.shape[1] == PUBLISHED["miniboone"][0]
    train, val, test = standardised(tenths(rows))
    assert np.isfinite(np.vstack([train, val, test])).all()


def test_the_part_of_miniboone_is_a_small_table(root, monkeypatch):
    rows = np.random.RandomState(0).randn(1523, 43)
    (root / "tabular").mkdir()
    np.savez(root / "tabular" / "miniboone_part.npz", data=rows)
    with pytest.raises(ValueError, match="Expected miniboone-1523 with SHA-256"):
        load_task("miniboone-1523")
    monkeypatch.setattr(maf, "PART_SHA256", sha256(rows))
    task = load_task("miniboone-1523")
    assert [len(x) for x in (task.train, task.val, task.test, task.holdout)] == [
        915,
        152,
        228,
        228,
    ]
    assert np.allclose(task.train.mean(0), 0, atol=1e-5)
    assert "no published one" in task.card.pitfalls
