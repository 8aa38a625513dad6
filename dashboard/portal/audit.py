"""The audit log: who saw, exported and changed what, written before the answer leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from dashboard.portal.database import PortalDatabase


@dataclass(frozen=True)
class AuditEntry:
    """One line of the log."""

    at: datetime
    login: str
    action: str
    detail: dict[str, Any]


class AuditLog:
    """Lines are added and read, never changed."""

    def __init__(self, database: PortalDatabase) -> None:
        self.database = database

    def add(
        self, now: datetime, login: str, action: str, shop_id: str | None = None, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Note an act; without a shop it is one of the account."""
        text = json.dumps(dict(detail or {}), ensure_ascii=False, sort_keys=True, default=str)
        with self.database.transaction() as connection:
            connection.execute(
                "insert into audit_log (at, shop_id, login, action, detail) values (?, ?, ?, ?, ?)",
                [int(now.timestamp()), shop_id, login, action, text],
            )

    def newest(
        self, shop_id: str, count: int = 200, action: str | None = None, login: str | None = None, after: int = 0
    ) -> list[AuditEntry]:
        """The newest lines of a shop, or those of one action or person; ``after`` so many."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "select * from audit_log where shop_id = :shop and (action = :action or :action is null) "
                "and (login = :login or :login is null) order by entry_id desc limit :count offset :after",
                {"shop": shop_id, "action": action, "login": login, "count": count, "after": after},
            ).fetchall()
        return [
            AuditEntry(datetime.fromtimestamp(row["at"], UTC), row["login"], row["action"], json.loads(row["detail"]))
            for row in rows
        ]

    def values(self, shop_id: str, column: Literal["action", "login"]) -> list[str]:
        """Every action, or everybody, in a shop's lines."""
        with self.database.reading() as connection:
            rows = connection.execute(
                f"select distinct {column} as value from audit_log where shop_id = ? order by value", [shop_id]
            ).fetchall()
        return [row["value"] for row in rows]
