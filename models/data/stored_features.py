"""Values of the feature store as they were known at an instant, from the lake: what a request then would have read.

Null (NaN) is whatever a request would not have had: a value that was not known yet, had run out, or was never made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

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
_AGES = {(table.view, instant): age for table in DAILY for age, instant in table.ages.items()}
_DAILY_MS = int(timedelta(days=7).total_seconds() * 1000)  # how long a daily row holds
_LONGEST_MS = 2 * _DAILY_MS
_CODE = 2**42  # beyond every instant (epoch ms) of a hundred years


def numbers_of(view: str) -> tuple[str, ...]:
    """The numeric features of a view, in the order of declaration."""
    if view in _DAILY:
        return tuple(_DAILY[view].columns)
    return tuple(feature.name for feature in views()[view] if feature.value_type in _NUMBERS)


def ms_of(instant: np.datetime64) -> int:
    """Epoch ms of an instant."""
    return int(instant.astype("datetime64[ms]").astype(np.int64))


def names_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Columns of several views as a ranker names them, by view and feature; where ``is_instant``, by the age that it sees."""
    return tuple(f"{view}__{_AGES.get((view, name), name)}" for view in names for name in numbers_of(view))


def is_instant(names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Which numbers of several views are instants (epoch ms); a ranker sees the seconds since then."""
    return np.array([(view, name) in _AGES for view in names for name in numbers_of(view)])


@dataclass(frozen=True)
class _Rows:
    """Rows of a view by id and the instant (epoch ms) from which they were known: ``key`` is both in one number, rising."""

    ids: dict[str, int]
    key: Numbers
    until_ms: Numbers
    values: Values


class StoredFeatures:
    """The feature tables of one shop in one version of the lake, as far as they were known ``since_ms`` (epoch ms) and later.

    A view is read when it is first asked for.
    """

    def __init__(self, lake: LakeVersion, shop_id: str, since_ms: int) -> None:
        self._lake, self._shop_id, self._since_ms = lake, shop_id, since_ms - _LONGEST_MS
        self._views: dict[str, _Rows | None] = {}

    def at(self, names: tuple[str, ...], ids: Sequence[str], at_ms: Numbers) -> Values:
        """Values of the views' numbers for each id at its instant (epoch ms), shape (ids, numbers)."""
        blocks = [self._view_at(view, ids, at_ms) for view in names]
        return np.concatenate(blocks, axis=1) if blocks else np.empty((len(ids), 0), dtype=np.float32)

    def digest(self, before_ms: int) -> str:
        """SHA-256 of the rows, in any order, that hold from before an instant (epoch ms) on."""
        sums = []
        for view in (*ITEM_VIEWS, *PERSON_VIEWS):
            if (table := self._table(view)) is None:
                continue
            sql = f"select count(*), sum(hash(t))::varchar from {view_of(table)} as t where shop_id = $shop"
            sql += f" and epoch_ms({EVENT_TIMESTAMP}) >= $since and epoch_ms({EVENT_TIMESTAMP}) < $before"
            with open_lake(self._lake) as connection:
                values = {"shop": self._shop_id, "since": self._since_ms, "before": before_ms}
                sums.append((view, *connection.execute(sql, values).fetchall()[0]))
        return sha256(repr(sums).encode()).hexdigest()

    def _table(self, view: str) -> str | None:
        """The table of a view; None where the lake has no row of it."""
        table = _DAILY[view].name if view in _DAILY else view_table(view, views()[view]).name
        return table if self._lake.has(table) and self._lake.files(table) else None

    def _view_at(self, view: str, ids: Sequence[str], at_ms: Numbers) -> Values:
        if view not in self._views:
            self._views[view] = self._read(view)
        rows, values = self._views[view], np.full((len(ids), len(numbers_of(view))), np.nan, dtype=np.float32)
        if rows is None or not len(ids):
            return values
        code = np.array([rows.ids.get(str(each), -1) for each in ids], dtype=np.int64)
        place = np.searchsorted(rows.key, code * _CODE + at_ms, side="right") - 1
        is_known = (code >= 0) & (place >= 0)
        is_known &= (rows.key[place] // _CODE == code) & (at_ms < rows.until_ms[place])
        values[is_known] = rows.values[place[is_known]]
        return values

    def _read(self, view: str) -> _Rows | None:
        columns = numbers_of(view)
        if (table := self._table(view)) is None:
            return None
        [key] = ENTITY_KEYS[_DAILY[view].entity if view in _DAILY else views()[view][0].entity]
        until = f"epoch_ms({EVENT_TIMESTAMP}) + {_DAILY_MS}" if view in _DAILY else f"coalesce({VALID_UNTIL}, {_CODE})"
        with open_lake(self._lake) as connection:
            rows = connection.execute(
                f"""
                select {key}, epoch_ms(greatest({EVENT_TIMESTAMP}, {CREATED_TIMESTAMP})) as known_ms, {until},
                    {", ".join(columns)}
                from {view_of(table)} where shop_id = $shop and epoch_ms({EVENT_TIMESTAMP}) >= $since order by 1, 2
                """,
                {"shop": self._shop_id, "since": self._since_ms},
            ).to_arrow_table()
        if rows.num_rows == 0:
            return None
        encoded = rows.column(0).combine_chunks().dictionary_encode()
        code = encoded.indices.to_numpy(zero_copy_only=False)
        # An instant loses its last two minutes here as it does at a request.
        values = [column.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False) for column in rows.columns[3:]]
        order = np.lexsort((known_ms := rows.column(1).to_numpy(), code))
        numbered = {str(each): number for number, each in enumerate(encoded.dictionary.to_pylist())}
        key_of = code.astype(np.int64) * _CODE + known_ms
        return _Rows(numbered, key_of[order], rows.column(2).to_numpy()[order], np.column_stack(values)[order])
