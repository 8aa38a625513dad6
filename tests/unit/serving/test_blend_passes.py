"""The compiled choice of the best, with items of the visit's categories brought in, is the plain one."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.blend import best_allowed, with_intent

ROWS = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans(), st.booleans()), min_size=1, max_size=30)


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, limit=st.integers(1, 12), least=st.integers(0, 12))
def test_the_best_of_an_intent_push_the_weakest_others_out(rows: Any, limit: int, least: int) -> None:
    score = np.array([row[0] for row in rows], dtype=np.float32)
    allowed, intent = (np.array([row[column] for row in rows]) for column in (1, 2))
    intent &= allowed
    chosen = best_allowed(score, allowed, limit)
    in_order = sorted(np.flatnonzero(allowed).tolist(), key=lambda place: (-score[place], place))
    assert chosen.tolist() == in_order[:limit]
    assert with_intent(chosen, score, intent, least, limit).tolist() == _plain(in_order[:limit], in_order, intent, least, limit)


def _plain(chosen: list[int], in_order: list[int], intent: Any, least: int, limit: int) -> list[int]:
    wanted = [place for place in chosen if intent[place]]
    if len(wanted) >= least:
        return chosen
    brought = [place for place in in_order if intent[place] and place not in wanted][: least - len(wanted)]
    others = [place for place in chosen if not intent[place]][: max(0, limit - len(brought) - len(wanted))]
    return [place for place in in_order if place in {*wanted, *others, *brought}][:limit]
