"""``jishi bench retail FILE``: real invoices through the import commands and the marts against pandas, to the penny.

FILE is UCI Online Retail (doi:10.24432/C5BW33, CC BY 4.0) as Parquet or CSV with its own column names; nothing of it is kept.
A platform in a temporary folder imports it as a user would, builds silver and marts, and every figure of ``retail_oracle`` is
compared with what the metric layer and the marts say.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from rich.console import Console
from rich.table import Table

from bench import user_path
from bench.measured_command import run_measured
from bench.one_shop import settings_of
from bench.retail_oracle import WINDOWS, Figures, figures_of, read_shop
from jishi.lake.reading import LakeVersion, open_version
from jishi.marts import mart_rows
from jishi.metrics import open_metrics

SHOP = "retail"
MAPPING: dict[str, Any] = {
    "currency": "GBP",
    "time_zone": "Europe/London",
    "columns": {
        "order_id": "InvoiceNo",
        "item_id": "StockCode",
        "quantity": "Quantity",
        "unit_price": "UnitPrice",
        "occurred_at": "InvoiceDate",
        "user_id": "CustomerID",
    },
    "cancellation": {"column": "InvoiceNo", "starts_with": "C"},
}
MONTHLY = ("orders", "buyers", "gmv", "refunds", "net_gmv")
IN_FULL = (*MONTHLY, "customers", "repeat customers", "segment size")  # measures of which the table shows each row


def commands(file: Path, mapping: Path) -> list[list[str]]:
    """What a user would run, behind ``python -m``."""
    return [
        ["imports", "orders", str(file), "--shop", SHOP, "--map", str(mapping)],
        ["imports", "history", "--shop", SHOP],
        ["spark_jobs", "silver", "--batch", "history", "--shop", SHOP],
        ["ops.marts", "build"],
    ]


def published_figures(lake: LakeVersion, shop_id: str = SHOP) -> Figures:
    """The figures of ``retail_oracle.figures_of`` as the metric layer and the marts have them."""
    figures: Figures = {}
    for row in open_metrics(lake).rows(MONTHLY, ["metric_time__month"], shop_id=shop_id):
        for name in MONTHLY:
            figures[name, f"{row['metric_time__month']:%Y-%m}"] = int(row[name] or 0)
    [day] = mart_rows(lake, "from fct_shop_days where shop_id = ? order by shop_date desc limit 1", shop_id)
    for days in WINDOWS:
        figures["customers", f"{days} days"] = day[f"customers_{days}d"]
        figures["repeat customers", f"{days} days"] = day[f"repeat_customers_{days}d"]
    sizes: defaultdict[str, int] = defaultdict(int)
    for row in mart_rows(lake, "from dim_customers where shop_id = ? and segment is not null", shop_id):
        person = row["person_id"]
        figures["spend", person] = int(row["spent_minor"])
        figures["scores", person] = (row["recency_score"], row["frequency_score"], row["monetary_score"])
        figures["segment", person] = row["segment"]
        sizes[row["segment"]] += 1
    figures |= {("segment size", segment): size for segment, size in sizes.items()}
    for row in mart_rows(lake, "from fct_cohorts where shop_id = ?", shop_id):
        net = None if row["net_minor"] is None else int(row["net_minor"])
        key = f"{row['period']} cohorts", f"{row['cohort_date']} +{row['period_number']}"
        figures[key] = (row["customers"], row["active_customers"], net)
    return figures


def different(marts: Figures, oracle: Figures) -> dict[tuple[str, str], tuple[object, object]]:
    """What both sides say where they are not equal; None for a figure that one side lacks."""
    return {
        key: (marts.get(key), oracle.get(key))
        for key in sorted(marts.keys() | oracle.keys())
        if marts.get(key) != oracle.get(key)
    }


def comparison(marts: Figures, oracle: Figures) -> Table:
    """Both sides: figures of months, windows and segments one by one, the others (thousands) counted; then what differs."""
    table = Table(title="UCI Online Retail, pence and persons")
    for heading in ("figure", "of", "marts", "pandas", "difference"):
        table.add_column(heading, justify="left" if heading in ("figure", "of") else "right")
    differing = different(marts, oracle)
    measures = dict.fromkeys(measure for measure, _ in oracle | marts)
    for measure in measures:
        keys = sorted({key for key in marts.keys() | oracle.keys() if key[0] == measure})
        if measure in IN_FULL:
            for key in keys:
                ours, theirs = marts.get(key), oracle.get(key)
                table.add_row(*key, _shown(ours), _shown(theirs), _gap(ours, theirs))
        else:
            sides = [sum(key in side for key in keys) for side in (marts, oracle)]
            wrong = sum(key in differing for key in keys)
            table.add_row(measure, "each", *(f"{count:,} rows" for count in sides), f"{wrong:,} rows")
    return table


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _gap(ours: object, theirs: object) -> str:
    if isinstance(ours, int) and isinstance(theirs, int):
        return f"{ours - theirs:,}"
    return "0" if ours == theirs else "one side only"


def main() -> int:
    """Import, build, compare; exit code 1 when any figure differs."""
    parser = argparse.ArgumentParser(prog="jishi bench retail", description=__doc__)
    parser.add_argument("file", type=user_path, metavar="FILE", help="Online Retail as Parquet or CSV")
    parser.add_argument("--json", action="store_true", help="print both sides and what differs as one line of JSON")
    chosen = parser.parse_args()
    if not chosen.file.is_file():
        parser.error(f"{chosen.file} does not exist; get it from https://archive.ics.uci.edu/dataset/352/online+retail")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="jishi-retail-") as name:
        mapping, settings = Path(name) / "retail.yaml", settings_of(Path(name) / "var")
        settings.var.mkdir()
        mapping.write_text(yaml.safe_dump(MAPPING))
        for command in commands(chosen.file, mapping):
            run_measured([sys.executable, "-m", *command], settings.var)
        marts = published_figures(open_version(settings))
    built = time.monotonic()
    oracle = figures_of(read_shop(read_lines(chosen.file)))
    differing = different(marts, oracle)
    seconds = {"platform_s": round(built - began, 1), "pandas_s": round(time.monotonic() - built, 1)}
    if chosen.json:
        counted = {"figures": len(oracle), "different": len(differing)} | seconds
        print(json.dumps(counted | {"differing": {" of ".join(key): both for key, both in differing.items()}}))
    else:
        console = Console(width=None if sys.stdout.isatty() else 140)
        console.print(comparison(marts, oracle))
        for (measure, key), (ours, theirs) in list(differing.items())[:20]:
            console.print(f"{measure} of {key}: marts {ours}, pandas {theirs}", highlight=False)
        console.print(f"{len(oracle):,} figures compared, {len(differing):,} differ; {seconds}", highlight=False)
    return 1 if differing else 0


def read_lines(file: Path) -> pd.DataFrame:
    """The file's rows with its own column names."""
    if file.suffix.lower() == ".csv":
        return pd.read_csv(file, dtype={"InvoiceNo": str, "StockCode": str}, parse_dates=["InvoiceDate"])
    return pd.read_parquet(file)


if __name__ == "__main__":
    sys.exit(main())
