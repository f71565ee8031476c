"""How Sphinx builds these pages: `make docs`."""

import re
import shutil
from pathlib import Path
from typing import Any

from dgmbench import __version__

project = "dgmbench"
author = "the dgmbench authors"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "dgmbench"
html_show_copyright = False
html_show_sphinx = False

myst_heading_anchors = 3
# A name that a package exports again is found in both places.
suppress_warnings = ["ref.python"]

autosummary_generate = True
# The pages of modules that are no more would stay.
shutil.rmtree(Path(__file__).parent / "api" / "generated", ignore_errors=True)
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
templates_path = ["_templates"]

_CODE = re.compile(r"(`[^`]+`)")
_SPECIAL = re.compile(r"([*|\\]|(?<=\w)_(?=\W|$))")
_SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:", "Yields:", "Example:", "Examples:")


def plain(app: Any, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain text with `code`: what reStructuredText would read into them goes.

    A part that is set in by four, after a blank line and in no section, is shown as it is.
    """
    done: list[str] = []
    shown = section = False
    for place, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent == 0:
            shown, section = False, line.strip() in _SECTIONS
        after_blank = place > 0 and not lines[place - 1].strip()
        if line.strip() and indent >= 4 and after_blank and not section and not shown:
            shown = True
            done += ["::", ""]
        done.append(line if shown else _escaped(line))
    lines[:] = done


def _escaped(line: str) -> str:
    parts = _CODE.split(line)
    return "".join(f"`{p}`" if _CODE.fullmatch(p) else _SPECIAL.sub(r"\\\1", p) for p in parts)


def setup(app: Any) -> None:
    """Connects the hook."""
    app.connect("autodoc-process-docstring", plain, priority=100)
