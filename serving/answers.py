"""The shapes of the API: what a caller gets, also when something is wrong. OpenAPI is made from here."""

from __future__ import annotations

from pydantic import BaseModel, Field

from jishi.placements import Placement
from serving.reasons import CODES
from serving.recommend import Answer, ServedBy


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
    score: float = Field(description="orders the items of this answer; not comparable between answers")
    reason: ReasonOut


class RecommendationsOut(BaseModel):
    """A list of recommendations, best first; it may be shorter than asked when the shop has no more to sell.

    Its id is the header X-Request-ID, so that the bodies of two who may not be told apart are the same.
    """

    shop_id: str
    placement: Placement
    served_by: ServedBy = Field(
        description="the rung of the ladder: personalised (taste or last items), item_based (the page's item), popular"
    )
    model: str = Field(
        description="the placement's model of the release, or `ladder` where it names none or the model knows nothing of this "
        "request, `popularity` where not even the ladder is better than what sells, `bundled` for a shop without a release; "
        "`/v1/shops/{shop_id}/readiness` tells why",
        examples=["tifu_knn"],
    )
    model_version: str = Field(description="release that gave the candidates; `none` for a shop without one")
    items: list[ItemOut]


class ErrorBody(BaseModel):
    """What went wrong, for a machine and for a person."""

    code: str = Field(
        description="unauthorised, foreign_shop, bad_parameter, no_release, catching_up, not_found, method_not_allowed or "
        "internal",
        examples=["bad_parameter"],
    )
    field: str | None = Field(None, description="the parameter to mend", examples=["limit"])
    message: str = Field(description="one sentence with the fix", examples=["limit: Input should be less than or equal to 100"])


class ErrorOut(BaseModel):
    """Every answer that is not a list."""

    error: ErrorBody


def answer_out(shop_id: str, placement: Placement, answer: Answer) -> RecommendationsOut:
    """The answer as the API gives it."""
    items = [
        ItemOut(
            item_id=one.item.item_id,
            title=one.item.title,
            title_en=one.item.title_en,
            category=one.item.category,
            unit_price_minor=one.item.unit_price_minor,
            currency=one.item.currency,
            score=one.score,
            reason=ReasonOut(
                code=one.reason.code, zh=one.reason.zh, en=one.reason.en, because_item_id=one.reason.because_item_id
            ),
        )
        for one in answer.items
    ]
    return RecommendationsOut(
        shop_id=shop_id,
        placement=placement,
        served_by=answer.served_by,
        model=answer.model,
        model_version=answer.model_version,
        items=items,
    )
