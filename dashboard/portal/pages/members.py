"""Who belongs to a shop, in which role, and what they did: for owners."""

from __future__ import annotations

from starlette.responses import Response

from dashboard.portal.audit_words import words_of_detail
from dashboard.portal.people import BadLogin, LastOwner, NotResettable, login_named
from dashboard.portal.roles import ROLES, Role, role_named
from dashboard.portal.visit import NoSuchPage, PageVisit

_AUDIT_PAGE = 200


def members(visit: PageVisit) -> Response:
    """Members and open invitations."""
    return _members(visit)


def invite(visit: PageVisit) -> Response:
    """A one-time link for a new member; it is shown once, on this page alone."""
    role = _role(visit)
    try:
        login = login_named(visit.form.get("login", ""))
    except BadLogin:
        return _members(visit, error="This is no login: write an e-mail address or a short name such as mei.chen.", status=400)
    token = visit.portal.people.invite(login, visit.shop.shop.shop_id, role, visit.now)
    visit.audit("invited", login=login, role=role)
    return _members(visit, link=(login, token))


def withdraw(visit: PageVisit) -> Response:
    """Take an open invitation back."""
    login = visit.form.get("login", "")
    visit.portal.people.withdraw(login, visit.shop.shop.shop_id)
    visit.audit("withdrew", login=login)
    return visit.redirect(visit.path("members"))


def change_role(visit: PageVisit) -> Response:
    """Another role for a member."""
    return _set_role(visit, _role(visit))


def remove(visit: PageVisit) -> Response:
    """Take a member out of the shop."""
    return _set_role(visit, None)


def reset(visit: PageVisit) -> Response:
    """A one-time link to choose a new password, for a member of this shop alone."""
    login = visit.form.get("login", "")
    try:
        token = visit.portal.people.reset(login, visit.now, asked_by_shop=visit.shop.shop.shop_id)
    except NotResettable:
        return _members(visit, error="{login} cannot be reset here; ask whoever runs the platform.", status=403, login=login)
    except LookupError:
        return _members(visit, error="There is no such member.", status=404)
    visit.audit("asked for a reset", login=login)
    return _members(visit, link=(login, token))


def audit_log(visit: PageVisit) -> Response:
    """Acts in this shop, newest first, of everybody and of all kinds or of one."""
    log, shop_id = visit.portal.audit, visit.shop.shop.shop_id
    action, login, number = visit.query.get("action"), visit.query.get("who"), visit.number_of("page")
    entries = log.newest(shop_id, _AUDIT_PAGE + 1, action, login, (number - 1) * _AUDIT_PAGE)
    chosen = {name: value for name, value in (("action", action), ("who", login)) if value}
    return visit.page(
        "audit.html",
        entries=entries[:_AUDIT_PAGE],
        has_next=len(entries) > _AUDIT_PAGE,
        number=number,
        first_row=(number - 1) * _AUDIT_PAGE + 1,
        page_of=lambda page: visit.path("audit", **chosen, page=page),
        action=action,
        who=login,
        actions=log.values(shop_id, "action"),
        logins=log.values(shop_id, "login"),
        words_of=lambda detail: words_of_detail(detail, visit.language),
    )


def _set_role(visit: PageVisit, role: Role | None) -> Response:
    login = visit.form.get("login", "")
    try:
        visit.portal.people.set_role(login, visit.shop.shop.shop_id, role)
    except LastOwner:
        return _members(visit, error="A shop keeps at least one owner; make somebody else one first.", status=409)
    except LookupError:
        return _members(visit, error="There is no such member.", status=404)
    visit.audit("changed a role" if role else "removed", login=login, role=role)
    return visit.redirect(visit.path("members"))


def _role(visit: PageVisit) -> Role:
    try:
        return role_named(visit.form.get("role", ""))
    except ValueError:
        raise NoSuchPage from None


def _members(
    visit: PageVisit, *, link: tuple[str, str] | None = None, error: str | None = None, status: int = 200, login: str = ""
) -> Response:
    shop_id, people = visit.shop.shop.shop_id, visit.portal.people
    return visit.page(
        "members.html",
        status,
        members=people.members(shop_id),
        invited=people.invited(shop_id, visit.now),
        roles=ROLES,
        link_login=link[0] if link else None,
        link=f"{visit.request.base_url}links/{link[1]}" if link else None,
        error=visit.text(error, login=login) if error else None,
    )
