"""All checks of one run over what it left: the ledger, the log, the archive, the feature topic and the online store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.check import (
    CheckResult,
    acknowledgements,
    check_archive,
    check_damage,
    check_ids,
    check_order,
    check_outcomes,
    counted_outcomes,
)
from chaos.evidence import Key, known_before, read_archive, read_log, read_lost, read_store, write_messages
from chaos.feature_check import by_instant, check_messages, check_stored
from chaos.ledger import Account
from chaos.losses import PUBLISHER_SHOP, Losses
from chaos.settle import NotSettled, window_due
from chaos.stage import Stage
from collector.wal.damage import noted_damage
from feature_repo.store import open_store
from jishi.features import Feature, live_views
from jishi.features.entity import entity_of
from jishi.features.oracle import Act, Value, good_acts, values
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ChaosProof:
    """What was checked, acknowledgements by outcome, copies that the forwarder made, and compared values by view.

    ``decided``: of each acknowledgement when the collector took it (epoch seconds), its id and its outcome.
    """

    findings: list[CheckResult]
    outcomes: dict[str, int]
    copies: int
    by_view: dict[str, int]
    decided: list[tuple[float, str, str]]

    @property
    def is_fine(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.is_fine for finding in self.findings)


def prove(stage: Stage, ledger: Path, work: Path) -> ChaosProof:
    """Check a settled platform. Raises NotSettled, chaos.evidence.LogUnreadable or jishi.landing.LandingError."""
    limits = {
        "allowed_lateness_s": stage.settings.allowed_lateness_s,
        "future_tolerance_s": stage.settings.future_tolerance_s,
    }
    log, known_ms = read_log(stage)
    losses, archive = Losses.of(stage), read_archive(stage)
    # A log that has lost its end does not show any more what the stream read there; the archive does.
    known = archive if losses.cuts else log
    acts = good_acts(known, zones={}, **limits)
    stored = _snapshot(stage, acts, known_ms)
    account = Account.of(ledger)
    findings = [
        check_ids(account, archive, set(losses.damaged.values())),
        check_archive(log, archive, is_cut=losses.cuts > 0),
        check_outcomes(archive, **limits),
        check_order(account, known),
        check_damage(losses.damaged, [(note.first_seq, note.next_seq) for note in noted_damage(stage.paths.wal)]),
        check_published(stage, losses),
    ]
    write_messages(stage, work / "messages", up_to_ms=known_ms)
    views = live_views()
    members = [feature for of_view in views.values() for feature in of_view]
    oracle_values = [
        value for value in values(members, acts, allowed_lateness_s=limits["allowed_lateness_s"]) if value.as_of_ms <= known_ms
    ]
    running = [feature for feature in members if feature.is_running]
    lost = [value for rows in read_lost(stage, log) for value in _values_of(running, rows, archive, limits)]
    messages, by_view = check_messages(oracle_values, work / "messages", views, work, lost=lost)
    expected = by_instant(oracle_values)
    in_store = [check_stored(expected, view, views[view], keys, rows) for view, (keys, rows) in stored.items()]
    outcomes = counted_outcomes(archive)
    return ChaosProof(
        [finding for finding in (*findings, messages, *in_store) if finding.cases or finding.wrong],
        dict(sorted(outcomes.items())),
        len(archive) - sum(outcomes.values()),
        by_view,
        [(row["collected_at_ms"] / 1000, row["event_id"], row["outcome"]) for row in acknowledgements(archive)],
    )


def check_published(stage: Stage, losses: Losses) -> CheckResult:
    """Each row that one of several publishers has added at once is in the newest version."""
    with open_lake(open_version(stage.settings)) as lake:
        sql = "select count(distinct item_id), count(*) from silver_items where shop_id = ?"
        [(distinct, rows)] = lake.execute(sql, [PUBLISHER_SHOP]).fetchall()
    wrong = (
        [] if distinct == rows == losses.published else [f"{distinct} items in {rows} rows, {losses.published} were published"]
    )
    return CheckResult("rows of two publishers at once, each there once", losses.published, wrong)


def _values_of(features: list[Feature], lost: Rows, archive: Rows, limits: dict[str, int]) -> Iterator[Value]:
    """Values as they became known with the records that a cut took. A window ends after the cut, so there is none of these."""
    acts = good_acts(known_before(archive, lost), zones={}, **limits) if lost else []
    instants = {row["received_at_ms"] for row in lost}
    for value in values(features, acts, allowed_lateness_s=limits["allowed_lateness_s"]):
        if value.as_of_ms in instants:
            yield value


def _snapshot(stage: Stage, acts: list[Act], known_ms: int) -> dict[str, tuple[list[Key], list[dict[str, Any]]]]:
    """What the store holds, by view: keys, and the row of each. Raises NotSettled when the next window came meanwhile."""
    store = open_store(stage.settings, stage.paths)
    stored = {}
    for view, members in live_views().items():
        known = ((act["shop_id"], entity_of(members[0].entity, act)) for act in acts)
        keys = sorted({(shop_id, identity) for shop_id, identity in known if identity is not None})
        stored[view] = (keys, list(read_store(store, view, members, keys)))
    if window_due(stage, int(time.time() * 1000)) != window_due(stage, known_ms):
        raise NotSettled("the next window became known while the store was read; the machine is too busy for this check")
    return stored
