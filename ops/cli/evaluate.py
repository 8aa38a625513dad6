"""``jishi evaluate``: judge recommenders on Parquet files of any origin; nothing of a shop is needed."""

from __future__ import annotations

import typer

from ops.cli.handover import PASS_THROUGH, hand_over

app = typer.Typer(no_args_is_help=True, help="Judge recommenders on any data set: the whole catalogue ranked, nothing sampled.")
MODULE = "models.protocols"


@app.command(context_settings=PASS_THROUGH)
def interactions(context: typer.Context) -> None:
    """(user_id, item_id[, timestamp, weight]): Recall, NDCG, HR, MRR at k (--help lists the options)."""
    hand_over(MODULE, ["interactions", *context.args], folder=None)


@app.command(context_settings=PASS_THROUGH)
def sessions(context: typer.Context) -> None:
    """Sequences of items, judged by the next item: HR and MRR at k (--help lists the options)."""
    hand_over(MODULE, ["sessions", *context.args], folder=None)


@app.command(context_settings=PASS_THROUGH)
def baskets(context: typer.Context) -> None:
    """Baskets of users over time, judged by the next basket: Recall and NDCG at k (--help lists the options)."""
    hand_over(MODULE, ["baskets", *context.args], folder=None)


@app.command(context_settings=PASS_THROUGH)
def compare(context: typer.Context) -> None:
    """Two files that ``interactions --per-user`` wrote: paired differences with intervals and p-values."""
    hand_over(MODULE, ["compare", *context.args], folder=None)


@app.command(context_settings=PASS_THROUGH)
def page(context: typer.Context) -> None:
    """One HTML page that compares reports, with the cards of released models (--help lists the options)."""
    hand_over("models.page", context.args, folder=None)
