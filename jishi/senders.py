"""Who is at the other end of a connection, for limits: an IPv4 address, or the network that one subscriber of IPv6 has."""

from __future__ import annotations

import ipaddress

_SUBSCRIBER = 64  # RFC 6177: nobody is given less, so that one machine may have 2^64 addresses


def sender_of(address: str) -> str:
    """What is counted of an address; text that is none stands for itself.

    >>> sender_of("203.0.113.7"), sender_of("::ffff:203.0.113.7"), sender_of("2001:db8::1:2"), sender_of("testclient")
    ('203.0.113.7', '203.0.113.7', '2001:db8::/64', 'testclient')
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((int(ip), _SUBSCRIBER), strict=False))
