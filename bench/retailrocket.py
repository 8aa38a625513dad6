"""Sessions on RetailRocket: ``python -m bench.retailrocket --data FOLDER``.

The folder holds ``retailrocket_train.parquet`` (lists ``items``) and ``retailrocket_test.parquet`` (lists ``prefix``, and
``next``): view sessions in the preprocessing of the COTREC paper (Xia et al., CIKM 2021; data CC BY-NC-SA 4.0). Nothing of them
is in this repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.protocol_run import Bar, evaluate, show

BARS = [Bar("hit_rate@20", 0.565, 0.590), Bar("mrr@20", 0.310, 0.330)]


def main() -> None:
    """Judge the models."""
    parser = argparse.ArgumentParser(prog="python -m bench.retailrocket", description="Sessions on RetailRocket")
    parser.add_argument("--data", type=Path, required=True, help="folder with the two Parquet files")
    parser.add_argument("--models", nargs="+", default=["popularity", "markov", "repeats", "rules", "knn", "auto"])
    chosen = parser.parse_args()
    files = chosen.data / "retailrocket_train.parquet", chosen.data / "retailrocket_test.parquet"
    runs = [(model, evaluate("sessions", *files, model)) for model in chosen.models]
    show("sessions · RetailRocket", runs, ["hit_rate@20", "mrr@20"], BARS)


if __name__ == "__main__":
    main()
