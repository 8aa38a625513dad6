"""What a member of a shop may do there."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["owner", "marketer", "analyst", "read_only"]
Right = Literal["see", "rows", "people", "export", "workbench", "upload", "rules", "manage"]

ROLES: tuple[Role, ...] = get_args(Role)
# see: pages. rows: what lies behind a number. people: rows that name persons. export: files. workbench: Superset's boards.
# upload: files of orders and the like, and what was rejected. rules: trying and publishing rules of lists.
# manage: members, settings, keys and audit log.
RIGHTS: dict[Role, frozenset[Right]] = {
    "owner": frozenset({"see", "rows", "people", "export", "workbench", "upload", "rules", "manage"}),
    "marketer": frozenset({"see", "rows", "people", "export", "workbench", "upload", "rules"}),
    "analyst": frozenset({"see", "rows", "export", "workbench"}),
    "read_only": frozenset({"see"}),
}


def role_named(text: str) -> Role:
    """The role, or ValueError with the roles that there are."""
    for role in ROLES:
        if role == text:
            return role
    raise ValueError(f"{text!r} is no role; choose {', '.join(ROLES)}")
