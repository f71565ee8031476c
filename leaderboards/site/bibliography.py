"""BibTeX of the papers that models name, from `published/papers.bib`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parents[1] / "published" / "papers.bib"
_KEYS = re.compile(r"^  (?:eprint|note) = \{(.+)\},$", re.M)


def bibtex(paper: str) -> str:
    """Returns the entries of the papers that a citation names, or "" where none is known.

    Args:
        paper: What a model's `paper` says: "arXiv:1502.03509", or "Tipping & Bishop 1999"; several
            are parted by commas or semicolons.
    """
    parts = [part.strip().removeprefix("arXiv:") for part in re.split(r"[;,] ?", paper)]
    known = _entries()
    return "\n\n".join(known[part] for part in [paper, *parts] if part in known)


def title(paper: str) -> str:
    """Returns the title of the first paper that a citation names, or ""."""
    found = re.search(r"^  title = \{(.+)\},$", bibtex(paper), re.M)
    return re.sub(r"[{}]", "", found[1]) if found else ""


@cache
def _entries() -> dict[str, str]:
    """Entries by arXiv id, or by the note that names them as models do."""
    text = _FILE.read_text(encoding="utf-8")
    entries = [part.strip() for part in text.split("\n\n") if part.strip().startswith("@")]
    return {key: entry for entry in entries for key in _KEYS.findall(entry)}
