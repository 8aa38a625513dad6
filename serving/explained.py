"""What ``explain=full`` and ``why_not`` add to an answer: sources, rules and last acts; why an item is not there."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from serving.blend import NONE
from serving.recommend import Answer, Recommended
from serving.why_not import CODES, WhyNot

Explain = Literal["none", "full"]


class TouchOut(BaseModel):
    """What a rule of the shop did to an item."""

    rule: str = Field(description="name of the rule")
    kind: str = Field(description="kind of the rule", examples=["boost"])
    effect: str = Field(
        description="`x1.5`: the score times that; `last`: behind all others; `7 to 3`: moved; `new`: brought as a new item; "
        "`slot 2`: pinned",
        examples=["x1.5"],
    )


class ItemExplainOut(BaseModel):
    """Which sources brought an item, and which rules touched it."""

    sources: dict[str, float] = Field(
        description="how strongly each source brings the item, by its weight, before rules; together they are the score, "
        "unless a ranker orders the list, whose trees score what the sources brought"
    )
    rules: list[TouchOut]
    features: dict[str, float] | None = Field(
        default=None, description="what the ranker saw of the item (where one answers), by name; 0 and unknown left out"
    )


class LastItemOut(BaseModel):
    """An item that the shopper acted on, as the online store had it."""

    item_id: str
    age_s: float = Field(description="seconds since that became known")


class ListExplainOut(BaseModel):
    """What the list as a whole was made from."""

    last_items: list[LastItemOut] = Field(description="the feature that was used: the shopper's last items, newest first")
    rules: list[str] = Field(description="names of the shop's rules that hold for this request")
    visit: dict[str, str] | None = Field(
        default=None,
        description="channel, device and place (the `region`) of the request, where a ranker answers and knows them",
    )


class WhyNotOut(BaseModel):
    """Why an item is not in the list."""

    item_id: str
    code: str = Field(description="one of " + ", ".join(CODES))
    zh: str = Field(description="sentence for the shop, Chinese")
    en: str = Field(description="sentence for the shop, English")
    rule: str | None = Field(description="the rule that did it")
    rank: int | None = Field(description="place of the item by score, from 1")


def item_explained(one: Recommended, answer: Answer) -> ItemExplainOut:
    """Sources and rules of an item of the list."""
    sources: dict[str, float] = {}
    features = None
    if answer.workings is not None:
        candidates, place = answer.workings.candidates, one.place
        if place != NONE:
            sources = {source: float(strength[place]) for source, strength in candidates.strengths().items()}
            ranked = answer.workings.ranked
            features = None if ranked is None else ranked.columns_of(int(candidates.numbers[place]))
    touches = answer.touches([one]).get(0, [])
    return ItemExplainOut(
        sources={source: round(strength, 6) for source, strength in sources.items() if strength > 0},
        rules=[TouchOut(rule=touch.rule, kind=touch.kind, effect=touch.effect) for touch in touches],
        features=features,
    )


def list_explained(answer: Answer) -> ListExplainOut:
    """What the list was made from."""
    last = [] if answer.workings is None else answer.workings.last
    ranked = None if answer.workings is None else answer.workings.ranked
    return ListExplainOut(
        last_items=[LastItemOut(item_id=act.item_id, age_s=round(act.age_s, 3)) for act in last],
        rules=[] if answer.rules is None else [rule.name for rule in answer.rules.on],
        visit=None if ranked is None else ranked.visit_known,
    )


def why_not_out(why: WhyNot) -> WhyNotOut:
    """As the API gives it."""
    return WhyNotOut(item_id=why.item_id, code=why.code, zh=why.zh, en=why.en, rule=why.rule, rank=why.rank)
