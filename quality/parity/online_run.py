"""``jishi features online-parity``: values that serving used on one UTC date against the log in bronze; a published table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from jishi.arrow_tables import to_arrow
from jishi.features import FEATURES
from jishi.features.served import Served, read_served
from jishi.lake import publishing
from jishi.lake.live import with_live_tail
from jishi.lake.publishing import Replacement
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.lake.rows import Rows
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import ONLINE_PARITY
from quality.parity.bronze_acts import acts_of_log, known_until_ms
from quality.parity.online import CheckedRead, Drift, drift, judge_read, spells

SHOWN = 3


class NothingToJudge(RuntimeError):
    """No value was logged on the date, or bronze does not reach it yet; says what to do."""


@dataclass(frozen=True)
class OnlineParity:
    """What was found on one date. ``later`` reads are left out because bronze does not reach them yet, ``undeclared`` ones
    because no feature has their name any more; ``wrong`` holds the first few of each feature.
    """

    on: date
    drifts: list[Drift]
    later: int
    undeclared: int
    wrong: list[CheckedRead]

    def beyond(self, most: float) -> list[Drift]:
        """Features of which a larger share than ``most`` was wrong."""
        return [drift for drift in self.drifts if drift.share > most]


def check_served_values(settings: Settings, on: date) -> OnlineParity:
    """Judge every read of a date that bronze reaches. Raises NothingToJudge or jishi.features.served.ServedValueUnreadable."""
    paths = Paths.of(settings)
    served = list(read_served(paths.served_values, on))
    if not served:
        raise NothingToJudge(f"serving logged no value on {on}; did it run, with JISHI_SERVED_VALUES_RATE above 0?")
    declared = {feature.name for feature in FEATURES}
    known = [value for value in served if value.feature in declared]
    with open_lake(with_live_tail(open_version(settings))) as lake:
        # What came through another partition may be this much behind the newest event.
        until_ms = (known_until_ms(lake) or 0) - settings.online_parity_delay_s * 1000
        due = [value for value in known if value.read_at_ms <= until_ms]
        if not due:
            reached = datetime.fromtimestamp(max(until_ms, 0) / 1000, UTC).isoformat(timespec="seconds")
            raise NothingToJudge(f"bronze knows the log up to {reached}, before any read of {on}; run the DAG daily for {on}")
        judged: dict[str, list[CheckedRead]] = defaultdict(list)
        for feature in (declared_one for declared_one in FEATURES if not declared_one.is_derived):
            for shop_id, reads in _by_shop(value for value in due if value.feature == feature.name).items():
                acts = acts_of_log(lake, settings, shop_id, feature, {read.entity_id for read in reads})
                expected = {key: spells(feature, of_key, settings.allowed_lateness_s) for key, of_key in acts.items()}
                delay_ms = settings.online_parity_delay_s * 1000
                judged[feature.name] += [judge_read(feature, read, expected[read.entity_id], delay_ms) for read in reads]
    drifts = [drift(name, of_feature) for name, of_feature in judged.items() if of_feature]
    wrong = [j for reads_of_feature in judged.values() for j in [j for j in reads_of_feature if j.outcome != "match"][:SHOWN]]
    return OnlineParity(on, drifts, len(known) - len(due), len(served) - len(known), wrong)


def _by_shop(values: Iterable[Served]) -> dict[str, list[Served]]:
    by_shop: dict[str, list[Served]] = defaultdict(list)
    for value in values:
        by_shop[value.shop_id].append(value)
    return by_shop


def publish(settings: Settings, on: date, drifts: Sequence[Drift]) -> None:
    """Put the date's rows into the table, in place of those of an earlier run; other dates stay."""
    rows = [
        {
            "read_on": on,
            "feature": drift.feature,
            "reads": drift.reads,
            "mismatched": drift.mismatched,
            "missing": drift.missing,
            "too_old": drift.too_old,
            "drift": drift.share,
            "age_p50_ms": drift.age_p50_ms,
            "age_max_ms": drift.age_max_ms,
            "behind_max_ms": drift.behind_max_ms,
        }
        for drift in drifts
    ]
    new = Replacement(ONLINE_PARITY, Rows.of(read_on=[on.isoformat()]), to_arrow(ONLINE_PARITY, rows))
    publishing.publish(settings, f"features online-parity {on.isoformat()}", lambda base: [new])


def explained(judged: CheckedRead) -> str:
    """One wrong read in a sentence."""
    read = judged.served
    at = datetime.fromtimestamp(read.read_at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    age = "" if read.as_of_ms is None else f" of {read.read_at_ms - read.as_of_ms} ms before"
    used = "the default" if read.value is None else f"{read.value!r}{age}"
    return (
        f"{judged.outcome}: {read.feature} of {read.entity_id!r} in shop {read.shop_id!r} at {at}: serving used {used}, "
        f"the log says {judged.expected!r}"
    )
