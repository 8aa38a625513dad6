"""Reconciliation: what was acknowledged against what lies in the tables, per shop, to the last event.

``accepted`` comes from counts that no later stage has touched: the manifests of history files and the collector's own
write-ahead log. The rest is counted in the published tables. Live events that were acknowledged and whose day has not been
worked up yet (DAG ``daily``) show as a difference; that is what it is.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from jishi import tables
from jishi.fx_rates import Conversion
from jishi.lake.query import open_lake, quoted, view_of
from jishi.lake.reading import open_version
from jishi.landing import LandingError, landed_shops, load_manifest
from jishi.marts import EXPORTED
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings, get_settings
from jishi.shops import Shops

if TYPE_CHECKING:
    import duckdb

# Orders with the shop's currency as it is now: what was stamped in one that it had before is in no sum, like in the marts.
_ORDERS = """
    with registered as (
        select unnest(cast($shops as varchar[])) as shop_id, unnest(cast($currencies as varchar[])) as currency
    ),
    orders as (
        select shop_id, order_id, paid_minor,
            orders.currency = coalesce(registered.currency, home_currency, orders.currency) as is_home,
            case when home_currency = coalesce(registered.currency, home_currency) then home_paid_minor end as home_paid_minor
        from silver_orders as orders left join registered using (shop_id)
    )"""
_PAID = f"{_ORDERS} select shop_id, sum(case when is_home then paid_minor else home_paid_minor end) from orders group by 1"
# By order, since rounding several refunds one by one would not add up; the rate is ``home_paid_minor / paid_minor``.
_REFUNDED = f"""
    {_ORDERS},
    refunded as (
        select shop_id, order_id, sum(coalesce(counted_minor, amount_minor))::hugeint as back_minor
        from silver_refunds group by all
    )
    select shop_id, is_home, home_paid_minor, paid_minor, back_minor
    from refunded inner join orders using (shop_id, order_id)
    where back_minor > 0 and (is_home or home_paid_minor is not null)"""


class CountFailed(RuntimeError):
    """The collector's own count could not be read."""


