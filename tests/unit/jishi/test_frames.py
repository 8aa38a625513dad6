"""What analysts read: one version's rows of one shop, persons by pseudonyms that join, features as they were known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml

import jishi
from jishi import tables
from jishi.features import FEATURES, views
from jishi.features.lake_tables import view_table
from jishi.frames import RAW_COLUMNS, IdsRefused, RowsUnusable, UnknownName
from jishi.lake import TableNotPublished
from jishi.lake.versions import MartsFile, VersionNotFound, Versions
from jishi.paths import Paths
from jishi.pseudonyms import Pseudonyms
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shop, Shops, UnknownShop
from tests.lake import record, settings_in

PAID = datetime(2026, 9, 1, 18, 30)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
# Names that are no person's: things of the shop, events and engines' own.
OF_THINGS = {
    *(
        "shop_id",
        "item_id",
        "because_item_id",
        "page_item_id",
        "partner_item_id",
        "request_id",
        "neighbour_id",
        "order_id",
        "refund_id",
        "coupon_id",
        "share_id",
        "group_buy_id",
    ),
    *("event_id", "first_event_id", "collector_id"),
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake with two orders of shop ``a`` and one of ``b`` by persons of the same id, and marts of the same orders."""
    settings: Settings = settings_in(tmp_path_factory.mktemp("frames") / "var")
    paths = Paths.of(settings)
    with Shops.edit(paths.shops_file) as shops:
        for shop_id in ("a", "b"):
            shops.add(Shop(shop_id=shop_id, name=shop_id))
    orders = [
        {"shop_id": "a", "order_id": "o1", "person_id": "u:1", "user_id": "1", "paid_at": PAID, "units": 3},
        {"shop_id": "a", "order_id": "o2", "person_id": "a:1", "user_id": None, "paid_at": PAID, "units": None},
        {"shop_id": "b", "order_id": "o1", "person_id": "u:1", "user_id": "1", "paid_at": PAID, "units": 1},
    ]
    record(settings.var, {tables.SILVER_ORDERS: orders[:1]})
    visit = {"shop_id": "a", "anonymous_id": "1", "person_id": "u:1", "session_key": "u:1|1|0"}
    raw = {"shop_id": None, "event_id": "e", "outcome": "invalid", "line": '{"user_id": "1"}', "detail": "'u:1' is wrong"}
    record(settings.var, {tables.SILVER_ORDERS: orders, tables.SILVER_SESSIONS: [visit], tables.SILVER_QUARANTINE: [raw]})
    view = "person_3600s_60s"
    known = {"event_timestamp": PAID, "created_timestamp": PAID, "log_offset": 0}
    views_1h = [
        {"shop_id": "a", "person_id": person, "person_views_1h": count, "person_carts_1h": 0, "valid_until_ms": until} | known
        for person, count, until in (("u:1", 4, ms(PAID) + 60_000), ("a:1", 2, ms(PAID) + 60_000))
    ]
    last = record(settings.var, {view_table(view, views()[view]): views_1h})
    paths.marts_files.mkdir(parents=True)
    with duckdb.connect(str(paths.marts_files / "hand.duckdb")) as marts:
        marts.execute(
            "create table fct_orders (shop_id varchar, order_id varchar, person_id varchar, paid_date date, n hugeint)"
        )
        marts.execute(
            "insert into fct_orders values ('a', 'o1', 'u:1', '2026-09-02', 7), ('b', 'o1', 'u:1', '2026-09-01', null)"
        )
        marts.execute("create table fct_shop_days (shop_id varchar, gmv_minor decimal(38, 0), refunds_minor decimal(38, 0))")
        marts.execute("insert into fct_shop_days values ('a', 9007199254740991::hugeint * 2000, 1), ('b', null, 2)")
        marts.execute("create table dim_segments as select 'lost' as segment")
    file = MartsFile("marts/hand.duckdb", "", last.number)
    Versions.of(settings).commit(replace(last, number=last.number + 1, base=last.number, marts=file, changes={}))
    return settings


def ms(at: datetime) -> int:
    return int(at.replace(tzinfo=UTC).timestamp() * 1000)


