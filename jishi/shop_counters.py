"""Counters of a shop's running day: what the real-time job counts at once, and how a reader of their topic adds it up.

They are provisional: they hold the events that came on time, persons as their events name them, and money as it was stamped.
The marts know more (late events, imports, bots, who is who, rates that came later), and theirs are the shop's numbers.

Message keys and values are JSON objects (``jishi.topics.SHOP_COUNTERS``). ``kind`` of a key says which of these a value is:

- ``minute``: what happened in one minute (``minute``: since 1970) of a shop's ``occurred_date``;
- ``persons``: how many of them there were on that date;
- ``channel``: with how many of them that date's visit began in a ``channel``, of the largest ``MOST_LISTED`` channels;
- ``item``: what happened to an ``item_id`` on that date, of the ``MOST_LISTED`` that sold, else were added, else seen most;
- ``clock``: until which instant a ``log_partition`` has been read, and since when.

``as_of_ms`` is the ``received_at`` of the newest event in a value, by which an older value never replaces a newer one.
"""

from __future__ import annotations

# What a till or a server reports; all else is something that a person did in the shop's pages. The marts say the same
# (dbt/macros/storefront.sql), which a test compares.
NOT_IN_STOREFRONT = ("order_paid", "order_refunded", "coupon_redeemed", "item_changed", "group_buy_completed")
MOST_LISTED = 20
