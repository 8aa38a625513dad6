"""Why an item stands in the list, in one sentence of each language, named after the source that brought it most strongly.

Where the sources' strengths are the score, that is what carried it. A ranker orders what they brought by trees: there the
sentence says why the item came into question, not why it stands above others.
"""

from __future__ import annotations

from string import Formatter
from typing import NamedTuple

from serving.catalogue import Item


class Reason(NamedTuple):
    """``code`` for machines, a sentence in Chinese and English, and the item that was the cause where there is one."""

    code: str
    zh: str
    en: str
    because_item_id: str | None = None


# Source of the blend → code of the reason, and its sentences without and with the item that was the cause.
_SENTENCES = {
    "taste": ("long_term_taste", ("符合你一贯的喜好", "Fits what you usually like"), None),
    "recent": (
        "similar_to_recent",
        ("与你最近看过的商品相似", "Similar to what you looked at lately"),
        ("因为你看过「{zh}」", 'Because you looked at "{en}"'),
    ),
    "context": (
        "similar_to_item",
        ("与这件商品相似", "Similar to this item"),
        ("喜欢「{zh}」的人也喜欢", 'People who like "{en}" like this too'),
    ),
    "category": (
        "same_category",
        ("你最近在看的类目里的热门", "Popular in a category that you look at"),
        ("「{category}」里的热门:你看过「{zh}」", 'Popular in "{category}": you looked at "{en}"'),
    ),
    "segment": ("popular_in_category", ("你常买的类目里的热门", "Popular in a category that you buy"), None),
    "popularity": ("popular", ("店内热门", "Popular in this shop"), None),
    "pinned": ("picked_by_shop", ("店铺精选", "Picked by the shop"), None),
    "trending": ("trending", ("近期热门", "Trending now"), None),
    "new": ("new", ("新品", "New in this shop"), None),
    "on_sale": ("on_sale", ("比平时便宜", "Costs less than usual"), None),
    "similar": (
        "similar_to_item",
        ("与这件商品相似", "Similar to this item"),
        ("喜欢「{zh}」的人也喜欢", 'People who like "{en}" like this too'),
    ),
    "viewed_next": (
        "viewed_next",
        ("大家接着看的商品", "What people looked at next"),
        ("看过「{zh}」的人接着看了", 'People who looked at "{en}" looked at this next'),
    ),
    "viewed_together": (
        "viewed_together",
        ("常被一起浏览的商品", "Often looked at together"),
        ("常与「{zh}」一起被浏览", 'Often looked at together with "{en}"'),
    ),
    "bought_together": (
        "bought_together",
        ("常被一起购买的商品", "Often bought together"),
        ("常与「{zh}」一起购买", 'Often bought together with "{en}"'),
    ),
    "bought_next": (
        "bought_next",
        ("大家接着买的商品", "What people bought next"),
        ("买过「{zh}」的人接着买了", 'People who bought "{en}" bought this next'),
    ),
    "bought_often": ("bought_often", ("你常买这件商品", "You buy this often"), None),
    "bought_before": ("bought_before", ("你买过这件商品", "You bought this before"), None),
    "due_again": ("due_again", ("该再买这件商品了", "Time to buy this again"), None),
    "seen_before": ("seen_before", ("你关注过这件商品", "You showed interest in this before"), None),
    "people_like_you": ("people_like_you", ("与你相似的顾客常买", "People who shop like you buy this"), None),
    "like_yours": (
        "like_yours",
        ("与你喜欢的商品相似", "Similar to what you like"),
        ("与你喜欢的「{zh}」相似", 'Similar to "{en}", which you like'),
    ),
}
SOURCES = frozenset(_SENTENCES)
CODES = tuple(dict.fromkeys(code for code, _, _ in _SENTENCES.values()))


def explain(source: str, cause: Item | None) -> Reason:
    """The reason of an item that ``source`` carried; ``cause`` is the item that the source started from.

    A cause whose title nobody has said, as in tables of purchases alone, is not in the sentence.
    """
    if cause is None or not cause.title or source not in _WITH_CAUSE:
        return _PLAIN[source]
    code, (zh, en) = _WITH_CAUSE[source]
    return Reason(code, _filled(zh, cause.title, cause), _filled(en, cause.title_en or cause.title, cause), cause.item_id)


def _filled(pieces: list[tuple[str, str]], title: str, cause: Item) -> str:
    text = ""
    for before, field in pieces:
        text += before if field == "" else before + ((cause.category if field == "category" else title) or "")
    return text


def _pieces(sentence: str) -> list[tuple[str, str]]:
    """A sentence as text and the name of the field behind it, empty at the end: parsing it for every item takes longer."""
    return [(before, field or "") for before, field, _, _ in Formatter().parse(sentence)]


_PLAIN = {source: Reason(code, *plain) for source, (code, plain, _) in _SENTENCES.items()}
_WITH_CAUSE = {
    source: (code, (_pieces(with_cause[0]), _pieces(with_cause[1])))
    for source, (code, _, with_cause) in _SENTENCES.items()
    if with_cause is not None
}
