"""The stream's counters and the marts mean the same acts."""

from __future__ import annotations

import re

from jishi.settings import PROJECT_ROOT
from jishi.shop_counters import NOT_IN_STOREFRONT


def test_the_stream_and_the_marts_call_the_same_acts_those_of_the_storefront() -> None:
    macro = (PROJECT_ROOT / "dbt" / "macros" / "storefront.sql").read_text()
    [listed] = re.findall(r"not in \(([^)]*)\)", macro)
    assert set(re.findall(r"'(\w+)'", listed)) == set(NOT_IN_STOREFRONT)
