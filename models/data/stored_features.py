"""Values of the feature store as they were known at an instant, from the lake: what a request then would have read.

Null (NaN) is whatever a request would not have had: a value that was not known yet, had run out, or was never made.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from jishi.features import ENTITY_KEYS, views
from jishi.features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, VALID_UNTIL
from jishi.features.daily import DAILY
from jishi.features.lake_tables import view_table
from jishi.lake.query import open_lake, view_of
from jishi.lake.reading import LakeVersion
from models.data.sequences import Numbers

Values = npt.NDArray[np.float32]
# What a ranker reads at a request: real-time and daily views of items and of persons.
ITEM_VIEWS = ("item_daily", "item_86400s_3600s", "item_21600s_3600s")
PERSON_VIEWS = ("person_daily", "person_86400s_3600s")
_NUMBERS = ("int64", "double")
_DAILY = {table.view: table for table in DAILY}
_DAILY_MS = int(timedelta(days=7).total_seconds() * 1000)  # how long a daily row holds


def numbers_of(view: str) -> tuple[str, ...]:
    """The numeric features of a view, in the order of declaration."""
    if view in _DAILY:
        return tuple(_DAILY[view].columns)
    return tuple(feature.name for feature in views()[view] if feature.value_type in _NUMBERS)


def names_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Columns of several views, each by view and feature."""
    return tuple(f"{view}__{name}" for view in names for name in numbers_of(view))


class StoredFeatures:
    """The feature tables of one shop in one version of the lake."""

    def __init__(self, lake: LakeVersion, shop_id: str) -> None:
        self._lake, self._shop_id = lake, shop_id

    def at(self, names: tuple[str, ...], ids: npt.NDArray[np.str_], at_ms: Numbers) -> Values:
        """Values of the views' numbers for each id at its instant (epoch ms), shape (ids, numbers)."""
        blocks = [self._view_at(view, ids, at_ms) for view in names]
        return np.concatenate(blocks, axis=1) if blocks else np.empty((len(ids), 0), dtype=np.float32)

    def _view_at(self, view: str, ids: npt.NDArray[np.str_], at_ms: Numbers) -> Values:
        columns = numbers_of(view)
        values = np.full((len(ids), len(columns)), np.nan, dtype=np.float32)
        table = _DAILY[view].name if view in _DAILY else view_table(view, views()[view]).name
        if not len(ids) or not self._lake.has(table) or not self._lake.files(table):
            return values
        entity = _DAILY[view].entity if view in _DAILY else views()[view][0].entity
        [key] = ENTITY_KEYS[entity]
        until = f"epoch_ms({EVENT_TIMESTAMP}) + {_DAILY_MS}" if view in _DAILY else VALID_UNTIL
        asked = pa.table({"place": np.arange(len(ids)), "id": pa.array(ids.tolist(), pa.string()), "at_ms": at_ms})
        with open_lake(self._lake) as connection:
            connection.register("asked", asked)
            rows = connection.execute(
                f"""
                with known as (
                    select {key} as id, {until} as until_ms, {", ".join(columns)},
                        epoch_ms(greatest({EVENT_TIMESTAMP}, {CREATED_TIMESTAMP})) as known_ms
                    from {view_of(table)} where shop_id = $shop
                )
                select place, {", ".join(columns)} from asked asof join known
                    on asked.id = known.id and asked.at_ms >= known.known_ms
                where until_ms is null or asked.at_ms < until_ms
                """,
                {"shop": self._shop_id},
            ).to_arrow_table()
        place = rows["place"].to_numpy()
        for number, column in enumerate(columns):
            values[place, number] = rows[column].cast(pa.float64()).to_numpy(zero_copy_only=False)
        return values
