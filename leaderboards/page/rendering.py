"""Templates of the pages, and how numbers, papers and links stand in them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ...benchmark.contract.record import safe_name
from ..tables.board import capital
from ..tables.entry import printed
from ..tables.rounding import Rounded

_FOLDER = Path(__file__).parent / "templates"
_ARXIV = re.compile(r"(?:arxiv:)?\s*(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})", re.I)
_MARKS = {"=": "=", "<=": "≤", "~": "~"}


@dataclass(frozen=True)
class Links:
    """Where a page leads to: within itself, or to the other pages of a site.

    Attributes:
        top: Folder of the site's first page, seen from here; empty for a page that stands alone.
        pages: The site's pages, titles by address from `top`.
        here: This page's own address from `top`.
        models: Models that have a page of their own.
    """

    top: str = ""
    pages: Mapping[str, str] = field(default_factory=dict)
    here: str = ""
    models: frozenset[str] = frozenset()

    def model(self, name: str) -> str:
        """Returns the address of what is said of a model; empty where nothing is."""
        if self.top:
            return f"{self.top}{model_page(name)}" if name in self.models else ""
        return f"#model-{safe_name(name)}"


ALONE = Links()  # of a page that is no part of a site


def model_page(name: str) -> str:
    """Returns the address of a model's page from the site's top."""
    return f"models/{safe_name(name)}.html"


def render(template: str, links: Links, **values: Any) -> str:
    """Returns a page with its style and script in it.

    Args:
        template: File name of the template.
        links: Where the page leads to.
        values: What the template prints.
    """
    return (
        _templates()
        .get_template(template)
        .render(links=links, style=_source("report.css"), script=_source("report.js"), **values)
    )


def typeset(number: Rounded) -> Markup:
    """Returns a printed number as HTML, with true minus signs and powers of ten."""
    both = escape(number.value)
    if number.error:
        both = Markup('{}<span class="pm"> ± {}</span>').format(number.value, number.error)
    if number.exponent:
        inner = Markup("({})").format(both) if number.error else both
        both = Markup("{} × 10<sup>{}</sup>").format(inner, number.exponent)
    if number.suffix:
        both = Markup("{} {}").format(both, number.suffix)
    return Markup(both.replace("-", "−"))


def sortable(value: float | None) -> str:
    """Returns a number as JavaScript reads it; empty where there is none."""
    return json.dumps(value) if value is not None else ""


def paper(text: str) -> Markup:
    """Returns a text with a link where it names an arXiv id, and with `code` as code."""
    link = '<a href="https://arxiv.org/abs/{0}">arXiv:{0}</a>'
    parts, end = [], 0
    for match in _ARXIV.finditer(text):
        parts += [escape(text[end : match.start()]), Markup(link).format(match[1])]
        end = match.end()
    whole = Markup("").join([*parts, escape(text[end:])])
    return Markup(re.sub(r"`([^`<>]+)`", r"<code>\1</code>", str(whole)))


def _templates() -> Templates:
    templates = Templates(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals |= {"printed": printed, "marks": _MARKS}
    templates.filters |= {
        "anchor": safe_name,
        "capital": capital,
        "typeset": typeset,
        "sortable": sortable,
        "paper": paper,
    }
    return templates


def _source(name: str) -> Markup:
    """CSS and JavaScript of ours stand in the page as they are."""
    return Markup((_FOLDER / name).read_text(encoding="utf-8"))
