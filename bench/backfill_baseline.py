"""All features in plain pandas, as an analyst would write them: each act copied to the windows that hold it, then grouped.

``python -m bench.backfill_baseline --lake FOLDER --out FOLDER`` reads the bronze table and writes a Parquet file a view.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jishi.features import ENTITY_KEYS, Feature, views
from jishi.features.act import COLUMNS, acts_of
from jishi.features.event_log import outcomes_of
from jishi.features.zones import NO_ZONES, Zones
from jishi.lake.reading import open_version
from jishi.outcomes import Outcome
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shops
from jishi.tables import BRONZE_EVENTS

KINDS = {"string": "object", "int64": "Int64"}


def acts_frame(records: Iterator[dict[str, Any]], settings: Settings, zones: Zones = NO_ZONES) -> pd.DataFrame:
    """Acts of the good records, in the order of the log; ``place`` is their position."""
    log = list(records)
    outcomes = outcomes_of(log, allowed_lateness_s=settings.allowed_lateness_s, future_tolerance_s=settings.future_tolerance_s)
    acts = pd.DataFrame(
        [act for row, outcome in zip(log, outcomes, strict=True) if outcome is Outcome.GOOD for act in acts_of(row, zones)]
    )
    acts["place"] = np.arange(len(acts))
    return acts.astype({name: KINDS[kind] for name, kind in COLUMNS.items()})


def view_frame(acts: pd.DataFrame, features: Sequence[Feature], lateness_ms: int) -> pd.DataFrame:
    """Rows of one view: ``shop_id``, its keys, ``as_of_ms``, and the features."""
    keys = ["shop_id", *ENTITY_KEYS[features[0].entity]]
    if features[0].is_running:
        return _running(acts, features, keys)
    slide_ms, size_ms = features[0].slide * 1000, features[0].size * 1000
    taken = acts[acts["kind"].isin({kind for feature in features for kind in feature.acts})].dropna(subset=keys)
    at_ms = taken["occurred_at_ms"].to_numpy(dtype=np.int64) + features[0].offset_s * 1000
    first_end, last_end = (at_ms // slide_ms + 1) * slide_ms, (at_ms + size_ms) // slide_ms * slide_ms
    copies = (last_end - first_end) // slide_ms + 1
    copied = taken.loc[taken.index.repeat(copies)].reset_index(drop=True)
    nth = np.arange(len(copied)) - np.repeat(np.cumsum(copies) - copies, copies)
    copied["end_ms"] = np.repeat(first_end, copies) + nth * slide_ms
    by = [*keys, "end_ms"]
    windows = copied[by].drop_duplicates().set_index(by).sort_index()
    for feature in features:
        windows = windows.join(_aggregated(copied, feature, by))
    windows = windows.reset_index()
    columns = {feature.name: _value(feature, windows) for feature in features}
    return windows[keys].assign(as_of_ms=windows["end_ms"] + lateness_ms, **columns)


def _aggregated(copied: pd.DataFrame, part: Feature, by: list[str]) -> pd.DataFrame:
    chosen = copied["kind"].isin(part.acts)
    for where in part.where:
        column = copied[where.column]
        is_met = column.notna() if where.one_of is None else column.isin(where.one_of)
        chosen &= (is_met if where.at_least is None else is_met & (column >= where.at_least)).fillna(False)
    groups = copied[chosen].groupby(by)
    column = part.column
    if part.aggregation == "count":
        return groups.size().to_frame(part.name)
    if part.aggregation == "mean":
        sums = groups[column].agg(["sum", "count"])
        return sums.rename(columns={name: f"{part.name}_{name}" for name in sums})
    if part.aggregation == "values":
        return groups[column].agg(lambda values: sorted(set(values.dropna()))).to_frame(part.name)
    functions = {"distinct": "nunique"}
    return groups[column].agg(functions.get(part.aggregation, part.aggregation)).to_frame(part.name)


def _value(feature: Feature, windows: pd.DataFrame) -> pd.Series:
    if feature.aggregation == "mean":
        names = (f"{feature.name}_sum", f"{feature.name}_count")
        above, below = (windows[name].fillna(0).astype("float64") for name in names)
        quotient = above / below.where(below > 0)
        return quotient if feature.default is None else quotient.fillna(feature.default)
    value = windows[feature.name]
    if feature.aggregation == "values":
        return value.map(lambda values: values if isinstance(values, list) else [])
    return value if feature.default is None else value.fillna(feature.default)


def _running(acts: pd.DataFrame, members: Sequence[Feature], keys: list[str]) -> pd.DataFrame:
    feature, running = members[0], {}
    column = feature.column or "occurred_at_ms"
    taken = acts[acts["kind"].isin(feature.acts)].dropna(subset=[*keys, column]).sort_values("place")
    groups = taken.groupby(keys, sort=False)
    if feature.aggregation == "last_n":
        running = {member.name: _last(taken, groups[member.column], member) for member in members}
    else:
        running = {feature.name: groups[column].cummin() if feature.aggregation == "first_seen" else taken[column]}
    rows = taken[keys].assign(as_of_ms=taken["received_at_ms"], **running)
    return rows.drop_duplicates([*keys, "as_of_ms"], keep="last")


def _last(taken: pd.DataFrame, groups: Any, feature: Feature) -> pd.Series:
    """The last entries after each row, newest first."""
    lists = {index: list(values) for index, values in groups}
    n = feature.n or 1
    entries = [values[max(0, end - n) : end][::-1] for values in lists.values() for end in range(1, len(values) + 1)]
    order = np.concatenate([groups.indices[key] for key in lists]) if lists else np.zeros(0, dtype=np.int64)
    return pd.Series(entries, index=taken.index[order]).reindex(taken.index)


def compute() -> None:
    """Compute everything and print seconds and rows as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.backfill_baseline", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    began, settings = time.monotonic(), get_settings()
    bronze = pd.read_parquet(open_version(settings).files("bronze/history"))[list(BRONZE_EVENTS.columns)]
    bronze = bronze.astype(object).where(bronze.notna(), None)
    acts = acts_frame(iter(bronze.to_dict("records")), settings, Shops.load(Paths.of(settings).shops_file).zones)
    chosen.out.mkdir(parents=True)
    rows = 0
    for view, members in views().items():
        frame = view_frame(acts, members, settings.allowed_lateness_s * 1000)
        frame.to_parquet(chosen.out / f"{view}.parquet", compression="zstd")
        rows += len(frame)
    print(json.dumps({"events": len(bronze), "rows": rows, "seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    compute()
