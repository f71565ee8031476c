"""Sequences of 64 symbols: Shakespeare's characters, the pitches of Bach's chorales."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...contract.task import Card, Domain, Task
from ..outline import Loaded, Outline
from ..readers.data_root import damaged, sha256, verify
from ..readers.npz import read_npz
from ..refusals import DISCRETE
from ..split import tensors

LENGTH = 64
SHAKESPEARE_SHA256 = "95bd920fe52353507a5960901a6e6721037da7eeaf4c2b8e652e6a072d0313f8"
CHORALES_SHA256 = "44dd74984f30fa92c0f4c217488bb3e37a4f9a0068aa41a27fc726cf24034b6d"
LOWEST = 36  # MIDI pitch; symbol 0 is silence, symbol 1 the lowest pitch
PITCHES = 47
CHARACTERS = 65
SHAKESPEARE_SIZES = {"train": 13_942, "val": 871, "holdout": 871, "test": 1_742}
CHORALES_SIZES = {"train": 3_405, "val": 1_134, "test": 1_165}


def windows(symbols: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns consecutive windows of `LENGTH` symbols that do not overlap, `(N, LENGTH)`."""
    n = len(symbols) // LENGTH
    return symbols[: n * LENGTH].reshape(n, LENGTH)


def read_text(path: Path) -> str:
    """Returns the text of a gzipped file.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        return gzip.decompress(path.read_bytes()).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise damaged("a whole gzipped text", path, error) from error


def _task(name: str, levels: int, card: Card) -> Task:
    return Task(
        name=name,
        version=1,
        domain=Domain((LENGTH,), levels=levels, ordered=False, layout="sequence"),
        kind="sequence",
        feature_map="one-hot",
        primary="mmd",
        refuses=DISCRETE,
        card=card,
    )


def _read_shakespeare(path: Path) -> Loaded:
    codes = np.frombuffer(read_text(path).encode("utf-32-le"), np.uint32)
    checksum = verify("tinyshakespeare", SHAKESPEARE_SHA256, sha256(codes))
    _, symbols = np.unique(codes, return_inverse=True)
    ends = [len(symbols) * percent // 100 for percent in (80, 85, 90)]
    parts = zip(SHAKESPEARE_SIZES, np.split(symbols, ends), strict=True)
    return Loaded(tensors({split: windows(part) for split, part in parts}), checksum)


def tinyshakespeare() -> Outline:
    """Returns `tinyshakespeare`: windows of 64 characters, the text cut 80/5/5/10 in its order."""
    card = Card(
        summary=f"64 characters of Shakespeare's plays, an alphabet of {CHARACTERS}.",
        source="karpathy/char-rnn, tinyshakespeare",
        licence="public domain",
        citation="Karpathy 2015, The Unreasonable Effectiveness of Recurrent Neural Networks",
        pitfalls="The last tenth of the text is the test: other scenes than train, val and the "
        "held-out rows, so the oracle's distances are a little above 0. Windows start anywhere in "
        "a word and have no context before them: the NLL is higher than that of models that read "
        "on.",
    )
    task = _task("tinyshakespeare", CHARACTERS, card)
    file = "sequences/tinyshakespeare.txt.gz"
    return Outline(task, SHAKESPEARE_SIZES, _read_shakespeare, (file,))


def one_bar(piece: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Returns the bars of a piece `(T, 4)` as windows: 16 sixteenth notes of 4 voices each."""
    sounding = piece[piece > 0]
    highest = LOWEST + PITCHES - 2
    if len(sounding) and (sounding.min() < LOWEST or sounding.max() > highest):
        raise ValueError(
            f"Expected pitches {LOWEST}..{highest}, got {sounding.min()}..{sounding.max()}."
        )
    symbols = np.where(piece == 0, 0, piece.astype(np.int64) - LOWEST + 1)
    return windows(symbols.reshape(-1))


def _read_chorales(path: Path) -> Loaded:
    pieces = read_npz(path)
    names = sorted(pieces)
    checksum = verify("jsb-chorales", CHORALES_SHA256, sha256(*(pieces[name] for name in names)))
    parts = {
        split: np.concatenate([one_bar(pieces[k]) for k in names if k.startswith(f"{file}_")])
        for split, file in (("train", "train"), ("val", "valid"), ("test", "test"))
    }
    return Loaded(tensors(parts), checksum)


def jsb_chorales() -> Outline:
    """Returns `jsb-chorales`: one bar, 16 steps of 4 voices; the published split of pieces."""
    card = Card(
        summary="A bar of a chorale: 16 sixteenth notes of 4 voices, MIDI pitches.",
        source="czhuang/JSB-Chorales-dataset",
        licence="public domain",
        citation="Boulanger-Lewandowski et al. 2012, arXiv:1206.6392; Huang et al. 2017",
        pitfalls="Not the 88-key quarter-note version of the older papers: their NLL a step "
        "does not compare. Notes are repeated for as long as they sound. Bars of one piece are "
        "alike and stay in one split: they are not independent, and the oracle's MMD is above 0.",
    )
    task = _task("jsb-chorales", PITCHES, card)
    return Outline(task, CHORALES_SIZES, _read_chorales, ("sequences/jsb_chorales.npz",))
