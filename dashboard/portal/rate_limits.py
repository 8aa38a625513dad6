"""How often a password may be wrong: by account and by sender, over the last quarter of an hour."""

from __future__ import annotations

from datetime import datetime

from dashboard.portal.database import PortalDatabase, digest
from jishi.senders import sender_of

WINDOW_S = 15 * 60
PER_ACCOUNT = 5
PER_ADDRESS = 20


class TooManyAttempts(PermissionError):
    """Wait ``retry_after_s`` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many wrong passwords; try again in {-(-retry_after_s // 60)} minutes")
        self.retry_after_s = retry_after_s


class LoginLimits:
    """Wrong passwords, counted in the database, so that a restart forgives nothing. Names are kept as hashes."""

    def __init__(self, database: PortalDatabase) -> None:
        self._database = database

    def check(self, login: str, address: str, now: datetime) -> None:
        """Raise TooManyAttempts when the account or the address has failed too often."""
        at = int(now.timestamp())
        with self._database.reading() as connection:
            for subject, most in self._limits(login, address):
                rows = connection.execute(
                    "select at from failed_logins where subject = ? and at > ? order by at desc limit ?",
                    [subject, at - WINDOW_S, most],
                ).fetchall()
                if len(rows) == most:
                    raise TooManyAttempts(rows[-1]["at"] + WINDOW_S - at)

    def failed(self, login: str, address: str, now: datetime) -> None:
        """Count a wrong password."""
        at = int(now.timestamp())
        with self._database.transaction() as connection:
            connection.execute("delete from failed_logins where at <= ?", [at - WINDOW_S])
            for subject, _ in self._limits(login, address):
                connection.execute("insert into failed_logins values (?, ?)", [subject, at])

    def succeeded(self, login: str) -> None:
        """Forget what was wrong before on the account; the address keeps its count."""
        with self._database.transaction() as connection:
            connection.execute("delete from failed_logins where subject = ?", [digest(f"account {login.strip().lower()}")])

    @staticmethod
    def _limits(login: str, address: str) -> list[tuple[str, int]]:
        sender = digest(f"address {sender_of(address)}")
        return [(digest(f"account {login.strip().lower()}"), PER_ACCOUNT), (sender, PER_ADDRESS)]
