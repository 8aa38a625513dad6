"""Was a value that serving used the one that the log says? Compares one read with all values that the feature has had.

The store learns a value a little after the instant from which it is known (``as_of``): Flink, the topic and the writer take
their time, and a reader keeps a value for a few seconds of grace. So a value is right when it was the true one at some instant
of the allowed delay before the read. Any other one is ``too_old`` when it was true at its own ``as_of``, ``missing`` when the
default was used although there was a value all the time, and a ``mismatch`` else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Literal

from jishi.features import Feature
from jishi.features.oracle import Act, running_steps, values
from jishi.features.served import Served

ReadOutcome = Literal["match", "mismatch", "missing", "too_old"]
# Kafka stamps what is known and serving stamps its reads: their clocks may differ by this much.
CLOCKS_DIFFER_MS = 1_000


@dataclass(frozen=True)
class Spell:
    """A value and when it was the true one: ``[from_ms, until_ms)``, for ever where until is None.

    Of values that replaced each other within a millisecond all but the last have a spell of no length.
    """

    value: Any
    from_ms: int
    until_ms: int | None

    def touches(self, start_ms: int, end_ms: int) -> bool:
        """Whether it was true at some instant of the closed interval."""
        return self.from_ms <= end_ms and (self.until_ms is None or self.until_ms > start_ms or self.from_ms >= start_ms)


@dataclass(frozen=True)
class CheckedRead:
    """A read and what became of it. ``expected`` is the true value at the read; ``behind_ms`` tells how long before the read
    the value that was used had ceased to be true (0: it had not).
    """

    served: Served
    outcome: ReadOutcome
    expected: Any
    behind_ms: int


@dataclass(frozen=True)
class Drift:
    """All judged reads of one feature. The age of a value that was there is the time from its ``as_of`` to the read."""

    feature: str
    reads: int
    mismatched: int
    missing: int
    too_old: int
    age_p50_ms: int | None
    age_max_ms: int | None
    behind_max_ms: int

    @property
    def share(self) -> float:
        """Share of reads whose value was wrong."""
        return (self.mismatched + self.missing + self.too_old) / self.reads


def spells(feature: Feature, acts: Sequence[Act], allowed_lateness_s: int) -> list[Spell]:
    """Every value of a stored feature of one entity from the first instant on, defaults included. ``acts`` are good acts of the
    entity in the order of the log.
    """
    if feature.is_running:
        steps = [(0, feature.default), *running_steps(feature, [act for act in acts if feature.takes(act)])]
        ends = [later for (_, _), (later, _) in pairwise(steps)]
        return [Spell(value, at, end) for (at, value), end in zip(steps, [*ends, None], strict=True)]
    computed = values([feature], acts, allowed_lateness_s=allowed_lateness_s)
    return list(_with_defaults(feature, sorted((v.as_of_ms, v.valid_until_ms, v.value) for v in computed)))


def _with_defaults(feature: Feature, intervals: Iterable[tuple[int, int | None, Any]]) -> Iterator[Spell]:
    end: int | None = 0
    for as_of_ms, until_ms, value in intervals:
        assert end is not None  # only running features have values without an end
        if end < as_of_ms:
            yield Spell(feature.default, end, as_of_ms)
        yield Spell(value, as_of_ms, until_ms)
        end = until_ms
    yield Spell(feature.default, end or 0, None)


def judge_read(feature: Feature, served: Served, known: Sequence[Spell], delay_ms: int) -> CheckedRead:
    """What became of one read; ``known`` are all spells of its feature and entity."""
    used = _plain(feature.default) if served.value is None else served.value
    read_at_ms = served.read_at_ms
    expected = next(spell.value for spell in reversed(known) if spell.from_ms <= read_at_ms)
    alike = [spell for spell in known if _plain(spell.value) == used]
    past = [spell for spell in alike if spell.from_ms <= read_at_ms]
    ends = [spell.until_ms for spell in past]
    behind_ms = 0 if not ends or None in ends else max(0, read_at_ms - max(end for end in ends if end is not None))
    outcome: ReadOutcome
    if any(spell.touches(read_at_ms - delay_ms, read_at_ms + CLOCKS_DIFFER_MS) for spell in alike):
        outcome = "match"
    elif served.value is None:
        outcome = "missing"
    elif served.as_of_ms is not None and any(spell.touches(served.as_of_ms, served.as_of_ms) for spell in past):
        outcome = "too_old"
    else:
        outcome = "mismatch"
    return CheckedRead(served, outcome, _plain(expected), behind_ms)


def _plain(value: Any) -> Any:
    """A value as JSON gives it back: the default of a list is a tuple."""
    return list(value) if isinstance(value, tuple) else value


def drift(feature: str, judged: Sequence[CheckedRead]) -> Drift:
    """The reads of one feature, of which there is at least one, in one row."""
    ages = [j.served.read_at_ms - j.served.as_of_ms for j in judged if j.served.as_of_ms is not None]
    return Drift(
        feature,
        reads=len(judged),
        mismatched=sum(j.outcome == "mismatch" for j in judged),
        missing=sum(j.outcome == "missing" for j in judged),
        too_old=sum(j.outcome == "too_old" for j in judged),
        age_p50_ms=round(median(ages)) if ages else None,
        age_max_ms=max(ages, default=None),
        behind_max_ms=max(j.behind_ms for j in judged),
    )
