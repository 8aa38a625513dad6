"""``python -m models.lifetime``: forecasts of all shops' customers from the newest marts, which the next marts show."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

import duckdb

from jishi import tables
from jishi.arrow_tables import to_arrow
from jishi.lake import TableNotPublished
from jishi.lake.publishing import Replacement, publish, rows_at
from jishi.lake.reading import LakeVersion, open_version
from jishi.lake.release import REFUSED
from jishi.lake.rows import Rows
from jishi.lake.versions import Versions
from jishi.marts import mart_rows
from jishi.settings import Settings, get_settings
from models.lifetime.fitting import NotIdentified
from models.lifetime.values import Purchase, calibration, shop_values

NOTHING_TO_DO = 99
_PURCHASES = """
select shop_id, person_id, purchase_date, net_minor, as_of_date, currency
from fct_customer_purchases join dim_shops using (shop_id)
order by all
"""


def forecast(lake: LakeVersion) -> tuple[dict[tables.TableSchema, list[dict[str, Any]]], dict[str, str]]:
    """Rows of the tables on customers' values, and for each shop what was made or why not. Raises TableNotPublished."""
    purchases: dict[str, list[Purchase]] = defaultdict(list)
    last_days, currencies = {}, {}
    try:
        rows_of_purchases = mart_rows(lake, _PURCHASES)
    except duckdb.CatalogException:
        raise TableNotPublished("the marts are of an earlier release; run: python -m ops.marts build") from None
    for row in rows_of_purchases:
        amount = row["net_minor"]
        purchases[row["shop_id"]].append(
            Purchase(row["person_id"], row["purchase_date"], None if amount is None else int(amount))
        )
        last_days[row["shop_id"]], currencies[row["shop_id"]] = row["as_of_date"], row["currency"]
    rows: dict[tables.TableSchema, list[dict[str, Any]]] = {schema: [] for schema in tables.FORECASTS}
    outcomes = {}
    for shop_id, of_shop in purchases.items():
        try:
            values, parameters = shop_values(shop_id, currencies[shop_id], of_shop, last_days[shop_id])
        except NotIdentified as error:
            outcomes[shop_id] = f"no forecast: {error}"
            continue
        rows[tables.CUSTOMER_VALUES] += values
        rows[tables.CUSTOMER_VALUE_PARAMETERS] += parameters
        outcomes[shop_id] = f"{len(values):,} customers"
        try:
            rows[tables.CUSTOMER_VALUE_CALIBRATION] += calibration(shop_id, of_shop, last_days[shop_id])
        except NotIdentified as error:
            outcomes[shop_id] += f"; not held out: {error}"
    return rows, outcomes


def publish_forecast(settings: Settings) -> dict[str, str]:
    """Publish the forecasts, unless they are as published; returns each shop's outcome."""
    rows, outcomes = forecast(open_version(settings))
    arrow = {schema: to_arrow(schema, of_table) for schema, of_table in rows.items()}
    newest = Versions.of(settings).latest()
    if any(
        _sorted(schema, rows_at(settings, schema, newest, Rows.all())) != _sorted(schema, arrow[schema]) for schema in arrow
    ):
        publish(
            settings,
            "models.lifetime",
            lambda base: [Replacement(schema, Rows.all(), table) for schema, table in arrow.items()],
        )
    return outcomes


def _sorted(schema: tables.TableSchema, table: Any) -> Any:
    return table.sort_by([(name, "ascending") for name in schema.key])


def main() -> int:
    """Print one line a shop. Exit code 1 when nothing could be published; the message says why."""
    try:
        outcomes = publish_forecast(get_settings())
    except TableNotPublished as error:
        print(f"models.lifetime: {error.args[0]}", file=sys.stderr)
        return NOTHING_TO_DO
    except REFUSED as error:
        print(f"models.lifetime: {error}", file=sys.stderr)
        return 1
    for shop_id, outcome in outcomes.items():
        print(f"{shop_id}: {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
