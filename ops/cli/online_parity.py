"""``jishi features online-parity``: the values that serving used, recomputed from the lake."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from jishi.text_tables import TextTable, text_console

if TYPE_CHECKING:
    from quality.parity.online_run import OnlineParity


def online_parity(
    date_: Annotated[str | None, typer.Option("--date", help="UTC date of the reads; the day before today if left out")] = None,
) -> None:
    """Recompute a sample of the values that serving used; exit 1 when too many of one feature were wrong."""
    from jishi.features.served import ServedValueUnreadable
    from jishi.lake.release import REFUSED
    from jishi.settings import get_settings
    from quality.parity.online_run import NothingToJudge, check_served_values, explained, publish

    settings, console = get_settings(), text_console()
    try:
        on = date.fromisoformat(date_) if date_ else datetime.now(UTC).date() - timedelta(days=1)
    except ValueError:
        raise typer.BadParameter(f"{date_!r} is not a date such as 2026-11-24", param_hint="--date") from None
    if settings.served_values_rate == 0:
        print("serving logs no values (JISHI_SERVED_VALUES_RATE is 0): nothing to compare")
        return
    try:
        result = check_served_values(settings, on)
        publish(settings, on, result.drifts)
    except (NothingToJudge, ServedValueUnreadable, *REFUSED) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    console.print(_table(result))
    for judged in result.wrong:
        console.print(explained(judged), highlight=False, soft_wrap=True, markup=False)
    beyond = result.beyond(settings.online_parity_max_drift)
    names = ", ".join(f"{drift.feature} ({drift.share:.2%})" for drift in beyond)
    print(f"{result.later} reads are later than bronze reaches; {result.undeclared} are of features that are not declared")
    print(f"wrong more often than {settings.online_parity_max_drift:.2%}: {names or 'no feature'}")
    raise typer.Exit(1 if beyond else 0)


def _table(result: OnlineParity) -> TextTable:
    table = TextTable("feature", title=f"values that serving used on {result.on} (UTC)")
    for heading in ("reads", "mismatch", "missing", "too old", "wrong", "age p50", "age max", "behind max"):
        table.add_column(heading, justify="right")
    for d in result.drifts:
        counts = (str(count) for count in (d.reads, d.mismatched, d.missing, d.too_old))
        ages = (_seconds(age) for age in (d.age_p50_ms, d.age_max_ms, d.behind_max_ms))
        table.add_row(d.feature, *counts, f"{d.share:.2%}", *ages)
    return table


def _seconds(ms: int | None) -> str:
    return "" if ms is None else f"{ms / 1000:.1f} s"
