"""One kernel for all notebooks, and a platform of shops that have next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from jishi.lake.versions import MartsFile, Versions
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_EVENTS
from ops.notebook import open_kernel, publish
from tests.lake import record, settings_in
from tests.marts import create_marts

Publish = Callable[..., str]
# By shop what its marts hold: paid orders that no visit led to, visits that led to no order, and nothing.
STATEMENTS = (
    "insert into dim_shops (shop_id, currency, minor_digits) select unnest(['orders', 'visits', 'none']), 'CNY', 2",
    "insert into dim_items (shop_id, item_id, unit_price_minor, currency) "
    "values ('orders', 'yen', 500, 'JPY'), ('orders', 'yuan', 500, 'CNY'), ('orders', 'dinar', 500, 'KWD'), "
    "('orders', 'mark', 500, 'DEM'), ('orders', 'lira', 500, 'ITL')",
    "insert into fct_shop_days (shop_id, shop_date, visitors) "
    "values ('orders', '2026-11-01', null), ('visits', '2026-11-01', 5)",
    "insert into fct_orders (shop_id, order_id, person_id, paid_date, paid_minor) "
    "values ('orders', 'o1', 'u:1', '2026-11-01', 2000), ('orders', 'o2', 'u:1', '2026-11-01', 3000)",
    "insert into dim_customers (shop_id, person_id, segment, segment_zh, orders, spent_minor, recency_days, first_paid_date) "
    "values ('orders', 'u:1', 'new', '新客', 2, 5000, 1, '2026-11-01')",
    "insert into fct_sessions "
    "(shop_id, session_key, person_id, started_date, is_visit, is_bot, orders, views, has_viewed, has_added, has_checked_out, "
    "has_paid) select 'visits', 's' || n, 'u:' || n, date '2026-11-01' + n::int % 2, true, false, 0, 1, n < 4, false, "
    "false, false from range(10) r(n)",
)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, semantic_manifest: dict[str, Any]) -> Paths:
    """Shops ``orders``, ``visits`` and ``none`` with the marts of STATEMENTS."""
    settings = settings_in(tmp_path_factory.mktemp("platform") / "var")
    paths = Paths.of(settings)
    with Shops.edit(paths.shops_file) as shops:
        for shop_id in ("orders", "visits", "none"):
            shops.add(Shop(shop_id=shop_id, name="新店"))
    paths.marts_files.mkdir(parents=True)
    with duckdb.connect(str(paths.marts_files / "hand.duckdb")) as marts:
        create_marts(marts, semantic_manifest)
        for statement in STATEMENTS:
            marts.execute(statement)
    versions, version = Versions.of(settings), record(settings.var, {SILVER_EVENTS: []})
    file = MartsFile("marts/hand.duckdb", "", version.number)
    versions.commit(replace(version, number=version.number + 1, base=version.number, marts=file, changes={}))
    return paths


@pytest.fixture(scope="session")
def page(platform: Paths) -> Iterator[Publish]:
    """Publishes a notebook and gives its page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JISHI_VAR", str(platform.var))
        with open_kernel() as kernel:
            yield lambda name, **parameters: publish(platform, name, parameters, kernel).read_text(encoding="utf-8")