def test_a_shops_rows_of_a_version_with_types_that_know_null(settings: Settings) -> None:
    orders = jishi.read("silver.orders", shop="a", columns=["order_id", "paid_at", "units"], settings=settings)
    assert orders["order_id"].tolist() == ["o1", "o2"]
    assert orders["units"].tolist() == [3, pd.NA]
    assert orders["paid_at"].tolist() == [pd.Timestamp(PAID, tz="UTC")] * 2
    assert len(jishi.read("silver/orders", as_of=1, settings=settings)) == 1
    assert len(jishi.read("silver_orders", as_of="2", settings=settings)) == 3
    mart = jishi.read("fct_orders", settings=settings)
    assert mart["paid_date"].tolist() == [pd.Timestamp(date(2026, 9, 2)), pd.Timestamp(date(2026, 9, 1))]
    assert mart["n"].tolist() == [7, pd.NA]
    assert jishi.read("marts.dim_segments", shop="a", settings=settings)["segment"].tolist() == ["lost"]


def test_sums_beyond_64_bits_are_exact(settings: Settings) -> None:
    """2,000 orders of the largest amount on one day of one shop: every shop's days can still be read."""
    days = jishi.read("fct_shop_days", settings=settings)
    assert days["gmv_minor"].tolist() == [18014398509481982000, pd.NA]
    assert days["refunds_minor"].dtype == "Int64"
    assert jishi.read("fct_shop_days", shop="b", settings=settings)["gmv_minor"].dtype == "Int64"
    assert days["gmv_minor"].astype("Float64").tolist() == [1.8014398509481982e19, pd.NA]  # as notebooks/shop_numbers.py has it


def test_pseudonyms_join_within_a_shop_and_nowhere_else(settings: Settings) -> None:
    orders, mart = (jishi.read(name, settings=settings) for name in ("silver.orders", "fct_orders"))
    sessions = jishi.read("silver.sessions", settings=settings)
    user, device, of_b = orders["person_id"]
    assert mart["person_id"].tolist() == [user, of_b]
    assert len({user, device, of_b}) == 3
    assert (user[:2], device[:2]) == ("u:", "a:")
    assert f"u:{orders['user_id'][0]}" == user
    assert f"a:{sessions['anonymous_id'][0]}" == device
    assert pd.isna(orders["user_id"][1])
    seen = pd.concat([orders, mart, sessions]).astype(str)
    assert not seen.isin(["u:1", "a:1", "1", "u:1|1|0"])[["person_id", "user_id", "anonymous_id", "session_key"]].any(axis=None)


def test_another_installation_has_other_pseudonyms(tmp_path: Path, settings: Settings) -> None:
    first, again, other = (
        Pseudonyms.of(Paths.of(each), "a").person("u:1") for each in (settings, settings, settings_in(tmp_path))
    )
    assert first == again != other
    assert Paths.of(settings).pseudonym_secret.stat().st_mode & 0o077 == 0


def test_the_shops_own_ids_need_its_read_key(settings: Settings) -> None:
    with Shops.edit(Paths.of(settings).shops_file) as shops:
        key, other, write = shops.issue_key("a", "read"), shops.issue_key("b", "read"), shops.issue_key("a", "write")
    orders = jishi.read("silver.orders", shop="a", read_key=key, settings=settings)
    assert orders["person_id"].tolist() == ["u:1", "a:1"]
    for shop, wrong in (("a", other), ("a", write), (None, key), ("b", key)):
        with pytest.raises(IdsRefused, match="its read key"):
            jishi.read("silver.orders", shop=shop, read_key=wrong, settings=settings)


