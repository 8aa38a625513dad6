"""What a user may choose about the demo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

JOURNEY = "journey"
TIME_ZONE = "Asia/Shanghai"  # of every simulated shop


class DemoShop(NamedTuple):
    """A simulated shop as the registry knows it."""

    shop_id: str
    name: str
    time_zone: str = TIME_ZONE
    currency: str = "CNY"


SIMULATED = (
    DemoShop("lanting", "兰亭集 Lanting fashion"),
    DemoShop("shanhai", "山海集 Shanhai food"),
    DemoShop("xinghe", "星河集 Xinghe home and digital"),
)
STEPS = ("environments", "platform", "history", "pipeline", "live", "loop", "daily", "summary")


class DemoFailed(RuntimeError):
    """A step of the demo did not do what it must; the message says what and where to look."""


@dataclass(frozen=True)
class DemoOptions:
    """Sizes and switches. ``users`` and ``days`` are per simulated shop; ``stop_after`` names a step of ``STEPS``.

    ``until`` is the last day of the simulated histories, so that a board compares live days with their neighbours; the same
    ``until`` gives the same tables. The real data set stays in its own year.

    The defaults are sized so that a second demo ends within six minutes on two cores: half a million events, and a million and
    a half lines of orders among them.
    ``journey_households`` limits the real data set to so many households (None: all 2,469) for small test runs.
    """

    until: date
    shops: tuple[str, ...] = (JOURNEY, *(shop.shop_id for shop in SIMULATED))
    users: int = 1200
    days: int = 60
    seed: int = 7
    keep: bool = False
    stop_after: str | None = None
    live_seconds: int = 6
    live_rate: int = 200
    journey_households: int | None = None

    def __post_init__(self) -> None:
        """Refuse unknown names at once."""
        known = {JOURNEY, *(shop.shop_id for shop in SIMULATED)}
        strange = [shop for shop in self.shops if shop not in known]
        if strange or not self.shops:
            raise DemoFailed(f"--shops: unknown {', '.join(strange) or 'nothing'}; choose from {', '.join(sorted(known))}")
        if self.stop_after is not None and self.stop_after not in STEPS:
            raise DemoFailed(f"--stop-after: {self.stop_after!r} is no step; steps are {', '.join(STEPS)}")

    @property
    def simulated(self) -> list[DemoShop]:
        """The simulated shops among ``shops``."""
        return [shop for shop in SIMULATED if shop.shop_id in self.shops]
