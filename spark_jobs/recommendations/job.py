"""Build the recommendation tables of one shop from silver: read, transform, write to a branch, audit, publish.

With ``before`` a table is learnt from what had happened and was known before that instant, and published as the table of
``jishi.tables.BEFORE_CUT``: what a judge may see, apart from what all acts taught. The next cut of a shop replaces the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession

from jishi.factorisation import Parameters
from jishi.lake.rows import Rows
from jishi.settings import Settings
from jishi.tables import (
    ALS_ITEM_FACTORS,
    ALS_PERSON_FACTORS,
    BEFORE_CUT,
    ITEM_NEIGHBOURS,
    PERSON_CANDIDATES,
    RECOMMENDATIONS,
    SILVER_EVENTS,
    SILVER_INTERACTIONS,
    SILVER_ITEMS,
    SILVER_ORDER_LINES,
    SILVER_ORDERS,
    TableSchema,
)
from spark_jobs.publication import Publication
from spark_jobs.recommendations import als, audit, candidates, cooccurrence
from spark_jobs.recommendations.known import (
    events_known_before,
    instant,
    known_before,
    lines_known_before,
    with_persons_then,
)
from spark_jobs.silver import behaviour
from spark_jobs.silver.job import unlinks_of

WITHIN = ("order", "person")
NEIGHBOURS_PER_ITEM = 50
LEAST_TOGETHER = 2
MOST_ITEMS = 200
CANDIDATES_PER_PERSON = 100
_READ = (SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS, SILVER_ORDER_LINES, SILVER_ORDERS)


class NothingToLearn(LookupError):
    """A shop has no rows to learn from; the message says which step or option would bring some."""


def read_of_catalogue(publication: Publication, schema: TableSchema, shop_id: str, before: datetime | None = None) -> DataFrame:
    """Published rows of one shop whose item is in the shop's catalogue, and that were known before an instant where one is
    given. Raises NothingToLearn where there is none.
    """
    rows, items = _known(publication, schema, shop_id, before), _read(publication, SILVER_ITEMS, shop_id)
    known = rows.join(items.select("shop_id", "item_id"), ["shop_id", "item_id"], "left_semi")
    if known.isEmpty():
        reason = f"no row of {schema.name} is about an item in the catalogue of shop {shop_id!r}"
        when = "" if before is None else f" and was known before {_iso(before)}; choose a later --before"
        raise NothingToLearn(reason + when)
    return known


def _known(publication: Publication, schema: TableSchema, shop_id: str, before: datetime | None) -> DataFrame:
    rows = _read(publication, schema, shop_id)
    if before is None:
        return rows
    events = publication.rows(SILVER_EVENTS, Rows.of(shop_id=[shop_id]))
    if schema is SILVER_ORDER_LINES:
        return lines_known_before(rows, _read(publication, SILVER_ORDERS, shop_id), before, events)
    known = known_before(rows, before, events)
    if schema is not SILVER_INTERACTIONS:
        return known
    then = events_known_before(events, before)
    return with_persons_then(known, then, unlinks_of(publication.session, publication.settings, [shop_id]), before)


def _read(publication: Publication, schema: TableSchema, shop_id: str) -> DataFrame:
    where = Rows.of(shop_id=[shop_id])
    rows = publication.rows(schema, where)
    if not publication.files(schema, where) or rows.isEmpty():
        raise NothingToLearn(f"shop {shop_id!r} has no rows in {schema.name}; run: python -m spark_jobs silver --batch history")
    return rows


@contextmanager
def _publishing(session: SparkSession, settings: Settings, writer: str, before: datetime | None) -> Iterator[Publication]:
    """A publish of recommendation tables; an error leaves it unpublished."""
    schemas = (*_READ, *(_table(schema, before) for schema in RECOMMENDATIONS))
    publication = Publication(session, settings, f"spark_jobs {writer}", schemas)
    try:
        yield publication
        publication.finish()
    finally:
        publication.abandon()


def build_neighbours(
    session: SparkSession, settings: Settings, shop_id: str, within: str, before: datetime | None = None
) -> dict[str, int]:
    """Publish the item neighbours of a shop within orders or within persons; returns rows by table.

    A shop in which no two items are in two orders has no neighbours within orders. Raises NothingToLearn or AuditFailed; then
    nothing was published.
    """
    schema, where = _table(ITEM_NEIGHBOURS, before), Rows.of(shop_id=[shop_id], within=[within])
    with _publishing(session, settings, f"cooccurrence --within {within}", before) as publication:
        if within == "order":
            baskets = cooccurrence.order_baskets(read_of_catalogue(publication, SILVER_ORDER_LINES, shop_id, before))
        else:
            baskets = cooccurrence.person_baskets(read_of_catalogue(publication, SILVER_INTERACTIONS, shop_id, before))
        usual = cooccurrence.usual_baskets(baskets, most_items=MOST_ITEMS).persist()
        near = cooccurrence.neighbours(usual, within, neighbours_per_item=NEIGHBOURS_PER_ITEM, least_together=LEAST_TOGETHER)
        publication.replace(schema, _stamped(near, before), where)
        usual.unpersist()
        rows = audit.audit_neighbours(publication, schema, shop_id, within, NEIGHBOURS_PER_ITEM)
    return {schema.name: rows}


def build_factors(
    session: SparkSession, settings: Settings, shop_id: str, parameters: Parameters, before: datetime | None = None
) -> dict[str, int]:
    """Publish item and person factors of a shop together; returns rows by table.

    Raises NothingToLearn or AuditFailed; then nothing was published.
    """
    rows = {}
    with _publishing(session, settings, "als", before) as publication:
        known = als.preferences(read_of_catalogue(publication, SILVER_INTERACTIONS, shop_id, before)).persist()
        factors = als.factorise(known, parameters)
        counts = {name: known.select(name).distinct().count() for name in ("item_id", "person_id")}
        learnt = (
            (ALS_ITEM_FACTORS, factors.items, counts["item_id"]),
            (ALS_PERSON_FACTORS, factors.persons, counts["person_id"]),
        )
        for all_acts, frame, expected in learnt:
            schema = _table(all_acts, before)
            publication.replace(schema, _stamped(frame, before), Rows.of(shop_id=[shop_id]))
            rows[schema.name] = audit.audit_factors(publication, schema, shop_id, expected, parameters.factors)
        known.unpersist()
    return rows


def build_candidates(session: SparkSession, settings: Settings, shop_id: str, before: datetime | None = None) -> dict[str, int]:
    """Publish the candidates of a shop's persons from the published neighbours within persons; returns rows by table.

    Raises NothingToLearn or AuditFailed; then nothing was published.
    """
    schema = _table(PERSON_CANDIDATES, before)
    with _publishing(session, settings, "candidates", before) as publication:
        near = _neighbours_within_persons(publication, shop_id, before)
        known = als.preferences(read_of_catalogue(publication, SILVER_INTERACTIONS, shop_id, before))
        shown = _shown(publication, shop_id, before)
        best = candidates.candidates(known, near, shown, candidates_per_person=CANDIDATES_PER_PERSON)
        publication.replace(schema, _stamped(best, before), Rows.of(shop_id=[shop_id]))
        rows = audit.audit_candidates(publication, schema, shop_id, CANDIDATES_PER_PERSON)
    return {schema.name: rows}


def _neighbours_within_persons(publication: Publication, shop_id: str, before: datetime | None) -> DataFrame:
    schema = _table(ITEM_NEIGHBOURS, before)
    option = "" if before is None else f" --before {_iso(before)}"
    command = f"python -m spark_jobs cooccurrence --shop {shop_id} --within person{option}"
    near = publication.rows(schema, Rows.of(shop_id=[shop_id], within=["person"]))
    if near.isEmpty():
        raise NothingToLearn(f"shop {shop_id!r} has no neighbours within persons in {schema.name}; run: {command}")
    if before is not None and not near.where(near.known_before != instant(before)).isEmpty():
        raise NothingToLearn(f"known_before of shop {shop_id!r} in {schema.name} is not {_iso(before)}; run: {command}")
    return near


def _shown(publication: Publication, shop_id: str, before: datetime | None) -> DataFrame:
    """Items that may be shown; at a cut by what the catalogue was known to be then, not by today's stock."""
    items = _read(publication, SILVER_ITEMS, shop_id)
    if before is None:
        return candidates.sellable(items)
    then = behaviour.items(events_known_before(_read(publication, SILVER_EVENTS, shop_id), before))
    return candidates.not_withdrawn(items, then)


def _table(schema: TableSchema, before: datetime | None) -> TableSchema:
    return schema if before is None else BEFORE_CUT[schema]


def _stamped(frame: DataFrame, before: datetime | None) -> DataFrame:
    return frame if before is None else frame.withColumn("known_before", instant(before))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
