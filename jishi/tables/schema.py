"""How a table of the lake is declared: its columns, key and partition; each engine derives its own schema from it.

Types are ``string``, ``int32``, ``int64``, ``double``, ``bool``, ``date``, ``instant`` (a UTC instant with microseconds, stored
without a zone) and the lists ``floats`` (of 32-bit numbers), ``strings`` and ``int64s``. Money is in minor units of
``currency``, ``home_*_minor`` in those of the shop's home currency: as stamped (``jishi.contract.home_money``), as it came
where there is no stamp (``home_currency`` is null), null where no rate was known. ``*_at`` is a UTC instant, ``*_date`` a date
in the shop's time zone, ``*_ms`` epoch milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

# Shops share the files of their bucket: at 1,000 shops a partition for each would mean as many files a commit.
BUCKETS = 16
BY_SHOP = (f"bucket({BUCKETS}, shop_id)",)
# A batch of a shop is replaced as a whole: its rows are files of their own.
BY_BATCH = ("batch", *BY_SHOP)
SPARK_TYPES = {
    "string": "STRING",
    "int32": "INT",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "date": "DATE",
    "instant": "TIMESTAMP_NTZ",
    "floats": "ARRAY<FLOAT>",
    "strings": "ARRAY<STRING>",
    "int64s": "ARRAY<BIGINT>",
}
FLINK_TYPES = SPARK_TYPES | {"instant": "TIMESTAMP(6)"}


@dataclass(frozen=True, eq=False)
class TableSchema:
    """A lake table: ``name`` is ``<namespace>/<table>``, ``grain`` says what one row is.

    ``partition`` has Iceberg's partition fields, ``day(column)``, ``bucket(n, column)`` or a column; none is one partition.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: dict[str, str]
    partition: tuple[str, ...] = ()

    @property
    def spark_ddl(self) -> str:
        """Schema string for Spark."""
        return ", ".join(f"`{c}` {SPARK_TYPES[t]}" for c, t in self.columns.items())

    @property
    def flink_ddl(self) -> str:
        """Column list for a Flink table."""
        return ", ".join(f"`{c}` {FLINK_TYPES[t]}" for c, t in self.columns.items())
