from __future__ import annotations

import gzip
from itertools import product

import numpy as np
import pytest
import torch
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.tasks import load_task
from dgmbench.benchmark.tasks.discrete import sequences
from dgmbench.benchmark.tasks.discrete.debd import SETS
from dgmbench.benchmark.tasks.discrete.hmm import HiddenMarkov
from dgmbench.benchmark.tasks.readers.npz import read_npz


def test_hidden_markov_likelihood_is_the_sum_over_all_paths():
    chain = HiddenMarkov(3, 4, 5)
    with seeded(0):
        x = chain.draw(20)
    exact = torch.zeros(20, dtype=torch.float64)
    for path in product(range(3), repeat=5):
        p = chain.initial[path[0]] * chain.emission[path[0], x[:, 0]]
        for t in range(1, 5):
            p = p * chain.transition[path[t - 1], path[t]] * chain.emission[path[t], x[:, t]]
        exact += p
    torch.testing.assert_close(chain.log_density(x).double(), exact.log(), rtol=1e-5, atol=1e-6)


def test_hidden_markov_law_sums_to_one_and_is_drawn_from():
    task = load_task("hmm-8")
    p = task.log_density(task.domain.states()).double().exp()
    assert float(p.sum()) == pytest.approx(1.0, abs=1e-5)
    surprise = -task.log_density(task.train).double()
    stderr = float(surprise.std()) / len(surprise) ** 0.5
    assert abs(float(surprise.mean()) - task.entropy) < 4 * stderr
    # Frequencies of the first and last symbols, which the chain's memory ties together.
    pair = task.train[:, 0] * 4 + task.train[:, -1]
    states = task.domain.states()
    exact = torch.zeros(16, dtype=torch.float64).index_add(0, states[:, 0] * 4 + states[:, -1], p)
    seen = torch.bincount(pair, minlength=16) / len(pair)
    assert (seen - exact).abs().max() < 4 * 0.5 / len(pair) ** 0.5


def test_long_sequences_do_not_underflow():
    chain = HiddenMarkov(6, 8, 2000)
    with seeded(0):
        log_p = chain.log_density(chain.draw(3))
    assert log_p.isfinite().all() and (log_p < -1000).all()


def test_binary_sets_are_checked(root):
    (root / "debd").mkdir()
    path = root / "debd" / "nltcs.npz"
    rows = {k: np.zeros((n, 16), np.uint8) for k, n in (("train", 16181), ("valid", 2157))}
    np.savez(path, **rows, test=np.zeros((3235, 16), np.uint8))
    with pytest.raises(ValueError, match=r"Expected nltcs with SHA-256 .* altered or cut short"):
        load_task("nltcs")
    np.savez(path, **rows, test=np.zeros((3236, 16), np.uint8))
    with pytest.raises(ValueError, match=r"Expected nltcs with SHA-256 .* altered or cut short"):
        load_task("nltcs")
    np.savez(path, **rows)
    with pytest.raises(ValueError, match="Expected array 'test' in"):
        load_task("nltcs")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"Expected a whole \.npz file at"):
        load_task("nltcs")


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}, 1], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_npz(tmp_path / "a.npz", "x")


@pytest.mark.parametrize("name", SETS)
def test_real_binary_sets(real_root, name):
    task = load_task(name)
    wide = name in ("dna", "nips", "moviereview", "bbc", "voting")
    assert task.domain.levels == 2 and task.kind == ("wide-binary" if wide else "binary")
    for split in ("train", "val", "test"):
        task.domain.check(split, getattr(task, split))


def test_windows_do_not_overlap():
    assert sequences.windows(np.arange(130)).tolist() == [list(range(64)), list(range(64, 128))]


def test_a_bar_keeps_silence_and_order():
    piece = np.zeros((17, 4), np.uint8)
    piece[0] = [36, 0, 81, 60]
    bars = sequences.one_bar(piece)
    assert bars.shape == (1, 64) and bars[0, :4].tolist() == [1, 0, 46, 25]
    piece[0, 0] = 35
    with pytest.raises(ValueError, match=r"Expected pitches 36\.\.81"):
        sequences.one_bar(piece)


def test_altered_text_is_refused(root):
    (root / "sequences").mkdir()
    path = root / "sequences" / "tinyshakespeare.txt.gz"
    path.write_bytes(gzip.compress(b"First Citizen:\n" * 1000))
    with pytest.raises(ValueError, match="Expected tinyshakespeare with SHA-256"):
        load_task("tinyshakespeare")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="Expected a whole gzipped text at"):
        load_task("tinyshakespeare")


def test_real_sequences(real_root):
    text, music = load_task("tinyshakespeare"), load_task("jsb-chorales")
    assert text.domain.levels == 65 and text.domain.shape == (64,)
    assert [len(x) for x in (text.train, text.val, text.holdout, text.test)] == [
        13942,
        871,
        871,
        1742,
    ]
    raw = gzip.decompress(
        (real_root / "sequences" / "tinyshakespeare.txt.gz").read_bytes()
    ).decode()
    alphabet = sorted(set(raw))
    assert "".join(alphabet[i] for i in text.train[5]) == raw[320:384]
    assert music.domain.levels == 47
    for split in ("train", "val", "test"):
        music.domain.check(split, getattr(music, split))
