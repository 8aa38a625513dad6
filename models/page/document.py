"""The page as one HTML document."""

from __future__ import annotations

from collections.abc import Sequence

from models.page import sections
from models.page.cards import Card
from models.page.reports import Comparison

STYLE = """
:root { --ink: #1c2b33; --soft: #6b7c85; --line: #dfe6e9; --first: #1f6f8b; --other: #8fa3ad; --zero: #d1793f; --paper: #fff }
* { box-sizing: border-box }
body { margin: 0; background: #f3f6f7; color: var(--ink); font: 15px/1.5 "Noto Sans", "Noto Sans CJK SC", sans-serif }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 20px; margin: 0 0 4px } h3 { font-size: 16px; margin: 0 0 8px }
h2 small { color: var(--soft); font-weight: 400; font-size: 14px }
section, .card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 20px 24px }
section { margin: 20px 0 }
.cards { display: grid; gap: 20px } .cards .card { margin: 0 }
figure { margin: 18px 0 0 } figcaption { font-weight: 600; margin-bottom: 4px } figure p { margin: 4px 0 0 }
svg { max-width: 100%; height: auto; display: block; font-size: 12px } .pair { display: flex; flex-wrap: wrap; gap: 20px 40px }
svg text { fill: var(--ink) } svg .tick, svg .axis, svg .soft { fill: var(--soft) } svg .tick, svg .axis { font-size: 11px }
.grid { stroke: var(--line) } .zero { stroke: var(--zero); stroke-dasharray: 4 3 }
.bar { stroke-width: 3; stroke-linecap: round } .bar.first { stroke: var(--first) } .bar.other { stroke: var(--other) }
.dot.first { fill: var(--first) } .dot.other { fill: #46626e }
.soft { color: var(--soft); font-size: 13px } .wide { overflow-x: auto; margin-top: 18px }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums }
.soft { white-space: nowrap } p.soft { white-space: normal }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top }
thead th { color: var(--soft); font-weight: 600 } .facts th { width: 130px; color: var(--soft); font-weight: 400 }
.facts { margin-bottom: 12px } code { font-size: 12px; overflow-wrap: anywhere } summary { cursor: pointer; margin-top: 14px }
"""


def render(comparisons: Sequence[Comparison], cards: Sequence[Card]) -> str:
    """The whole page; it loads nothing from outside."""
    shown = "".join(sections.comparison_section(each) for each in comparisons)
    cards_html = "".join(sections.card_section(each) for each in cards)
    cards_part = f'<h2>Model cards of released models</h2><div class="cards">{cards_html}</div>' if cards else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Models compared</title><style>{STYLE}</style></head><body><main><h1>Models compared</h1>"
        f'<p class="soft">Made by <code>jishi evaluate page</code> from the reports of <code>jishi evaluate</code>. '
        f"Intervals are 95 %, bootstrap over test rows.</p>{sections.summary(comparisons, cards)}{shown}{cards_part}"
        "</main></body></html>\n"
    )
