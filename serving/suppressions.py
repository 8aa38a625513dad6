"""What would have stood in a list and was kept out of it, each with the reason: for the log of every answer."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from serving.blend import NONE, best_allowed
from serving.catalogue import Catalogue
from serving.recommend import Answer
from serving.request import Request
from serving.shelf import Shelf
from serving.why_not import keeps_out

MOST = 20  # named for an answer
_PUT_THERE = ("pinned", "new")  # reasons of items that their score did not bring


def suppressed(answer: Answer, request: Request, shelf: Shelf, catalogue: Catalogue) -> dict[str, str]:
    """By id, the best first: items that may not be listed and score as high as what is listed (as any item, where the list is
    shorter than asked), with the code of ``serving.why_not`` and the rule behind it.
    """
    workings = answer.workings
    if workings is None:
        return {}
    ids, candidates = shelf.item_ids, workings.candidates
    listed = [place for _, _, _, place in answer.items if place != NONE]
    ranked = [score for _, score, reason, _ in answer.items if reason.code not in _PUT_THERE]
    bar = min(ranked, default=0.0) if len(answer.items) >= request.limit else 0.0
    standing = candidates.score, workings.sellable, workings.shown_not
    best = _best_kept_out(*standing, np.array(listed, dtype=np.int64), float(np.float32(bar - 1e-6)), MOST)
    reasons = {}
    for number in candidates.numbers[best].tolist():
        item_id = ids[number]
        code, facts = keeps_out(item_id, request, answer, shelf, catalogue)
        reasons[item_id] = f"{code}: {facts['rule']}" if "rule" in facts else code
    return reasons


@numba.njit(cache=True, nogil=True)
def _best_kept_out(score: Any, sellable: Any, shown_not: Any, listed: Any, bar: float, most: int) -> Any:
    """The best candidates that score above zero and no less than the bar, may not be shown, and are not at a ``listed`` place
    all the same.
    """
    mask = np.empty(len(score), dtype=np.bool_)
    for place in range(len(score)):
        mask[place] = score[place] >= bar and score[place] > 0 and (shown_not[place] or not sellable[place])
    for place in listed:
        mask[place] = False
    return best_allowed(score, mask, most)
