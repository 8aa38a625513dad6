"""What is read of a large shop is enough to judge by: the reports are those of all its acts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jishi.lake.query import open_lake
from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS
from models.data import evaluation_acts
from models.data.evaluation_acts import describe, digest_with_contexts, read_judged, split
from models.data.interactions import Interactions, instant, read_interactions
from models.data.last_acts import LastActs
from models.data.persons_at_cut import view_persons_then
from models.data.split import last_active_days
from models.evaluation.placement_questions import QUESTIONS, Cases
from models.evaluation.time_split import make_test_set
from tests.lake import newest
from tests.unit.models.training.test_pipeline import START, acts, made_in, publish_table


def contexts_of(acts: Interactions, cases: Cases) -> list[list[str | None]]:
    last = LastActs(acts)
    values = (*last.context_values, None)
    return [[values[each] for each in row] for row in last.contexts_at(cases.person, cases.asked_at).tolist()]


def test_every_question_is_asked_as_of_all_acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = made_in(tmp_path)
    rows = [row for row in acts() if row["person_id"] > "p19" or row["occurred_at"].day < 17]  # twenty persons left the shop
    publish_table(
        paths, SILVER_INTERACTIONS, [*rows, *(row | {"event_id": f"v{n}", "kind": "view"} for n, row in enumerate(rows))]
    )
    came = [{"channel": f"c{number % 3}", "device": "web" if number % 2 else None} for number in range(len(rows))]
    publish_table(paths, SILVER_EVENTS, [row | by | {"type": "order_paid"} for row, by in zip(rows, came, strict=True)])
    everything = read_interactions(newest(paths.var), "a")
    window = last_active_days(everything.occurred_at[everything.kind == "pay"])
    ids = everything.item_ids.tolist(), everything.person_ids.tolist()
    with open_lake(newest(paths.var)) as connection:
        assert split(connection, "a") == window
        view_persons_then(connection, newest(paths.var), "a", instant(window.cut))
        judged = read_judged(connection, "a", window, *ids, has_contexts=True)
        assert read_judged(connection, "a", window, *ids).contexts is None
    assert 0 < len(judged) < len(everything)
    whole, part = make_test_set(everything, window), make_test_set(judged, window)
    assert (whole.histories != part.histories).nnz == (whole.bought != part.bought).nnz == 0
    for placement, question in QUESTIONS.items():
        asked, again = question(everything, window), question(judged, window)
        assert len(asked) == len(again), placement
        assert np.array_equal(asked.person, again.person)
        assert np.array_equal(asked.given.flat, again.given.flat)
        assert (asked.truth != again.truth).nnz == 0
        assert contexts_of(everything, asked) == contexts_of(judged, again)
    monkeypatch.setattr(evaluation_acts, "MOST_PERSONS", 7)
    with open_lake(newest(paths.var)) as connection:
        view_persons_then(connection, newest(paths.var), "a", instant(window.cut))
        few = read_judged(connection, "a", window, *ids)
    assert len(np.unique(few.person)) == 7


def test_the_digest_knows_the_acts_and_not_their_order(tmp_path: Path) -> None:
    paths = made_in(tmp_path)

    def digests() -> tuple[str, str]:
        with open_lake(newest(paths.var)) as connection:
            return describe(connection, "a").digest, digest_with_contexts(connection, "a")

    first = digests()
    publish_table(paths, SILVER_INTERACTIONS, acts()[::-1])
    assert digests() == first
    event = {"shop_id": "a", "type": "order_paid", "occurred_at": START, "received_at": START}
    publish_table(paths, SILVER_EVENTS, [event | {"event_id": "of no act", "channel": "wechat"}])
    assert digests() == first
    publish_table(paths, SILVER_EVENTS, [event | {"event_id": "e0", "channel": "wechat"}])
    assert digests()[0] == first[0]
    assert digests()[1] != first[1]
    changed = acts()
    changed[0]["kind"] = "view"
    publish_table(paths, SILVER_INTERACTIONS, changed)
    assert digests()[0] != first[0]
