"""Log in and out, use a one-time link, choose a shop and a language."""

from __future__ import annotations

from starlette.responses import Response

from dashboard.portal.front_door import LANGUAGE_COOKIE, set_cookie
from dashboard.portal.passwords import WeakPassword
from dashboard.portal.people import BadLink, WrongPassword
from dashboard.portal.rate_limits import TooManyAttempts
from dashboard.portal.sessions import COOKIE, LONGEST_S
from dashboard.portal.visit import NoSuchPage, PageVisit

_YEAR_S = 365 * 24 * 3600


def home(visit: PageVisit) -> Response:
    """The one shop of a person, or the list of shops."""
    roles = visit.person.roles
    return visit.redirect(f"/shops/{next(iter(roles))}/today" if len(roles) == 1 else "/shops")


def shops(visit: PageVisit) -> Response:
    """The person's shops."""
    return visit.page("shops.html")


def login_form(visit: PageVisit) -> Response:
    """The form, or on to the pages for somebody who is logged in."""
    if visit.session is not None:
        return visit.redirect(local_address(visit.query.get("next")))
    return visit.page(
        "login.html", back=local_address(visit.query.get("next")), login="", error=None, done="done" in visit.query
    )


def log_in(visit: PageVisit) -> Response:
    """Check name and password; each failure is counted, and too many make everybody wait."""
    portal, login, back = visit.portal, visit.form.get("login", ""), local_address(visit.form.get("next"))
    try:
        portal.limits.check(login, visit.address, visit.now)
    except TooManyAttempts as error:
        answer = _refused_login(visit, login, back, 429, _too_many(visit, error))
        answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer
    person_id = portal.people.person_of(login, visit.form.get("password", ""))
    if person_id is None:
        portal.limits.failed(login, visit.address, visit.now)
        return _refused_login(visit, login, back, 403, visit.text("Name and password do not belong together."))
    portal.limits.succeeded(login)
    portal.audit.add(visit.now, login.strip().lower(), "logged in")
    answer = visit.redirect(back)
    set_cookie(visit, answer, COOKIE, portal.sessions.begin(person_id, visit.now), LONGEST_S)
    return answer


def log_out(visit: PageVisit) -> Response:
    """End the session on the server."""
    visit.portal.sessions.end(visit.cookie)
    answer = visit.redirect("/login")
    answer.delete_cookie(COOKIE, path="/")
    return answer


def link_form(visit: PageVisit) -> Response:
    """What a one-time link is for."""
    return _link_page(visit, None)


def use_link(visit: PageVisit) -> Response:
    """Take an invitation, or choose a new password. Wrong passwords count as at the login."""
    portal, token = visit.portal, str(visit.request.path_params["token"])
    try:
        login = portal.people.invitation(token, visit.now).login
        portal.limits.check(login, visit.address, visit.now)
        invitation = portal.people.accept(token, visit.form.get("name", ""), visit.form.get("password", ""), visit.now)
    except BadLink:
        raise NoSuchPage from None
    except TooManyAttempts as error:
        return _link_page(visit, _too_many(visit, error), 429)
    except WeakPassword:
        return _link_page(visit, visit.text("A password has 12 to 200 characters, at least five of them different."), 400)
    except WrongPassword:
        portal.limits.failed(login, visit.address, visit.now)
        return _link_page(visit, visit.text("This is not the password of the account."), 403)
    portal.audit.add(visit.now, invitation.login, "joined" if invitation.shop_id else "chose a password", invitation.shop_id)
    return visit.redirect("/login?done=1")


def choose_language(visit: PageVisit) -> Response:
    """Remember a language and come back."""
    answer = visit.redirect(local_address(visit.form.get("next")))
    set_cookie(visit, answer, LANGUAGE_COOKIE, "en" if visit.form.get("language") == "en" else "zh", _YEAR_S)
    return answer


def healthz(visit: PageVisit) -> Response:
    """The process answers and its database can be read."""
    with visit.portal.audit.database.reading() as connection:
        connection.execute("select 1").fetchone()
    return Response("ok", media_type="text/plain")


def missing(visit: PageVisit) -> Response:
    """Every address that there is not."""
    raise NoSuchPage


def local_address(text: str | None) -> str:
    """An address of this portal, never of another site; the front page for anything else."""
    is_local = bool(text) and str(text).startswith("/") and not str(text).startswith(("//", "/\\")) and "\\" not in str(text)
    return str(text) if is_local and str(text).isprintable() else "/"


def _too_many(visit: PageVisit, error: TooManyAttempts) -> str:
    minutes = -(-error.retry_after_s // 60)
    return visit.text("Too many wrong passwords. Try again in {minutes} minutes.", minutes=minutes)


def _refused_login(visit: PageVisit, login: str, back: str, status: int, error: str) -> Response:
    return visit.page("login.html", status, back=back, login=login, error=error, done=False)


def _link_page(visit: PageVisit, error: str | None, status: int = 200) -> Response:
    try:
        invitation = visit.portal.people.invitation(str(visit.request.path_params["token"]), visit.now)
    except BadLink:
        raise NoSuchPage from None
    return visit.page("link.html", status, invitation=invitation, error=error)
