"""What a shop may set about its customers: who counts as none, the thresholds of RFM scores, and the days of the layers.

What is not set is derived from the shop's own customers (dbt's ``dim_customer_thresholds``).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jishi.identity import DEVICE, USER

Reason = Literal["guest", "staff", "distributor"]
FourDays = tuple[int, int, int, int]
FourAmounts = tuple[int, int, int, int]
MOST_EXCLUSIONS = 500
LOWEST_OF_FOUR = 2  # the four thresholds of a measure are those of the scores 2 to 5


class Exclusion(BaseModel):
    """Persons who are no customers: the one of this person id (``u:`` and a user id, ``a:`` and a device's), or all whose id
    begins with it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Reason
    person: str = Field(pattern=f"^({USER}|{DEVICE})", max_length=258)
    is_prefix: bool = False

    @model_validator(mode="after")
    def _names_somebody(self) -> Exclusion:
        """An id is more than its kind; only all devices together, the guests, are named by it alone."""
        if self.person == USER or (self.person == DEVICE and not self.is_prefix):
            raise ValueError(f"person has to name somebody: an id, or how it begins, after {self.person}")
        return self


class CustomerRules(BaseModel):
    """``recency_days``, ``orders`` and ``spent_minor`` (home currency): what a customer needs for the scores 2 to 5.

    A customer is ``new`` for ``new_days`` after a first order; one whose last order is longer ago than ``active_days`` is
    silent, than ``silent_days`` asleep, than ``asleep_days`` lost. ``high_value_score``: the monetary score from which an
    active customer is of high value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    exclusions: tuple[Exclusion, ...] = Field(
        (Exclusion(reason="guest", person=DEVICE, is_prefix=True),), max_length=MOST_EXCLUSIONS
    )
    recency_days: FourDays | None = None
    orders: FourAmounts | None = None
    spent_minor: FourAmounts | None = None
    new_days: int | None = Field(None, ge=1)
    active_days: int | None = Field(None, ge=1)
    silent_days: int | None = Field(None, ge=1)
    asleep_days: int | None = Field(None, ge=1)
    high_value_score: int | None = Field(None, ge=1, le=5)

    @model_validator(mode="after")
    def _are_in_order(self) -> CustomerRules:
        """A higher score never asks for less, and the layers follow each other."""
        if self.recency_days and list(self.recency_days) != sorted(self.recency_days, reverse=True):
            raise ValueError(f"recency_days has to fall from score 2 to 5, such as 90, 60, 30, 7; it is {self.recency_days}")
        for name in ("orders", "spent_minor"):
            four = getattr(self, name)
            if four and list(four) != sorted(four):
                raise ValueError(f"{name} has to rise from score 2 to 5; it is {four}")
        days = [self.active_days, self.silent_days, self.asleep_days]
        given = [day for day in days if day is not None]
        if given and (len(given) < len(days) or len(set(given)) < len(given) or given != sorted(given)):
            raise ValueError("active_days, silent_days and asleep_days are set together, each longer than the one before")
        return self

    @property
    def thresholds(self) -> list[tuple[str, int, int]]:
        """What is set, as rows of measure, score (1 where a measure has one threshold) and threshold."""
        of_scores = {"recency": self.recency_days, "frequency": self.orders, "monetary": self.spent_minor}
        rows = [(name, score, cut) for name, four in of_scores.items() for score, cut in enumerate(four or (), LOWEST_OF_FOUR)]
        names = ("new_days", "active_days", "silent_days", "asleep_days", "high_value_score")
        values = [(name, getattr(self, name)) for name in names]
        return rows + [(name, 1, value) for name, value in values if value is not None]
