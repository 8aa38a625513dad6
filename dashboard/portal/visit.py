"""One request to the portal, as its pages see it, and what they may answer with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dashboard.portal.columns import Column
from dashboard.portal.formats import Formats
from dashboard.portal.roles import RIGHTS, Right, Role
from dashboard.portal.sections import SECTIONS, SETUP_SECTIONS, Section
from dashboard.portal.sessions import LoginSession, form_token
from dashboard.portal.shop_marts import ShopMarts, marts_of_shop
from dashboard.portal.state import Portal
from dashboard.portal.words import Language, translated
from jishi.senders import visitor_address
from jishi.shops import Shop, Shops

_FIRST_YEAR, _LAST_YEAR = 1970, 2199  # a year and a period before and after them is a date, too
_ENGLISH = frozenset({"title_en", "sentence", "customer__segment"})
_CHINESE = frozenset({"title", "sentence_zh", "segment_zh", "layer_zh", "customer__segment_zh"})


class BadRequest(ValueError):
    """Something in an address or a form is wrong; the message is a text of words that names it and the fix."""

    def __init__(self, text: str, **values: str) -> None:
        super().__init__(text)
        self.text, self.values = text, values


class NoSuchPage(LookupError):
    """There is nothing, or nothing for this person; both are answered alike."""


class SentFile(NamedTuple):
    """A file of a form: the field that it came in, the name that a browser gave it, and its bytes."""

    field: str
    name: str
    content: BinaryIO


@dataclass(frozen=True)
class ShopAccess:
    """The shop of the address, with the person's role in it."""

    shop: Shop
    role: Role

    def may(self, right: Right) -> bool:
        """Whether the role has the right."""
        return right in RIGHTS[self.role]


@dataclass(frozen=True)
class PageVisit:
    """One request. ``session`` is None before the login, ``access`` outside of a shop's pages; ``cookie`` ties its forms."""

    portal: Portal
    request: Request
    form: Mapping[str, str]
    now: datetime
    language: Language
    cookie: str
    session: LoginSession | None = None
    access: ShopAccess | None = None
    files: Sequence[SentFile] = ()
    audited: list[str] = field(default_factory=list)  # what was noted of this visit

    @property
    def query(self) -> Mapping[str, str]:
        """Parameters of the address that are not empty."""
        return {name: value for name, value in self.request.query_params.items() if value.strip()}

    @property
    def person(self) -> LoginSession:
        """Who is logged in; only for pages behind the login."""
        assert self.session is not None
        return self.session

    @property
    def address(self) -> str:
        """The network address of who asks, behind proxies too."""
        peer = self.request.client.host if self.request.client else ""
        forwarded = ",".join(self.request.headers.getlist("X-Forwarded-For"))
        return visitor_address(peer, forwarded, self.portal.settings.trusted_proxies)

    @property
    def shop(self) -> ShopAccess:
        """The shop; only for a shop's pages."""
        assert self.access is not None
        return self.access

    @contextmanager
    def marts(self) -> Iterator[ShopMarts]:
        """The published marts with this shop's rows. Raises TableNotPublished."""
        with marts_of_shop(self.portal.marts, self.shop.shop.shop_id) as marts:
            yield marts

    def formats(self, marts: ShopMarts) -> Formats:
        """How this shop's values are written, in the currency of this build."""
        [about] = marts.select("dim_shops", ["currency", "time_zone"]) or [{}]
        shop = self.shop.shop
        return Formats(self.language, about.get("currency") or shop.currency, about.get("time_zone") or shop.time_zone)

    def today(self) -> date:
        """The day that it is in the shop."""
        return self.now.astimezone(ZoneInfo(self.shop.shop.time_zone)).date()

    def date_of(self, name: str) -> date | None:
        """A day of the address, None without one. Raises BadRequest."""
        text = self.query.get(name)
        try:
            day = date.fromisoformat(text.strip()) if text else None
            if day is not None and not _FIRST_YEAR <= day.year <= _LAST_YEAR:
                raise ValueError(text)
            return day
        except ValueError:
            raise BadRequest("{field} is not a date; write it as 2026-11-30.", field=name) from None

    def dates(self) -> tuple[date | None, date | None]:
        """First and last day of the address. Raises BadRequest."""
        first, last = self.date_of("from"), self.date_of("to")
        if first and last and first > last:
            raise BadRequest("The first date lies after the last.")
        return first, last

    def number_of(self, name: str) -> int:
        """A whole number from 1 on, 1 without one. Raises BadRequest."""
        text = self.query.get(name, "1")
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10**6):
            raise BadRequest("{field} is not a number from 1 on.", field=name)
        return int(text)

    def path(self, *parts: str, **query: object) -> str:
        """An address below the shop's."""
        address = "/".join(("", "shops", self.shop.shop.shop_id, *parts))
        return f"{address}?{urlencode(query, doseq=True)}" if query else address

    @property
    def sections(self) -> list[Section]:
        """The menu's pages for this person; only for a shop's pages."""
        return [section for section in SECTIONS if self.shop.may(section.needs)]

    @property
    def setup_sections(self) -> list[Section]:
        """Pages on which the shop is set up, for this person; none outside of a shop."""
        return [section for section in SETUP_SECTIONS if self.access and self.shop.may(section.needs)]

    @property
    def section_name(self) -> str:
        """The part of a shop's address that names the menu's page."""
        return self.request.url.path.removeprefix(self.path("")).partition("/")[0]

    def text(self, text: str, **values: object) -> str:
        """A text of words in the visit's language."""
        return translated(text, self.language, **values)

    def audit(self, action: str, **detail: Any) -> None:
        """Note what the person did in this shop."""
        self.audited.append(action)
        self.portal.audit.add(self.now, self.person.login, action, self.shop.shop.shop_id, detail)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A template with what every page needs."""
        shops = Shops.load(self.portal.paths.shops_file).shops
        mine = [shops[shop_id] for shop_id in (self.session.roles if self.session else ()) if shop_id in shops]
        mine = [shop for shop in mine if shop.state != "left"]
        text = self.portal.templates.get_template(template).render(
            visit=self,
            language=self.language,
            t=self.text,
            form_token=form_token(self.cookie),
            mine=mine,
            assets=self.portal.assets,
            **values,
        )
        return HTMLResponse(text, status)

    def redirect(self, address: str) -> Response:
        """Go on with another page."""
        return RedirectResponse(address, 303)

    def local_time(self, epoch_s: float) -> str:
        """The time of day of an instant on the shop's clock, with the day where it is another than today."""
        local = datetime.fromtimestamp(epoch_s, ZoneInfo(self.shop.shop.time_zone))
        return f"{local:%H:%M:%S}" if local.date() == self.today() else f"{local:%Y-%m-%d %H:%M}"

    def local(self, instant: datetime) -> str:
        """An instant on the clock of the shop, or UTC outside of one."""
        zone = ZoneInfo(self.access.shop.time_zone) if self.access else UTC
        return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"

    @property
    def other_language(self) -> frozenset[str]:
        """Columns that say in the other language what another column says."""
        return _ENGLISH if self.language == "zh" else _CHINESE

    def label(self, column: Column) -> str:
        """What a column is called."""
        return column.zh if self.language == "zh" else column.en
