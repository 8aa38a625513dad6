"""Which days have to be built: those of new records, and those of answers of which pages have said something new.

Rows of ``silver/events`` that only one of two versions has are found by the files that only one of them has. A version that is
not kept any more cannot be compared; then every day that bronze has is built anew.
"""

from __future__ import annotations

from datetime import date

import duckdb

from jishi.lake.object_store import reach
from jishi.lake.plans import Plan, plan_of
from jishi.lake.query import rows_of_plan
from jishi.lake.versions import TableVersion, Versions
from jishi.settings import Settings
from jishi.tables import SILVER_DECISIONS, SILVER_EVENTS

_KINDS = "('recommendation_shown', 'recommendation_clicked')"
# What serves the outcomes of an event: whose it is, when, of which list and place, and which items.
EVENTS = f"""
select
    shop_id, event_id, type, person_id, occurred_at,
    json_extract_string(line, '$.properties.request_id') as request_id,
    json_extract_string(line, '$.properties.placement') as placement,
    from_json(json_extract(line, '$.properties.item_ids'), '["varchar"]') as item_ids,
    json_extract_string(line, '$.properties.item_id') as item_id
from {{rows}} where type in {_KINDS}
"""


class EventsGone(RuntimeError):
    """The events that the last build read are gone."""


def last_build(settings: Settings) -> TableVersion | None:
    """The version that the last build made; None without one that is kept."""
    kept = Versions.of(settings).list(1_000_000)
    return next((version for version in kept if SILVER_DECISIONS.name in version.changes), None)


def changed_answers(connection: duckdb.DuckDBPyConnection, settings: Settings, base: TableVersion) -> None:
    """Make the table ``changed``: ``shop_id`` and ``request_id`` of which events came, went or changed since the last build.

    Raises EventsGone.
    """
    before = last_build(settings)
    if before is None:
        raise EventsGone("no build of the decisions is kept")
    snapshots = [version.snapshots.get(SILVER_EVENTS.name) for version in (before, base)]
    plans = [None if snapshot is None else plan_of(settings, SILVER_EVENTS.name, snapshot) for snapshot in snapshots]
    reach(connection, settings)
    connection.execute(f"create view was as {EVENTS.format(rows=_only(plans[0], plans[1]))}")
    connection.execute(f"create view now as {EVENTS.format(rows=_only(plans[1], plans[0]))}")
    try:
        connection.execute(
            "create temp table changed as select distinct shop_id, request_id from "
            "((from was except from now) union all (from now except from was))"
        )
    except duckdb.IOException as error:
        raise EventsGone(f"files of version {before.number} are gone: {error}") from error


def _only(plan: Plan | None, other: Plan | None) -> str:
    """The rows of the files that only the first plan has."""
    shared = set() if other is None else set(other.files)
    left = (
        None
        if plan is None
        else Plan(plan.table, plan.snapshot_id, plan.columns, tuple(file for file in plan.files if file not in shared))
    )
    return f"({rows_of_plan(left, SILVER_EVENTS)})"


def days_of_changed(connection: duckdb.DuckDBPyConnection) -> list[date]:
    """Days of the records (view ``landed``) of changed answers."""
    rows = connection.execute(
        "select distinct cast(logged_at as date) from landed "
        "where (shop_id, request_id) in (select (shop_id, request_id) from changed)"
    ).fetchall()
    return sorted(day for (day,) in rows)
