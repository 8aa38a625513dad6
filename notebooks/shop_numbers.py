"""One shop's published numbers as a notebook draws them: metrics and rows of marts, money in the shop's currency."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

import jishi
from dashboard.portal.columns import COLUMNS
from jishi.lake.reading import open_version
from jishi.metrics import MetricLayer, TimeRange, open_metrics
from jishi.money import CURRENCY_DIGITS
from jishi.paths import Paths
from jishi.pseudonyms import Pseudonyms
from jishi.settings import Settings, get_settings
from jishi.shops import Shop, Shops

DAY = "metric_time__day"
_OF_PERSONS = ("sharer", "customer", "visit")  # dimensions whose values hold ids of persons
_IN_OWN_CURRENCY = frozenset(name for name, column in COLUMNS.items() if column.unit == "own_money")
_MINOR = re.compile(r"_minor(?=_|$)")


@dataclass(frozen=True)
class ShopNumbers:
    """A shop, the days in question, and the one version of the lake that everything is read from.

    The shop's currency and time zone are those with which that version was built.
    """

    settings: Settings
    shop: Shop
    days: TimeRange
    layer: MetricLayer

    def metrics(self, names: Sequence[str], by: Sequence[str] = (), **question: Any) -> pd.DataFrame:
        """Metrics as columns by the index ``by``; ``question`` as in ``MetricSql.select``. Persons are pseudonyms."""
        asked = {"shop_id": self.shop.shop_id, "days": self.days} | question
        frame = pd.DataFrame(self.layer.rows(names, by, **asked), columns=[*by, *names])
        frame = frame.astype(dict.fromkeys(names, float))
        for name in names:
            if self.layer.metrics[name].unit == "home_minor":
                frame[name] = self._major(frame[name])
        pseudonyms = Pseudonyms.of(Paths.of(self.settings), self.shop.shop_id)
        for name in [name for name in by if name.rpartition("__")[2] in _OF_PERSONS]:
            frame[name] = frame[name].map(pseudonyms.person, na_action="ignore")
        return frame.set_index([*by]) if by else frame

    def whole(self, names: Sequence[str], **question: Any) -> pd.Series:
        """Metrics of all days together, by title; unknown where the shop has no row."""
        return self.metrics(names, **question).reindex([0]).iloc[0].rename(self.titles(names))

    def mart(self, table: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The shop's rows of a mart; amounts are in whole units of the shop's currency, or of the row's where the column is in
        that, and lose ``_minor`` in their names. Persons are pseudonyms.
        """
        beside = ["currency"] if columns and _IN_OWN_CURRENCY.intersection(columns) and "currency" not in columns else []
        frame = jishi.read(
            table,
            shop=self.shop.shop_id,
            as_of=self.layer.lake.number or None,
            columns=columns and [*columns, *beside],
            settings=self.settings,
        )
        for name in [name for name in frame.columns if _MINOR.search(name)]:
            currencies = frame["currency"] if name in _IN_OWN_CURRENCY else None
            frame[name] = self._major(frame[name].astype("Float64"), currencies)
        return frame.drop(columns=beside).rename(columns=lambda name: _MINOR.sub("", name))

    def titles(self, names: Sequence[str]) -> dict[str, str]:
        """What the metric layer calls each metric, with its unit, English and Chinese."""
        labels = {name: self.layer.metrics[name].label for name in names}
        money = {name: f" ({self.shop.currency})" for name in names if self.layer.metrics[name].unit == "home_minor"}
        return {name: f"{label.en}{money.get(name, '')} {label.zh}" for name, label in labels.items()}

    @property
    def about(self) -> pd.DataFrame:
        """What a page is of: shop, zone, currency, days and version."""
        since, until = (str(day) if day else "–" for day in (self.days.since, self.days.until))
        facts = {
            "shop 店铺": f"{self.shop.name} ({self.shop.shop_id})",
            "time zone 时区": self.shop.time_zone,
            "currency 货币": self.shop.currency,
            "days 日期": f"{since} … {until}",
            "version of the lake 数据版本": str(self.layer.lake.number),
        }
        return pd.Series(facts).to_frame("")

    def _major(self, amounts: pd.Series, currencies: pd.Series | None = None) -> pd.Series:
        if currencies is None:
            return amounts / 10 ** CURRENCY_DIGITS[self.shop.currency]
        return amounts / currencies.map(lambda code: 10 ** CURRENCY_DIGITS[code], na_action="ignore").astype("Float64")


def open_shop(shop_id: str, since: str | None = None, until: str | None = None, as_of: str | None = None) -> ShopNumbers:
    """A shop's numbers of the days from ``since`` to ``until`` (ISO dates of the shop, None: open) in one version.

    Raises UnknownShop, TableNotPublished, VersionNotFound, ValueError for a text that is no day and for days the wrong way
    round, and LookupError with what to do for a shop that has nothing yet.
    """
    settings = get_settings()
    shop = Shops.load(Paths.of(settings).shops_file).get(shop_id)
    days = TimeRange(*(date.fromisoformat(day) if day else None for day in (since, until)))
    if days.since and days.until and days.since > days.until:
        raise ValueError(f"since ({since}) lies after until ({until}); swap them")
    numbers = ShopNumbers(settings, shop, days, open_metrics(open_version(settings, as_of)))
    if jishi.read("fct_shop_days", shop=shop_id, columns=["shop_date"], settings=settings).empty:
        raise LookupError(f"the marts have no day of {shop_id} yet: jishi import orders FILE --shop {shop_id} --work-up")
    about = jishi.read("dim_shops", shop=shop_id, as_of=numbers.layer.lake.number or None, settings=settings)
    built_with = about[["currency", "time_zone"]].dropna(axis=1).to_dict("records")
    return replace(numbers, shop=shop.model_copy(update=built_with[0])) if built_with else numbers
