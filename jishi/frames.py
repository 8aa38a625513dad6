"""Tables and features of one version as pandas frames, for analysts: ``jishi.read`` and ``jishi.features_at``.

    orders = jishi.read("fct_orders", shop="my-shop")
    known = jishi.features_at(orders, ["person_orders_30d"], shop="my-shop", at="paid_at")

Ids of persons are pseudonyms (``jishi.pseudonyms``), the same in every table of a shop, so that frames join; who has the shop's
read key gets the shop's own ids with ``read_key``. What nobody changes is read, so no writer waits, nor does a reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from jishi.features import FEATURES, Feature, views
from jishi.features.lake_tables import view_table
from jishi.identity import device_person
from jishi.lake.query import open_lake, rows_of, view_of
from jishi.lake.reading import LakeVersion, open_version
from jishi.marts import open_marts
from jishi.paths import Paths
from jishi.point_in_time import FeatureMoment, values_at
from jishi.pseudonyms import Pseudonyms, is_person_pseudonym
from jishi.settings import Settings, get_settings
from jishi.shops import Shops
from jishi.tables import TABLES

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

SHOP_COLUMNS = ("shop_id", "shop")  # tables of saved queries call it by its entity
# Events as they were sent and what is wrong with them: the text of persons, which no pseudonym covers.
RAW_COLUMNS = frozenset({"line", "detail", "invalid_detail"})
_ENTITY_COLUMNS = {"person": ("person_id", "anonymous_id"), "item": ("item_id",), "shop": ()}


class UnknownName(LookupError):
    """There is no such table, column or feature; the message names the nearest."""


class IdsRefused(PermissionError):
    """The key does not open the shop's own ids."""


class RowsUnusable(ValueError):
    """Rows lack what a feature is joined by; the message names the column and the fix."""


