"""What stands before every page: who asks, for which shop, with which right, by which form, and the headers of the answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboard.portal.database import new_token
from dashboard.portal.live_streams import message
from dashboard.portal.published_marts import TooSlow
from dashboard.portal.roles import RIGHTS, Right
from dashboard.portal.sessions import COOKIE, VISITOR_COOKIE, LoginSession, is_form_token
from dashboard.portal.state import Portal
from dashboard.portal.visit import BadRequest, NoSuchPage, PageVisit, SentFile, ShopAccess
from dashboard.portal.words import Language, preferred
from jishi.lake import TableNotPublished
from jishi.metrics import MetricQueryRefused
from jishi.shops import Shops

log = logging.getLogger(__name__)
LANGUAGE_COOKIE = "jishi_portal_language"
LARGEST_FORM = 64 * 1024
_NOT_FOR_THIS_PERSON = (303, 403, 404)  # to the login, or no such right or shop; a stream says it so that its page asks
CLIENT_GONE = 499  # who sent a form went away before its end, and reads no status; nginx counts it so, too
# Nothing but the portal's own files; a page may neither be framed nor send a form elsewhere.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Cookie",
}


def framing(origin: str) -> dict[str, str]:
    """Headers of a page that may show one other origin's page in a frame."""
    policy = "Content-Security-Policy"
    return {policy: f"{HEADERS[policy]}; frame-src {origin}"}


@dataclass(frozen=True)
class PortalPage:
    """One address with what it needs: nobody in particular, somebody logged in, or a right in the shop of the address.

    ``is_of_script``: an open page asks for it by itself, again and again, which keeps no session alive.
    """

    path: str
    answer: Callable[[PageVisit], Response]
    needs: Literal["nothing", "login"] | Right
    method: Literal["GET", "POST"] = "GET"
    largest: int = LARGEST_FORM
    most_files: int = 0
    is_of_script: bool = False

    @property
    def _is_view(self) -> bool:
        """Whether it shows something of a shop; the audit log notes it, also where the page itself notes nothing."""
        return self.method == "GET" and "{shop_id}" in self.path and not self.is_of_script

    def route(self, portal: Portal) -> Route:
        """The page behind the front door."""

        async def endpoint(request: Request) -> Response:
            began, status = time.perf_counter(), 500
            try:
                answer = await respond(request)
                status = answer.status_code
                return answer
            except HTTPException as error:
                status = error.status_code
                raise
            except ClientDisconnect:
                status = CLIENT_GONE
                raise
            finally:
                portal.metrics.count(self.path, self.method, status, time.perf_counter() - began)

        async def respond(request: Request) -> Response:
            if self.method == "GET":
                return await run_in_threadpool(self._answered, portal, request, {})
            if int(request.headers.get("content-length") or self.largest + 1) > self.largest:
                return Response("this form is too large", 413, HEADERS, "text/plain")
            if self.most_files and not await run_in_threadpool(self._may_send, portal, request):
                return await run_in_threadpool(self._answered, portal, request, {})
            # Files go to the disk while they come; only text stays in memory.
            async with request.form(max_files=self.most_files, max_fields=40, max_part_size=LARGEST_FORM) as fields:
                form = {name: value for name, value in fields.items() if isinstance(value, str)}
                files = [SentFile(name, part.filename, part.file) for name, part in sent_files(fields) if part.filename]
                return await run_in_threadpool(self._answered, portal, request, form, files)

        return Route(self.path, endpoint, methods=[self.method], name=f"{self.method} {self.path}")

    def _may_send(self, portal: Portal, request: Request) -> bool:
        """Whether files are read at all: for somebody with the right, from a page of this portal."""
        session = portal.sessions.session_of(request.cookies.get(COOKIE), portal.clock())
        role = session.roles.get(str(request.path_params.get("shop_id"))) if session else None
        return role is not None and self.needs in RIGHTS[role] and is_of_this_site(request)

    def _answered(self, portal: Portal, request: Request, form: Mapping[str, str], files: Sequence[SentFile] = ()) -> Response:
        now = portal.clock()
        token = request.cookies.get(COOKIE)
        session = portal.sessions.session_of(token, now, is_used=not self.is_of_script)
        visitor = request.cookies.get(VISITOR_COOKIE) or ""
        new_visitor = "" if session or visitor else new_token()
        cookie = (token or "") if session else visitor or new_visitor
        visit = PageVisit(portal, request, form, now, language_of(request), cookie, session, files=files)
        answer = self._checked(visit)
        if answer.status_code in _NOT_FOR_THIS_PERSON and "text/event-stream" in request.headers.get("accept", ""):
            answer = Response(message("", "ended"), media_type="text/event-stream")
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        if new_visitor:
            set_cookie(visit, answer, VISITOR_COOKIE, new_visitor)
        return answer

    def _checked(self, visit: PageVisit) -> Response:
        if self.needs != "nothing" and visit.session is None:
            return to_login(visit.request)
        try:
            if "{shop_id}" in self.path:
                visit = replace(visit, access=access_of(visit, visit.person))
            if self.method == "POST":
                refusal = refuse_foreign_form(visit)
                if refusal is not None:
                    return refusal
            if self.needs != "nothing" and self.needs != "login" and not visit.shop.may(self.needs):
                return visit.page("forbidden.html", 403)
            answer = self.answer(visit)
            if self._is_view and not visit.audited and answer.status_code == 200:
                visit.audit("saw", page=visit.request.url.path.removeprefix(visit.path("")))
            return answer
        except NoSuchPage:
            return visit.page("missing.html", 404)
        except BadRequest as error:
            return visit.page("refused.html", 400, text=error.text, values=error.values)
        except MetricQueryRefused as error:
            log.info("%s %s: %s", self.method, self.path, error)
            return visit.page("refused.html", 400, text="The numbers cannot be chosen by this.", values={})
        except TooSlow as error:
            log.warning("%s %s: %s", self.method, self.path, error)
            return visit.page("slow.html", 503)
        except TableNotPublished as error:
            log.info("no marts for a page: %s", error)
            return visit.page("unpublished.html", 200)
        except Exception:  # the log has the traceback, the page nothing of it
            log.exception("%s %s failed", self.method, self.path)
            return visit.page("failed.html", 500)


