"""What each item was offered for most of the last four weeks, as far as it could be bought, by the catalogue's changes."""

from __future__ import annotations

import numpy as np

from jishi.catalogue import KNOWN_AT, NEWEST
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from models.candidates.usual_prices import UsualPrices, currency_key
from models.data.interactions import instant
from models.data.snapshot import usual_prices

# Of each item the changes of its price, not of its stock. It had no price (null) while nobody could buy it (the rule is that of
# serving.catalogue), and while it had another currency than now.
_CHANGES = f"""
    with changes as (
        select item_id, occurred_at, received_at, event_id, unit_price_minor,
            json_extract_string(line, '$.properties.currency') as currency,
            coalesce(json_extract_string(line, '$.properties.status'), 'active') as status,
            cast(json_extract_string(line, '$.properties.stock') as double) as stock
        from silver_events
        where shop_id = $shop and type = 'item_changed' and unit_price_minor is not null
            and occurred_at <= $as_of and {KNOWN_AT} <= $as_of
    ),
    states as (
        select *, case when status = 'active' and (stock is null or stock > 0) then unit_price_minor end as price from changes
    ),
    marked as (
        select *, lag(price) over items as price_before, lag(currency) over items as currency_before,
            first_value(currency) over (partition by item_id order by {NEWEST}) as latest
        from states window items as (partition by item_id order by occurred_at, received_at, event_id)
    )
    select item_id, occurred_at, case when currency = latest then price end as price, latest from marked
    where (price_before, currency_before) is distinct from (price, currency)
    order by item_id, occurred_at, received_at, event_id
"""


def usual_prices_of(lake: LakeVersion, shop_id: str, item_ids: np.ndarray, as_of: np.datetime64) -> UsualPrices | None:
    """The usual prices of items (``item_ids`` rising) as known at an instant; None for a shop whose log says none."""
    with open_lake(lake) as connection:
        rows = connection.execute(_CHANGES, {"shop": shop_id, "as_of": instant(as_of)}).to_arrow_table()
    if rows.num_rows == 0:
        return None
    ids = np.array(rows["item_id"].to_pylist(), dtype=np.str_)
    number = np.minimum(np.searchsorted(item_ids, ids), len(item_ids) - 1)
    known = item_ids[number] == ids
    at = rows["occurred_at"].to_numpy().astype("datetime64[us]")[known]
    price = rows["price"].to_numpy().astype(np.float64)[known]
    usual = usual_prices(number[known], at, price, len(item_ids), as_of)
    currency = np.zeros(len(item_ids), dtype=np.int64)
    currency[number[known]] = [currency_key(each) for each, kept in zip(rows["latest"].to_pylist(), known, strict=True) if kept]
    return UsualPrices(np.nan_to_num(usual).astype(np.float32), currency)
