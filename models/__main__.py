"""``python -m models train|evaluate|gate|publish --shop S [--shop …]``."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from jishi.paths import Paths
from jishi.settings import get_settings
from models import pipeline
from models.artefact import CorruptArtefact
from models.evaluation import BASELINE, NobodyToTest
from models.interactions import NoInteractions
from models.split import TooShort

_SHOWN = ("ndcg@10", "recall@20", "hit_rate@10")


def show_report(console: Console, report: dict[str, Any]) -> None:
    """Print the metrics of one shop: means with 95 % intervals, and the paired gain over popularity."""
    for protocol, found in report["protocols"].items():
        judged = f"{found['persons']} test customers from {report['window']['test_from']}"
        title = f"{report['shop_id']} · {protocol.replace('_', ' ')} · {judged}"
        table = Table(title=title, title_justify="left")
        table.add_column("model")
        for metric in (*_SHOWN, "coverage@20"):
            table.add_column(metric, justify="right")
        table.add_column("ndcg@10 over popularity", justify="right")
        for name, result in found["models"].items():
            if not result["metrics"]:
                continue
            cells = [f"{m['mean']:.4f} [{m['low']:.4f}, {m['high']:.4f}]" for m in (result["metrics"][key] for key in _SHOWN)]
            gain = result["metrics"]["ndcg@10"].get("over_popularity")
            told = "" if name == BASELINE else f"{gain['mean']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
            table.add_row(name, *cells, f"{result['coverage@20']:.1%}", told)
        console.print(table)
    for placement, found in report["placements"].items():
        console.print(_placement_table(report["shop_id"], placement, found))


def _placement_table(shop_id: str, placement: str, found: dict[str, Any]) -> Table:
    """The models of one placement on its own question."""
    title = f"{shop_id} · {placement} · {found['cases']} cases of {found['persons']} persons"
    table = Table(title=title, title_justify="left")
    table.add_column("model")
    for heading in ("ndcg@10", "hit_rate@20", "coverage@20", "ndcg@10 over popularity"):
        table.add_column(heading, justify="right")
    for name, result in found["models"].items():
        metric, hits = result["metrics"]["ndcg@10"], result["metrics"]["hit_rate@20"]
        gain = metric.get("over_popularity")
        told = "" if gain is None else f"{gain['mean']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
        table.add_row(name, f"{metric['mean']:.4f}", f"{hits['mean']:.4f}", f"{result['coverage@20']:.1%}", told)
    return table


def run(step: str, paths: Paths, shop_id: str, console: Console) -> None:
    """One step for one shop, with its outcome in a line or a table."""
    began = time.monotonic()
    if step == "train":
        told = f"candidate {pipeline.train(paths, shop_id)}"
    elif step == "evaluate":
        show_report(console, pipeline.evaluate_candidate(paths, shop_id))
        told = "evaluated"
    elif step == "gate":
        verdict = pipeline.gate(paths, shop_id)
        told = verdict["sentence"]
        for placement, chosen in verdict["placements"].items():
            line = f"  {placement}: {chosen['model']}, {chosen['sentence']}"
            console.print(line, highlight=False, soft_wrap=True)
    else:
        version = pipeline.publish(paths, shop_id)
        told = f"release {version} published" if version else "the gate refused the candidate; the last release stays"
    console.print(f"{step} {shop_id}: {told} ({time.monotonic() - began:.1f} s)", highlight=False, soft_wrap=True)


def main() -> int:
    """Run a step for each shop; what a user can mend is told in one line, with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m models", description="From interactions to a release.")
    parser.add_argument("step", choices=("train", "evaluate", "gate", "publish"))
    parser.add_argument("--shop", action="append", required=True, help="may repeat")
    chosen = parser.parse_args()
    paths = Paths.of(get_settings())
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        for shop_id in chosen.shop:
            run(chosen.step, paths, shop_id, console)
    except (pipeline.StepMissing, CorruptArtefact, NoInteractions, NobodyToTest, TooShort) as error:
        print(f"models {chosen.step}: {error.args[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
