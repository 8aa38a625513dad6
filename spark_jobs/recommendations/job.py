"""Build the recommendation tables of one shop from silver: read, transform, write aside, audit, publish."""

from __future__ import annotations

from contextlib import ExitStack

from pyspark.sql import DataFrame, SparkSession

from jishi.lake import Lake
from jishi.tables import (
    ALS_ITEM_FACTORS,
    ALS_PERSON_FACTORS,
    ITEM_NEIGHBOURS,
    PERSON_CANDIDATES,
    SILVER_INTERACTIONS,
    SILVER_ITEMS,
    SILVER_ORDER_LINES,
    TableSchema,
)
from spark_jobs.drafts import write_draft
from spark_jobs.recommendations import als, audit, candidates, cooccurrence

WITHIN = ("order", "person")
NEIGHBOURS_PER_ITEM = 50
LEAST_TOGETHER = 2
MOST_ITEMS = 200
CANDIDATES_PER_PERSON = 100


class NothingToLearn(LookupError):
    """A shop has no rows in silver to learn from; the message says which step would bring some."""


def read_of_catalogue(session: SparkSession, lake: Lake, schema: TableSchema, shop_id: str) -> DataFrame:
    """Published rows of one shop whose item is in the shop's catalogue. Raises NothingToLearn where there is none."""
    rows, items = _read(session, lake, schema, shop_id), _read(session, lake, SILVER_ITEMS, shop_id)
    found = rows.join(items.select("shop_id", "item_id"), ["shop_id", "item_id"], "left_semi")
    if found.isEmpty():
        raise NothingToLearn(f"no row of {schema.name} is about an item in the catalogue of shop {shop_id!r}")
    return found


def _read(session: SparkSession, lake: Lake, schema: TableSchema, shop_id: str) -> DataFrame:
    folder = lake.current(schema.name) / f"shop={shop_id}"
    if not any(folder.glob("*.parquet")):
        raise NothingToLearn(f"shop {shop_id!r} has no rows in {schema.name}; run: python -m spark_jobs silver --batch history")
    return session.read.schema(schema.spark_ddl).parquet(str(folder))


def build_neighbours(session: SparkSession, lake: Lake, shop_id: str, within: str) -> dict[str, int]:
    """Publish the item neighbours of a shop within orders or within persons; returns rows by table.

    Raises NothingToLearn or AuditFailed; then nothing was published.
    """
    if within == "order":
        baskets = cooccurrence.order_baskets(read_of_catalogue(session, lake, SILVER_ORDER_LINES, shop_id))
    else:
        baskets = cooccurrence.person_baskets(read_of_catalogue(session, lake, SILVER_INTERACTIONS, shop_id))
    usual = cooccurrence.usual_baskets(baskets, most_items=MOST_ITEMS).persist()
    found = cooccurrence.neighbours(usual, within, neighbours_per_item=NEIGHBOURS_PER_ITEM, least_together=LEAST_TOGETHER)
    part = f"within={within}"
    with lake.publish(ITEM_NEIGHBOURS.name, replace=[f"shop={shop_id}/{part}"]) as draft:
        write_draft(found, ITEM_NEIGHBOURS, draft.path, part)
        usual.unpersist()
        return {ITEM_NEIGHBOURS.name: audit.audit_neighbours(draft.path, shop_id, within, NEIGHBOURS_PER_ITEM)}


def build_factors(session: SparkSession, lake: Lake, shop_id: str, parameters: als.Parameters) -> dict[str, int]:
    """Publish item and person factors of a shop together; returns rows by table.

    Raises NothingToLearn or AuditFailed; then nothing was published.
    """
    known = als.preferences(read_of_catalogue(session, lake, SILVER_INTERACTIONS, shop_id)).persist()
    factors = als.factorise(known, parameters)
    counts = {name: known.select(name).distinct().count() for name in ("item_id", "person_id")}
    expected = {ALS_ITEM_FACTORS: counts["item_id"], ALS_PERSON_FACTORS: counts["person_id"]}
    frames = {ALS_ITEM_FACTORS: factors.items, ALS_PERSON_FACTORS: factors.persons}
    with ExitStack() as stack:
        rows = {}
        for schema, frame in frames.items():
            draft = stack.enter_context(lake.publish(schema.name, replace=[f"shop={shop_id}"]))
            write_draft(frame, schema, draft.path)
            rows[schema.name] = audit.audit_factors(draft.path, schema, shop_id, expected[schema], parameters.factors)
        known.unpersist()
        return rows


def build_candidates(session: SparkSession, lake: Lake, shop_id: str) -> dict[str, int]:
    """Publish the candidates of a shop's persons from the published neighbours within persons; returns rows by table.

    Raises NothingToLearn or AuditFailed; then nothing was published.
    """
    folder = lake.current(ITEM_NEIGHBOURS.name) / f"shop={shop_id}/within=person" if lake.has(ITEM_NEIGHBOURS.name) else None
    if folder is None or not any(folder.glob("*.parquet")):
        command = f"python -m spark_jobs cooccurrence --shop {shop_id} --within person"
        raise NothingToLearn(f"shop {shop_id!r} has no neighbours within persons in {ITEM_NEIGHBOURS.name}; run: {command}")
    neighbours = session.read.schema(ITEM_NEIGHBOURS.spark_ddl).parquet(str(folder))
    known = als.preferences(read_of_catalogue(session, lake, SILVER_INTERACTIONS, shop_id))
    shown = candidates.sellable(_read(session, lake, SILVER_ITEMS, shop_id))
    found = candidates.candidates(known, neighbours, shown, candidates_per_person=CANDIDATES_PER_PERSON)
    with lake.publish(PERSON_CANDIDATES.name, replace=[f"shop={shop_id}"]) as draft:
        write_draft(found, PERSON_CANDIDATES, draft.path)
        catalogue = lake.current(SILVER_ITEMS.name) / f"shop={shop_id}"
        return {PERSON_CANDIDATES.name: audit.audit_candidates(draft.path, catalogue, shop_id, CANDIDATES_PER_PERSON)}
