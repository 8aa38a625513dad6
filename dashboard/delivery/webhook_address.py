"""Which webhook may be called: a public host over HTTPS, at the very address that was checked.

A shop's owner writes the address, and the platform calls it from within its own network; without this check it would be a way
to whatever listens there (server-side request forgery, OWASP).
"""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address behind a translator


class BadWebhook(ValueError):
    """An address that the platform does not call; the message says why."""


class CheckedWebhook(NamedTuple):
    """A webhook with the network address that its host has now."""

    url: SplitResult
    ip: str


def checked_form(text: str, *, allow_private: bool = False) -> SplitResult:
    """The parts of an address whose form can be called. Raises BadWebhook."""
    try:
        url = urlsplit(text.strip())
        port = url.port
    except ValueError:
        raise BadWebhook("This is no address: copy it from the group chat's settings.") from None
    if url.scheme != "https" and not (allow_private and url.scheme == "http"):
        raise BadWebhook("A webhook begins with https://.")
    if not url.hostname or url.username is not None or url.password is not None or not text.strip().isprintable():
        raise BadWebhook("This is no address: copy it from the group chat's settings.")
    if port not in (None, 443) and not allow_private:
        raise BadWebhook("A webhook listens on port 443.")
    return url


def checked_webhook(text: str, *, allow_private: bool = False) -> CheckedWebhook:
    """The webhook with its host looked up; every address of the host must be public. Raises BadWebhook, OSError."""
    url = checked_form(text, allow_private=allow_private)
    port = url.port or (443 if url.scheme == "https" else 80)
    answers = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
    ips = [str(address[0]) for *_, address in answers]
    if not allow_private and not all(is_public(ip) for ip in ips):
        raise BadWebhook("This host lies in a private network.")
    return CheckedWebhook(url, ips[0])


def is_public(text: str) -> bool:
    """Whether anybody in the internet could be meant, whatever form hides an IPv4 address.

    >>> is_public("127.0.0.1"), is_public("::ffff:10.0.0.1"), is_public("169.254.169.254"), is_public("1.1.1.1")
    (False, False, False, True)
    """
    ip = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        hidden = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _TRANSLATED:
            hidden = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if hidden is not None:
            return is_public(str(hidden))
    return ip.is_global and not ip.is_multicast
