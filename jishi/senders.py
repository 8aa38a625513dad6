"""Who is at the other end of a connection, for limits: an IPv4 address, or the network that one subscriber of IPv6 has."""

from __future__ import annotations

import ipaddress
import re

_WITH_PORT = re.compile(r"\[(.+)\](?::\d+)?|([^:]+):\d+")  # as some proxies write who asks them, such as Azure's
_SUBSCRIBER = 64  # RFC 6177: nobody is given less, so that one machine may have 2^64 addresses


def sender_of(address: str) -> str:
    """What is counted of an address; text that is none stands for itself.

    >>> sender_of("203.0.113.7"), sender_of("::ffff:203.0.113.7"), sender_of("2001:db8::1:2"), sender_of("testclient")
    ('203.0.113.7', '203.0.113.7', '2001:db8::/64', 'testclient')
    >>> sender_of("203.0.113.7:51234"), sender_of("[2001:db8::1:2]:443")
    ('203.0.113.7', '2001:db8::/64')
    """
    if match := _WITH_PORT.fullmatch(address):
        address = match[1] or match[2]
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((int(ip), _SUBSCRIBER), strict=False))


def visitor_address(peer: str, forwarded: str, proxies: int) -> str:
    """The address of who asks: who sent the request (``peer``), or, behind so many proxies, whom the outermost of them names in
    X-Forwarded-For. What stands to the left of that anybody may have written.

    >>> visitor_address("10.0.0.1", "made up, 1.1.1.1, 10.0.0.2", 2), visitor_address("10.0.0.1", "made up", 0)
    ('1.1.1.1', '10.0.0.1')
    """
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()][-proxies:] if proxies else []
    return hops[0] if hops else peer
