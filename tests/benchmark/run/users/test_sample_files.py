"""Files of others: hostile, damaged, odd. Each is one sentence, and none is unpickled."""

import io
import os
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from dgmbench.benchmark.contract.task import Domain
from dgmbench.benchmark.run.users.sample_files import read_log_prob, read_samples
from safetensors.torch import save_file

PLANE, DIGITS = Domain((2,)), Domain((1, 8, 8), levels=17)


def header(shape, dtype="<f8"):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return out.getvalue()


def claims_7_tib(path):
    path.write_bytes(header((2**40, 1)))
    return path


def claims_more_than_it_has(path):
    path.write_bytes(header((1000, 2)) + bytes(100))
    return path


def bomb(path):
    """An npz of a few kB that unpacks to 16 GB of zeros, as its header says."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("samples.npy", "w", force_zip64=True) as file:
            file.write(header((2**30, 2)))
            file.write(bytes(2**20))
    return path


def flat_bomb(path):
    """An npz whose entry claims to be small."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples.npy", header((2**23, 2)) + bytes(100))
    return path


def damaged_zip(path):
    np.savez_compressed(path, samples=np.random.default_rng(0).normal(size=(1000, 2)))
    data = bytearray(path.read_bytes())
    data[200:400] = bytes(200)
    path.write_bytes(data)
    return path


def pickled(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return path


def text(path):
    path.write_text("1.0 2.0\n3.0 4.0\n")
    return path


def zipped_text(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("samples.npy", "1.0 2.0")
    return path


def pipe(path):
    os.mkfifo(path)
    return path


def structured(path):
    np.save(path, np.zeros(3, dtype=[("x", "f4"), ("y", "f4")]))
    return path


def words(path):
    np.save(path, np.array([["a", "b"]]))
    return path


def scalar(path):
    np.save(path, np.array(3.0))
    return path


def empty(path):
    path.write_bytes(b"")
    return path


def long_header(path):
    path.write_bytes(b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{" * 100)
    return path


def more_than_the_task_needs(path):
    """300 MB of zeros in half a megabyte: what a plane never needs, though memory holds it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("samples.npy", "w") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "<f8", "fortran_order": False, "shape": (19_000_000, 2)}
            )
            for _ in range(304):
                file.write(bytes(1_000_000))
    return path


HOSTILE = [
    (more_than_the_task_needs, "x.npz", "at most 0.25 GiB .* claims 0.283 GiB"),
    (claims_7_tib, "x.npy", "claims"),
    (claims_more_than_it_has, "x.npy", "cut short"),
    (bomb, "x.npz", "claims 16 GiB"),
    (flat_bomb, "x.npz", "cut short"),
    (damaged_zip, "x.npz", "unreadable|cut short"),
    (pickled, "x.npy", "pickled objects, which are refused"),
    (text, "x.npy", "unreadable"),
    (text, "x.npz", "unreadable"),
    (text, "x.safetensors", "unreadable"),
    (zipped_text, "x.npz", "unreadable"),
    (pipe, "x.npy", "no regular file"),
    (pipe, "x.npz", "no regular file"),
    (structured, "x.npy", "dtype"),
    (words, "x.npy", "dtype <U1"),
    (scalar, "x.npy", "shape"),
    (empty, "x.npy", "unreadable"),
    (empty, "x.npz", "unreadable"),
    (empty, "x.safetensors", "unreadable"),
    (long_header, "x.npy", "unreadable"),
    (text, "x.csv", "Expected samples as .npz"),
]


@pytest.mark.parametrize(("make", "name", "said"), HOSTILE)
def test_hostile_files_are_one_sentence(tmp_path, make, name, said):
    path = make(tmp_path / name)
    with pytest.raises(ValueError, match=said) as caught:
        read_samples(path, PLANE)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")
@pytest.mark.parametrize("make", [claims_7_tib, bomb])
def test_hostile_files_need_no_memory(tmp_path, make):
    path = make(tmp_path / ("x.npz" if make is bomb else "x.npy"))
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from dgmbench.benchmark.contract.task import Domain\n"
        "from dgmbench.benchmark.run.users.sample_files import read_samples\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n"
        "    read_samples(Path(sys.argv[1]), Domain((2,)))\n"
        "except ValueError:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) < 50_000  # kB


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "g"])
def test_real_numbers_of_every_kind_are_read(tmp_path, dtype):
    np.save(tmp_path / "x.npy", np.asfortranarray(np.ones((5, 2), dtype=dtype)))
    assert torch.equal(read_samples(tmp_path / "x.npy", PLANE), torch.ones(5, 2))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.int32, torch.int64])
def test_levels_of_every_kind_are_read_from_safetensors(tmp_path, dtype):
    x = torch.full((3, 1, 8, 8), 16).to(dtype)
    save_file({"samples": x}, tmp_path / "x.safetensors")
    found = read_samples(tmp_path / "x.safetensors", DIGITS)
    assert found.dtype == torch.uint8 and bool((found == 16).all())


def test_numbers_of_8_bits_are_refused(tmp_path):
    save_file({"samples": torch.zeros(3, 2).to(torch.float8_e4m3fn)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="float8_e4m3fn"):
        read_samples(tmp_path / "x.safetensors", PLANE)


def test_the_largest_integer_is_not_minus_one(tmp_path):
    np.save(tmp_path / "x.npy", np.full((1, 1, 8, 8), 2**64 - 1, dtype=np.uint64))
    with pytest.raises(ValueError, match="18446744073709551615"):
        read_samples(tmp_path / "x.npy", DIGITS)


def test_infinite_samples_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[np.inf, 0.0]]))
    with pytest.raises(
        ValueError,
        match=r"Expected finite samples, but 1 of 1 samples in x\.npy are NaN or infinite",
    ):
        read_samples(tmp_path / "x.npy", PLANE)


def test_likelihoods_may_lie_beside_the_samples(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, samples=np.ones((5, 2)), log_prob=-np.arange(4.0))
    assert read_samples(path, PLANE).shape == (5, 2)
    assert read_log_prob(path, 4).tolist() == [0, -1, -2, -3]
    with pytest.raises(ValueError, match=r"shape \(3,\), got \(4,\)"):
        read_log_prob(path, 3)
    np.savez(path, np.ones((5, 2)))
    assert read_log_prob(path, 4) is None
    np.savez(path, mine=np.ones((5, 2)), log_prob=np.zeros(4))
    assert read_samples(path, PLANE).shape == (5, 2)
