"""``jishi decisions``: what serving decided, and whether it would decide it again."""

from __future__ import annotations

import typer

from ops.cli.handover import PASS_THROUGH, hand_over

app = typer.Typer(no_args_is_help=True, help="The decision log of serving.")


@app.callback()
def decisions() -> None:
    """The decision log of serving."""


@app.command(context_settings=PASS_THROUGH)
def replay(context: typer.Context) -> None:
    """Make a logged answer again from its logged inputs; exit 1 where it differs (--help lists the options)."""
    hand_over("serving.replay", context.args, folder=None)
