"""Alerts as files, one for each alert and language, for who reads folders and no mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dashboard.delivery import Message
from dashboard.portal.alerts.rules import Alert
from dashboard.portal.words import Language
from jishi.files import write_atomically

LANGUAGES: tuple[Language, ...] = ("zh", "en")


@dataclass(frozen=True)
class AlertFiles:
    """``<folder>/<shop_id>/<day>-<rule>-<language>.txt``."""

    folder: Path

    def keep(self, shop_id: str, alert: Alert, message_in: Callable[[Language], Message]) -> None:
        """Write an alert that is sent now; one that is tried again stays as it is."""
        for language in LANGUAGES:
            file = self.folder / shop_id / f"{alert.day}-{alert.rule_id}-{language}.txt"
            if not file.exists():
                write_atomically(file, message_in(language).text)