def access_of(visit: PageVisit, person: LoginSession) -> ShopAccess:
    """The shop of the address for this person. Raises NoSuchPage for any other, known or not."""
    shop_id = str(visit.request.path_params["shop_id"])
    shop = Shops.load(visit.portal.paths.shops_file).shops.get(shop_id) if shop_id in person.roles else None
    if shop is None or shop.state == "left":
        raise NoSuchPage
    return ShopAccess(shop, person.roles[shop_id])


def refuse_foreign_form(visit: PageVisit) -> Response | None:
    """A form from another site, or of another session, is refused."""
    if is_of_this_site(visit.request) and is_form_token(visit.form.get("form_token", ""), visit.cookie):
        return None
    return visit.page("stale_form.html", 403)


def is_of_this_site(request: Request) -> bool:
    """Whether a browser says that a page of this portal, or nobody's, sent the request."""
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def sent_files(fields: FormData) -> list[tuple[str, UploadFile]]:
    """The files of a form with the fields that they came in."""
    return [(name, part) for name, part in fields.multi_items() if isinstance(part, UploadFile)]


def to_login(request: Request) -> Response:
    """To the login, and back afterwards; a part of a page that htmx asked for takes the whole page along."""
    if "hx-request" in request.headers:
        return Response(headers={"HX-Redirect": "/login"})
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(back)}" if request.method == "GET" and back != "/" else "/login", 303)


def language_of(request: Request) -> Language:
    """The language that was chosen, else the browser's."""
    match request.cookies.get(LANGUAGE_COOKIE):
        case "zh":
            return "zh"
        case "en":
            return "en"
        case _:
            return preferred(request.headers.get("accept-language", ""))


def set_cookie(visit: PageVisit, answer: Response, name: str, value: str, max_age_s: int | None = None) -> None:
    """A cookie that no script reads and no other site sends along with a form; over HTTPS alone where browsers come by it.

    A proxy on another machine ends HTTPS, and uvicorn believes none but one of this machine: the portal's address says it.
    """
    is_https = visit.request.url.scheme == "https" or visit.portal.settings.portal_address.startswith("https:")
    answer.set_cookie(name, value, max_age_s, path="/", secure=is_https, httponly=True, samesite="lax")
