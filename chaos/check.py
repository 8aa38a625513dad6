"""The check: what was acknowledged is there exactly once, in order, and the features are those of the log. Pure functions.

``log`` are the records of the event log and ``archive`` those that the stream archived with their outcomes; both in the order
of partition and offset, with the columns of ``jishi.tables.BRONZE_EVENTS``. A record that the forwarder sent twice keeps its
``(collector_id, seq)`` and is one acknowledgement.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.ledger import Account
from jishi.features.event_log import outcomes_of
from jishi.outcomes import Outcome

Row = Mapping[str, Any]
QUARANTINE = frozenset({Outcome.INVALID, Outcome.FUTURE})
SHOWN = 5


@dataclass
class CheckResult:
    """One thing that was checked: how many cases there were, and what is wrong, by name."""

    what: str
    cases: int
    wrong: list[str] = field(default_factory=list)

    @property
    def is_fine(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    def description(self) -> str:
        """What is wrong in a sentence that names the first few."""
        more = f" and {len(self.wrong) - SHOWN} more" if len(self.wrong) > SHOWN else ""
        return "; ".join(self.wrong[:SHOWN]) + more


def check_archive(log: Sequence[Row], archive: Sequence[Row]) -> CheckResult:
    """Each record of the log is archived exactly once."""
    there = Counter((row["log_partition"], row["log_offset"]) for row in archive)
    known = {(row["log_partition"], row["log_offset"]) for row in log}
    wrong = [f"{_place(place)} is not archived" for place in sorted(known - set(there))]
    wrong += [f"{_place(place)} is archived {count} times" for place, count in sorted(there.items()) if count > 1]
    wrong += [f"{_place(place)} is archived and not in the log" for place in sorted(set(there) - known)]
    return CheckResult("records of the log, each archived once", len(known), wrong)


def check_outcomes(archive: Sequence[Row], *, allowed_lateness_s: int, future_tolerance_s: int) -> CheckResult:
    """The stream gave each record the outcome that the shared rule gives it."""
    expected = outcomes_of(
        [dict(row) for row in archive], allowed_lateness_s=allowed_lateness_s, future_tolerance_s=future_tolerance_s
    )
    wrong = [
        f"{row['event_id']} is {row['outcome']}, by the rule {outcome}"
        for row, outcome in zip(archive, expected, strict=True)
        if row["outcome"] != outcome
    ]
    return CheckResult("outcomes decided by the stream", len(archive), wrong)


def check_ids(account: Account, archive: Sequence[Row]) -> CheckResult:
    """Each acknowledged id is good, late or in quarantine exactly once; one that was not acknowledged at most once."""
    deliveries: dict[str, Counter[str]] = defaultdict(Counter)
    for row in acknowledgements(archive):
        deliveries[row["event_id"]][row["outcome"]] += 1
    wrong = []
    for event_id in account.meant:
        counted = sum(count for outcome, count in deliveries[event_id].items() if outcome != Outcome.DUPLICATE)
        is_acknowledged = event_id in account.acknowledged
        if is_acknowledged and counted == 0:
            wrong.append(f"{event_id} was acknowledged and is lost")
        if counted > 1:
            wrong.append(f"{event_id} counts {counted} times ({_outcomes(deliveries[event_id])})")
    wrong += [f"{event_id} is there and nobody sent it" for event_id in sorted(set(deliveries) - set(account.meant))]
    return CheckResult("acknowledged ids, each there once", len(account.acknowledged), wrong)


def check_order(account: Account, log: Sequence[Row]) -> CheckResult:
    """The log has the acknowledged events of each person in the order in which they were sent, in one partition.

    Events that the contract refused have no person in the log, and so no order.
    """
    wrong = []
    last: dict[str, tuple[int, int, str]] = {}
    seen: set[str] = set()
    for row in acknowledgements(log):
        event_id = row["event_id"]
        if event_id in seen or event_id not in account.acknowledged or row["person_id"] is None:
            continue
        seen.add(event_id)
        meant = account.meant[event_id]
        partition, turn, before = last.get(meant.person_id, (row["log_partition"], 0, ""))
        if partition != row["log_partition"]:
            wrong.append(f"{meant.person_id} has {before} in partition {partition} and {event_id} in {row['log_partition']}")
        elif meant.turn < turn:
            wrong.append(f"{event_id} of {meant.person_id} comes after {before}, which was sent later")
        last[meant.person_id] = (row["log_partition"], max(turn, meant.turn), event_id)
    return CheckResult("persons, events in the order of sending", len(last), wrong)


def acknowledgements(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows without the copies that the forwarder made: each ``(collector_id, seq)`` at its first place."""
    seen: set[tuple[str, int]] = set()
    for row in rows:
        identity = (row["collector_id"], row["seq"])
        if identity not in seen:
            seen.add(identity)
            yield row


def counted_outcomes(archive: Sequence[Row]) -> Counter[str]:
    """Acknowledgements by outcome."""
    return Counter(row["outcome"] for row in acknowledgements(archive))


def _outcomes(counts: Counter[str]) -> str:
    return ", ".join(f"{outcome} {count}" for outcome, count in sorted(counts.items()))


def _place(place: tuple[int, int]) -> str:
    return f"partition {place[0]} offset {place[1]}"
