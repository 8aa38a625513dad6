"""Features of a shared link and of a group buy."""

from __future__ import annotations

from jishi.features.declared.windows import DAY
from jishi.features.definition import Feature, Where

# Who opens the link that they shared themselves brings nobody.
NOT_OWN_SHARE = Where("is_own_share", one_of=(0,))

SOCIAL: tuple[Feature, ...] = (
    Feature(
        name="share_opens_24h",
        meaning="Times that the shared link was opened by somebody else than its sharer in the last 24 hours.",
        entity="share",
        aggregation="count",
        acts=("share_opened",),
        where=(NOT_OWN_SHARE,),
        **DAY,
    ),
    Feature(
        name="share_openers_24h",
        meaning="Different users and devices other than its sharer that opened the shared link in the last 24 hours.",
        entity="share",
        aggregation="distinct",
        acts=("share_opened",),
        where=(NOT_OWN_SHARE,),
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
        meaning="Different users and devices that opened or joined the group buy in the last 24 hours.",
        entity="group_buy",
        aggregation="distinct",
        acts=("group_buy_opened", "group_buy_joined"),
        column="person_id",
        **DAY,
    ),
    Feature(
        name="group_buy_last_joined_at_ms",
        meaning="When the group buy was opened or joined last, in the order of knowing; epoch milliseconds.",
        entity="group_buy",
        aggregation="last",
        acts=("group_buy_opened", "group_buy_joined"),
        column="occurred_at_ms",
        default=None,
    ),
    Feature(
        name="group_buy_quiet_s",
        meaning="Seconds from the last opening or joining to the decision.",
        entity="group_buy",
        aggregation="age",
        source="group_buy_last_joined_at_ms",
        default=None,
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
