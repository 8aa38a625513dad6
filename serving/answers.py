"""The shapes of the API: what a caller gets, also when something is wrong. OpenAPI is made from here."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from jishi.placements import Placement
from serving.explained import ItemExplainOut, ListExplainOut, WhyNotOut, item_explained, list_explained, why_not_out
from serving.reasons import CODES
from serving.recommend import Answer, Recommended
from serving.sources import ServedBy
from serving.why_not import WhyNot


class ReasonOut(BaseModel):
    """Why the item is in the list: the source that gave it most."""

    code: str = Field(
        description="one of " + ", ".join(CODES),
        examples=["similar_to_recent"],
    )
    zh: str = Field(description="sentence for shoppers, Chinese", examples=["因为你看过「马面裙」"])
    en: str = Field(description="sentence for shoppers, English", examples=['Because you looked at "Horse-face skirt"'])
    because_item_id: str | None = Field(None, description="the item that was the cause, where there is one", examples=["i-17"])


class ItemOut(BaseModel):
    """One recommended item, in stock and active when the answer was made."""

    item_id: str = Field(examples=["i-42"])
    title: str = Field(examples=["宋制褙子"])
    title_en: str | None = Field(examples=["Song-style jacket"])
    category: str = Field(examples=["裙装"])
    unit_price_minor: int = Field(description="price in minor units of the currency (cents, 分)", examples=[19900])
    currency: str = Field(description="ISO 4217", examples=["CNY"])
    score: float = Field(
        description="orders the items of this answer, where no rule of the shop does; not comparable between answers"
    )
    reason: ReasonOut
    explain: ItemExplainOut | None = Field(None, description="with `explain=full`: sources and rules")


class RecommendationsOut(BaseModel):
    """A list of recommendations, best first; it may be shorter than asked when the shop has no more to sell.

    Its id is the header X-Request-ID, so that the bodies of two who may not be told apart are the same.
    """

    shop_id: str
    placement: Placement
    served_by: ServedBy = Field(
        description="the rung of the ladder: personalised (taste or last items), item_based (the page's item), segment (a "
        "category of the page, the cart or the shopper), popular, bundled (a shop without a release)"
    )
    model: str = Field(
        description="the placement's model of the release, or `ladder` where it names none or the model knows nothing of this "
        "request, `popularity` where not even the ladder is better than what sells, `bundled` for a shop without a release; "
        "`/v1/shops/{shop_id}/readiness` tells why",
        examples=["tifu_knn"],
    )
    model_version: str = Field(description="release that gave the candidates; `none` for a shop without one")
    items: list[ItemOut]
    rules_version: int | None = Field(None, description="version of the shop's rules that had a say; absent where none had")
    explain: ListExplainOut | None = Field(None, description="with `explain=full`: what the list was made from")
    why_not: WhyNotOut | None = Field(None, description="with `why_not`: why that item is not in the list")


class ErrorBody(BaseModel):
    """What went wrong, for a machine and for a person."""

    code: str = Field(
        description="unauthorised, foreign_shop, bad_parameter, too_many_bytes, no_release, catching_up, not_found, "
        "method_not_allowed or internal",
        examples=["bad_parameter"],
    )
    field: str | None = Field(None, description="the parameter to mend", examples=["limit"])
    message: str = Field(description="one sentence with the fix", examples=["limit: Input should be less than or equal to 100"])


class ErrorOut(BaseModel):
    """Every answer that is not a list."""

    error: ErrorBody


def answer_out(
    shop_id: str, placement: Placement, answer: Answer, *, explains: bool = False, why: WhyNot | None = None
) -> RecommendationsOut:
    """The answer as the API gives it; what was not asked for is not set, and so not sent."""
    added: dict[str, Any] = {}
    if answer.rules is not None and answer.rules.shop.version is not None:
        added["rules_version"] = answer.rules.shop.version
    if explains:
        added["explain"] = list_explained(answer)
    if why is not None:
        added["why_not"] = why_not_out(why)
    return RecommendationsOut(
        shop_id=shop_id,
        placement=placement,
        served_by=answer.served_by,
        model=answer.model,
        model_version=answer.model_version,
        items=[_item_out(one, {"explain": item_explained(one, answer)} if explains else {}) for one in answer.items],
        **added,
    )


def _item_out(one: Recommended, added: dict[str, Any]) -> ItemOut:
    item, reason = one.item, one.reason
    return ItemOut(
        item_id=item.item_id,
        title=item.title,
        title_en=item.title_en,
        category=item.category,
        unit_price_minor=item.unit_price_minor,
        currency=item.currency,
        score=one.score,
        reason=ReasonOut(code=reason.code, zh=reason.zh, en=reason.en, because_item_id=reason.because_item_id),
        **added,
    )
