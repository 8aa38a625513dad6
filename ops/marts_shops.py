"""One shop whose numbers do not add up keeps its last marts, and the others get theirs.

Every test of the dbt project names the shop of each row that fails it. Where all failing rows do, these shops alone are held
back (``jishi.held_back``): of each published table they keep the rows of the build before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute

from jishi.held_back import MARTS, GateFinding, all_held_back, hold, release
from jishi.lake.object_store import reach
from jishi.lake.query import open_lake, quoted
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from ops.dbt import shops_of

_REPAIR = "mend the shop's data (jishi reconcile), then python -m ops.marts build"
_SHOWN = ("shop_date", "order_id", "item_id")  # columns of failing rows that say which, and not who
_MOST_SHOWN = 3


class HeldShopsUnknown(RuntimeError):
    """Failing rows that cannot be laid on some shops: the build fails as a whole; the message says why."""


def failing_shops(settings: Settings, database: Path, failing: Mapping[str, str]) -> dict[str, list[GateFinding]]:
    """The shops whose rows fail tests, with a finding for each test; ``failing`` has the query of its failing rows by its name.

    Raises HeldShopsUnknown.
    """
    findings: dict[str, list[GateFinding]] = defaultdict(list)
    with duckdb.connect(str(database), read_only=True) as connection:
        reach(connection, settings)
        for name, sql in failing.items():
            rows = connection.execute(sql).to_arrow_table()
            if "shop_id" not in rows.column_names or rows["shop_id"].null_count or not rows.num_rows:
                raise HeldShopsUnknown(f"rows that fail {name} name no shop")
            for shop_id in sorted(set(rows["shop_id"].to_pylist())):
                of_shop = rows.filter(pa.compute.equal(rows["shop_id"], shop_id))
                findings[shop_id].append(
                    GateFinding(name, MARTS, None, f"{of_shop.num_rows:,} rows fail", _sample(of_shop), _REPAIR)
                )
        [shops] = connection.execute("select list(distinct shop_id) from dim_shops").fetchall()[0]
    if not set(shops or ()) - findings.keys():
        raise HeldShopsUnknown("every shop fails")
    return dict(findings)


def without_registration(lake: LakeVersion, shops: Shops) -> dict[str, list[GateFinding]]:
    """The shops that the lake has rows of and the registry does not know, with the finding that holds each back.

    Raises HeldShopsUnknown where it knows none of them.
    """
    in_lake = shops_of(lake)
    unknown = sorted(in_lake - shops.shops.keys())
    if unknown and not in_lake & shops.shops.keys():
        raise HeldShopsUnknown(f"the registry shops.json knows no shop of the lake ({', '.join(unknown[:_MOST_SHOWN])})")
    return {
        shop_id: [GateFinding("registered", MARTS, None, "the lake has rows of it, shops.json does not know it", (), repair)]
        for shop_id in unknown
        for repair in [
            f"put back the shops.json of a backup, or jishi shops create {shop_id} with its time zone and currency, then "
            f"python -m ops.marts build; one that is to go: then jishi shops leave {shop_id}"
        ]
    }


def keep_rows(connection: duckdb.DuckDBPyConnection, tables: Sequence[str], shops: Collection[str], earlier: Path) -> None:
    """In the published tables of the attached database ``published`` give these shops the rows that they have in ``earlier``.

    Raises HeldShopsUnknown where a table has other columns there: its old rows would not be what readers expect.
    """
    connection.execute(f"attach {quoted(str(earlier))} as earlier (read_only)")
    names = ", ".join(map(quoted, sorted(shops)))
    for table in tables:
        columns, before = (_columns(connection, catalog, table) for catalog in ("published", "earlier"))
        if "shop_id" not in columns:
            continue
        if columns != before:
            raise HeldShopsUnknown(f"{table} has other columns than in the marts before")
        connection.execute(f"delete from published.main.{table} where shop_id in ({names})")
        connection.execute(
            f"insert into published.main.{table} by name select * from earlier.main.{table} where shop_id in ({names})"
        )
    connection.execute("detach earlier")


def with_kept_rows(rows: pa.Table, lake: LakeVersion, table: str, shops: Collection[str]) -> pa.Table:
    """A table of the lake as it is to be published, with the rows that it has of these shops already."""
    if not shops or not lake.has(table):
        return rows.filter(pa.compute.invert(_is_of(rows, shops))) if shops else rows
    names = ", ".join(map(quoted, sorted(shops)))
    with open_lake(lake) as connection:
        sql = f"select * from {table.replace('/', '_')} where shop_id in ({names})"
        kept = connection.execute(sql).to_arrow_table()
    others = rows.filter(pa.compute.invert(_is_of(rows, shops)))
    return pa.concat_tables([others, kept.select(rows.column_names).cast(rows.schema)])


def note_shops(paths: Paths, failing: Mapping[str, Sequence[GateFinding]], now: datetime) -> None:
    """Hold these shops back for their marts, and let go those whose marts have passed; ``now`` is aware."""
    for shop_id, findings in failing.items():
        hold(paths, shop_id, findings, now)
    for held in list(all_held_back(paths)):
        if held.shop_id not in failing:
            release(paths, held.shop_id, of_marts=True)


def _is_of(rows: pa.Table, shops: Collection[str]) -> Any:
    return pa.compute.is_in(rows["shop_id"], value_set=pa.array(sorted(shops), rows.schema.field("shop_id").type))


def _columns(connection: duckdb.DuckDBPyConnection, catalog: str, table: str) -> set[str]:
    sql = "select column_name from duckdb_columns() where database_name = ? and schema_name = 'main' and table_name = ?"
    return {name for (name,) in connection.execute(sql, [catalog, table]).fetchall()}


def _sample(rows: pa.Table) -> tuple[str, ...]:
    shown = rows.select([name for name in _SHOWN if name in rows.column_names]).slice(0, _MOST_SHOWN)
    return tuple(" ".join(f"{name} {value}" for name, value in row.items()) for row in shown.to_pylist() if row)
