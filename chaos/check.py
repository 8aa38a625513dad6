"""The check: what was acknowledged is there exactly once, in order, and the features are those of the log. Pure functions.

``log`` are the records of the event log and ``archive`` those that the stream archived with their outcomes; both in the order
of partition and offset, with the columns of ``jishi.tables.BRONZE_EVENTS``. A record that the forwarder sent twice keeps its
``(collector_id, seq)`` and is one acknowledgement.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.ledger import Account
from jishi.features.event_log import outcomes_of
from jishi.outcomes import Outcome

Row = Mapping[str, Any]
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


def check_archive(log: Sequence[Row], archive: Sequence[Row], *, is_cut: bool = False) -> CheckResult:
    """Each record of the log is archived exactly once.

    Where the log has lost its end (``is_cut``), what was archived before has come again elsewhere; nothing is known of a record
    that was sent again to where the stream had been already.
    """
    there = Counter(map(_place_of, archive))
    known = set(map(_place_of, log))
    sent, kept = set(map(_identity, log)), set(map(_identity, archive))
    absent = (row for row in log if _place_of(row) not in there and not (is_cut and _identity(row) in kept))
    gone = (row for row in archive if _place_of(row) not in known and not (is_cut and _identity(row) in sent))
    wrong = [f"{_place(row)} is not archived" for row in sorted(absent, key=_place_of)]
    wrong += [
        f"{_place(row)} is archived {there[_place_of(row)]} times" for row in _first_of(archive) if there[_place_of(row)] > 1
    ]
    wrong += [f"{_place(row)} is archived and not in the log" for row in sorted(gone, key=_place_of)]
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


def check_ids(account: Account, archive: Sequence[Row], set_aside: Collection[str] = ()) -> CheckResult:
    """Each acknowledged id is good, late or in quarantine exactly once; one that was not acknowledged at most once.

    Ids of ``set_aside`` were destroyed on disk; that they are named as such is another check.
    """
    deliveries: dict[str, Counter[str]] = defaultdict(Counter)
    for row in acknowledgements(archive):
        deliveries[row["event_id"]][row["outcome"]] += 1
    wrong = []
    for event_id in account.meant:
        counted = sum(count for outcome, count in deliveries[event_id].items() if outcome != Outcome.DUPLICATE)
        is_acknowledged = event_id in account.acknowledged
        if is_acknowledged and counted == 0 and event_id not in set_aside:
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


def check_damage(destroyed: Collection[int], noted: Iterable[tuple[int, int]]) -> CheckResult:
    """The collector has named each entry that was destroyed on its disk, and no other; spans are half-open."""
    named = {seq for first, following in noted for seq in range(first, following)}
    wrong = [f"seq {seq} was destroyed and is not named" for seq in sorted(set(destroyed) - named)]
    wrong += [f"seq {seq} is named as damaged and is not" for seq in sorted(named - set(destroyed))]
    return CheckResult("destroyed entries, each set aside and named", len(destroyed), wrong)


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


def _identity(row: Row) -> tuple[str, int]:
    return row["collector_id"], row["seq"]


def _place_of(row: Row) -> tuple[int, int, str, int]:
    return row["log_partition"], row["log_offset"], *_identity(row)


def _first_of(rows: Sequence[Row]) -> list[Row]:
    """One row of each place, in the order of places."""
    by_place = {_place_of(row): row for row in rows}
    return [by_place[place] for place in sorted(by_place)]


def _place(row: Row) -> str:
    return f"partition {row['log_partition']} offset {row['log_offset']}"
