"""Why an item is not in a list: the first thing that keeps it out, in the order in which serving asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from serving.blend import NONE
from serving.catalogue import Catalogue
from serving.recommend import Answer
from serving.request import Request
from serving.shelf import Shelf

# Code → sentence in Chinese and English.
_SENTENCES = {
    "listed": ("它在列表第 {place} 位", "It is in the list, at place {place}"),
    "unknown_item": ("商品目录里没有它", "The catalogue does not have it"),
    "not_active": ("它的状态是 {status}", "Its status is {status}"),
    "sold_out": ("它没有库存", "It is out of stock"),
    "page_item": ("它就是本页的商品", "It is the item of the page"),
    "in_cart": ("它已在购物车里", "It is in the cart"),
    "excluded": ("请求排除了它", "The request excludes it"),
    "bought": ("顾客买过它，不再推荐", "The shopper has bought it, and it is left out for that"),
    "filtered": ("请求的筛选条件不包括它", "The filters of the request do not let it through"),
    "hidden_by_rule": ("规则「{rule}」不让它出现", 'The rule "{rule}" keeps it out'),
    "not_in_release": ("当前模型版本还不认识它", "The release in use does not know it yet"),
    "put_last_by_rule": ("规则「{rule}」把它排到最后", 'The rule "{rule}" puts it behind all others'),
    "just_seen": ("顾客刚看过它，排在其他商品之后", "The shopper has just looked at it, so it comes behind the others"),
    "no_candidate": ("没有任何来源为这次请求提出它", "No source brings it for this request"),
    "below_limit": ("按分数它是第 {rank} 位，列表只有 {limit} 个", "By score it is number {rank}, and the list has {limit}"),
    "gave_way": (
        "按分数它是第 {rank} 位，但让给了规则、新品或当前访问类目的商品",
        "By score it is number {rank}, and it gave way to a rule, a new item, or the categories of the visit",
    ),
}
CODES = tuple(_SENTENCES)


@dataclass(frozen=True)
class WhyNot:
    """``code`` for machines, a sentence in Chinese and English; the rule that did it, the item's place in the order of scores
    (from 1), where these say something.
    """

    item_id: str
    code: str
    zh: str
    en: str
    rule: str | None = None
    rank: int | None = None


def why_not(item_id: str, request: Request, answer: Answer, shelf: Shelf, catalogue: Catalogue) -> WhyNot:
    """What keeps an item out of an answer that was just made, or its place in it."""
    code, facts = _finding(item_id, request, answer, shelf, catalogue)
    chinese, english = _SENTENCES[code]
    rank = facts.get("rank")
    rule = facts.get("rule")
    return WhyNot(
        item_id,
        code,
        chinese.format(**facts),
        english.format(**facts),
        None if rule is None else str(rule),
        rank if isinstance(rank, int) else None,
    )


def _finding(
    item_id: str, request: Request, answer: Answer, shelf: Shelf, catalogue: Catalogue
) -> tuple[str, dict[str, object]]:
    place = next((place for place, one in enumerate(answer.items, 1) if one.item.item_id == item_id), None)
    if place is not None:
        return "listed", {"place": place}
    return keeps_out(item_id, request, answer, shelf, catalogue)


def keeps_out(
    item_id: str, request: Request, answer: Answer, shelf: Shelf, catalogue: Catalogue
) -> tuple[str, dict[str, object]]:
    """The code of what keeps an item out that is not in the list, and what the sentence says of it."""
    item, workings, rules = catalogue.get(item_id), answer.workings, answer.rules
    if item is None or workings is None:
        return "unknown_item", {}
    if not item.is_sellable:
        return ("sold_out", {}) if item.status == "active" else ("not_active", {"status": item.status})
    if item_id in workings.hidden:
        return _hidden(item_id, request), {}
    if not request.takes(item):
        return "filtered", {}
    rule = None if rules is None else rules.hidden_by(item)
    if rule is not None:
        return "hidden_by_rule", {"rule": rule}
    number = shelf.number_of.get(item_id)
    if number is None:
        return "not_in_release", {}
    place = workings.candidates.place(number)
    if place == NONE:
        rule = None if rules is None else rules.put_last_by(item)
        return ("no_candidate", {}) if rule is None else ("put_last_by_rule", {"rule": rule})
    if workings.kept_back[place]:
        rule = None if rules is None else rules.put_last_by(item)
        return ("just_seen", {}) if rule is None else ("put_last_by_rule", {"rule": rule})
    score = workings.candidates.score
    may_show = workings.sellable & ~workings.shown_not & ~workings.kept_back
    better = (score > score[place]) | ((score == score[place]) & (np.arange(len(score)) < place))
    rank = int(np.count_nonzero(may_show & better)) + 1
    if rank <= request.limit:
        return "gave_way", {"rank": rank}
    if not (workings.candidates.shares[:, place] > 0).any():
        return "no_candidate", {"rank": rank}
    return "below_limit", {"rank": rank, "limit": request.limit}


def _hidden(item_id: str, request: Request) -> str:
    if item_id == request.item_id:
        return "page_item"
    if item_id in request.cart:
        return "in_cart"
    return "excluded" if item_id in request.excluded else "bought"
