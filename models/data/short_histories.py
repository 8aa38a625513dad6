"""Which of many shops have too few days of orders for a release, asked of all of them at once.

Opening the lake for each shop costs more than that answer, and of many small shops most have no other.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from models.data.interactions import ACTS
from models.data.split import TooShort, last_active_days

_DAYS = f"""
    select a.shop_id, list(distinct a.occurred_at::date) filter (where a.kind = 'pay') as days
    {ACTS} and a.shop_id in (select unnest($shops)) group by 1
"""


def short_histories(lake: LakeVersion, shop_ids: Sequence[str]) -> dict[str, TooShort]:
    """By shop what ``last_active_days`` raises. A shop without any act is not among them: NoInteractions says more.

    None is where not all can be read: what is wrong with one shop's rows is for that shop to meet.
    """
    short: dict[str, TooShort] = {}
    if len(shop_ids) == 0:
        return short
    try:
        with open_lake(lake) as connection:
            rows = connection.execute(_DAYS, {"shops": list(shop_ids)}).fetchall()
    except duckdb.Error:
        return short
    for shop_id, days in rows:
        try:
            last_active_days(np.array(days or [], dtype="datetime64[us]"))
        except TooShort as error:
            short[shop_id] = error
    return short
