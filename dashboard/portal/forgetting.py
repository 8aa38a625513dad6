"""Rows of the portal's database that are older than anybody looks back; people and what they saved stay."""

from __future__ import annotations

from datetime import datetime, timedelta

from dashboard.portal.database import PortalDatabase

# Table and the column with its time, epoch seconds.
DATED = (("audit_log", "at"), ("alerts", "at"), ("deliveries", "at"), ("failed_logins", "at"), ("links", "expires_at"))


def forget(database: PortalDatabase, now: datetime, days: int, *, dry_run: bool = False) -> dict[str, int]:
    """Delete what is older than so many days; returns how many rows of each table are."""
    oldest = int((now - timedelta(days=days)).timestamp())
    with database.transaction() as connection:
        counts = {
            table: connection.execute(f"select count(*) from {table} where {column} < ?", [oldest]).fetchone()[0]
            for table, column in DATED
        }
        for table, column in () if dry_run else DATED:
            connection.execute(f"delete from {table} where {column} < ?", [oldest])
    return counts
