"""Drafts of rules: what the form adds to one, and what a rule says in a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from dashboard.portal.visit import BadRequest
from jishi.money import shown, to_minor
from jishi.rules.rule_set import KINDS, Rule
from jishi.rules.selection import Selection

# Kind → what it is called, the field that its number fills (None: it takes none), and whether that is a whole number.
TITLES = {
    "boost": "Boost: the score times the number",
    "bury": "Bury: after all others",
    "hide": "Hide: in no list",
    "pin": "Pin: one item at the place of the number",
    "diversity": "Diversity of categories: the number from 0 to 0.95",
    "price_band": "Price band: what lies outside comes last",
    "frequency_cap": "Cap: shown so often within a day and never clicked, last",
    "margin": "Margin: weight, below 0 the other way",
    "stock_age": "Age of the stock: weight, below 0 the other way",
    "new_items": "New items: at least this share of a list, such as 0.1",
}
_NUMBERS: dict[str, tuple[str, bool]] = {
    **{"boost": ("factor", False), "pin": ("slot", True), "diversity": ("strength", False), "frequency_cap": ("shown", True)},
    **{"margin": ("weight", False), "stock_age": ("weight", False), "new_items": ("share", False)},
}
_MOST_DIGITS = 15  # before the point; no rule takes a number of more
SENTENCES = {
    "boost": "Boost: score × {number}",
    "bury": "Bury: after all others",
    "hide": "Hide: in no list",
    "pin": "Pinned to place {number}",
    "diversity": "Diversity, strength {number}",
    "price_band": "Price band",
    "frequency_cap": "Shown {number} times and never clicked",
    "margin": "Weight of the margin: {number}",
    "stock_age": "Weight of the age of stock: {number}",
    "new_items": "Share of new items: {number}",
}
# What a preview says of a rule → a text of words.
NOTES = {
    "ok": "takes effect",
    "does_not_hold_here": "does not hold for this list",
    "no_item": "no item is meant",
    "not_sellable": "its item may not be sold now",
    "nothing_known": "without effect: the catalogue does not know what it asks",
}
PLACES = {
    **{"home": "home page", "item": "item page", "cart": "cart", "after_payment": "after payment"},
    **{"search_empty": "search without results", "category": "category page"},
}


def rule_of_form(form: Mapping[str, str], currency: str) -> dict[str, Any]:
    """A rule as plain values, from the fields of the form; the schema checks it. Raises BadRequest."""
    kind = form.get("kind", "")
    if kind not in KINDS:
        raise BadRequest("{field} is not one of the choices.", field="kind")
    rule: dict[str, Any] = {"kind": kind, "name": form.get("name", "").strip()}
    if kind in _NUMBERS and form.get("number", "").strip():
        field, is_whole = _NUMBERS[kind]
        rule[field] = _number(form["number"], is_whole)
    low, high = (_minor(form.get(name, ""), currency) for name in ("price_from", "price_to"))
    item_ids = several(form.get("item_ids", ""))
    if kind == "pin":
        rule["item_id"] = item_ids[0] if item_ids else ""
    elif kind == "price_band":
        rule |= _given(min_minor=low, max_minor=high)
    elif kind in ("boost", "bury", "hide"):
        chosen = {name: several(form.get(name, "")) or None for name in ("categories", "brands")}
        rule["items"] = _given(**chosen, item_ids=item_ids or None, price_min_minor=low, price_max_minor=high)
    places = [place for place in PLACES if form.get(f"on_{place}")]
    return rule | _given(placements=places or None, **{name: form.get(name) or None for name in ("from_date", "until_date")})


def number_of(rule: Rule) -> str:
    """The number of a rule; empty for one without."""
    field, _ = _NUMBERS.get(rule.kind, ("", False))
    return f"{getattr(rule, field):g}" if field else ""


def conditions_of(rule: Rule, currency: str) -> list[tuple[str, str]]:
    """What limits a rule: a text of words, and values that are shown as they are."""
    items = getattr(rule, "items", Selection())
    low = getattr(rule, "min_minor", None) if rule.kind == "price_band" else items.price_min_minor
    high = getattr(rule, "max_minor", None) if rule.kind == "price_band" else items.price_max_minor
    pinned = (rule.item_id,) if rule.kind == "pin" else items.item_ids
    conditions = [
        ("Items", ", ".join(pinned)),
        ("Category", ", ".join(items.categories)),
        ("Brand", ", ".join(items.brands)),
        ("Attributes", "; ".join(f"{name}: {', '.join(values)}" for name, values in items.attributes.items())),
        ("Price from", "" if low is None else shown(low, currency)),
        ("Price to", "" if high is None else shown(high, currency)),
        ("On pages of the category", ", ".join(rule.page_categories)),
        ("From", f"{rule.from_date or ''}"),
        ("Until", f"{rule.until_date or ''}"),
    ]
    return [(title, value) for title, value in conditions if value]


def several(text: str) -> list[str]:
    """What stands between commas, each once."""
    return list(dict.fromkeys(part.strip() for part in re.split(r"[,，;；\n]", text) if part.strip()))


def _number(text: str, is_whole: bool) -> float | int:
    try:
        number = Decimal(text.strip())
        # Of 1e99999999 Python would work out every digit.
        if not number.is_finite() or number.adjusted() > _MOST_DIGITS or (is_whole and number != int(number)):
            raise InvalidOperation
    except InvalidOperation:
        raise BadRequest("{field} is not a number that this kind of rule takes.", field="number") from None
    return int(number) if is_whole else float(number)


def _minor(text: str, currency: str) -> int | None:
    if not text.strip():
        return None
    try:
        return to_minor(Decimal(text.strip()), currency)
    except (ArithmeticError, ValueError):  # decimal's own are arithmetic errors
        raise BadRequest("{field} is not an amount; write it as 199.90.", field=text[:40]) from None


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
