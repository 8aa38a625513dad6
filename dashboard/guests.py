"""Merchants in Superset: a guest sees embedded boards through a token that holds one shop's rule, for every data set.

Superset adds the rule to each query of the guest and to the key of each cached result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ROLE = "Merchant"
AUDIENCE = "jishi-boards"
TOKEN_S = 300  # the page asks for a new one before
_RULE = re.compile(r"shop_id = '[a-z0-9][a-z0-9_-]*'")


def token_request(shop_id: str, boards: list[str]) -> dict[str, Any]:
    """What to ask of Superset: the boards' uuids, and the rule. Raises ValueError for what is no shop's id."""
    rule = f"shop_id = '{shop_id}'"
    if not _RULE.fullmatch(rule):
        raise ValueError(f"{shop_id!r} is no shop's id")
    return {
        "user": {"username": f"shop {shop_id}"},
        "resources": [{"type": "dashboard", "id": board} for board in boards],
        "rls": [{"clause": rule}],
    }


def is_for_one_shop(request: Mapping[str, Any]) -> bool:
    """Whether Superset may sign such a token: whoever asks, one rule that names one shop and leaves no data set out."""
    rules = request["rls"]
    return len(rules) == 1 and rules[0].keys() == {"clause"} and _RULE.fullmatch(rules[0]["clause"]) is not None
