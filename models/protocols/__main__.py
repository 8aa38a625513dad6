"""``python -m models.protocols interactions|sessions|baskets --train T.parquet --test E.parquet --model NAME|auto``, or
``compare A.parquet B.parquet`` for two files of ``--per-user``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jishi.text_tables import text_console
from models.lab.matrix_models import MATRIX_MODELS
from models.protocols import report
from models.protocols.basket_choice import BASKET_MODELS
from models.protocols.baskets import run_baskets
from models.protocols.interaction_run import run_interactions
from models.protocols.per_user import run_compare
from models.protocols.session_choice import SESSION_MODELS
from models.protocols.sessions import run_sessions
from models.protocols.tables import BadTable

Run = Callable[..., dict[str, Any]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jishi evaluate", description="Judge a recommender on any data set: the whole catalogue ranked, nothing sampled."
    )
    commands = parser.add_subparsers(dest="protocol", required=True)
    protocols = {
        "interactions": ("columns user_id, item_id, optional timestamp and weight", [*MATRIX_MODELS, "auto"], [10, 20]),
        "sessions": ("train: lists items; test: lists prefix, and next", [*SESSION_MODELS, "blend", "auto"], [20]),
        "baskets": (
            "user_id and lists items, optional timestamp; or user_id, basket_id, item_id",
            [*BASKET_MODELS, "blend", "auto"],
            [10, 20],
        ),
    }
    for name, (columns, models, ks) in protocols.items():
        command = commands.add_parser(name, help=columns, description=columns)
        command.add_argument("--train", type=Path, required=True, help="Parquet to learn from")
        command.add_argument("--test", type=Path, required=True, help="Parquet to be judged by")
        command.add_argument("--model", choices=models, default="auto", help="auto picks and tunes on a slice of --train")
        command.add_argument("--k", type=_length, nargs="+", default=ks, help=f"list lengths (default {ks})")
        command.add_argument("--seed", type=int, default=7, help="of everything that is drawn")
        command.add_argument("--parameters", type=_parameters, default={}, help="JSON, of a named model; default: its own")
        command.add_argument("--json", type=Path, default=None, help="write the report here; - prints it")
        command.add_argument(
            "--per-user", type=Path, help="write every test row's metrics here (Parquet), for paired differences"
        )
        if name == "interactions":
            command.add_argument(
                "--mask", type=Path, help="more pairs (user_id, item_id) never to recommend, learnt from by nobody"
            )
    compare = commands.add_parser("compare", help="two files of --per-user: paired differences with intervals and p-values")
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    compare.add_argument("--seed", type=int, default=7, help="of everything that is drawn")
    compare.add_argument("--json", type=Path, default=None, help="write the report here; - prints it")
    return parser


def _length(text: str) -> int:
    length = int(text)
    if not 1 <= length <= 1000:
        raise argparse.ArgumentTypeError("a list has 1 to 1000 items")
    return length


def _parameters(text: str) -> dict[str, Any]:
    try:
        parameters = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"no JSON: {error}") from None
    if not isinstance(parameters, dict):
        raise argparse.ArgumentTypeError('a JSON object is needed, like {"ridge": 100}')
    return parameters


RUNS: dict[str, Run] = {
    "interactions": run_interactions,
    "sessions": run_sessions,
    "baskets": run_baskets,
    "compare": run_compare,
}


def main() -> int:
    """Run one protocol; an error that a user can mend is printed in one sentence, with exit code 1."""
    parser = _parser()
    chosen = parser.parse_args()
    is_run = chosen.protocol != "compare"
    if is_run and chosen.parameters and chosen.model in ("auto", "blend"):
        parser.error(f"--parameters are of a named model; {chosen.model} finds its own")
    # A report on standard output must be nothing but JSON.
    console = text_console(stderr=str(chosen.json) == "-")
    try:
        result = RUNS[chosen.protocol](chosen, lambda line: console.print(f"  {line}", highlight=False, markup=False))
        if is_run:
            report.show(console, result)
        report.write(chosen.json, result)
    except TypeError as error:
        if not is_run or not chosen.parameters or "unexpected keyword argument" not in str(error):
            raise
        print(f"evaluate {chosen.protocol}: --parameters: {chosen.model} {str(error).partition(' ')[2]}", file=sys.stderr)
        return 1
    except (BadTable, OSError) as error:
        print(f"evaluate {chosen.protocol}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
