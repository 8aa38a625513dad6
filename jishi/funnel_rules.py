"""What a shop may set about the funnel of its visits: whether steps have an order, and for how long they count."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FunnelRules(BaseModel):
    """Which acts of a visit are steps of its funnel: view, cart, checkout, payment.

    ``in_order``: a step counts only at or after the earliest instant at which the step before it was reached; else in any order
    within the visit. ``window_minutes``: for how long after the visit's first view steps count; None: to the end of the visit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    in_order: bool = True
    window_minutes: int | None = Field(None, ge=1, le=1440)
