"""Why an item stands in the list, in one sentence of each language, named after the source that carried it."""

from __future__ import annotations

from dataclasses import dataclass

from serving.catalogue import Item


@dataclass(frozen=True)
class Reason:
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
    "popularity": ("popular", ("店内热门", "Popular in this shop"), None),
}


def explain(source: str, cause: Item | None) -> Reason:
    """The reason of an item that ``source`` carried; ``cause`` is the item that the source started from."""
    code, plain, with_cause = _SENTENCES[source]
    if cause is None or with_cause is None:
        return Reason(code, *plain)
    words = {"zh": cause.title, "en": cause.title_en or cause.title, "category": cause.category}
    return Reason(code, with_cause[0].format(**words), with_cause[1].format(**words), cause.item_id)
