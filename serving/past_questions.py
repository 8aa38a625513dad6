"""Questions of the past and the lists that answer them: each with the request, the last acts, the features and the catalogue of
its moment. A question of before the cut meets the catalogue of the cut, at which the models that answer it learnt their last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from jishi.placements import Placement
from models.algorithms.recommender import Items
from models.data.interactions import Interactions
from models.data.last_acts import LastActs
from models.data.sequences import Numbers
from models.data.stored_features import StoredFeatures, ms_of
from models.evaluation.metrics import KS
from models.evaluation.placement_questions import Cases
from serving.candidates import Quotas
from serving.catalogue import Catalogue
from serving.moment import Moment
from serving.past_catalogue import PastCatalogue
from serving.recent import LastAct
from serving.recommend import recommend
from serving.request import Request, VisitContext
from serving.shelf import Shelf

LENGTH = max(KS)
_NOTHING = np.empty(0, dtype=np.int64)
_AT_ONCE = 1_000  # items of an order that are looked at


def requests(placement: Placement, shop_id: str, cases: Cases, acts: Interactions) -> Iterator[tuple[Request, list[LastAct]]]:
    """The request of each case and the person's last acts at its instant.

    None for a cart: the visit that led to it has shown the line that is asked for, and older acts do not count there.
    """
    asking, place = np.unique(cases.person, return_inverse=True)
    last = LastActs(acts.of_persons(asking))
    values, contexts = (*last.context_values, None), last.contexts_at(place, cases.asked_at).tolist()
    for row, given in enumerate(cases.given):
        items = tuple(str(each) for each in acts.item_ids[given])
        person = int(cases.person[row])
        request = Request(
            shop_id,
            placement,
            LENGTH,
            persons=(str(acts.person_ids[person]),),
            item_id=items[-1] if placement == "item" else None,
            cart=items if placement == "cart" else (),
            order=items if placement == "after_payment" else (),
            visit=VisitContext(*(values[each] for each in contexts[row])),
        )
        numbers, ages_s = last.at(int(place[row]), cases.asked_at[row]) if placement != "cart" else (_NOTHING, _NOTHING)
        yield request, [LastAct(str(acts.item_ids[each]), age_s) for each, age_s in zip(numbers, ages_s.tolist(), strict=True)]


def moments_of(cases: Cases, zone: ZoneInfo, features: StoredFeatures) -> Iterator[Moment]:
    """The moment of each case, with the values of the feature store as they were known then."""
    for asked_at in cases.asked_at:
        now_ms = ms_of(asked_at)

        def read(views: tuple[str, ...], ids: Sequence[str], now_ms: int = now_ms) -> np.ndarray:
            return features.at(views, ids, np.full(len(ids), now_ms)).astype(np.float64)

        yield Moment(now_ms, zone, read, read)


class Question(NamedTuple):
    """A case as a request: ``row`` among the cases of its placement."""

    placement: str
    row: int
    request: Request
    last_acts: Sequence[LastAct]
    moment: Moment


class ShelfAnswers(NamedTuple):
    """What answers a question: a shelf with quotas of its sources, None for the release's."""

    shelf: Shelf
    quotas: Quotas | None = None


class RankedLists(NamedTuple):
    """Lists of cases that do not ask what may be sold: of each the best first, all items following by ``fill``."""

    lists: Items
    fill: Numbers
    shelf: Shelf  # which knows what may be sold, items numbered as in the lists

    def of(self, row: int, masked: Numbers) -> list[int]:
        """The first of a case that may be sold now and are not ``masked``."""
        ranked, sellable = self.lists[row], self.shelf.sellable
        numbers: list[int] = ranked[(ranked >= 0) & sellable[ranked]].tolist()
        hidden = {*numbers, *masked.tolist()}
        for start in range(0, len(self.fill), _AT_ONCE):
            if len(numbers) >= LENGTH:
                break
            some = self.fill[start : start + _AT_ONCE]
            numbers += [number for number in some[sellable[some]].tolist() if number not in hidden]
        return numbers[:LENGTH]


def questions(
    placement: str, shop_id: str, cases: Cases, acts: Interactions, zone: ZoneInfo, features: StoredFeatures
) -> Iterator[Question]:
    """The cases of a placement as requests of their moments."""
    asked = requests(placement, shop_id, cases, acts)  # type: ignore[arg-type]
    for row, ((request, last), moment) in enumerate(zip(asked, moments_of(cases, zone, features), strict=True)):
        yield Question(placement, row, request, last, moment)


def in_order(asked: Iterable[Question]) -> list[Question]:
    """Questions by their moments, so that a catalogue can go with them."""
    return sorted(asked, key=lambda each: each.moment.now_ms)


def served_ids(served: ShelfAnswers, catalogue: Catalogue, question: Question) -> list[str]:
    """The list of a question, by item ids."""
    last, moment = question.last_acts, question.moment
    answer = recommend(question.request, served.shelf, catalogue, lambda *_: last, moment=moment, quotas=served.quotas)
    return [one.item.item_id for one in answer.items]


def served_lists(
    past: PastCatalogue,
    asked: Iterable[Question],
    served: Mapping[str, Mapping[str, ShelfAnswers | RankedLists]],
    cases: Mapping[str, Cases],
    acts: Interactions,
) -> dict[str, dict[str, Items]]:
    """By placement and name the list of each case in the item numbers of ``acts``, −1 for no item."""
    number_of = {str(item_id): number for number, item_id in enumerate(acts.item_ids)}
    lists = {
        placement: {name: np.full((len(cases[placement]), LENGTH), -1, dtype=np.int64) for name in names}
        for placement, names in served.items()
    }
    for question in in_order(asked):
        past.move_to(question.moment.now_ms)
        for name, each in served[question.placement].items():
            if isinstance(each, RankedLists):
                numbers = each.of(question.row, cases[question.placement].masked[question.row].indices)
            else:
                numbers = [number_of.get(item_id, -1) for item_id in served_ids(each, past.catalogue, question)]
            lists[question.placement][name][question.row, : len(numbers)] = numbers
    return lists
