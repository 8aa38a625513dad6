"""Candidates of persons against a brute force over the acts, and as a published table."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest

from jishi.tables import ITEM_NEIGHBOURS, PERSON_CANDIDATES, SILVER_ITEMS
from spark_jobs.audits import AuditFailed
from spark_jobs.recommendations import job
from spark_jobs.recommendations.audit import audit_candidates
from spark_jobs.recommendations.job import NothingToLearn, build_candidates, build_neighbours
from tests.integration.spark.made_acts import ITEMS, Act, cosine, histories_of, made_acts, publish_acts

pytestmark = pytest.mark.integration


def brute_force(acts: list[Act], per_person: int) -> dict[str, list[tuple[str, int, str]]]:
    """By person: item, score in billionths and reason, best first; the definition, one pair at a time."""
    histories = histories_of(acts)
    by_key = {}
    for person, mine in histories.items():
        scored = []
        for item, state in ITEMS.items():
            gains = {one: round(mine[one] * cosine(histories, one, item) * 1e9) for one in mine if one != item}
            if state["status"] == "active" and state.get("stock") != 0 and sum(gains.values()):
                scored.append((item, sum(gains.values()), min(gains, key=lambda one: (-gains[one], one))))
        if scored:
            by_key[person] = sorted(scored, key=lambda entry: (-entry[1], entry[0]))[:per_person]
    return by_key


def test_every_candidate_is_the_brute_force_one(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "CANDIDATES_PER_PERSON", 5)
    acts = made_acts()
    publish_acts(platform, acts)
    build_neighbours(platform.session, platform.settings, "a", "person")
    expected = brute_force(acts, per_person=5)
    rows = build_candidates(platform.session, platform.settings, "a")
    assert rows == {PERSON_CANDIDATES.name: sum(map(len, expected.values()))}
    by_key: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    table = platform.rows(PERSON_CANDIDATES)
    for row in sorted(table, key=lambda row: row["place"]):
        by_key[row["person_id"]].append((row["item_id"], round(row["score"] * 1e9), row["because_item_id"]))
        assert row["place"] == len(by_key[row["person_id"]])
    assert by_key == expected
    # The log holds what is worth testing: cut lists, equal scores, a person with no candidate, a twin with the same ones.
    assert any(len(best) == 5 for best in expected.values())
    assert any(one[1] == other[1] for best in expected.values() for one, other in pairwise(best))
    assert "lone" not in by_key
    assert by_key["p03-twin"] == by_key["p03"]
    build_candidates(platform.session, platform.settings, "a")
    assert platform.rows(PERSON_CANDIDATES) == table


def test_without_neighbours_the_command_is_told_and_nothing_is_published(platform: Any) -> None:
    publish_acts(platform, made_acts())
    with pytest.raises(NothingToLearn, match="python -m spark_jobs cooccurrence --shop a --within person"):
        build_candidates(platform.session, platform.settings, "a")
    build_neighbours(platform.session, platform.settings, "a", "person")
    with pytest.raises(NothingToLearn, match="cooccurrence --shop b --within person"):
        build_candidates(platform.session, platform.settings, "b")
    platform.publish(ITEM_NEIGHBOURS, [])
    with pytest.raises(NothingToLearn, match="cooccurrence --shop a --within person"):
        build_candidates(platform.session, platform.settings, "a")
    assert not platform.has(PERSON_CANDIDATES)


SOUND = {"shop_id": "a", "person_id": "p", "item_id": "i1", "place": 1, "score": 2.0, "because_item_id": "i9"}
SECOND = {"item_id": "i2", "place": 2, "score": 1.0}
BROKEN: dict[str, list[dict[str, Any]]] = {
    "1 repeats": [{}, {"place": 2}],
    "a score is not above 0": [{"score": 0.0}],
    "or has no reason": [{"because_item_id": None}],
    "places do not run from 1": [{}, SECOND | {"place": 3}],
    "without gaps": [{}, SECOND, SECOND | {"item_id": "i3"}],
    "a later place has a better score": [{}, SECOND | {"score": 3.0}],
    "an item is not in the catalogue": [{"item_id": "gone"}],
    "no row of shop 'a'": [{"shop_id": "b"}],
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_audit_refuses(platform: Any, fault: str) -> None:
    platform.publish(SILVER_ITEMS, [{"shop_id": "a", "item_id": f"i{n}"} for n in range(4)])
    rows = [SOUND | broken for broken in BROKEN[fault]]
    written = platform.unpublished(PERSON_CANDIDATES, rows, SILVER_ITEMS)
    with pytest.raises(AuditFailed, match=fault):
        audit_candidates(written, PERSON_CANDIDATES, "a", 5)


def test_the_audit_passes_what_is_sound(platform: Any) -> None:
    platform.publish(SILVER_ITEMS, [{"shop_id": "a", "item_id": item} for item in ("i1", "i2")])
    rows = [SOUND, SOUND | SECOND, SOUND | {"person_id": "q", "score": 9.0}]
    written = platform.unpublished(PERSON_CANDIDATES, rows, SILVER_ITEMS)
    assert audit_candidates(written, PERSON_CANDIDATES, "a", 2) == 3
    with pytest.raises(AuditFailed, match="places"):
        audit_candidates(written, PERSON_CANDIDATES, "a", 1)
