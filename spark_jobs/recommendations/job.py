"""Build the recommendation tables of one shop from silver: read, transform, write aside, audit, publish.

With ``before`` a table is learnt from what had happened and was known before that instant, and published as the table of
``jishi.tables.BEFORE_CUT``: what a judge may see, apart from what all acts taught. The next cut of a shop replaces the last.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from jishi.factorisation import Parameters
from jishi.lake import Lake
from jishi.tables import (
    ALS_ITEM_FACTORS,
    ALS_PERSON_FACTORS,
    BEFORE_CUT,
    ITEM_NEIGHBOURS,
    PERSON_CANDIDATES,
    SILVER_EVENTS,
    SILVER_INTERACTIONS,
    SILVER_ITEMS,
    SILVER_ORDER_LINES,
    SILVER_ORDERS,
    TableSchema,
)
from spark_jobs.drafts import write_draft
from spark_jobs.recommendations import als, audit, candidates, cooccurrence
from spark_jobs.recommendations.known import instant, known_before, lines_known_before
from spark_jobs.silver import behaviour

WITHIN = ("order", "person")
NEIGHBOURS_PER_ITEM = 50
LEAST_TOGETHER = 2
MOST_ITEMS = 200
CANDIDATES_PER_PERSON = 100


class NothingToLearn(LookupError):
    """A shop has no rows to learn from; the message says which step or option would bring some."""


def read_of_catalogue(
    session: SparkSession, lake: Lake, schema: TableSchema, shop_id: str, before: datetime | None = None
) -> DataFrame:
    """Published rows of one shop whose item is in the shop's catalogue, and that were known before an instant where one is
    given. Raises NothingToLearn where there is none.
    """
    rows, items = _known(session, lake, schema, shop_id, before), _read(session, lake, SILVER_ITEMS, shop_id)
    known_rows = rows.join(items.select("shop_id", "item_id"), ["shop_id", "item_id"], "left_semi")
    if known_rows.isEmpty():
        problem = f"no row of {schema.name} is about an item in the catalogue of shop {shop_id!r}"
        when = "" if before is None else f" and was known before {_iso(before)}; choose a later --before"
        raise NothingToLearn(problem + when)
    return known_rows


def _known(session: SparkSession, lake: Lake, schema: TableSchema, shop_id: str, before: datetime | None) -> DataFrame:
    rows = _read(session, lake, schema, shop_id)
    if before is None:
        return rows
    if schema is SILVER_ORDER_LINES:
        return lines_known_before(rows, _read(session, lake, SILVER_ORDERS, shop_id), before)
    return known_before(rows, before)


def _read(session: SparkSession, lake: Lake, schema: TableSchema, shop_id: str) -> DataFrame:
    folder = lake.current(schema.name) / f"shop={shop_id}"
    if not any(folder.rglob("*.parquet")):
        raise NothingToLearn(f"shop {shop_id!r} has no rows in {schema.name}; run: python -m spark_jobs silver --batch history")
    return session.read.schema(schema.spark_ddl).option("recursiveFileLookup", "true").parquet(str(folder))


def build_neighbours(
    session: SparkSession, lake: Lake, shop_id: str, within: str, before: datetime | None = None
) -> dict[str, int]:
    """Publish the item neighbours of a shop within orders or within persons; returns rows by table.

    A shop in which no two items are in two orders has no neighbours within orders. Raises NothingToLearn or AuditFailed; then
    nothing was published.
    """
    if within == "order":
        baskets = cooccurrence.order_baskets(read_of_catalogue(session, lake, SILVER_ORDER_LINES, shop_id, before))
    else:
        baskets = cooccurrence.person_baskets(read_of_catalogue(session, lake, SILVER_INTERACTIONS, shop_id, before))
    usual = cooccurrence.usual_baskets(baskets, most_items=MOST_ITEMS).persist()
    neighbours = cooccurrence.neighbours(usual, within, neighbours_per_item=NEIGHBOURS_PER_ITEM, least_together=LEAST_TOGETHER)
    schema, part = _table(ITEM_NEIGHBOURS, before), f"within={within}"
    with lake.publish(schema.name, replace=[f"shop={shop_id}/{part}"]) as draft:
        write_draft(_stamped(neighbours, before), schema, draft.path, part)
        usual.unpersist()
        if within == "order" and not any((draft.path / f"shop={shop_id}" / part).glob("*.parquet")):
            return {schema.name: 0}
        return {schema.name: audit.audit_neighbours(draft.path, schema, shop_id, within, NEIGHBOURS_PER_ITEM)}


def build_factors(
    session: SparkSession, lake: Lake, shop_id: str, parameters: Parameters, before: datetime | None = None
) -> dict[str, int]:
    """Publish item and person factors of a shop together; returns rows by table.

    Raises NothingToLearn or AuditFailed; then nothing was published.
    """
    known = als.preferences(read_of_catalogue(session, lake, SILVER_INTERACTIONS, shop_id, before)).persist()
    factors = als.factorise(known, parameters)
    counts = {name: known.select(name).distinct().count() for name in ("item_id", "person_id")}
    tables = ((ALS_ITEM_FACTORS, factors.items, counts["item_id"]), (ALS_PERSON_FACTORS, factors.persons, counts["person_id"]))
    with ExitStack() as stack:
        rows = {}
        for all_acts, frame, expected in tables:
            schema = _table(all_acts, before)
            draft = stack.enter_context(lake.publish(schema.name, replace=[f"shop={shop_id}"]))
            write_draft(_stamped(frame, before), schema, draft.path)
            rows[schema.name] = audit.audit_factors(draft.path, schema, shop_id, expected, parameters.factors)
        known.unpersist()
        return rows


def build_candidates(session: SparkSession, lake: Lake, shop_id: str, before: datetime | None = None) -> dict[str, int]:
    """Publish the candidates of a shop's persons from the published neighbours within persons; returns rows by table.

    Raises NothingToLearn or AuditFailed; then nothing was published.
    """
    near = _neighbours_within_persons(session, lake, shop_id, before)
    known = als.preferences(read_of_catalogue(session, lake, SILVER_INTERACTIONS, shop_id, before))
    shown = _shown(session, lake, shop_id, before)
    entries = candidates.candidates(known, near, shown, candidates_per_person=CANDIDATES_PER_PERSON)
    schema = _table(PERSON_CANDIDATES, before)
    with lake.publish(schema.name, replace=[f"shop={shop_id}"]) as draft:
        write_draft(_stamped(entries, before), schema, draft.path)
        catalogue = lake.current(SILVER_ITEMS.name) / f"shop={shop_id}"
        return {schema.name: audit.audit_candidates(draft.path, schema, catalogue, shop_id, CANDIDATES_PER_PERSON)}


def _neighbours_within_persons(session: SparkSession, lake: Lake, shop_id: str, before: datetime | None) -> DataFrame:
    schema = _table(ITEM_NEIGHBOURS, before)
    option = "" if before is None else f" --before {_iso(before)}"
    command = f"python -m spark_jobs cooccurrence --shop {shop_id} --within person{option}"
    folder = lake.current(schema.name) / f"shop={shop_id}/within=person" if lake.has(schema.name) else Path()
    if not any(folder.glob("*.parquet")):
        raise NothingToLearn(f"shop {shop_id!r} has no neighbours within persons in {schema.name}; run: {command}")
    neighbours = session.read.schema(schema.spark_ddl).parquet(str(folder))
    if before is not None and not neighbours.where(neighbours.known_before != instant(before)).isEmpty():
        raise NothingToLearn(f"known_before of shop {shop_id!r} in {schema.name} is not {_iso(before)}; run: {command}")
    return neighbours


def _shown(session: SparkSession, lake: Lake, shop_id: str, before: datetime | None) -> DataFrame:
    """Items that may be shown; at a cut by what the catalogue was known to be then, not by today's stock."""
    items = _read(session, lake, SILVER_ITEMS, shop_id)
    if before is None:
        return candidates.sellable(items)
    then = behaviour.items(known_before(_read(session, lake, SILVER_EVENTS, shop_id), before))
    return candidates.not_withdrawn(items, then)


def _table(schema: TableSchema, before: datetime | None) -> TableSchema:
    return schema if before is None else BEFORE_CUT[schema]


def _stamped(frame: DataFrame, before: datetime | None) -> DataFrame:
    return frame if before is None else frame.withColumn("known_before", instant(before))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
