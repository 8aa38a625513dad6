"""Segments that a shop's people saved under a name, for campaigns and to compare with; what is kept is the rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard.portal.database import PortalDatabase
from dashboard.portal.segment_rules import SegmentRule

MOST_SAVED = 20  # each is counted when the page is opened


class TooManySegments(ValueError):
    """A shop keeps at most ``MOST_SAVED``."""


@dataclass(frozen=True)
class SavedSegment:
    """A rule under a name that is the shop's only one."""

    segment_id: int
    name: str
    rule: SegmentRule
    login: str


class SavedSegments:
    """Segments in the portal's database; every question is one of a shop."""

    def __init__(self, database: PortalDatabase) -> None:
        self._database = database

    def all(self, shop_id: str) -> list[SavedSegment]:
        """A shop's segments by name."""
        with self._database.reading() as connection:
            rows = connection.execute("select * from saved_segments where shop_id = ? order by name", [shop_id]).fetchall()
        return [
            SavedSegment(row["segment_id"], row["name"], SegmentRule.model_validate_json(row["rule"]), row["login"])
            for row in rows
        ]

    def save(self, shop_id: str, name: str, rule: SegmentRule, login: str, now: datetime) -> None:
        """Keep a rule; one of the same name is replaced. Raises TooManySegments."""
        with self._database.transaction() as connection:
            names = {row["name"] for row in connection.execute("select name from saved_segments where shop_id = ?", [shop_id])}
            if len(names | {name}) > MOST_SAVED:
                raise TooManySegments(f"a shop keeps at most {MOST_SAVED} segments; delete one first")
            connection.execute(
                "insert into saved_segments (shop_id, name, rule, login, created_at) values (?, ?, ?, ?, ?) "
                "on conflict (shop_id, name) do update set rule = excluded.rule, login = excluded.login",
                [shop_id, name, rule.model_dump_json(), login, int(now.timestamp())],
            )

    def delete(self, shop_id: str, segment_id: int) -> str | None:
        """Forget a segment of the shop; its name, or None for one that is not the shop's."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "delete from saved_segments where shop_id = ? and segment_id = ? returning name", [shop_id, segment_id]
            ).fetchall()
        return str(rows[0]["name"]) if rows else None