@dataclass(frozen=True)
class ShopCount:
    """Counts of one shop. Money is net of what counts of refunds, in minor units of the shop's home ``currency``, as stamped.

    ``gmv_minor`` = Σ paid amount of orders − Σ refunds. ``late`` counts rows of ``silver``, ``repaired`` events that left the
    quarantine for silver or duplicates. ``difference`` = accepted − silver − duplicates − quarantined, and must be 0.
    ``problem`` says why the shop's history could not be counted, and is empty when it could.
    """

    shop_id: str
    accepted: int
    silver: int
    late: int
    duplicates: int
    quarantined: dict[str, int]
    repaired: int
    orders: int
    gmv_minor: int
    paying_customers: int
    currency: str
    problem: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether everything acknowledged could be counted and is accounted for."""
        return self.difference == 0 and not self.problem

    @property
    def difference(self) -> int:
        """Acknowledged events that no table accounts for (or, below zero, rows that nobody acknowledged)."""
        return self.accepted - self.silver - self.duplicates - sum(self.quarantined.values())


def accepted_counts(paths: Paths) -> tuple[dict[str, int], dict[str, str]]:
    """Acknowledged events by shop: history by its manifests, live by the collector's write-ahead log.

    The second part says of shops why their manifest could not be read. Raises CountFailed.
    """
    counts: dict[str, int] = {}
    problems: dict[str, str] = {}
    for shop_id in landed_shops(paths.history):
        try:
            counts[shop_id] = load_manifest(paths.history / shop_id).lines
        except LandingError as error:
            problems[shop_id] = str(error)
    if paths.wal.exists():
        command = [str(paths.python("main")), "-m", "collector", "accepted", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
        if done.returncode != 0:
            raise CountFailed(f"the collector could not count its write-ahead log: {done.stderr.strip()[-500:]}")
        for shop_id, count in json.loads(done.stdout).items():
            counts[shop_id] = counts.get(shop_id, 0) + count
    return counts, problems


def reconcile(settings: Settings) -> list[ShopCount]:
    """Counts of every shop that is registered, sent or holds anything, by shop id."""
    paths = Paths.of(settings)
    accepted, problems = accepted_counts(paths)
    with open_lake(open_version(settings)) as lake:
        rows = {
            name: dict(lake.execute(sql).fetchall())
            for name, sql in {
                "silver": "select shop_id, count(*) from silver_events group by 1",
                "late": "select shop_id, count(*) from silver_events where is_late group by 1",
                "duplicates": "select shop_id, count(*) from silver_duplicates group by 1",
                "repaired": (
                    "select shop_id, count(*) from bronze_repairs where (shop_id, event_id, repaired_at) in "
                    "(select (shop_id, event_id, repaired_at) from silver_events where repaired_at is not null) or "
                    "(collector_id, seq) in (select (collector_id, seq) from silver_duplicates) group by 1"
                ),
                "orders": "select shop_id, count(*) from silver_orders group by 1",
                "customers": "select shop_id, count(distinct person_id) from silver_orders group by 1",
            }.items()
        }
        shops = Shops.load(paths.shops_file).shops
        known = {"shops": list(shops), "currencies": [shop.currency for shop in shops.values()]}
        rows["paid"] = dict(lake.execute(_PAID, known).fetchall())
        rows["refunded"] = _refunded(lake, known)
        reasons = lake.execute("select shop_id, reason, count(*) from silver_quarantine group by all order by all").fetchall()
    quarantined: dict[str, dict[str, int]] = {}
    for shop_id, reason, count in reasons:
        quarantined.setdefault(shop_id, {})[reason] = count
    counted = accepted.keys() | rows["silver"].keys() | quarantined.keys() | rows["duplicates"].keys()
    shop_ids = sorted(counted | problems.keys() | shops.keys())
    return [
        ShopCount(
            shop_id=shop_id,
            accepted=accepted.get(shop_id, 0),
            silver=rows["silver"].get(shop_id, 0),
            late=rows["late"].get(shop_id, 0),
            duplicates=rows["duplicates"].get(shop_id, 0),
            quarantined=quarantined.get(shop_id, {}),
            repaired=rows["repaired"].get(shop_id, 0),
            orders=rows["orders"].get(shop_id, 0),
            gmv_minor=int((rows["paid"].get(shop_id) or 0) - (rows["refunded"].get(shop_id) or 0)),
            paying_customers=rows["customers"].get(shop_id, 0),
            currency=shops[shop_id].currency if shop_id in shops else "",
            problem=problems.get(shop_id, ""),
        )
        for shop_id in shop_ids
    ]


def _refunded(lake: duckdb.DuckDBPyConnection, known: dict[str, list[str]]) -> dict[str, int]:
    """Minor units of the home currency that went back, by shop: at the rate of the order, like in the marts (docs/money.md)."""
    totals: dict[str, int] = defaultdict(int)
    cursor = lake.execute(_REFUNDED, known)
    while rows := cursor.fetchmany(10_000):
        for shop_id, is_home, home_paid, paid, back in rows:
            totals[shop_id] += back if is_home else Conversion(home_paid, paid)(back)
    return totals


def tables_checksum(settings: Settings) -> str:
    """SHA-256 over the content of bronze, silver, daily features and marts, whatever the order of rows and the layout of files.

    Each table gives its number of rows and the sum of a 64-bit hash of every row (DuckDB's ``hash``, fixed by the locked
    version); the sums are listed by table and hashed together.
    """
    return hashlib.sha256(json.dumps(table_contents(settings)).encode()).hexdigest()


def table_contents(settings: Settings) -> list[tuple[str, int, str]]:
    """Name, number of rows and sum of the rows' hashes of every published table (see ``tables_checksum``)."""
    lines = []
    version = open_version(settings)
    with open_lake(version) as lake:
        lines.append(("bronze", *_content(lake, "bronze_all")))
        for schema in tables.SILVER:
            lines.append((schema.name, *_content(lake, view_of(schema.name))))
        for name in sorted(EXPORTED.values()):
            lines += [(name, *_content(lake, view_of(name)))] if version.files(name) else []
        if version.marts is not None:
            lake.execute(f"attach {quoted(str(version.marts))} as marts (read_only)")
            names = lake.execute(
                "select schema_name, table_name from duckdb_tables() "
                "where database_name = 'marts' and table_name <> 'build' order by all"  # build says when, not what
            ).fetchall()
            lines += [(f"marts/{name}", *_content(lake, f'marts."{schema}"."{name}"')) for schema, name in names]
    return lines


def _content(lake: duckdb.DuckDBPyConnection, relation: str) -> tuple[int, str]:
    sql = f"select count(*), coalesce(sum(hash(t)::hugeint), 0)::varchar from {relation} as t"
    ((rows, total),) = lake.execute(sql).fetchall()
    return rows, total


def run_reconcile(*, as_json: bool) -> int:
    """Print the counts; exit code 1 when a shop does not add up."""
    from rich.box import SIMPLE_HEAD

    from jishi.text_tables import TextTable, text_console

    counts = reconcile(get_settings())
    if as_json:
        print(json.dumps([asdict(count) | {"difference": count.difference} for count in counts], indent=2, ensure_ascii=False))
        return 0 if all(count.is_equal for count in counts) else 1
    title = "accepted = silver + duplicates + quarantined"
    table = TextTable(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for heading in ("shop", "accepted", "silver", "late", "duplicates", "quarantined", "repaired", "difference"):
        table.add_column(heading, justify="left" if heading == "shop" else "right", overflow="fold")
    for count in counts:
        style = "" if count.is_equal else "red"
        numbers = [f"{n:,}" for n in (count.accepted, count.silver, count.late, count.duplicates)]
        numbers += [f"{n:,}" for n in (sum(count.quarantined.values()), count.repaired, count.difference)]
        table.add_row(count.shop_id, *numbers, style=style)
    text_console().print(table)
    for count in counts:
        if count.quarantined:
            reasons = ", ".join(f"{n:,} {reason}" for reason, n in count.quarantined.items())
            print(f"{count.shop_id}: in quarantine {reasons}; jishi quarantine list --shop {count.shop_id}")
        if count.problem:
            print(f"{count.shop_id}: {count.problem}")
    return 0 if all(count.is_equal for count in counts) else 1
