"""Online parity: how what serving read compares with the log."""

from __future__ import annotations

from jishi.tables.schema import TableSchema

ONLINE_PARITY = TableSchema(
    "features/online_parity",
    "One feature on one UTC date: sampled values that serving used, compared with the log (quality.parity.online).",
    ("read_on", "feature"),
    {
        "read_on": "date",
        "feature": "string",
        "reads": "int64",
        "mismatched": "int64",
        "missing": "int64",
        "too_old": "int64",
        "drift": "double",
        "age_p50_ms": "int64",
        "age_max_ms": "int64",
        "behind_max_ms": "int64",
    },
)
