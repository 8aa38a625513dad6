"""``python -m dashboard.portal.alerts check``: hold every shop's rules against the newest marts; ``jishi alerts`` runs it."""

from __future__ import annotations

import argparse
import fcntl
import sys
from datetime import UTC, datetime

from dashboard.delivery import deliver
from dashboard.portal.alerts.checking import check_shop
from dashboard.portal.alerts.files import AlertFiles
from dashboard.portal.alerts.rules import AlertRules
from dashboard.portal.database import PortalDatabase
from dashboard.portal.published_marts import PublishedMarts
from dashboard.portal.receivers import Receivers, SomeNotDelivered
from dashboard.portal.shop_marts import marts_of_shop
from jishi.lake import TableNotPublished
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shop_runs import ShopRuns, add_run_options, for_each
from jishi.shops import Shops
from jishi.text_tables import text_console


def main() -> int:
    """Check; 0 when every alert reached its receivers."""
    parser = argparse.ArgumentParser(prog="jishi alerts", description="Find what is unusual in shops' days, and tell.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="hold the rules against the newest published days, and send what they find")
    check.add_argument("--shop", action="append", help="a shop; may repeat; left out: every shop")
    add_run_options(check)
    options = parser.parse_args()
    settings, now = get_settings(), datetime.now(UTC)
    paths = Paths.of(settings)
    registry = Shops.load(paths.shops_file)
    shops = registry.shops
    if unknown := sorted(set(options.shop or ()) - set(shops)):
        parser.error(f"--shop: {', '.join(unknown)}: not registered; see: jishi shops list")
    database = PortalDatabase(paths.portal_database)
    rules, receivers, published = AlertRules(database), Receivers(database), PublishedMarts(settings)

    def check_one(shop_id: str) -> None:
        with marts_of_shop(published, shop_id) as marts:
            deliveries = check_shop(
                shops[shop_id],
                marts,
                rules,
                receivers,
                lambda destination, message: deliver(settings, destination, message),
                settings.portal_address,
                now,
                AlertFiles(paths.alerts),
            )
        for failure in (delivery.failure for delivery in deliveries if delivery.failure):
            print(f"{shop_id}: not delivered: {failure}", file=sys.stderr)
        SomeNotDelivered.raise_for(deliveries)

    runs = ShopRuns(paths, "alerts", options.run)
    with paths.portal_database.with_name("alerts.lock").open("ab") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)  # two checks at once would tell the same twice
        results = for_each(
            options.shop or registry.active,
            check_one,
            runs,
            failures=(SomeNotDelivered,),
            nothing=(TableNotPublished,),
            after=options.after,
        )
    results.show(text_console())
    return results.exit_code


if __name__ == "__main__":
    sys.exit(main())
