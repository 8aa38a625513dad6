"""What is read of a large shop is enough to judge by: the reports are those of all its acts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jishi.lake.query import open_lake
from jishi.tables import SILVER_INTERACTIONS
from models.data import evaluation_acts
from models.data.evaluation_acts import describe, read_judged, split
from models.data.interactions import instant, read_interactions
from models.data.persons_at_cut import view_persons_then
from models.data.split import last_active_days
from models.evaluation.placement_questions import QUESTIONS
from models.evaluation.time_split import make_test_set
from tests.lake import newest
from tests.unit.models.training.test_pipeline import acts, made_in, publish_table


def test_every_question_is_asked_as_of_all_acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = made_in(tmp_path)
    rows = [row for row in acts() if row["person_id"] > "p19" or row["occurred_at"].day < 17]  # twenty persons left the shop
    publish_table(
        paths, SILVER_INTERACTIONS, [*rows, *(row | {"event_id": f"v{n}", "kind": "view"} for n, row in enumerate(rows))]
    )
    everything = read_interactions(newest(paths.var), "a")
    window = last_active_days(everything.occurred_at[everything.kind == "pay"])
    ids = everything.item_ids.tolist(), everything.person_ids.tolist()
    with open_lake(newest(paths.var)) as connection:
        assert split(connection, "a") == window
        view_persons_then(connection, newest(paths.var), "a", instant(window.cut))
        judged = read_judged(connection, "a", window, *ids)
    assert 0 < len(judged) < len(everything)
    whole, part = make_test_set(everything, window), make_test_set(judged, window)
    assert (whole.histories != part.histories).nnz == (whole.bought != part.bought).nnz == 0
    for placement, question in QUESTIONS.items():
        asked, again = question(everything, window), question(judged, window)
        assert len(asked) == len(again), placement
        assert np.array_equal(asked.person, again.person)
        assert np.array_equal(asked.given.flat, again.given.flat)
        assert (asked.truth != again.truth).nnz == 0
    monkeypatch.setattr(evaluation_acts, "MOST_PERSONS", 7)
    with open_lake(newest(paths.var)) as connection:
        view_persons_then(connection, newest(paths.var), "a", instant(window.cut))
        few = read_judged(connection, "a", window, *ids)
    assert len(np.unique(few.person)) == 7


def test_the_digest_knows_the_acts_and_not_their_order(tmp_path: Path) -> None:
    paths = made_in(tmp_path)

    def digest() -> str:
        with open_lake(newest(paths.var)) as connection:
            return describe(connection, "a").digest

    first = digest()
    publish_table(paths, SILVER_INTERACTIONS, acts()[::-1])
    assert digest() == first
    changed = acts()
    changed[0]["kind"] = "view"
    publish_table(paths, SILVER_INTERACTIONS, changed)
    assert digest() != first
