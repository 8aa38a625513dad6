"""Features of a shared link and of a group buy."""

from __future__ import annotations

from jishi.features.declared.windows import DAY
from jishi.features.definition import Feature

SOCIAL: tuple[Feature, ...] = (
    Feature(
        name="share_opens_24h",
        meaning="Times that the shared link was opened in the last 24 hours.",
        entity="share",
        aggregation="count",
        acts=("share_opened",),
        **DAY,
    ),
    Feature(
        name="share_openers_24h",
        meaning="Different persons who opened the shared link in the last 24 hours.",
        entity="share",
        aggregation="distinct",
        acts=("share_opened",),
        column="person_id",
        **DAY,
    ),
    Feature(
        name="share_orders_24h",
        meaning="Orders that came through the shared link in the last 24 hours.",
        entity="share",
        aggregation="count",
        acts=("order_paid",),
        **DAY,
    ),
    Feature(
        name="group_buy_members_24h",
        meaning="Different persons who opened or joined the group buy in the last 24 hours.",
        entity="group_buy",
        aggregation="distinct",
        acts=("group_buy_opened", "group_buy_joined"),
        column="person_id",
        **DAY,
    ),
    Feature(
        name="group_buy_quiet_s",
        meaning="Seconds from the last opening or joining within 24 hours to the end of the window.",
        entity="group_buy",
        aggregation="seconds_since",
        acts=("group_buy_opened", "group_buy_joined"),
        default=None,
        **DAY,
    ),
    Feature(
        name="group_buy_is_complete",
        meaning="Times that the group buy was reported complete in the last 24 hours; 0 or 1 in a sound storefront.",
        entity="group_buy",
        aggregation="count",
        acts=("group_buy_completed",),
        **DAY,
    ),
)
