"""Sequences of 64 symbols: Shakespeare's characters, the pitches of Bach's chorales."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Card, Domain, Task
from .npz import read_npz
from .refusals import DISCRETE
from .root import find, sha256, verify
from .split import tensors

LENGTH = 64
SHAKESPEARE_SHA256 = "95bd920fe52353507a5960901a6e6721037da7eeaf4c2b8e652e6a072d0313f8"
CHORALES_SHA256 = "44dd74984f30fa92c0f4c217488bb3e37a4f9a0068aa41a27fc726cf24034b6d"
LOWEST = 36  # MIDI pitch; symbol 0 is silence, symbol 1 the lowest pitch
PITCHES = 47


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
        raise ValueError(
            f"Expected a whole gzipped text at {path}, got one that cannot be read ({error}): it "
            "was altered or cut short; delete it and fetch it again."
        ) from error


def _task(
    name: str, levels: int, parts: dict[str, NDArray[np.int64]], card: Card, checksum: str
) -> Task:
    return Task(
        name=name,
        version=1,
        domain=Domain((LENGTH,), levels=levels, ordered=False),
        kind="sequence",
        feature_map="one-hot",
        primary="mmd",
        refuses=DISCRETE,
        card=card,
        checksum=checksum,
        **tensors(parts),
    )


def tinyshakespeare() -> Task:
    """Returns `tinyshakespeare`: windows of 64 characters, the text cut 80/5/5/10 in its order.

    Raises:
        MissingData: The text is not in the data root.
        ValueError: It is damaged or another text.
    """
    (path,) = find("tinyshakespeare", "sequences/tinyshakespeare.txt.gz")
    codes = np.frombuffer(read_text(path).encode("utf-32-le"), np.uint32)
    checksum = verify("tinyshakespeare", SHAKESPEARE_SHA256, sha256(codes))
    alphabet, symbols = np.unique(codes, return_inverse=True)
    ends = [len(symbols) * percent // 100 for percent in (80, 85, 90)]
    splits = zip(("train", "val", "holdout", "test"), np.split(symbols, ends), strict=True)
    card = Card(
        summary=f"64 characters of Shakespeare's plays, an alphabet of {len(alphabet)}.",
        source="karpathy/char-rnn, tinyshakespeare",
        licence="public domain",
        citation="Karpathy 2015, The Unreasonable Effectiveness of Recurrent Neural Networks",
        pitfalls="The last tenth of the text is the test. Windows start anywhere in a word and "
        "have no context before them: the NLL is higher than that of models that read on.",
    )
    parts = {split: windows(part) for split, part in splits}
    return _task("tinyshakespeare", len(alphabet), parts, card, checksum)


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


def jsb_chorales() -> Task:
    """Returns `jsb-chorales`: one bar, 16 steps of 4 voices; the published split of pieces.

    Raises:
        MissingData: The file is not in the data root.
        ValueError: It is damaged or another one.
    """
    (path,) = find("jsb-chorales", "sequences/jsb_chorales.npz")
    pieces = read_npz(path)
    names = sorted(pieces)
    checksum = verify("jsb-chorales", CHORALES_SHA256, sha256(*(pieces[name] for name in names)))
    parts = {
        split: np.concatenate([one_bar(pieces[k]) for k in names if k.startswith(f"{file}_")])
        for split, file in (("train", "train"), ("val", "valid"), ("test", "test"))
    }
    card = Card(
        summary="A bar of a chorale: 16 sixteenth notes of 4 voices, MIDI pitches.",
        source="czhuang/JSB-Chorales-dataset",
        licence="public domain",
        citation="Boulanger-Lewandowski et al. 2012, arXiv:1206.6392; Huang et al. 2017",
        pitfalls="Not the 88-key quarter-note version of the older papers: their NLL a step "
        "does not compare. Notes are repeated for as long as they sound.",
    )
    return _task("jsb-chorales", PITCHES, parts, card, checksum)
