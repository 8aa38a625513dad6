"""One message to one receiver, tried again while that can help."""

from __future__ import annotations

import time
from collections.abc import Callable

from dashboard.delivery.mail import MailServer, send
from dashboard.delivery.message import Destination, Message, NotDelivered
from dashboard.delivery.webhook import post
from jishi.settings import Settings

ATTEMPTS = 3
FIRST_PAUSE_S = 2.0


def deliver(
    settings: Settings,
    destination: Destination,
    message: Message,
    pause: Callable[[float], None] = time.sleep,
    attempts: int = ATTEMPTS,
) -> None:
    """Send, up to ``attempts`` times with growing pauses. Raises NotDelivered with the last reason."""
    for attempt in range(1, attempts + 1):
        try:
            if destination.kind == "email":
                send(MailServer.of(settings), destination, message)
            else:
                post(destination, message, allow_private=settings.webhook_allow_private)
            return
        except NotDelivered as error:
            if error.is_final or attempt == attempts:
                raise
            pause(FIRST_PAUSE_S * 2 ** (attempt - 1))
