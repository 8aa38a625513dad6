"""Who gets a shop's digests and alerts, and what each was sent: once for each subject and receiver."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from dashboard.delivery import Destination, Kind, Message, NotDelivered
from dashboard.delivery.message import KINDS
from dashboard.delivery.webhook_address import checked_form
from dashboard.portal.database import PortalDatabase
from dashboard.portal.words import Language

MOST_RECEIVERS = 50
Topic = Literal["digests", "alerts"]
_EMAIL = re.compile(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,190}")


class BadReceiver(ValueError):
    """An address that nothing can be sent to; the message is a text of words."""


class SomeNotDelivered(RuntimeError):
    """Some receivers did not take a message and may take it later; the others did. The message names them and says why."""

    @classmethod
    def raise_for(cls, deliveries: Sequence[Receipt]) -> None:
        """Raise when one of these should be tried again; what was refused for good is for the shop's owner to put right."""
        failures = [each.failure for each in deliveries if each.failure is not None and not each.is_final]
        if failures:
            raise cls("; ".join(failures))


@dataclass(frozen=True)
class Receiver:
    """Where a shop's messages go, in which language, and which of them."""

    receiver_id: int
    destination: Destination
    language: Language
    gets_digests: bool
    gets_alerts: bool

    def gets(self, topic: Topic) -> bool:
        """Whether it is sent what belongs to the topic."""
        return self.gets_digests if topic == "digests" else self.gets_alerts

    @property
    def name(self) -> str:
        """As people and logs may call it, without the secret."""
        return f"{self.destination.kind} {self.destination.shown} ({self.receiver_id})"


@dataclass(frozen=True)
class Receipt:
    """What became of a message for one receiver: ``failure`` is None when it was taken, ``is_final`` when it never will be."""

    subject: str
    receiver_id: int
    at: datetime
    failure: str | None
    is_final: bool = False


class Receivers:
    """Receivers and deliveries in the portal's database."""

    def __init__(self, database: PortalDatabase) -> None:
        self._database = database

    def of_shop(self, shop_id: str) -> list[Receiver]:
        """All receivers of a shop."""
        with self._database.reading() as connection:
            rows = connection.execute("select * from receivers where shop_id = ? order by receiver_id", [shop_id]).fetchall()
        return [_receiver(row) for row in rows]

    def add(
        self, shop_id: str, destination: Destination, language: Language, topics: set[Topic], *, allow_private: bool = False
    ) -> None:
        """A new receiver; a known one gets what is chosen now. Raises BadReceiver, BadWebhook."""
        check(destination, allow_private=allow_private)
        with self._database.transaction() as connection:
            [count] = connection.execute("select count(*) from receivers where shop_id = ?", [shop_id]).fetchone()
            if count >= MOST_RECEIVERS:
                raise BadReceiver("A shop has at most 50 receivers; remove one first.")
            connection.execute(
                "insert into receivers (shop_id, kind, address, language, gets_digests, gets_alerts) values (?, ?, ?, ?, ?, ?) "
                "on conflict do update set language = excluded.language, gets_digests = excluded.gets_digests, "
                "gets_alerts = excluded.gets_alerts",
                [shop_id, destination.kind, destination.address, language, "digests" in topics, "alerts" in topics],
            )

    def remove(self, shop_id: str, receiver_id: int) -> None:
        """Forget a receiver of this shop, with its address and what it was sent."""
        with self._database.transaction() as connection:
            connection.execute("delete from receivers where shop_id = ? and receiver_id = ?", [shop_id, receiver_id])

    def deliver_all(
        self,
        shop_id: str,
        topic: Topic,
        subject: str,
        message_in: Callable[[Language], Message],
        send: Callable[[Destination, Message], None],
        now: datetime,
    ) -> list[Receipt]:
        """Send a subject to each receiver of its topic that neither took nor refused it; a failure concerns that one alone."""
        deliveries = []
        settled = {each.receiver_id for each in self.deliveries(shop_id, subject) if each.failure is None or each.is_final}
        for receiver in self.of_shop(shop_id):
            if not receiver.gets(topic) or receiver.receiver_id in settled:
                continue
            try:
                send(receiver.destination, message_in(receiver.language))
                failure, is_final = None, False
            except NotDelivered as error:
                failure, is_final = f"{receiver.name}: {error}", error.is_final
            deliveries.append(self._note(shop_id, Receipt(subject, receiver.receiver_id, now, failure, is_final)))
        return deliveries

    def deliveries(self, shop_id: str, subject: str) -> list[Receipt]:
        """What became of a subject."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "select * from deliveries where shop_id = ? and subject = ? order by receiver_id", [shop_id, subject]
            ).fetchall()
        return [_delivery(row) for row in rows]

    def failures(self, shop_id: str, count: int = 20) -> list[Receipt]:
        """The newest messages that were not taken."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "select * from deliveries where shop_id = ? and failure is not null order by at desc limit ?", [shop_id, count]
            ).fetchall()
        return [_delivery(row) for row in rows]

    def _note(self, shop_id: str, delivery: Receipt) -> Receipt:
        with self._database.transaction() as connection:
            connection.execute(
                "insert into deliveries values (?, ?, ?, ?, ?, ?) on conflict do update "
                "set at = excluded.at, failure = excluded.failure, is_final = excluded.is_final",
                [
                    *(shop_id, delivery.subject, delivery.receiver_id, int(delivery.at.timestamp())),
                    *(delivery.failure, delivery.is_final),
                ],
            )
        return delivery


def check(destination: Destination, *, allow_private: bool = False) -> None:
    """Whether the form is right; a host is looked up when it is called. Raises BadReceiver, BadWebhook."""
    if destination.kind == "email":
        if not _EMAIL.fullmatch(destination.address) or not destination.address.isascii():
            raise BadReceiver("This is no e-mail address.")
        return
    if len(destination.address) > 2000:
        raise BadReceiver("This address is too long.")
    checked_form(destination.address, allow_private=allow_private)


def kind_named(text: str) -> Kind:
    """The kind of a receiver. Raises ValueError."""
    for kind in KINDS:
        if kind == text:
            return kind
    raise ValueError(f"{text!r} is no kind of receiver; choose {', '.join(KINDS)}")


def _receiver(row: sqlite3.Row) -> Receiver:
    destination = Destination(kind_named(row["kind"]), row["address"])
    language: Language = "zh" if row["language"] == "zh" else "en"
    return Receiver(row["receiver_id"], destination, language, bool(row["gets_digests"]), bool(row["gets_alerts"]))


def _delivery(row: sqlite3.Row) -> Receipt:
    at = datetime.fromtimestamp(row["at"], UTC)
    return Receipt(row["subject"], row["receiver_id"], at, row["failure"], bool(row["is_final"]))
