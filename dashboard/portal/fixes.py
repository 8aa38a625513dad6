"""What to do about rows that were rejected, in words for people: one sentence for each reason of the contract."""

from __future__ import annotations

# By reason (jishi.contract.validation.REASONS and jishi.outcomes).
FIXES = {
    "bad_text": "A text holds half of a character or a control sign: save the file as UTF-8 and upload it again.",
    "duplicate_key": "A field stands twice in one row: send it once.",
    "number_out_of_range": "A number is far too large: check the column.",
    "too_deep": "The row is nested too deep: send flat fields.",
    "not_an_object": "The line is no record: check that the file was not cut off.",
    "unknown_type": "There is no such kind of event: use one of the documented ones.",
    "missing_field": "A needed field is empty: fill the column, or choose a layout that names it.",
    "wrong_type": "A value has the wrong form, such as a word where a number belongs: correct the cell.",
    "bad_value": "A value is not allowed: correct the cell.",
    "bad_id": "An id is empty, rounded by a spreadsheet (2.16E+18) or has control signs: export it as text.",
    "unknown_currency": "The currency is no ISO 4217 code, such as CNY or USD: correct it.",
    "amount_too_large": "An amount is larger than any can be: check the unit, such as cents for yuan.",
    "discount_above_order": "A discount is larger than what it is taken from: check both columns.",
    "beyond_horizon": "A time lies more than a year ahead: check the date and its format.",
    "too_large": "The row is too long: shorten its texts.",
    "too_large_for_log": "The event is too long: shorten its texts.",
    "not_from_a_page": "A page may not send this: send it from the shop's server.",
    "claim": "An order from another sender than the one whose orders count: see the settings.",
    "foreign_shop": "The row names another shop: send it with that shop's key.",
    "future": "The time lies ahead of when it arrived: check the clock and the time zone of the sender.",
}
OTHERWISE = "The row was not understood: see the details."


def fix_of(reason: str) -> str:
    """The sentence of a reason, as a text of words."""
    return FIXES.get(reason, OTHERWISE)