def read(
    table: str,
    *,
    shop: str | None = None,
    as_of: int | str | datetime | None = None,
    columns: Sequence[str] | None = None,
    read_key: str | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """A mart (``fct_orders``) or a table of the lake (``silver.orders``) of one version; ``as_of`` as ``jishi sql --as-of``.

    Unknown is ``<NA>``; instants have the zone UTC, dates none. ``shop``: its rows alone. ``read_key``, that shop's, gives its
    own ids and the text of its events. Raises UnknownName, IdsRefused, UnknownShop, TableNotPublished and VersionNotFound.
    """
    import duckdb

    settings = settings or get_settings()
    _check(settings, shop, read_key)
    lake = open_version(settings, as_of)
    mart, name = _resolved(lake, table)
    with open_marts(lake) if mart else duckdb.connect() as connection:
        relation = connection.table(name) if mart else _lake_rows(connection, lake, name)
        chosen = _chosen(table, relation.columns, columns, with_raw=read_key is not None)
        of_shop = next((column for column in SHOP_COLUMNS if column in relation.columns), None)
        if shop is not None and of_shop is not None:
            relation = relation.filter(duckdb.ColumnExpression(of_shop) == duckdb.ConstantExpression(shop))
        needed = dict.fromkeys([*chosen, *([of_shop] if of_shop else [])])
        frame = _frame(relation.select(*(duckdb.ColumnExpression(column) for column in needed)))
    if read_key is None and of_shop is not None:
        _replace_ids(frame, of_shop, Paths.of(settings))
    return frame[chosen]


def features_at(
    rows: pd.DataFrame,
    features: Sequence[str],
    *,
    shop: str,
    at: str = "at",
    as_of: int | str | datetime | None = None,
    read_key: str | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """The rows with a column for each feature: what serving would have read at the instant in the column ``at``, no later fact.

    ``person_id`` and ``anonymous_id``, as a request would carry them, say whose features of a person are meant, ``item_id``
    which item's; ids are as ``read`` gives them. Raises UnknownName, RowsUnusable and what ``read`` raises.
    """
    import pandas as pd

    settings = settings or get_settings()
    _check(settings, shop, read_key)
    chosen = [_feature(name) for name in features]
    for feature in chosen:
        _check_columns(rows, feature, at)
    lake = open_version(settings, as_of)
    persons = _persons(rows)
    if read_key is None:
        persons = _real(lake, shop, persons)
    items = rows["item_id"].tolist() if "item_id" in rows else [None] * len(rows)
    at_ms = (rows[at].dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[ms]").astype("int64")).tolist()
    moments = [
        FeatureMoment(shop, when, of_row, None if pd.isna(item) else item)
        for when, of_row, item in zip(at_ms, persons, items, strict=True)
    ]
    values = values_at(lake, moments, chosen)
    types = {"int32": "Int64", "int64": "Int64", "double": "Float64", "bool": "boolean", "string": "string"}
    joined = {
        feature.name: pd.Series([value[feature.name] for value in values], rows.index, types.get(feature.value_type, "object"))
        for feature in chosen
    }
    return rows.assign(**joined)


def _check(settings: Settings, shop: str | None, read_key: str | None) -> None:
    """Raise UnknownShop, and IdsRefused for a key that is not the shop's."""
    shops = Shops.load(Paths.of(settings).shops_file)
    if shop is not None:
        shops.get(shop)
    if read_key is not None:
        of_key = shops.shop_of_key(read_key, "read")
        if shop is None or of_key is None or of_key.shop_id != shop:
            raise IdsRefused("read_key opens the ids of its own shop: give shop=… and its read key (jishi keys create)")


def _resolved(lake: LakeVersion, table: str) -> tuple[bool, str]:
    """Whether a name means a mart, and the name by which it is opened. Raises UnknownName and TableNotPublished."""
    marts = []
    if lake.marts is not None:
        with open_marts(lake) as connection:
            marts = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
    mart = table.removeprefix("marts.")
    if mart in marts:
        return True, mart
    in_lake = {view_of(name): name for name in (*(schema.name for schema in TABLES), *lake.tables)}
    name = in_lake.get(table.replace(".", "_").replace("/", "_"))
    if name is not None:
        lake.require(name)
        return False, name
    known = [*marts, *(name.replace("/", ".") for name in in_lake.values())]
    raise UnknownName(f"version {lake.number} has no table {table!r}{_nearest(table, known)}; see: jishi sql 'show all tables'")


def _lake_rows(connection: duckdb.DuckDBPyConnection, lake: LakeVersion, name: str) -> duckdb.DuckDBPyRelation:
    from jishi.lake.object_store import reach

    reach(connection, lake.settings)
    return connection.sql(rows_of(lake, name, next((schema for schema in TABLES if schema.name == name), None)))


def _chosen(table: str, has: Sequence[str], asked: Sequence[str] | None, *, with_raw: bool) -> list[str]:
    """The columns of the answer. Raises UnknownName, and IdsRefused for the text of events."""
    for column in asked or ():
        if column not in has:
            raise UnknownName(f"{table} has no column {column!r}{_nearest(column, has)}")
        if column in RAW_COLUMNS and not with_raw:
            raise IdsRefused(f"{table}.{column} is text as a person's event had it: give shop=… and read_key=… to read it")
    return list(asked) if asked is not None else [column for column in has if with_raw or column not in RAW_COLUMNS]


def _frame(relation: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """A frame whose integers and truth values know null; instants in UTC. A sum beyond 64 bits makes its column one of Python's
    integers.
    """
    import pandas as pd
    import pyarrow as pa

    types = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    table, beyond = relation.to_arrow_table(), []
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:  # DuckDB's sums of integers
            try:
                table = table.set_column(place, field.name, table.column(place).cast(pa.int64()))
            except pa.ArrowInvalid:
                beyond.append(field.name)
    frame: pd.DataFrame = table.to_pandas(types_mapper=types.get, date_as_object=False)
    for name in beyond:
        frame[name] = pd.Series([pd.NA if amount is None else int(amount) for amount in frame[name]], frame.index, object)
    for field in table.schema:
        if pa.types.is_timestamp(field.type):
            instants = frame[field.name]
            frame[field.name] = instants.dt.tz_convert("UTC") if field.type.tz else instants.dt.tz_localize("UTC")
    return frame


def _replace_ids(frame: pd.DataFrame, of_shop: str, paths: Paths) -> None:
    """Put pseudonyms in the place of ids, in the frame itself."""
    for shop_id, rows in frame.groupby(frame[of_shop].fillna("")).groups.items():
        pseudonyms = Pseudonyms.of(paths, str(shop_id))
        for column in frame.columns:
            if (replace := pseudonyms.of_column(column)) is not None:
                ids = frame.loc[rows, column]
                frame.loc[rows, column] = ids.map({name: replace(name) for name in ids.dropna().unique()})


def _feature(name: str) -> Feature:
    declared = {feature.name: feature for feature in FEATURES}
    if name not in declared:
        raise UnknownName(f"there is no feature {name!r}{_nearest(name, list(declared))}; see: jishi features list")
    return declared[name]


def _check_columns(rows: pd.DataFrame, feature: Feature, at: str) -> None:
    if feature.entity not in _ENTITY_COLUMNS:
        raise RowsUnusable(f"{feature.name} is of a {feature.entity}; rows join features of a person, an item or the shop")
    needed = _ENTITY_COLUMNS[feature.entity]
    if needed and not set(needed) & set(rows.columns):
        raise RowsUnusable(f"{feature.name} is of a {feature.entity}: the rows need a column {' or '.join(needed)}")
    if at not in rows:
        raise RowsUnusable(f"the rows have no column {at!r} with the instants{_nearest(at, list(rows.columns))}; name it: at=…")
    if getattr(rows[at].dtype, "tz", None) is None or rows[at].isna().any():
        raise RowsUnusable(f"column {at!r} needs an instant with a zone in every row; pd.to_datetime(…, utc=True) makes them")


def _persons(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    """By row the ids of its person: the person's own and the device's."""
    import pandas as pd

    nobody = [None] * len(rows)
    pairs = zip(rows.get("person_id", nobody), rows.get("anonymous_id", nobody), strict=True)
    named = ((person, device if pd.isna(device) else device_person(device)) for person, device in pairs)
    return [tuple(dict.fromkeys(name for name in of_row if not pd.isna(name))) for of_row in named]


def _real(lake: LakeVersion, shop: str, persons: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The ids behind pseudonyms. One that no table of features has a row of stays: all its values are defaults."""
    asked = {name for of_row in persons for name in of_row}
    wrong = next((name for name in sorted(asked) if not is_person_pseudonym(name)), None)
    if wrong is not None:
        raise RowsUnusable(f"{wrong!r} is no pseudonym: give ids as jishi.read gives them, or the shop's own with read_key=…")
    tables = [view_table(view, members).name for view, members in views().items() if members[0].entity == "person"]
    published = [f"select person_id from {view_of(table)} where shop_id = $1" for table in tables if lake.has(table)]
    if not (asked and published):
        return list(persons)
    with open_lake(lake) as connection:
        known = connection.execute(" union ".join(published), [shop]).fetchall()
    pseudonyms = Pseudonyms.of(Paths.of(lake.settings), shop)
    real = {pseudonyms.person(name): name for (name,) in known}
    return [tuple(real.get(name, name) for name in of_row) for of_row in persons]


def _nearest(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=3)
    return f"; nearest: {', '.join(close)}" if close else ""
