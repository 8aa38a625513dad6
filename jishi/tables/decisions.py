"""The decision log of serving in the lake: as it came, and with what became of each answer (decision_log)."""

from __future__ import annotations

from jishi.tables.schema import TableSchema

_RECORD = {
    "logged_at": "instant",
    "log_partition": "int32",
    "log_offset": "int64",
    "shop_id": "string",  # of the record's key; null where the key names no answer
    "request_id": "string",
}

BRONZE_DECISIONS = TableSchema(
    "bronze/decisions",
    "One record of the topic of decisions, as it stood there; appended by offsets, kept for 30 days.",
    ("logged_at", "log_partition", "log_offset"),
    _RECORD | {"landed_at": "instant", "line": "string"},
    partition=("day(logged_at)",),
)
SILVER_DECISIONS = TableSchema(
    "silver/decisions",
    "One place of the list of one answer, with whether it was seen and clicked; an answer without items has place 0 alone.",
    ("shop_id", "request_id", "place"),
    {
        "shop_id": "string",
        "request_id": "string",
        "place": "int32",  # from 1
        "logged_at": "instant",
        "answered_at": "instant",
        "placement": "string",
        "page_item_id": "string",
        "is_person_named": "bool",
        "is_opted_out": "bool",
        "channel": "string",  # of the visit, as the request says it; so device and region
        "device": "string",
        "region": "string",
        "served_by": "string",
        "model": "string",
        "model_version": "string",
        "rules_version": "int64",  # null: no rules held
        "rules": "string",  # names of the rules that touched the item, a JSON list; null: none
        "item_id": "string",
        "reason": "string",
        "score": "double",
        "arm": "string",  # explored or ranked, of this place; of all places tried_ and the rung that was tried
        "propensity": "double",  # of what stands here, given the places above; 1 where nothing was left to chance
        "explore_probability": "double",  # of the place that could explore; null at others
        "policy": "string",  # how such a place chooses
        "eligible": "string",  # what could have been explored: JSON of item and chance in a place that does
        "person_id": "string",  # to whom it was shown, as silver/events resolves it
        "shown_at": "instant",  # null: no page has said so
        "clicked_at": "instant",  # the first click after it was shown
    },
    partition=("day(logged_at)",),
)
SILVER_DECISIONS_QUARANTINE = TableSchema(
    "silver/decisions_quarantine",
    "One record of bronze/decisions that is no decision, or one that was known before (reason repeated).",
    BRONZE_DECISIONS.key,
    _RECORD | {"reason": "string", "field": "string", "line": "string"},
    partition=("day(logged_at)",),
)
DECISIONS = (BRONZE_DECISIONS, SILVER_DECISIONS, SILVER_DECISIONS_QUARANTINE)
