"""What the form of rules takes for a number and an amount."""

from __future__ import annotations

import pytest

from dashboard.portal.rule_drafts import rule_of_form
from dashboard.portal.visit import BadRequest


@pytest.mark.parametrize("number", ["1e99999999", "1e9999", "1e400", "NaN", "1.5", "x"])
def test_a_number_that_no_rule_takes_is_refused_at_once(number: str) -> None:
    with pytest.raises(BadRequest):
        rule_of_form({"kind": "pin", "name": "p", "item_ids": "i", "number": number}, "CNY")


@pytest.mark.parametrize("amount", ["1e999999", "1e30", "-Infinity", "x"])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    with pytest.raises(BadRequest):
        rule_of_form({"kind": "bury", "name": "b", "price_from": amount}, "CNY")
