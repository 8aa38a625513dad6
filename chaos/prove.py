"""All checks of one run over what it left: the ledger, the log, the archive, the feature topic and the online store."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.check import CheckResult, check_archive, check_ids, check_order, check_outcomes, counted_outcomes
from chaos.evidence import Key, read_archive, read_log, read_store, write_messages
from chaos.feature_check import by_instant, check_messages, check_stored
from chaos.ledger import Account
from chaos.settle import NotSettled, window_due
from chaos.stage import Stage
from feature_repo.store import open_store
from jishi.features import live_views
from jishi.features.entity import entity_of
from jishi.features.oracle import Act, good_acts, values


@dataclass(frozen=True)
class ChaosProof:
    """What was checked, acknowledgements by outcome, copies that the forwarder made, and compared values by view."""

    findings: list[CheckResult]
    outcomes: dict[str, int]
    copies: int
    by_view: dict[str, int]

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
    acts = good_acts(log, **limits)
    stored = _snapshot(stage, acts, known_ms)
    account, archive = Account.of(ledger), read_archive(stage)
    findings = [
        check_ids(account, archive),
        check_archive(log, archive),
        check_outcomes(archive, **limits),
        check_order(account, log),
    ]
    write_messages(stage, work / "messages", up_to_ms=known_ms)
    views = live_views()
    members = [feature for of_view in views.values() for feature in of_view]
    oracle_values = [
        value for value in values(members, acts, allowed_lateness_s=limits["allowed_lateness_s"]) if value.as_of_ms <= known_ms
    ]
    messages, by_view = check_messages(oracle_values, work / "messages", views, work)
    expected = by_instant(oracle_values)
    in_store = [check_stored(expected, view, views[view], keys, rows) for view, (keys, rows) in stored.items()]
    outcomes = counted_outcomes(archive)
    return ChaosProof(
        [*findings, messages, *(finding for finding in in_store if finding.cases)],
        dict(sorted(outcomes.items())),
        len(archive) - sum(outcomes.values()),
        by_view,
    )


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
