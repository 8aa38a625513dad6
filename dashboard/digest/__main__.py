"""``python -m dashboard.digest``: write the week of shops, and send it to their receivers; ``jishi digest`` runs it."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from dashboard.delivery import Destination, Message, deliver
from dashboard.digest.numbers import WeekNotReached, numbers_of
from dashboard.digest.page import Digest
from dashboard.digest.week import Week
from dashboard.portal.alerts.checking import Send, formats_of
from dashboard.portal.alerts.rules import AlertRules
from dashboard.portal.alerts.wording import shown_finding
from dashboard.portal.database import PortalDatabase
from dashboard.portal.published_marts import PublishedMarts
from dashboard.portal.receivers import Receipt, Receivers, SomeNotDelivered
from dashboard.portal.shop_marts import marts_of_shop
from dashboard.portal.words import Language
from jishi.files import write_atomically
from jishi.lake import TableNotPublished
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shop_runs import ShopRuns, add_run_options, for_each
from jishi.shops import Shop, Shops
from jishi.text_tables import text_console

LANGUAGES: tuple[Language, ...] = ("zh", "en")


def digests_of(settings: Settings, marts: PublishedMarts, shop: Shop, week: Week) -> dict[Language, Digest]:
    """A shop's week in each language. Raises WeekNotReached, NothingToDo, TableNotPublished."""
    alerts = AlertRules(PortalDatabase(Paths.of(settings).portal_database)).log(shop.shop_id)
    with marts_of_shop(marts, shop.shop_id) as of_shop:
        numbers = numbers_of(of_shop, week)
        digests = {}
        for language in LANGUAGES:
            formats = formats_of(shop, of_shop, language)
            unusual = [
                shown_finding(formats, alert.metric, alert.day, alert.value, alert.usual, alert.until_hour)
                for alert in reversed(alerts)
                if week.first <= alert.day <= week.last
            ]
            digests[language] = Digest(shop, numbers, unusual, formats, settings.portal_address)
    return digests


def write(folder: Path, digests: dict[Language, Digest]) -> list[Path]:
    """Write each language's page; the same week again replaces it."""
    files = []
    for language, digest in digests.items():
        file = folder / digest.shop.shop_id / f"{digest.numbers.week.first}-{language}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, digest.page())
        files.append(file)
    return files


def send(receivers: Receivers, digests: dict[Language, Digest], deliver_to: Send, now: datetime) -> list[Receipt]:
    """Send the week to each receiver of the shop that did not get it yet."""
    digest = digests["en"]
    subject = f"digest:{digest.numbers.week.first}"

    def message_in(language: Language) -> Message:
        return digests[language].message()

    return receivers.deliver_all(digest.shop.shop_id, "digests", subject, message_in, deliver_to, now)


def main() -> int:
    """Write, and send where asked to; 0 when no shop failed."""
    parser = argparse.ArgumentParser(prog="jishi digest", description="Write the week of shops as pages in var/digests.")
    parser.add_argument("shops", nargs="*", metavar="SHOP", help="shops; none: every shop")
    parser.add_argument("--shop", action="append", default=[], help="the same as SHOP")
    parser.add_argument(
        "--week", type=date.fromisoformat, metavar="DATE", help="a day of the week; default: the last whole week"
    )
    parser.add_argument("--send", action="store_true", help="send it to the receivers that did not get it yet")
    add_run_options(parser)
    options = parser.parse_args()
    settings, now = get_settings(), datetime.now(UTC)
    paths = Paths.of(settings)
    registry = Shops.load(paths.shops_file)
    shops = registry.shops
    named = [*options.shops, *options.shop]
    if unknown := sorted(set(named) - set(shops)):
        parser.error(f"{', '.join(unknown)}: not registered; see: jishi shops list")
    marts, receivers = PublishedMarts(settings), Receivers(PortalDatabase(paths.portal_database))

    def deliver_to(destination: Destination, message: Message) -> None:
        deliver(settings, destination, message)

    def work(shop_id: str) -> None:
        shop = shops[shop_id]
        today = now.astimezone(ZoneInfo(shop.time_zone)).date()
        week = Week.of(options.week or today - timedelta(days=7))
        digests = digests_of(settings, marts, shop, week)
        for file in write(paths.digests, digests):
            print(file)
        if options.send:
            deliveries = send(receivers, digests, deliver_to, now)
            for failure in (delivery.failure for delivery in deliveries if delivery.failure):
                print(f"{shop_id}: not delivered: {failure}", file=sys.stderr)
            SomeNotDelivered.raise_for(deliveries)

    results = for_each(
        named or registry.active,
        work,
        ShopRuns(paths, "digest", options.run),
        failures=(WeekNotReached, SomeNotDelivered),
        nothing=(TableNotPublished,),
        after=options.after,
    )
    results.show(text_console())
    return results.exit_code


if __name__ == "__main__":
    sys.exit(main())
