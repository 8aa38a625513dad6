"""What makes one shop different from another: its goods and how its shoppers behave."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Category:
    """A category with its price band in yuan and its kinds of goods as (Chinese, English)."""

    zh: str
    en: str
    low: int
    high: int
    kinds: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Preset:
    """A shop. Probabilities are per visit, view, order or cart as their names say; ``rhythm_days`` bounds repeat purchase."""

    name: str
    categories: tuple[Category, ...]
    brands: tuple[tuple[str, str], ...]
    styles: tuple[tuple[str, str], ...]
    attributes: dict[str, tuple[str, ...]]
    regions: tuple[str, ...]
    items: int = 1500
    time_zone: str = "Asia/Shanghai"
    currency: str = "CNY"
    visits_per_day: float = 0.105
    views_per_visit: float = 6.0
    add_per_view: float = 0.10
    checkout_per_cart: float = 0.55
    pay_per_checkout: float = 0.78
    staples: float = 0.6
    rhythm_days: tuple[int, int] = (20, 45)
    most_units: int = 2
    group_per_view: float = 0.004
    bargain_per_view: float = 0.002
    share_per_view: float = 0.012
    share_per_order: float = 0.08
    refund_per_order: float = 0.07
    free_shipping_minor: int = 9900
    shipping_minor: int = 800
    coupon_minor: tuple[int, int] = (14900, 1500)  # from this amount on, this much off
    channels: dict[str, float] = field(
        default_factory=lambda: {"wechat": 0.38, "douyin": 0.24, "xiaohongshu": 0.16, "app": 0.14, "search": 0.08}
    )
    click_price_minor: dict[str, int] = field(  # of the channels that are paid for
        default_factory=lambda: {"wechat": 900, "douyin": 1800, "xiaohongshu": 1500, "search": 2600}
    )
