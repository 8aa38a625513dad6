"""The end of the demo: tables for people, and the same as ``var/demo/summary.json``."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console

from jishi.files import write_json
from jishi.money import shown
from jishi.paths import Paths
from jishi.text_tables import TextTable
from ops.airflow_database import installed_version
from ops.demo import showcase

SHOWN_METRICS = ("ndcg@10", "recall@20")
# What a person compares when two runs differ; the locked versions of everything else stand in uv.lock.
ENGINES = ("jishi", "pyspark", "feast", "dbt-core", "dbt-duckdb", "duckdb", "implicit", "confluent-kafka")


def model_metrics(paths: Paths, shop_ids: tuple[str, ...]) -> dict[str, Any]:
    """What evaluation and gate say of each shop's newest candidate: metrics next to popularity, and the gate's decision."""
    models: dict[str, Any] = {}
    for shop_id in shop_ids:
        candidates = paths.models / shop_id / "candidates"
        if not (candidates / "LATEST").exists():
            continue
        candidate = (candidates / "LATEST").read_text(encoding="utf-8").strip()
        report, gate = (
            json.loads((candidates / candidate / f"{name}.json").read_text(encoding="utf-8")) for name in ("evaluation", "gate")
        )
        judged, baseline = report["protocols"]["all_items"], report["baseline"]
        in_order = [baseline, *sorted(set(judged["models"]) - {baseline})]
        models[shop_id] = {
            "candidate": candidate,
            "is_released": gate["is_released"],
            "gate": gate["sentence"],
            "baseline": baseline,
            "test_customers": judged["persons"],
            "metrics": {name: judged["models"][name]["metrics"] for name in in_order},
            "placements": {
                placement: _placement(report["placements"][placement]["models"], baseline, chosen)
                for placement, chosen in gate["placements"].items()
            },
        }
    return models


def _placement(judged: dict[str, Any], baseline: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """The model that answers a placement with its metric next to popularity's; none of these for the ladder and what sells."""
    row = {"model": chosen["model"], "gate": chosen["sentence"]}
    if chosen["model"] not in judged or chosen["model"] == baseline:
        return row
    metrics = {name: judged[name]["metrics"][SHOWN_METRICS[0]] for name in (chosen["model"], baseline)}
    return row | {SHOWN_METRICS[0]: metrics[chosen["model"]], baseline: metrics[baseline]}


def versions(paths: Paths) -> dict[str, str]:
    """Versions of Python and the engines that made the numbers."""
    installed = {"python": platform.python_version()} | {name: metadata.version(name) for name in ENGINES}
    return installed | {"apache-airflow": installed_version(paths)}


def write(path: Path, summary: dict[str, Any]) -> None:
    """Write the summary in one step."""
    write_json(path, summary)


def show(console: Console, summary: dict[str, Any]) -> None:
    """Print the summary for people."""
    table = TextTable(title="Events: accepted = silver + duplicates + quarantined", title_justify="left")
    for heading in (
        "shop",
        "accepted",
        "silver",
        "of them late",
        "duplicates",
        "quarantined",
        "orders",
        "GMV (net)",
        "customers",
    ):
        table.add_column(heading, justify="left" if heading == "shop" else "right")
    for shop_id, counts in summary["shops"].items():
        quarantined = ", ".join(f"{n:,} {reason}" for reason, n in counts["quarantined"].items() if n) or "0"
        numbers = [f"{counts[key]:,}" for key in ("accepted", "silver", "late", "duplicates")]
        money = shown(counts["gmv_minor"], counts["currency"]) if counts["currency"] else "0"
        table.add_row(shop_id, *numbers, quarantined, f"{counts['orders']:,}", money, f"{counts['paying_customers']:,}")
    console.print(table)
    console.print(_model_table(summary["models"]))
    console.print(_placement_table(summary["models"]))
    for shop_id, model in summary["models"].items():
        console.print(f"  gate of {shop_id}: {model['gate']}", highlight=False)
    if "loop_delay_s" in summary:
        console.print(
            f"three clicks changed the answer after [bold]{summary['loop_delay_s']} s[/], a sold-out item left it after "
            f"[bold]{summary['sold_out_delay_s']} s[/]",
            highlight=False,
        )
    if "showcase" in summary:
        showcase.show(console, summary["showcase"], summary["urls"]["storefront"])
    steps = TextTable(title=f"Steps, {sum(summary['steps_s'].values()):,.0f} s in all", title_justify="left")
    steps.add_column("step")
    steps.add_column("seconds", justify="right")
    for step, seconds in summary["steps_s"].items():
        steps.add_row(step, f"{seconds:,.1f}")
    console.print(steps)
    pages = TextTable(title="Open in a browser (make down stops everything)", title_justify="left")
    pages.add_column("page")
    pages.add_column("address")
    for name, url in summary["urls"].items():
        pages.add_row(name.replace("_", " "), url)
    console.print(pages)
    console.print("user of dashboard and Airflow: admin; passwords: var/superset/admin_password, var/airflow/admin_password")


def _model_table(models: dict[str, Any]) -> TextTable:
    """Each model next to popularity: means with 95 % intervals, and what the gate decided."""
    table = TextTable(title="Models on a time split: all items ranked for every test customer", title_justify="left")
    for heading in ("shop", "model", *SHOWN_METRICS, f"{SHOWN_METRICS[0]} over popularity"):
        table.add_column(heading)
    for shop_id, model in models.items():
        for name, metrics in model["metrics"].items():
            cells = [_interval(metrics[metric]) for metric in SHOWN_METRICS]
            gain = metrics[SHOWN_METRICS[0]].get("over_popularity")
            table.add_row(shop_id, name, *cells, _interval(gain, "+") if gain else "baseline")
    return table


def _placement_table(models: dict[str, Any]) -> TextTable:
    """What answers each placement, against popularity on the placement's own question."""
    metric = SHOWN_METRICS[0]
    title = "Placements: the model that the release names, on the placement's own question"
    table = TextTable(title=title, title_justify="left")
    for heading in ("shop", "placement", "answered by", metric, "of popularity", "difference"):
        table.add_column(heading)
    for shop_id, model in models.items():
        for placement, placed in model["placements"].items():
            if metric not in placed:
                table.add_row(shop_id, placement, placed["model"], placed["gate"], "", "")
                continue
            base = f"{placed[model['baseline']]['mean']:.4f}"
            difference = _interval(placed[metric]["over_popularity"], "+")
            table.add_row(shop_id, placement, placed["model"], _interval(placed[metric]), base, difference)
    return table


def _interval(estimate: dict[str, float], sign: str = "") -> str:
    mean, low, high = (format(estimate[key], f"{sign}.4f") for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
