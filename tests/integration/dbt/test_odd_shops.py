"""Every page of the portal for shops that are unlike others: nothing fails, and what is not known is not shown as nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from dashboard.portal.app import make_app, make_portal
from dashboard.portal.datasets import DATASETS
from jishi.lake.versions import MartsFile, TableVersion, Versions
from jishi.metrics import MetricSql
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from tests.integration.dbt.rebuilt import Project
from tests.integration.dbt.test_home_money import insert, order, refund
from tests.lake import settings_in
from tests.unit.dashboard.portal.test_numbers import tiles_of, words_of
from tests.unit.dashboard.portal.twins import PASSWORD, post

pytestmark = pytest.mark.integration
NOW = datetime(2026, 9, 12, 15, tzinfo=UTC)
# A till in yen without a visit, a shop with one order, one a day ahead of the others, and one whose clocks skip a midnight.
ZONES = {"till": "Asia/Tokyo", "one": "UTC", "apia": "Pacific/Apia", "chile": "America/Santiago"}
CURRENCIES = {"till": "JPY"}
PAGES = (
    *("now", "today", "traffic", "customers", "items", "channels", "recommendations", "segments", "boards", "alerts", "rules"),
    *("uploads", "settings", "keys", "members", "audit", "rejected"),
    *("today?date=2026-09-06", "today?category=衣", "today?channel=app&compare=week_before", "traffic?category=衣&device=ios"),
    *(
        "customers?channel=app",
        "customers?scheme=layer",
        "items?from=2026-09-06&to=2026-09-07",
        "items?channel=app",
        "items/gold",
    ),
    *(f"rows/{name}" for name in DATASETS),
)


def visits(shop_id: str, times: Sequence[str]) -> str:
    """Visits of two views each, of other persons."""
    zone, sql = ZoneInfo(ZONES[shop_id]), ""
    for number, time in enumerate(times):
        at = datetime.fromisoformat(time).replace(tzinfo=UTC)
        day = at.astimezone(zone).date()
        person = {"shop_id": shop_id, "person_id": f"u:v{number}", "user_id": f"v{number}"}
        key = f"u:v{number}@1"
        sums = {"events": 2, "views": 2, "searches": 0, "adds": 0, "checkouts": 0, "orders": 0, "shares": 0}
        where = {"channel": "app", "device": "ios"}
        span = {"started_at": time, "ended_at": f"{at + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}", "started_date": f"{day}"}
        sql += insert("sessions", [person | {"session_key": key} | span | where | sums])
        for n in range(2):
            act = {"event_id": f"view-{shop_id}-{number}-{n}", "type": "item_viewed", "item_id": "gold"}
            came = f"{at + timedelta(seconds=n):%Y-%m-%d %H:%M:%S}"
            sql += insert("events", [person | act | {"occurred_at": came, "received_at": came, "occurred_date": f"{day}"}])
    return sql


def rows() -> str:
    """All odd shops."""
    sql: str = insert(
        "shops",
        [
            {"shop_id": shop_id, "name": shop_id, "time_zone": zone, "currency": CURRENCIES.get(shop_id, "CNY")}
            for shop_id, zone in ZONES.items()
        ],
    )
    sql += order("till", "y1", "2026-09-03", "JPY", [1980]) + order("till", "y2", "2026-09-11", "USD", [500])
    sql += refund("till", "r1", "y1", "2026-09-05", "JPY", 980, "counted", 980)
    sql += order("one", "o1", "2026-09-11", "CNY", [700])
    for shop_id in ("apia", "chile"):
        sql += insert(
            "items",
            [
                {"shop_id": shop_id, "item_id": "gold", "title": "金", "category": "衣", "unit_price_minor": 700}
                | {"currency": "CNY", "status": "active", "stock": None}
            ],
        )
        # 04:00 UTC on 6 September is the hour after the midnight that Chile's clocks skip.
        sql += visits(shop_id, ["2026-09-05 23:30:00", "2026-09-06 03:59:59", "2026-09-06 04:00:00", "2026-09-12 09:00:00"])
        sql += order(shop_id, f"{shop_id}-1", "2026-09-06", "CNY", [700]) + order(
            shop_id, f"{shop_id}-2", "2026-09-10", "CNY", [300]
        )
    return sql


class OddShops:
    """A portal over these shops, and an owner of each."""

    def __init__(self, folder: Path, project: Project, semantic_manifest: dict[str, Any]) -> None:
        settings = settings_in(folder / "var")
        paths = Paths.of(settings)
        shops = Shops()
        for shop_id, zone in ZONES.items():
            shops.add(Shop(shop_id=shop_id, name="店", time_zone=zone, currency=CURRENCIES.get(shop_id, "CNY")))
        shops.save(paths.shops_file)
        self._publish(settings, paths, project, semantic_manifest)
        portal = make_portal(settings, lambda: NOW, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        portal.quarantine.rows = lambda shop_id: []  # type: ignore[method-assign]
        portal.streams.longest_s = 0.0
        portal.counter_reader.start = lambda: None  # type: ignore[method-assign]
        for shop_id in ZONES:
            link = portal.people.invite(f"owner@{shop_id}.example", shop_id, "owner", NOW)
            portal.people.accept(link, "店主", PASSWORD, NOW)
        self.app = make_app(portal)

    def _publish(self, settings: Any, paths: Paths, project: Project, semantic_manifest: dict[str, Any]) -> None:
        paths.marts_files.mkdir(parents=True)
        file = paths.marts_files / "1-odd.duckdb"
        generator = MetricSql(semantic_manifest)
        with project.built(rows()) as marts:
            for table, query in generator.exports.items():
                marts.execute(f"create table {table} as {generator.saved(query)}")
            marts.execute(
                "create table build as select $1 as semantic_manifest, timestamp '2026-09-12 14:00:00' as built_at, "
                "1 as version, '' as inputs",
                [json.dumps(semantic_manifest)],
            )
            marts.execute(f"attach '{file}' as published")
            names = [
                *(node["name"] for node in project.models if node["name"].startswith(("fct_", "dim_", "item_", "person_")))
            ]
            for name in (*names, *generator.exports, "build"):
                marts.execute(f"create table published.main.{name} as from {name}")
            marts.execute("detach published")
        checksum = hashlib.sha256(file.read_bytes()).hexdigest()
        marts_file = MartsFile(str(file.relative_to(paths.warehouse)), checksum, 1)
        Versions.of(settings).commit(TableVersion(1, NOW, "a test", None, {}, {}, marts_file))

    def client(self, shop_id: str, language: str) -> TestClient:
        """The owner's browser."""
        client = TestClient(self.app, follow_redirects=False, headers={"accept-language": language})
        client.get("/login")
        assert post(client, "/login", login=f"owner@{shop_id}.example", password=PASSWORD).status_code == 303
        return client


