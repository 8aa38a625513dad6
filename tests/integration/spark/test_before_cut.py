"""Tables up to a cut are those of a log that ends there, and stand apart from what all acts taught."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jishi.factorisation import Parameters
from jishi.settings import Settings, get_settings
from jishi.tables import (
    ALS_ITEM_FACTORS,
    ALS_PERSON_FACTORS,
    BEFORE_CUT,
    ITEM_NEIGHBOURS,
    PERSON_CANDIDATES,
    RECOMMENDATIONS,
    SILVER_EVENTS,
    SILVER_INTERACTIONS,
)
from models.data.split import SplitWindow
from spark_jobs.__main__ import main
from spark_jobs.publication import Publication
from spark_jobs.recommendations.job import NothingToLearn, build_candidates, build_factors, build_neighbours
from spark_jobs.recommendations.known import events_known_before, known_before
from tests.integration.spark.conftest import SilverPlatform
from tests.integration.spark.made_shop import CUT, cut_short, made_shop, publish_shop

pytestmark = pytest.mark.integration
SMALL = Parameters(factors=4, iterations=2, blocks=1)
BEFORE = CUT.replace(tzinfo=UTC)


def build(platform: SilverPlatform, **before: Any) -> dict[str, int]:
    session, settings = platform.session, platform.settings
    rows: dict[str, int] = {}
    for within in ("order", "person"):
        rows |= build_neighbours(session, settings, "a", within, **before)
    return rows | build_factors(session, settings, "a", SMALL, **before) | build_candidates(session, settings, "a", **before)


def test_a_cut_gives_the_tables_of_a_log_that_ends_there(platform: SilverPlatform, tmp_path: Path) -> None:
    built = made_shop()
    publish_shop(platform, built)
    build(platform)
    of_all = {schema: platform.rows(schema) for schema in RECOMMENDATIONS}
    rows = build(platform, before=BEFORE)
    assert rows.keys() == {schema.name for schema in BEFORE_CUT.values()}

    settings = Settings(var=tmp_path / "short", _env_file=None)  # type: ignore[call-arg]
    short = SilverPlatform(platform.session, settings, platform.shops)
    publish_shop(short, cut_short(built))
    build(short)
    by_key = {schema: platform.rows(BEFORE_CUT[schema]) for schema in RECOMMENDATIONS}
    for schema in (ITEM_NEIGHBOURS, PERSON_CANDIDATES):
        expected = [row | {"known_before": CUT} for row in short.rows(schema)]
        assert by_key[schema] == expected
        assert len(expected) > 100
    for schema in (ALS_ITEM_FACTORS, ALS_PERSON_FACTORS):
        result, expected = (
            {row[schema.key[1]]: row["factors"] for row in rows} for rows in (by_key[schema], short.rows(schema))
        )
        assert result.keys() == expected.keys()
        assert all(np.allclose(result[name], expected[name], atol=1e-5) for name in expected)
    persons = {row["person_id"] for row in by_key[ALS_PERSON_FACTORS]}
    assert {person for person in persons if person.startswith("q")} == {"q-before"}
    listed = {row["item_id"] for row in by_key[PERSON_CANDIDATES]}
    assert (listed & {"i08", "i12", "i16"}) == {"i08", "i16"}  # as the stock was known at the cut, not as it is
    assert "i08" not in {row["item_id"] for row in of_all[PERSON_CANDIDATES]}

    # What all acts taught is as it was, and the same cut again gives the same rows.
    assert {schema: platform.rows(schema) for schema in RECOMMENDATIONS} == of_all
    assert of_all[ITEM_NEIGHBOURS] != [row | {"known_before": CUT} for row in by_key[ITEM_NEIGHBOURS]]
    assert build(platform, before=BEFORE) == rows
    for schema in (ITEM_NEIGHBOURS, PERSON_CANDIDATES):
        assert platform.rows(BEFORE_CUT[schema]) == by_key[schema]


def test_the_cut_takes_what_the_split_of_the_judge_takes(platform: SilverPlatform) -> None:
    acts = made_shop()[SILVER_INTERACTIONS]
    repairs = {acts[0]["event_id"]: CUT, acts[1]["event_id"]: CUT - timedelta(microseconds=1)}
    events = [
        {name: act[name] for name in ("shop_id", "event_id", "occurred_at", "received_at")} | {"repaired_at": repairs[each]}
        for act in acts[:2]
        for each in [act["event_id"]]
    ]
    publish_shop(platform, {SILVER_INTERACTIONS: acts, SILVER_EVENTS: events})
    publication = Publication(platform.session, platform.settings, "a test", (SILVER_INTERACTIONS, SILVER_EVENTS))
    frame = known_before(publication.rows(SILVER_INTERACTIONS), BEFORE, publication.rows(SILVER_EVENTS))
    known = events_known_before(publication.rows(SILVER_EVENTS), BEFORE)
    assert {row.event_id for row in known.collect()} == {acts[1]["event_id"]}
    cut = np.datetime64(CUT)
    window = SplitWindow(cut=cut, test_from=cut + np.timedelta64(1, "D"), end=cut + np.timedelta64(8, "D"))
    known_at = [repairs.get(act["event_id"], act["received_at"]) for act in acts]
    clocks = ([act["occurred_at"] for act in acts], known_at)
    training = window.is_training(*(np.array(clock, dtype="datetime64[us]") for clock in clocks))
    expected = {
        (act["event_id"], act["line_number"], act["item_id"]) for act, is_in in zip(acts, training, strict=True) if is_in
    }
    assert {(row.event_id, row.line_number, row.item_id) for row in frame.collect()} == expected
    assert acts[0]["occurred_at"] < CUT
    assert 0 < len(expected) < len(acts)


def test_a_login_after_the_cut_changes_nothing_in_it(platform: SilverPlatform) -> None:
    """A device bought before the cut; that it was a user's is known since a login after it, which silver goes by."""
    built, day = made_shop(), timedelta(days=1)
    head = {"shop_id": "a", "anonymous_id": "dev", "person_id": "u:late", "type": "item_viewed", "line": "{}"}
    acts = [row for row in built[SILVER_INTERACTIONS] if row["person_id"] == "p00"][:4]
    mine = [row | {"person_id": "u:late", "event_id": f"dev-{number}"} for number, row in enumerate(acts)]
    events = [head | {name: row[name] for name in ("event_id", "occurred_at", "received_at")} for row in mine]
    login = head | {"event_id": "login", "user_id": "late", "occurred_at": CUT + 2 * day, "received_at": CUT + 2 * day}
    changed = built | {
        SILVER_INTERACTIONS: [*built[SILVER_INTERACTIONS], *mine],
        SILVER_EVENTS: [*built[SILVER_EVENTS], *events, login],
    }
    publish_shop(platform, changed)
    build_factors(platform.session, platform.settings, "a", SMALL, BEFORE)
    then = {row["person_id"] for row in platform.rows(BEFORE_CUT[ALS_PERSON_FACTORS])}
    assert {"a:dev"} == {person for person in then if person not in {row["person_id"] for row in changed[SILVER_INTERACTIONS]}}
    assert "u:late" not in then
    build_factors(platform.session, platform.settings, "a", SMALL)
    today = {row["person_id"] for row in platform.rows(ALS_PERSON_FACTORS)}
    assert "u:late" in today
    assert "a:dev" not in today


