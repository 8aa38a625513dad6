"""Whether features are those of the log: each message of the feature topic, and what the online store holds at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.check import CheckResult
from chaos.evidence import Key
from jishi.features import Feature
from jishi.features.columns import VALID_UNTIL
from jishi.features.oracle import Value
from quality.parity import value_table
from quality.parity.comparison import compare

LOST = "of records that the log then lost"
Views = Mapping[str, tuple[Feature, ...]]
# Of a feature and key, the values by the instant from which they hold.
Expected = Mapping[tuple[str, str, str], Mapping[int, Any]]


def check_messages(
    expected: Iterable[Value], messages: Path, views: Views, work: Path, *, lost: Iterable[Value] = ()
) -> tuple[CheckResult, dict[str, int]]:
    """Flink's messages tell each value of the oracle and no other; also how many values each view has.

    ``lost`` are the oracle's values that held at an instant of which the log has lost the records since. The stream may have
    read these in time or not; a message that tells one of them is right, and counted under ``LOST``.
    """
    work.mkdir(parents=True, exist_ok=True)
    oracle, flink, of_lost = work / "oracle.parquet", work / "flink.parquet", work / "lost.parquet"
    value_table.from_oracle(expected, views, oracle)
    value_table.from_flink(messages, views, flink)
    value_table.from_oracle(lost, views, of_lost)
    names = [feature.name for members in views.values() for feature in members]
    right = _take_out(flink, of_lost, oracle, names)
    compared = compare(oracle, flink, names, samples=50)
    wrong = [
        f"{d.feature} of {d.entity_id} as of {d.as_of:%H:%M:%S} is {_word(d.actual)}, by the oracle {_word(d.expected)}"
        for feature in compared.values()
        for d in feature.samples
    ]
    by_view = {view: sum(compared[feature.name].rows for feature in members) for view, members in views.items()}
    if right:
        by_view[LOST] = right
    return CheckResult("feature values as they became known", sum(by_view.values()), wrong), by_view


def _take_out(flink: Path, of_lost: Path, oracle: Path, names: Sequence[str]) -> int:
    """Take the values of lost records that the oracle does not have out of Flink's; how many of the named features."""
    import duckdb

    with duckdb.connect() as connection:
        of_flink, same = f"from read_parquet('{flink}') as f", "using (feature, shop_id, entity_id, as_of, value)"
        connection.execute(
            f"create table lost as select * from read_parquet('{of_lost}') as l "
            f"anti join read_parquet('{oracle}') as o using (feature, shop_id, entity_id, as_of)"
        )
        counted = f"select count(*) {of_flink} semi join lost {same} where list_contains(?, feature)"
        [(right,)] = connection.execute(counted, [list(names)]).fetchall()
        connection.execute(f"copy (select * {of_flink} anti join lost {same}) to '{flink}.rest' (format parquet)")
    Path(f"{flink}.rest").replace(flink)
    return int(right)


def by_instant(values: Iterable[Value]) -> Expected:
    """The oracle's values by feature, key and instant."""
    by_key: dict[tuple[str, str, str], dict[int, Any]] = defaultdict(dict)
    for value in values:
        by_key[value.feature, value.shop_id, value.entity_id][value.as_of_ms] = value.value
    return by_key


def check_stored(
    expected: Expected, view: str, members: tuple[Feature, ...], keys: Sequence[Key], stored: Iterable[Mapping[str, Any]]
) -> CheckResult:
    """The store holds the newest value of each key. A window's row says by ``valid_until_ms`` which window it is."""
    finding = CheckResult(f"values of {view} in the online store", 0)
    for (shop_id, entity_id), row in zip(keys, stored, strict=True):
        by_feature = {feature.name: expected.get((feature.name, shop_id, entity_id), {}) for feature in members}
        newest = max((max(instants) for instants in by_feature.values() if instants), default=None)
        if newest is None and row[VALID_UNTIL] is None and all(_is_default(f, row[f.name]) for f in members):
            continue
        at = newest if members[0].is_running or row[VALID_UNTIL] is None else row[VALID_UNTIL] - members[0].slide * 1000
        if newest is not None and at is not None and at < newest:
            finding.wrong.append(f"{view} of {entity_id} is of {at}, the newest value is of {newest}")
        for feature in members:
            finding.cases += 1
            wanted = feature.default if at is None else by_feature[feature.name].get(at, feature.default)
            if not _equal(feature, row[feature.name], wanted):
                finding.wrong.append(f"{feature.name} of {entity_id} is {row[feature.name]!r}, by the oracle {wanted!r}")
    return finding


def _is_default(feature: Feature, value: Any) -> bool:
    return value is None or _equal(feature, value, feature.default)


def _equal(feature: Feature, actual: Any, wanted: Any) -> bool:
    if feature.value_type.startswith("list"):
        return list(actual or ()) == list(wanted or ())
    return bool(actual == wanted)


def _word(value: str | None) -> str:
    return "the default" if value is None else value