@pytest.fixture(scope="module")
def odd(built: Paths, tmp_path_factory: pytest.TempPathFactory, semantic_manifest: dict[str, Any]) -> OddShops:
    return OddShops(tmp_path_factory.mktemp("odd"), Project.of(built.warehouse), semantic_manifest)


@pytest.mark.parametrize("shop_id", ZONES)
def test_every_page_opens_in_both_languages(odd: OddShops, shop_id: str) -> None:
    for language in ("zh", "en"):
        client = odd.client(shop_id, language)
        for page in PAGES:
            answer = client.get(f"/shops/{shop_id}/{page}")
            assert answer.status_code == 200, (language, page)
            shown = words_of(re.sub(r"<(script|style).*?</\1>", "", answer.text, flags=re.S))
            assert not re.search(r"\b(None(?! yet)|nan|inf|NaT)\b", shown), (language, page)
            if language == "zh":
                titles = [*tiles_of(answer.text), *re.findall(r'<span class="chip">([^<:]*)', answer.text)]
                assert [title for title in titles if re.search("[a-z]{2}", title)] == [], page


def test_a_till_has_no_visitors_and_its_orders_without_a_rate_no_worth(odd: OddShops) -> None:
    client = odd.client("till", "en")
    tiles = tiles_of(client.get("/shops/till/today?date=2026-09-11").text)
    assert {name: tiles[name][0] for name in ("Orders", "Net sales", "Visitors", "Conversion", "Value per order")} == {
        "Orders": "1 orders",
        **dict.fromkeys(("Net sales", "Visitors", "Conversion", "Value per order"), "– unknown"),
    }
    before = tiles_of(client.get("/shops/till/today?date=2026-09-05").text)
    assert (before["Net sales"][0], before["Refunds"][0]) == ("-980 JPY", "980 JPY")


def test_a_day_without_a_midnight_has_its_visits(odd: OddShops) -> None:
    """The clocks of Santiago go from 23:59:59 on 5 September to 01:00 on the 6th."""
    client = odd.client("chile", "en")
    visitors = [tiles_of(client.get(f"/shops/chile/today?date=2026-09-0{day}").text)["Visitors"][0] for day in (5, 6)]
    assert visitors == ["2 people", "1 people"]
