"""The page as one HTML document, from the template ``templates/page.html``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.page.cards import LIMITS, PROTOCOLS, Card
from models.page.reports import Comparison
from models.page.sections import ComparisonSection

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(comparisons: Sequence[Comparison], cards: Sequence[Card]) -> str:
    """The whole page; it loads nothing from outside."""
    return _TEMPLATES.get_template("page.html").render(
        comparisons=[ComparisonSection.of(each) for each in comparisons],
        cards=cards,
        shops=sorted({card.shop_id for card in cards}),
        protocols=PROTOCOLS,
        limits=LIMITS,
        json=partial(json.dumps, ensure_ascii=False),
    )
