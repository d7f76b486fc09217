"""Which addresses a server may be sent to: public ones, and no form of any other."""

from ipaddress import ip_address

import pytest

from counterfoil.web.addresses import is_public

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:2800:220:1:248:1893:25c8:1946",
    "2a00:1450:4001:81b::200e",
    "2001:4860:4860::8888",
    # An address that has IPv4 behind it, and a public one.
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
INSIDE = [
    # Unspecified, and what reaches the own host by it.
    "0.0.0.0",  # noqa: S104  -- nothing is bound
    "0.1.2.3",
    "::",
    # Loopback.
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    # Private.
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fec0::1",
    # Link-local, cloud metadata among it.
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:2800:220:1::1%eth0",
    "fd00:ec2::254",
    "168.63.129.16",
    "::ffff:168.63.129.16",
    # Shared, protocols, examples, benchmarks.
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "100::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    # Multicast, reserved, broadcast.
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "ff02::1",
    "4000::1",
    # Forms that carry an IPv4 address.
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::10.0.0.1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "::ffff:0:127.0.0.1",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_one(text):
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", INSIDE)
def test_an_address_that_leads_inside_is_not(text):
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", [each for each in PUBLIC if not each.startswith(("::ffff", "64:"))])
def test_python_agrees_about_public_ones(text):
    assert ip_address(text).is_global


def test_what_python_holds_for_private_is_not_public():
    """An independent table, of which ours may only refuse more."""
    first_of_each = [f"{first}.{second}.0.1" for first in range(256) for second in range(256)]
    ours = {text for text in first_of_each if is_public(ip_address(text))}
    theirs = {
        text
        for text in first_of_each
        if (address := ip_address(text)).is_global and not (address.is_multicast or address.is_reserved)
    }
    assert ours <= theirs
    assert len(ours) > 50_000
