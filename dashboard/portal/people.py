"""Who may enter: people, their membership of shops, and the one-time links by which they choose a password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from dashboard.portal.database import PortalDatabase, digest, new_token
from dashboard.portal.passwords import Passwords
from dashboard.portal.roles import Role, role_named

LINK_HOURS = 72
_LOGIN = re.compile(r"[^\s@]{1,64}@[^\s@]{1,190}|[a-z0-9][a-z0-9._-]{1,63}")


class BadLogin(ValueError):
    """No name to log in with."""


class BadLink(LookupError):
    """A one-time link that was used, has run out, or never was."""


class WrongPassword(PermissionError):
    """The password of a known person was asked for and another one came."""


class NotResettable(PermissionError):
    """The person belongs to other shops too, so that no single shop may reset the password."""


class LastOwner(ValueError):
    """A shop keeps at least one owner."""


@dataclass(frozen=True)
class Member:
    """A person of a shop."""

    login: str
    name: str
    role: Role


@dataclass(frozen=True)
class Invitation:
    """What a one-time link is for: a shop and a role, or (without) a new password. ``is_known``: the person has a password."""

    login: str
    shop_id: str | None
    role: Role | None
    is_known: bool

    @property
    def asks_for_known_password(self) -> bool:
        """Whether the link adds a shop to somebody who logs in already: then a shop's owner may not choose the password."""
        return self.is_known and self.shop_id is not None


