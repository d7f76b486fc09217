"""Which addresses lie outside: those that whoever names a host may make a server connect to.

All others lead inside, to the server itself, to its network, or to nobody (server-side request forgery).  The lists are
those of IANA's registries of special addresses, and one address beside them; they stand here because what Python's
`is_global` says of some of them has changed from release to release.  A public address that the server's own host or
network has is public all the same: nothing here knows of it.

An address that carries an IPv4 address is what that one is: mapped (::ffff:0:0/96), and translated (64:ff9b::/96,
RFC 6052), which is how a host that has IPv6 alone reaches the rest.  Other forms that carry one are refused.

Source: docs/api/webhooks.md#addresses.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

_INSIDE_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by a provider's customers
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # what Azure tells its hosts: reached from inside alone
            "169.254.0.0/16",  # link-local, and there what clouds tell their hosts
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocols
            "192.0.2.0/24",  # examples
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # examples
            "203.0.113.0/24",  # examples
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
# Whatever is handed out to hosts lies in this one, and not in those.
_OUTSIDE_6: Final = IPv6Network("2000::/3")
_INSIDE_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols: Teredo among them, which carries an IPv4 address
            "2001:db8::/32",  # examples
            "2002::/16",  # 6to4, which carries an IPv4 address
            "3fff::/20",  # examples
        ),
    )
)
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
_IPV4_BITS: Final = 0xFFFF_FFFF


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address lies outside, for everybody the same."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _INSIDE_4)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address.scope_id is not None:
        return False
    if address in _TRANSLATED:
        return is_public(IPv4Address(int(address) & _IPV4_BITS))
    return address in _OUTSIDE_6 and not any(address in network for network in _INSIDE_6)
