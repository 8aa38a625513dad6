"""``jishi features parity``: all engines and the online store against the oracle, and a sentence for every difference."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from jishi.features import FEATURES, Feature
from jishi.features.why import reason
from jishi.settings import Settings
from quality.parity.comparison import Compared, Difference, compare, compare_online, instants_to_read
from quality.parity.engines import PreparedLog, ReportProgress, compute, read_online


@dataclass(frozen=True)
class ParityProof:
    """What was compared: for each engine (online stores included) each feature, by name."""

    records: int
    acts: int
    engines: dict[str, dict[str, Compared]]

    @property
    def different(self) -> int:
        """Values that differ, of all engines and features."""
        return sum(feature.different for compared in self.engines.values() for feature in compared.values())

    @property
    def compared(self) -> dict[str, int]:
        """Values of the oracle that each engine or online store was compared on."""
        return {name: sum(feature.rows for feature in features.values()) for name, features in self.engines.items()}

    @property
    def rows(self) -> int:
        """Values that the oracle has."""
        first = next(iter(self.engines.values()), {})
        return sum(feature.rows for feature in first.values())


def prove_parity(
    log: PreparedLog, engines: list[str], stores: list[str], settings: Settings, progress: ReportProgress
) -> ParityProof:
    """Compute the log with the oracle and every engine side by side, and compare. Online stores need Flink, whose messages
    feed them.

    Raises quality.parity.engines.EngineFailed or quality.parity.value_table.NothingComputed.
    """
    names = [feature.name for feature in FEATURES]
    targets = {engine: log.folder / f"{engine}.parquet" for engine in ("oracle", *engines)}
    with ThreadPoolExecutor() as pool:  # engines are processes of their own and need little of this one
        for computed in [pool.submit(compute, engine, log, target, settings, progress) for engine, target in targets.items()]:
            computed.result()
    oracle = targets["oracle"]
    compared = {engine: compare(oracle, targets[engine], names) for engine in engines}
    for store in stores if "flink" in engines else []:
        reads, instants_ms = log.folder / f"{store}.jsonl", instants_to_read(oracle)
        read_online(log, store, instants_ms, reads, settings, progress)
        compared[store] = compare_online(oracle, reads, instants_ms, names)
    return ParityProof(len(log.records), len(log.acts), compared)


def explained(proof: ParityProof, log: PreparedLog, settings: Settings) -> Iterator[str]:
    """A paragraph for each of the first differences: what was expected, what was found, and the events behind it."""
    by_name = {feature.name: feature for feature in FEATURES}
    for engine, compared in proof.engines.items():
        for feature in compared.values():
            for difference in feature.samples:
                yield _paragraph(engine, by_name[difference.feature], difference, log, settings)


def _paragraph(engine: str, feature: Feature, difference: Difference, log: PreparedLog, settings: Settings) -> str:
    as_of_ms = _epoch_ms(difference.as_of)
    of_shop = [act for act in log.acts if act["shop_id"] == difference.shop_id]
    why = reason(feature, difference.entity_id, as_of_ms, of_shop, allowed_lateness_s=settings.allowed_lateness_s)
    behind = ", ".join(f"{act['event_id']} ({act['kind']} at {act['occurred_at_ms']})" for act in why.acts[:6])
    more = f" and {len(why.acts) - 6} more" if len(why.acts) > 6 else ""
    where = f"{feature.name} of {feature.entity} {difference.entity_id!r} in shop {difference.shop_id!r}"
    until = ""
    if difference.expected == difference.actual:
        until = f"; it should hold until {difference.expected_until}, not {difference.actual_until}"
    return (
        f"{engine}: {where} as of {difference.as_of.isoformat()} UTC is {_words(difference.actual)}, the oracle says "
        f"{_words(difference.expected)}{until}; {len(why.acts)} acts count: {behind or 'none'}{more}"
    )


def _words(value: str | None) -> str:
    return "the default" if value is None else value


def _epoch_ms(instant: datetime) -> int:
    return round(instant.replace(tzinfo=UTC).timestamp() * 1000)