def test_the_text_of_events_is_left_out(settings: Settings) -> None:
    quarantine = jishi.read("silver.quarantine", settings=settings)
    assert not RAW_COLUMNS & set(quarantine.columns)
    with pytest.raises(IdsRefused, match=r"silver.quarantine.line.*read_key"):
        jishi.read("silver.quarantine", columns=["line"], settings=settings)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"table": "fct_order"}, UnknownName, r"no table 'fct_order'; nearest: fct_orders"),
        ({"table": "silver.order"}, UnknownName, "nearest: silver.orders"),
        ({"table": "silver.items"}, TableNotPublished, "silver/items"),
        ({"table": "fct_orders", "columns": ["paid_dat"]}, UnknownName, "no column 'paid_dat'; nearest: paid_date"),
        ({"table": "fct_orders", "shop": "c"}, UnknownShop, "known: a, b"),
        ({"table": "fct_orders", "as_of": "yesterday"}, VersionNotFound, "neither a version's number"),
        ({"table": "fct_orders", "as_of": 99}, VersionNotFound, "no version 99"),
    ],
)
def test_what_is_wrong_is_named(settings: Settings, arguments: dict[str, object], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        jishi.read(**arguments, settings=settings)  # type: ignore[arg-type]


def test_features_are_those_that_held_at_each_instant(settings: Settings) -> None:
    """Four views in the hour before PAID, known for a minute; the device's two count where the row names the device."""
    user, device = jishi.read("silver.orders", shop="a", settings=settings)["person_id"]
    paid = pd.Timestamp(PAID, tz="Asia/Shanghai") + pd.Timedelta(hours=8)
    rows = pd.DataFrame(
        [
            (user, None, paid),
            (user, device.removeprefix("a:"), paid),
            (user, None, paid - pd.Timedelta(milliseconds=1)),
            (user, None, paid + pd.Timedelta(minutes=1)),
            ("u:p0123456789abcdef", None, paid),
            (None, None, paid),
        ],
        columns=["person_id", "anonymous_id", "at"],
        index=[3, 1, 4, 1, 5, 9],
    )
    joined = jishi.features_at(rows, ["person_views_1h"], shop="a", settings=settings)
    assert joined["person_views_1h"].tolist() == [4, 6, 0, 0, 0, 0]
    assert joined.index.tolist() == rows.index.tolist()


@pytest.mark.parametrize(
    ("feature", "rows", "error", "message"),
    [
        ("person_view_1h", {}, UnknownName, "no feature 'person_view_1h'; nearest: person_views_1h"),
        ("person_views_1h", {"item_id": ["i"]}, RowsUnusable, "need a column person_id or anonymous_id"),
        ("person_views_1h", {"person_id": ["u:1"]}, RowsUnusable, "'u:1' is no pseudonym"),
        ("person_views_1h", {"person_id": ["u:1"], "at": [PAID]}, RowsUnusable, "instant with a zone"),
    ],
)
def test_rows_that_cannot_be_joined_are_refused(
    settings: Settings, feature: str, rows: dict[str, list[object]], error: type, message: str
) -> None:
    frame = pd.DataFrame({"at": [pd.Timestamp(PAID, tz="UTC")]} | rows)
    with pytest.raises(error, match=message):
        jishi.features_at(frame, [feature], shop="a", settings=settings)


def test_a_view_that_was_not_backfilled_is_named_with_the_command_that_does(settings: Settings) -> None:
    rows = pd.DataFrame({"person_id": ["u:p0123456789abcdef"], "at": [pd.Timestamp(PAID, tz="UTC")]})
    with pytest.raises(TableNotPublished, match="spark_jobs features --view person_2592000s_86400s"):
        jishi.features_at(rows, ["person_orders_30d"], shop="a", settings=settings)


def test_every_id_is_of_a_person_or_of_a_thing() -> None:
    """A new column of ids has to be one or the other: in jishi.pseudonyms, or here."""
    pseudonyms = Pseudonyms(b"secret", "a")
    declared = {schema.name: list(schema.columns) for schema in tables.TABLES}
    declared |= {view: list(view_table(view, members).columns) for view, members in views().items()}
    files = (PROJECT_ROOT / "dbt" / "models" / "marts").rglob("*__models.yml")
    for model in [model for file in files for model in yaml.safe_load(file.read_text())["models"]]:
        declared[model["name"]] = [column["name"] for column in model["columns"]]
    features = {feature.name for feature in FEATURES}
    unknown = {
        f"{table}.{column}"
        for table, columns in declared.items()
        for column in set(columns) - features
        if column.endswith(("_id", "_key")) and column not in OF_THINGS and pseudonyms.of_column(column) is None
    }
    assert unknown == set()
    persons = {table for table, columns in declared.items() if any(map(pseudonyms.of_column, columns))}
    assert [table for table in persons if "shop_id" not in declared[table]] == [], "pseudonyms are of a shop"
