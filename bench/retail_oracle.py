"""What the marts should say of UCI Online Retail, computed with pandas from the written definitions and the file alone.

It shares no code and no SQL with the platform: docs/import.md says what an order and a refund are, docs/metrics.md and the
descriptions of the marts say what the figures are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

LEAST_KNOWN = 30  # customers, or repurchases, that a threshold of a month needs
# Segments by recency score 1 to 5, for F + M of 2 to 3, 4 to 5, 6 to 7, 8 to 10.
SEGMENTS = (
    ("lost", "about_to_sleep", "about_to_sleep", "promising", "promising"),
    ("hibernating", "hibernating", "need_attention", "potential_loyalists", "potential_loyalists"),
    ("at_risk", "at_risk", "need_attention", "loyal", "loyal"),
    ("cannot_lose", "at_risk", "loyal", "champions", "champions"),
)
WINDOWS = (7, 30, 90, 365)
Figures = dict[tuple[str, str], object]
"""By measure and what it is of; money in pence."""


@dataclass(frozen=True)
class RetailHistory:
    """``orders``: order_id, person, at, day, paid. ``refunds``: refund_id, order_id, day, counted, and those of its order."""

    orders: pd.DataFrame
    refunds: pd.DataFrame
    as_of: pd.Timestamp

    @property
    def customers(self) -> pd.DataFrame:
        """Orders of persons who are no guests, with the day since which all of the order had come back (never: NaT)."""
        return self.orders[self.orders["person"].str.startswith("u:")]


def read_shop(lines: pd.DataFrame) -> RetailHistory:
    """Orders and refunds of the file's rows: InvoiceNo, StockCode, Quantity, InvoiceDate, UnitPrice, CustomerID."""
    rows = lines.reset_index(drop=True).assign(row=np.arange(len(lines)))
    mils = (rows["UnitPrice"].astype(float) * 1000).round().astype("int64")
    rows["pence"] = (rows["Quantity"].abs() * mils + 5) // 10  # to the nearest penny, halves up
    rows["person"] = ("u:" + rows["CustomerID"].astype("Int64").astype("string")).fillna("")
    is_back = rows["InvoiceNo"].str.startswith("C")
    sold, back = rows[~is_back], rows[is_back]
    wrong = sold.loc[(sold["Quantity"] < 0) | (sold["UnitPrice"] < 0), "InvoiceNo"]
    sold = sold[~sold["InvoiceNo"].isin(wrong)]
    orders = (
        sold.groupby("InvoiceNo", sort=False)
        .agg(person=("person", "first"), at=("InvoiceDate", "first"), paid=("pence", "sum"))
        .reset_index(names="order_id")
    )
    is_guest = orders["person"] == ""
    orders.loc[is_guest, "person"] = "a:import:guest-" + orders.loc[is_guest, "order_id"]
    orders["day"] = orders["at"].dt.normalize()
    refunds = _counted(_matched(sold, back), orders)
    whole = refunds[refunds["upto"] >= refunds["paid"]].groupby("order_id")["day"].min()
    orders["kept_until"] = orders["order_id"].map(whole).where(orders["paid"] > 0)
    return RetailHistory(orders, refunds, max(orders["day"].max(), refunds["day"].max()))


def _matched(sold: pd.DataFrame, back: pd.DataFrame) -> pd.DataFrame:
    """A row for each order that a cancellation gives something back of: the customer's newest earlier one with enough left."""
    bought = sold[sold["Quantity"] > 0].sort_values(["InvoiceDate", "row"])
    places = bought.groupby(["person", "StockCode"]).indices
    at, left, order_id = (bought[name].to_numpy().copy() for name in ("InvoiceDate", "Quantity", "InvoiceNo"))
    first = back.groupby("InvoiceNo").agg(began=("InvoiceDate", "min"), first_row=("row", "min"))
    ordered = back.join(first, on="InvoiceNo").sort_values(["began", "first_row", "row"])
    matches = []
    for line in ordered.itertuples():
        if line.person == "":
            continue
        for place in reversed(places.get((line.person, line.StockCode), ())):
            if at[place] <= line.InvoiceDate and left[place] >= -line.Quantity > 0:
                left[place] += line.Quantity
                matches.append((line.InvoiceNo, order_id[place], line.InvoiceDate, line.pence))
                break
    parts = pd.DataFrame(matches, columns=["document", "order_id", "at", "pence"])
    return parts.groupby(["document", "order_id"], sort=False).agg(at=("at", "first"), pence=("pence", "sum")).reset_index()