class People:
    """People and memberships in the portal's database."""

    def __init__(self, database: PortalDatabase, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    def invite(self, login: str, shop_id: str, role: Role, now: datetime) -> str:
        """A one-time token that makes the person a member of the shop. Raises BadLogin."""
        return self._link(login_named(login), shop_id, role, now)

    def reset(self, login: str, now: datetime, *, asked_by_shop: str | None = None) -> str:
        """A one-time token to choose a new password, asked for by a shop's owner or by whoever runs the platform.

        Raises LookupError for a stranger, NotResettable.
        """
        with self._database.reading() as connection:
            known = connection.execute("select person_id from people where login = ?", [login.strip().lower()]).fetchone()
            shops = {
                row["shop_id"]
                for row in connection.execute(
                    "select shop_id from memberships where person_id = ?", [known["person_id"] if known else -1]
                )
            }
        if known is None or (asked_by_shop is not None and asked_by_shop not in shops):
            raise LookupError(f"nobody is called {login!r}")
        if asked_by_shop is not None and shops != {asked_by_shop}:
            raise NotResettable("ask whoever runs the platform: jishi portal users reset")
        return self._link(login.strip().lower(), None, None, now)

    def invitation(self, token: str, now: datetime) -> Invitation:
        """What the link of a token is for. Raises BadLink."""
        with self._database.reading() as connection:
            row = connection.execute(
                "select links.*, people.password_hash from links left join people using (login) "
                "where token_sha256 = ? and expires_at > ?",
                [digest(token), int(now.timestamp())],
            ).fetchone()
        if row is None:
            raise BadLink("this link was used or has run out; ask for a new one")
        role = role_named(row["role"]) if row["role"] else None
        return Invitation(row["login"], row["shop_id"], role, row["password_hash"] is not None)

    def accept(self, token: str, name: str, password: str, now: datetime) -> Invitation:
        """Use a link once: a new person chooses a password, a known one proves theirs, a reset ends all sessions.

        Raises BadLink, WeakPassword, WrongPassword.
        """
        invitation = self.invitation(token, now)
        kept = self._kept_hash(invitation.login)
        if invitation.asks_for_known_password:
            if not self._passwords.matches(password, kept):
                raise WrongPassword("this is not the password of the account")
            hashed = kept
        else:
            hashed = self._passwords.hash(password)
        with self._database.transaction() as connection:
            used = connection.execute(
                "delete from links where token_sha256 = ? and expires_at > ?", [digest(token), int(now.timestamp())]
            )
            if used.rowcount != 1:
                raise BadLink("this link was used or has run out; ask for a new one")
            connection.execute(
                "insert into people (login, name, password_hash, created_at) values (?, ?, ?, ?) "
                "on conflict (login) do update set password_hash = excluded.password_hash",
                [invitation.login, name.strip()[:80] or invitation.login, hashed, int(now.timestamp())],
            )
            [person_id] = connection.execute("select person_id from people where login = ?", [invitation.login]).fetchone()
            if invitation.shop_id is not None:
                connection.execute(
                    "insert into memberships values (?, ?, ?) on conflict do update set role = excluded.role",
                    [person_id, invitation.shop_id, invitation.role],
                )
                # Whoever asked for a new password before did so for an account that did not open this shop.
                connection.execute("delete from links where login = ? and shop_id is null", [invitation.login])
            else:
                connection.execute("delete from sessions where person_id = ?", [person_id])
        return invitation

    def person_of(self, login: str, password: str) -> int | None:
        """The person's number when name and password belong together; a wrong name takes as long as a wrong password."""
        with self._database.reading() as connection:
            row = connection.execute(
                "select person_id, password_hash from people where login = ?", [login.strip().lower()]
            ).fetchone()
        is_right = self._passwords.matches(password, row["password_hash"] if row else None)
        return int(row["person_id"]) if row and is_right else None

    def members(self, shop_id: str) -> list[Member]:
        """Everybody of a shop, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "select login, name, role from memberships join people using (person_id) where shop_id = ? order by login",
                [shop_id],
            ).fetchall()
        return [Member(row["login"], row["name"], role_named(row["role"])) for row in rows]

    def invited(self, shop_id: str, now: datetime) -> list[Member]:
        """Who has a link to the shop that was not used yet."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "select login, max(role) as role from links where shop_id = ? and expires_at > ? group by login order by login",
                [shop_id, int(now.timestamp())],
            ).fetchall()
        return [Member(row["login"], row["login"], role_named(row["role"])) for row in rows]

    def withdraw(self, login: str, shop_id: str) -> None:
        """Take back the links of somebody to a shop."""
        with self._database.transaction() as connection:
            connection.execute("delete from links where login = ? and shop_id = ?", [login, shop_id])

    def set_role(self, login: str, shop_id: str, role: Role | None) -> None:
        """Give a member another role, or with None take the membership. Raises LookupError, LastOwner."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "select person_id, login, role from memberships join people using (person_id) where shop_id = ?", [shop_id]
            ).fetchall()
            member = next((row for row in rows if row["login"] == login), None)
            if member is None:
                raise LookupError(f"{login!r} is no member of this shop")
            others = [row for row in rows if row["role"] == "owner" and row["login"] != login]
            if member["role"] == "owner" and role != "owner" and not others:
                raise LastOwner("a shop keeps at least one owner; make somebody else one first")
            where = [member["person_id"], shop_id]
            if role is None:
                connection.execute("delete from memberships where person_id = ? and shop_id = ?", where)
            else:
                connection.execute("update memberships set role = ? where person_id = ? and shop_id = ?", [role, *where])

    def _link(self, login: str, shop_id: str | None, role: Role | None, now: datetime) -> str:
        token = new_token()
        expires_at = int(now.timestamp()) + LINK_HOURS * 3600
        with self._database.transaction() as connection:
            connection.execute("delete from links where expires_at <= ?", [int(now.timestamp())])
            connection.execute("insert into links values (?, ?, ?, ?, ?)", [digest(token), login, shop_id, role, expires_at])
        return token

    def _kept_hash(self, login: str) -> str | None:
        with self._database.reading() as connection:
            row = connection.execute("select password_hash from people where login = ?", [login]).fetchone()
        return row["password_hash"] if row else None


def login_named(text: str) -> str:
    """The name to log in with: an e-mail address, or 2 to 64 lower-case letters, digits, dots, - and _. Raises BadLogin."""
    login = text.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise BadLogin(f"{text!r} is no login; write an e-mail address or a short name such as mei.chen")
    return login
