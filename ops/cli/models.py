"""``jishi models``: the releases of a shop's models, and the way back to an older one."""

from __future__ import annotations

import typer

from ops.cli.handover import PASS_THROUGH, hand_over

_HELP = "Releases of a shop's models: list them, go back to an older one."
app = typer.Typer(no_args_is_help=True, help=_HELP)


@app.callback(help=_HELP)
def models() -> None:
    """Group of the commands on releases."""


@app.command("list", context_settings=PASS_THROUGH)
def list_(context: typer.Context) -> None:
    """Kept releases with their figures, the one in use, and why others are not: list SHOP (--help lists the options)."""
    hand_over("models.release", ["list", *context.args], folder=None)


@app.command(context_settings=PASS_THROUGH)
def rollback(context: typer.Context) -> None:
    """Put an older release in use, in one step: rollback SHOP [VERSION] (--help lists the options)."""
    hand_over("models.release", ["rollback", *context.args], folder=None)


@app.command(context_settings=PASS_THROUGH)
def resume(context: typer.Context) -> None:
    """Let candidates be published again after rollback --hold: resume SHOP."""
    hand_over("models.release", ["resume", *context.args], folder=None)
