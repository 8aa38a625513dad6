"""Sessions on the server's side: a cookie holds 256 random bits, the database what they stand for."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from dashboard.portal.database import PortalDatabase, digest, new_token
from dashboard.portal.roles import Role, role_named

COOKIE = "jishi_portal"
VISITOR_COOKIE = "jishi_portal_visitor"
LONGEST_S = 7 * 24 * 3600
IDLE_S = 12 * 3600
_NOTE_EVERY_S = 60  # a page writes when it was seen at most so often


@dataclass(frozen=True)
class LoginSession:
    """A person who is logged in, with the role in each shop as it is now."""

    person_id: int
    login: str
    name: str
    roles: dict[str, Role]


class Sessions:
    """Begin, look up and end sessions."""

    def __init__(self, database: PortalDatabase) -> None:
        self._database = database

    def begin(self, person_id: int, now: datetime) -> str:
        """A new session; its token is returned once. Sessions that have run out are forgotten."""
        token, at = new_token(), int(now.timestamp())
        with self._database.transaction() as connection:
            connection.execute("delete from sessions where created_at <= ? or seen_at <= ?", [at - LONGEST_S, at - IDLE_S])
            connection.execute("insert into sessions values (?, ?, ?, ?)", [digest(token), person_id, at, at])
        return token

    def session_of(self, token: str | None, now: datetime, *, is_used: bool = True) -> LoginSession | None:
        """The session of a token, unless it was ended, is too old, or was not used for too long.

        ``is_used``: it is being used, by this.
        """
        if not token:
            return None
        at = int(now.timestamp())
        with self._database.reading() as connection:
            row = connection.execute(
                "select person_id, login, name, seen_at from sessions join people using (person_id) "
                "where token_sha256 = ? and sessions.created_at > ? and seen_at > ?",
                [digest(token), at - LONGEST_S, at - IDLE_S],
            ).fetchone()
            if row is None:
                return None
            roles = connection.execute(
                "select shop_id, role from memberships where person_id = ? order by shop_id", [row["person_id"]]
            ).fetchall()
        if is_used and at - row["seen_at"] >= _NOTE_EVERY_S:
            with self._database.transaction() as connection:
                connection.execute("update sessions set seen_at = ? where token_sha256 = ?", [at, digest(token)])
        return LoginSession(
            row["person_id"], row["login"], row["name"], {role["shop_id"]: role_named(role["role"]) for role in roles}
        )

    def end(self, token: str) -> None:
        """Log out."""
        with self._database.transaction() as connection:
            connection.execute("delete from sessions where token_sha256 = ?", [digest(token)])


def form_token(cookie: str) -> str:
    """What every form of a browser must bring back: derived from its cookie, which another site can neither read nor set."""
    return hmac.new(cookie.encode(), b"form", hashlib.sha256).hexdigest()


def is_form_token(text: str, cookie: str) -> bool:
    """Whether a form came from a page that this browser was given."""
    return bool(cookie) and hmac.compare_digest(text.encode(), form_token(cookie).encode())