def _counted(refunds: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Each refund up to what the earlier ones left of its order."""
    priced = refunds.merge(orders[["order_id", "paid"]].assign(ordered=orders["day"]), on="order_id")
    priced = priced.sort_values(["at", "document"], kind="stable")
    upto = priced.groupby("order_id")["pence"].cumsum()
    before = np.minimum(upto - priced["pence"], priced["paid"])
    counted = np.minimum(upto, priced["paid"]) - before
    day = np.maximum(priced["at"].dt.normalize(), priced["ordered"])
    return priced.assign(counted=counted, day=day, upto=counted.groupby(priced["order_id"]).cumsum())


def figures_of(shop: RetailHistory) -> Figures:
    """Every figure that is compared."""
    return _months(shop) | _repurchases(shop) | _customers(shop) | _cohorts(shop)


def _months(shop: RetailHistory) -> Figures:
    orders, refunds = shop.orders, shop.refunds
    figures: Figures = {}
    of_month = orders.assign(month=orders["day"].dt.strftime("%Y-%m")).groupby("month")
    back = refunds.groupby(refunds["day"].dt.strftime("%Y-%m"))["counted"].sum()
    for month in sorted({*of_month.groups, *back.index}):
        rows = of_month.get_group(month) if month in of_month.groups else orders.iloc[:0]
        gone = int(back.get(month, 0))
        figures |= {
            ("orders", month): len(rows),
            ("buyers", month): rows["person"].nunique(),
            ("gmv", month): int(rows["paid"].sum()),
            ("refunds", month): gone,
            ("net_gmv", month): int(rows["paid"].sum()) - gone,
        }
    return figures


def _repurchases(shop: RetailHistory) -> Figures:
    """Persons, guests too, with an order that was kept in the days up to the last one; and with two or more."""
    kept = shop.orders[shop.orders["kept_until"].isna()]
    figures: Figures = {}
    for days in WINDOWS:
        each = kept.loc[kept["day"] > shop.as_of - pd.Timedelta(days=days), "person"].value_counts()
        figures["customers", f"{days} days"] = len(each)
        figures["repeat customers", f"{days} days"] = int((each > 1).sum())
    return figures


def _customers(shop: RetailHistory) -> Figures:
    """Who is a customer on the last day, with spend, scores and segment."""
    begun = shop.as_of.replace(day=1)
    now, before = _states(shop, shop.as_of), _states(shop, begun - pd.Timedelta(days=1))
    peers = before if len(before) >= LEAST_KNOWN else now
    scores = pd.DataFrame({name: _scores(now[name], peers[name]) for name in ("recency", "frequency", "monetary")})
    is_new = (now["frequency"] == 1) & ((shop.as_of - now["first"]).dt.days < _active_days(shop, begun))
    worth = ((scores["frequency"] + scores["monetary"]) // 2 - 1).clip(upper=3)
    figures: Figures = {}
    for person, state in now.iterrows():
        r, f, m = (int(score) for score in scores.loc[person])
        segment = SEGMENTS[int(worth[person])][r - 1]
        if is_new[person]:
            segment = "new_big_spenders" if m == 5 else "new_customers"
        figures["spend", str(person)] = int(state["monetary"])
        figures["scores", str(person)] = (r, f, m)
        figures["segment", str(person)] = segment
    counted = pd.Series([value for (measure, _), value in figures.items() if measure == "segment"]).value_counts()
    return figures | {("segment size", str(name)): int(size) for name, size in counted.items()}


def _states(shop: RetailHistory, on: pd.Timestamp) -> pd.DataFrame:
    """Customers with an order that was kept on a day: negative days since the last one, how many, what was spent by then."""
    paid = shop.customers[shop.customers["day"] <= on]
    kept = paid[~(paid["kept_until"] <= on)].groupby("person")
    back = shop.refunds[shop.refunds["day"] <= on].groupby("order_id")["counted"].sum()
    net = paid["paid"] - paid["order_id"].map(back).fillna(0).astype("int64")
    states = kept.agg(first=("day", "min"), last=("day", "max"), frequency=("day", "size"))
    return states.assign(recency=-(on - states["last"]).dt.days, monetary=net.groupby(paid["person"]).sum())


def _scores(values: pd.Series, peers: pd.Series) -> pd.Series:
    """1 + ⌊5 · middle rank⌋ of the best peer that is not better; 5 for more than all peers have."""
    ranks = peers.value_counts().sort_index()
    twice_middle = 2 * ranks.cumsum() - ranks
    fifths = (1 + (5 * twice_middle) // (2 * len(peers))).clip(upper=5)
    place = np.searchsorted(ranks.index.to_numpy(), values.to_numpy(), side="right") - 1
    score = np.where(place < 0, 1, fifths.to_numpy()[place.clip(min=0)])
    return pd.Series(np.where(values > ranks.index.max(), 5, score), index=values.index)


def _active_days(shop: RetailHistory, begun: pd.Timestamp) -> int:
    """Within how many days three of four repurchases came: those before this month or, where they are few, all."""
    kept = shop.customers[shop.customers["kept_until"].isna()]
    days = kept[["person", "day"]].drop_duplicates().sort_values(["person", "day"])
    gaps = days.assign(gap=days.groupby("person")["day"].diff().dt.days).dropna()
    for known in (gaps[gaps["day"] < begun], gaps):
        if len(known) >= LEAST_KNOWN:
            return int(np.sort(known["gap"].to_numpy())[-(-3 * len(known) // 4) - 1])
    return 30


def _cohorts(shop: RetailHistory) -> Figures:
    """Customers by the week and the month of their first kept order; of each later period that is over, who came and what."""
    kept = shop.customers[shop.customers["kept_until"].isna()]
    first = kept.groupby("person")["day"].min()
    back = shop.refunds.merge(kept[["order_id", "person"]], on="order_id")
    figures: Figures = {}
    for period, code in (("week", "W-SUN"), ("month", "M")):
        cohort = first.dt.to_period(code)
        last = shop.as_of.to_period(code)
        came = kept.assign(cohort=kept["person"].map(cohort), period=kept["day"].dt.to_period(code))
        gone = back.assign(cohort=back["person"].map(cohort), period=back["day"].dt.to_period(code))
        active = came.groupby(["cohort", "period"])["person"].nunique()
        paid = came.groupby(["cohort", "period"])["paid"].sum()
        refunded = gone.groupby(["cohort", "period"])["counted"].sum()
        for each, size in cohort.value_counts().items():
            for number in range((last - each).n + 1):
                there = (each, each + number)
                is_over = there[1].end_time.normalize() < shop.as_of
                net = int(paid.get(there, 0)) - int(refunded.get(there, 0))
                row = (int(size), int(active.get(there, 0)), net) if is_over else (int(size), None, None)
                figures[f"{period} cohorts", f"{each.start_time:%Y-%m-%d} +{number}"] = row
    return figures