def test_the_next_cut_replaces_the_last_and_candidates_ask_for_neighbours_of_their_own(platform: SilverPlatform) -> None:
    publish_shop(platform, made_shop())
    session, settings = platform.session, platform.settings
    with pytest.raises(NothingToLearn, match=r"neighbours_before; run: .*--within person --before 2026-09-17T00:00:00Z"):
        build_candidates(session, settings, "a", BEFORE)
    build_neighbours(session, settings, "a", "person", BEFORE)
    later = BEFORE + timedelta(days=1)
    with pytest.raises(NothingToLearn, match=r"known_before of shop 'a' .* is not 2026-09-18T00:00:00Z; run: .*cooccurrence"):
        build_candidates(session, settings, "a", later)
    build_neighbours(session, settings, "a", "person", later)
    names = {row["known_before"] for row in platform.rows(BEFORE_CUT[ITEM_NEIGHBOURS])}
    assert names == {CUT + timedelta(days=1)}
    for what, run in _before_the_shop_opened(platform).items():
        with pytest.raises(NothingToLearn, match=rf"{what} .* was known before 2025-01-01T00:00:00Z; choose a later --before"):
            run()


def _before_the_shop_opened(platform: SilverPlatform) -> dict[str, Callable[[], Any]]:
    session, settings, early = platform.session, platform.settings, BEFORE.replace(year=2025, month=1, day=1)
    return {
        "silver/order_lines": lambda: build_neighbours(session, settings, "a", "order", early),
        "silver/interactions": lambda: build_factors(session, settings, "a", SMALL, early),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-09-17T00:00:00", "has no offset; add Z or"),
        ("2026-09-17", "must be an ISO 8601 string with an offset"),
        ("yesterday", "an instant is such as 2026-09-17T00:00:00Z"),
    ],
)
@pytest.mark.parametrize("job", ["cooccurrence", "als", "candidates"])
def test_what_is_no_instant_is_told_with_its_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], job: str, text: str, expected: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["spark_jobs", job, "--shop", "a", "--before", text])
    get_settings.cache_clear()
    with pytest.raises(SystemExit):
        main()
    error = capsys.readouterr().err
    assert "argument --before:" in error
    assert expected in error
