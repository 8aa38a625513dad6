"""``python -m models train|evaluate|gate|publish --shop S [--shop …]``, ``train --from-tables`` and ``cut --shop S``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rich.console import Console

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion, open_version
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shop_runs import BadRunId, ShopRuns, add_run_options
from jishi.shops import Shops, UnknownShop
from jishi.text_tables import TextTable, text_console
from models.data import evaluation_acts
from models.data.interactions import NoInteractions, instant
from models.data.split import TooShort
from models.evaluation.comparison import BASELINE
from models.steps import STEPS, run_step

CUT = "cut"
NOTHING_TO_DO = 99
_SHOWN = ("ndcg@10", "recall@20", "hit_rate@10")


def show_report(console: Console, report: dict[str, Any]) -> None:
    """Print the metrics of one shop: means with 95 % intervals, and the paired gain over popularity."""
    for protocol, section in report["protocols"].items():
        judged = f"{section['persons']} test customers from {report['window']['test_from']}"
        title = f"{report['shop_id']} · {protocol.replace('_', ' ')} · {judged}"
        table = TextTable(title=title, title_justify="left")
        table.add_column("model")
        for metric in (*_SHOWN, "coverage@20"):
            table.add_column(metric, justify="right")
        table.add_column("ndcg@10 over popularity", justify="right")
        for name, result in section["models"].items():
            if not result["metrics"]:
                continue
            cells = [f"{m['mean']:.4f} [{m['low']:.4f}, {m['high']:.4f}]" for m in (result["metrics"][key] for key in _SHOWN)]
            gain = result["metrics"]["ndcg@10"].get("over_popularity")
            difference = "" if name == BASELINE else f"{gain['mean']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
            table.add_row(name, *cells, f"{result['coverage@20']:.1%}", difference)
        console.print(table)
    for placement, section in report["placements"].items():
        console.print(_placement_table(report["shop_id"], placement, section))


def _placement_table(shop_id: str, placement: str, section: dict[str, Any]) -> TextTable:
    """The models of one placement on its own question."""
    title = f"{shop_id} · {placement} · {section['cases']} cases of {section['persons']} persons"
    table = TextTable(title=title, title_justify="left")
    table.add_column("model")
    for heading in ("ndcg@10", "hit_rate@20", "coverage@20", "ndcg@10 over popularity"):
        table.add_column(heading, justify="right")
    for name, result in section["models"].items():
        metric, hits = result["metrics"]["ndcg@10"], result["metrics"]["hit_rate@20"]
        gain = metric.get("over_popularity")
        difference = "" if gain is None else f"{gain['mean']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
        table.add_row(name, f"{metric['mean']:.4f}", f"{hits['mean']:.4f}", f"{result['coverage@20']:.1%}", difference)
    return table


def show(step: str, shop_id: str, result: Any, seconds: float, console: Console) -> None:
    """The outcome of one step for one shop in a line or a table."""
    if step == "train":
        sentence = f"candidate {result}"
    elif step == "evaluate":
        show_report(console, result)
        sentence = "evaluated"
    elif step == "gate":
        sentence = result["sentence"]
        for placement, chosen in result["placements"].items():
            line = f"  {placement}: {chosen['model']}, {chosen['sentence']}"
            console.print(line, highlight=False, soft_wrap=True)
    else:
        sentence = f"release {result} published" if result else "the gate refused the candidate; the last release stays"
    console.print(f"{step} {shop_id}: {sentence} ({seconds:.1f} s)", highlight=False, soft_wrap=True)


def main() -> int:
    """Run a step for each shop. Exit code 0: no shop failed; 3: some did; 1: all did; 4: one in a way that nobody foresaw."""
    parser = argparse.ArgumentParser(prog="python -m models", description="From interactions to a release.")
    steps = parser.add_subparsers(dest="step", required=True)
    parsers = {name: steps.add_parser(name) for name in STEPS}
    for each in parsers.values():
        each.add_argument("--shop", action="append", required=True, help="may repeat")
        add_run_options(each)
    parsers["train"].add_argument(
        "--from-tables", action="store_true", help="from what Spark published, for shops whose acts do not fit memory"
    )
    cut = steps.add_parser(CUT, help="the instant before which a shop's judged models learn: --before of python -m spark_jobs")
    cut.add_argument("--shop", required=True)
    chosen = parser.parse_args()
    settings = get_settings()
    paths, lake = Paths.of(settings), open_version(settings)
    if chosen.step == CUT:
        return show_cut(paths, lake, chosen.shop)
    console = text_console()
    try:
        runs = ShopRuns(paths, chosen.step, chosen.run)
    except BadRunId as error:
        parser.error(str(error))
    result = run_step(
        paths,
        lake,
        chosen.step,
        chosen.shop,
        runs,
        from_spark=getattr(chosen, "from_tables", False),
        after=chosen.after,
        report=lambda shop_id, value, seconds: show(chosen.step, shop_id, value, seconds, console),
    )
    if result.failed or len(result.shops) != sum(each.state == "done" for each in result.shops):
        result.show(console)
    for failure in result.failed:
        print(f"models {chosen.step}: {failure.reason}", file=sys.stderr)
    return result.exit_code


def show_cut(paths: Paths, lake: LakeVersion, shop_id: str) -> int:
    """Print the cut of a shop's split. Exit code 99, which Airflow takes for "skip this", when it has too little for one."""
    try:
        Shops.load(paths.shops_file).get(shop_id)
        with open_lake(lake) as connection:
            print(f"{instant(evaluation_acts.split(connection, shop_id).cut).isoformat()}Z")
    except UnknownShop as error:
        print(f"models {CUT}: {error.args[0]}", file=sys.stderr)
        return 1
    except (NoInteractions, TooShort) as error:
        print(f"models {CUT}: {error}", file=sys.stderr)
        return NOTHING_TO_DO
    return 0


if __name__ == "__main__":
    sys.exit(main())
