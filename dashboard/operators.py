"""Tell those who run the platform of a problem: a line in ``var/log/operators.jsonl``, and a message to each receiver.

``python -m dashboard.operators --subject S --title T [--link URL] [--link-text WORDS]`` with the text on standard input. The
subject is what makes two problems the same one: while it stays, it is told again every ``AGAIN_AFTER`` and not in between.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.delivery import KINDS, Destination, Message, NotDelivered, deliver
from jishi.files import append_line
from jishi.paths import Paths
from jishi.settings import Settings, get_settings

AGAIN_AFTER = timedelta(hours=6)
Deliver = Callable[[Settings, Destination, Message], None]


class BadOperator(ValueError):
    """A receiver in ``JISHI_OPERATORS`` that is none."""


@dataclass(frozen=True)
class Told:
    """What became of a problem: the receivers that have it, and those that do not, with the reason."""

    sent: list[str]
    failed: dict[str, str]
    is_repetition: bool = False


def receivers_of(setting: str) -> list[Destination]:
    """``a@example.org, slack=https://…``: mail addresses, and webhooks with the kind of their chat. Raises BadOperator."""
    destinations = []
    for text in filter(None, (part.strip() for part in setting.split(","))):
        kind, is_webhook, address = text.partition("=")
        match = next((known for known in KINDS if known == kind), None)
        if is_webhook and match is not None and address:
            destinations.append(Destination(match, address))
        elif "@" in text and not is_webhook:
            destinations.append(Destination("email", text))
        else:
            raise BadOperator(f"JISHI_OPERATORS: {kind!r} is neither a mail address nor one of {', '.join(KINDS)} with =URL")
    return destinations


def notify(settings: Settings, subject: str, message: Message, now: datetime, send: Deliver = deliver) -> Told:
    """Keep a problem in the file and send it, unless it was told within ``AGAIN_AFTER``. Raises BadOperator."""
    destinations = receivers_of(settings.operators)
    file = Paths.of(settings).operator_alerts
    last = _last_told(settings, subject)
    if last is not None and now - last < AGAIN_AFTER:
        return Told([], {}, is_repetition=True)
    sent: list[str] = []
    failed: dict[str, str] = {}
    for destination in destinations:
        try:
            send(settings, destination, message)
            sent.append(destination.shown)
        except NotDelivered as error:
            failed[destination.shown] = str(error)
    line = {"at": now.isoformat(timespec="seconds"), "subject": subject, "title": message.title, "text": message.paragraphs}
    append_line(file, json.dumps(line | {"link": message.link, "sent": sent, "failed": failed}, ensure_ascii=False))
    return Told(sent, failed)


def _last_told(settings: Settings, subject: str) -> datetime | None:
    file = Paths.of(settings).operator_alerts
    for line in reversed(file.read_text(encoding="utf-8").splitlines() if file.exists() else []):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # cut off by a crash
        # Of one that nobody got, the next occasion is taken.
        if entry["subject"] == subject and (entry["sent"] or not entry["failed"]):
            return datetime.fromisoformat(entry["at"])
    return None


def main() -> int:
    """Tell of one problem; exit 1 when a receiver did not take it."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.operators", description="Tell operators of a problem.")
    parser.add_argument("--subject", required=True, help="what makes two problems the same one, such as daily.silver")
    parser.add_argument("--title", required=True)
    parser.add_argument("--link", default="", help="where to look; left out: JISHI_OPERATORS_URL")
    parser.add_argument("--link-text", default="Jishi")
    chosen = parser.parse_args()
    settings = get_settings()
    link = chosen.link or settings.operators_address
    text = tuple(part.strip() for part in sys.stdin.read().split("\n\n") if part.strip())
    try:
        delivery = notify(settings, chosen.subject, Message(chosen.title, text, link, chosen.link_text), datetime.now(UTC))
    except BadOperator as error:
        print(error, file=sys.stderr)
        return 2
    for receiver, reason in delivery.failed.items():
        print(f"{receiver}: {reason}", file=sys.stderr)
    print(
        f"{chosen.subject}: told a short while ago"
        if delivery.is_repetition
        else f"{chosen.subject}: told {len(delivery.sent)} receivers"
    )
    return 1 if delivery.failed else 0


if __name__ == "__main__":
    sys.exit(main())
