"""Which basket line each coupon redemption of Complete Journey belongs to.

The data set says that a household redeemed a coupon on a day, and which products a coupon of a campaign is good for; it does
not name the basket. A redemption is matched with the lines of that household and day whose product the coupon is good for:
the one with the largest coupon discount, then the first in the data set, that no earlier redemption has taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Redemption:
    """One redemption. ``row`` is the transaction line that it is matched with, or None; ``on`` is its day (midnight)."""

    number: int
    household_id: int
    coupon_upc: int
    campaign_id: int
    on: pd.Timestamp
    row: int | None


def match_redemptions(transactions: pd.DataFrame, coupons: pd.DataFrame, redemptions: pd.DataFrame) -> list[Redemption]:
    """Every redemption in the data set's order, matched with a transaction line (index of ``transactions``) where one fits."""
    red = redemptions.reset_index(drop=True).rename_axis("number").reset_index()
    columns = ["household_id", "product_id", "transaction_timestamp", "coupon_disc", "coupon_match_disc"]
    of_households = transactions.loc[transactions["household_id"].isin(red["household_id"]), columns]
    of_households = of_households.assign(
        redemption_date=of_households["transaction_timestamp"].dt.normalize(),
        saved=of_households["coupon_disc"] + of_households["coupon_match_disc"],
        row=of_households.index,
    )
    # First the day's lines: a coupon is good for hundreds of products, a household buys few of them on a day.
    of_day = red.merge(of_households, on=["household_id", "redemption_date"])
    fits = of_day.merge(coupons.drop_duplicates(), on=["coupon_upc", "campaign_id", "product_id"])
    fits = fits.sort_values(["number", "saved", "row"], ascending=[True, False, True], kind="stable")
    candidates = {int(number): group.tolist() for number, group in fits.groupby("number")["row"]}
    taken: set[int] = set()
    matched = []
    for entry in red.itertuples(index=False):
        row = next((r for r in candidates.get(entry.number, ()) if r not in taken), None)
        if row is not None:
            taken.add(row)
        matched.append(
            Redemption(
                number=int(entry.number),
                household_id=int(entry.household_id),
                coupon_upc=int(entry.coupon_upc),
                campaign_id=int(entry.campaign_id),
                on=entry.redemption_date,
                row=row,
            )
        )
    return matched
