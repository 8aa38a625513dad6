"""Recommendations that Spark learns for each shop, and the same as learnt before a cut."""

from __future__ import annotations

from dataclasses import replace

from jishi.tables.schema import BY_SHOP, TableSchema

ITEM_NEIGHBOURS = TableSchema(
    "recommendations/item_neighbours",
    "One neighbour of one item by co-occurrence within orders or persons (within); neighbour_rank 1 is the nearest.",
    ("shop_id", "within", "item_id", "neighbour_id"),
    {
        "shop_id": "string",
        "within": "string",
        "item_id": "string",
        "neighbour_id": "string",
        "neighbour_rank": "int32",
        "together": "int64",
        "item_baskets": "int64",
        "neighbour_baskets": "int64",
        "baskets": "int64",
        "support": "double",
        "lift": "double",
        "cosine": "double",
    },
    partition=BY_SHOP,
)
ALS_ITEM_FACTORS = TableSchema(
    "recommendations/als_item_factors",
    "The factors of one item from the last factorisation of its shop; item · person is the predicted preference.",
    ("shop_id", "item_id"),
    {"shop_id": "string", "item_id": "string", "factors": "floats"},
    partition=BY_SHOP,
)
ALS_PERSON_FACTORS = TableSchema(
    "recommendations/als_person_factors",
    "The factors of one person from the same factorisation as the item factors.",
    ("shop_id", "person_id"),
    {"shop_id": "string", "person_id": "string", "factors": "floats"},
    partition=BY_SHOP,
)
PERSON_CANDIDATES = TableSchema(
    "recommendations/person_candidates",
    "One item that may be shown to one person, by the neighbours of the items of the person's history; place 1 is the best.",
    ("shop_id", "person_id", "item_id"),
    {
        "shop_id": "string",
        "person_id": "string",
        "item_id": "string",
        "place": "int32",
        "score": "double",
        "because_item_id": "string",  # the item of the history that gave most of the score
    },
    partition=BY_SHOP,
)
RECOMMENDATIONS = (ITEM_NEIGHBOURS, ALS_ITEM_FACTORS, ALS_PERSON_FACTORS, PERSON_CANDIDATES)


def _before_cut(schema: TableSchema) -> TableSchema:
    return replace(
        schema,
        name=f"{schema.name}_before",
        grain=f"A row of {schema.name} as learnt from what had happened and was known before known_before; one cut a shop.",
        columns=schema.columns | {"known_before": "instant"},
    )


# Tables of their own, so that whoever reads what all acts taught never meets the rows of a cut.
BEFORE_CUT = {schema: _before_cut(schema) for schema in RECOMMENDATIONS}
