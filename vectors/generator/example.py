"""The logs that the cases are made from.  `EXAMPLE` is the worked example of docs/spec/example.md."""

from __future__ import annotations

from generator.ledger import Log
from generator.signing import key
from generator.tree import sha256

OPERATOR = "ledger.example.com"
KEY = key("counterfoil example signing key")
REFERENCE_KEY = sha256(b"counterfoil example reference key")
VKEY = KEY.vkey(OPERATOR)

# Somebody else's, for everything that must not be mixed up.
OTHER_OPERATOR = "other.example.net"
OTHER_KEY = key("counterfoil example other signing key")
WITNESS = "witness.example.org/w1"
WITNESS_KEY = key("counterfoil example witness key")


def salt(number: int) -> bytes:
    """Return the n-th salt of the example."""
    return sha256(f"counterfoil example salt {number}".encode())


def _log(customer_id: str) -> Log:
    return Log(OPERATOR, "acme", customer_id, key=KEY, reference_key=REFERENCE_KEY)


def _example() -> Log:
    log = _log("cust_001")
    log.open("2026-04-01T09:00:00.000000Z", salt(0))
    log.delta("500", "2026-04-01T09:00:00.000001Z", "req-0001", salt(1), {"reason": "initial_deposit"})
    log.delta(
        "-12.5",
        "2026-04-02T10:30:00.250000Z",
        "req-0002",
        salt(2),
        {"reason": "api_call", "referenceId": "line_001", "metadata": {"model": "a\u00e9", "tokens": 1200}},
        effectiveAt="2026-04-02T10:29:59.000000Z",
    )
    log.seal("2026-04-30T23:59:59.999999Z")
    return log


def _grown() -> Log:
    """The worked example with its second month: a refund that corrects entry 2, and a seal."""
    log = _example()
    log.delta(
        "2.5",
        "2026-05-04T08:15:00.000000Z",
        "req-0003",
        salt(4),
        {"reason": "refund", "referenceId": "line_001"},
        adjusts="2",
    )
    log.seal("2026-05-31T23:59:59.999999Z")
    return log


def _neighbour() -> Log:
    """Another customer of the same operator and tenant, with a log of the same shape."""
    log = _log("cust_002")
    log.open("2026-04-01T09:00:01.000000Z", salt(10))
    log.delta("200", "2026-04-01T09:00:01.000001Z", "req-0001", salt(11), {"reason": "initial_deposit"})
    log.delta("-12.5", "2026-04-02T10:30:01.250000Z", "req-0002", salt(12), {"reason": "api_call"})
    log.seal("2026-04-30T23:59:59.999999Z")
    return log


def _long() -> Log:
    """A log of 257 entries with a seal under each of the sizes 2, 3, 7, 8, 255, 256 and 257."""
    log = _log("cust_003")
    log.open("2026-05-01T00:00:00.000000Z", salt(20))
    for index in range(1, 257):
        at = f"2026-05-01T00:{index // 60:02}:{index % 60:02}.000000Z"
        if index in {1, 2, 6, 7, 254, 255, 256}:
            log.seal(at)
            continue
        amount = "1000" if index == 3 else f"-0.{index:03}".rstrip("0")  # noqa: PLR2004  -- the first delta
        optional = {"adjusts": "8"} if index == 10 else {}  # noqa: PLR2004  -- one that corrects another
        log.delta(amount, at, f"req-{index:04}", salt(20 + index), {"reason": f"call {index}"}, **optional)
    return log


def _week() -> Log:
    """A log of twelve entries, a second apart, with a seal under each of the sizes 6 and 12."""
    log = _log("cust_004")
    log.open("2026-06-01T00:00:00.000000Z", salt(400))
    for index, amount in enumerate(
        ["40", "-2.5", "-1", "-0.75", "", "10", "-3", "-0.000000001", "2", "-1"], 1
    ):
        at = f"2026-06-01T00:00:{index:02}.000000Z"
        if amount:
            log.delta(amount, at, f"req-{index:04}", salt(400 + index), {"reason": f"call {index}"})
        else:
            log.seal(at)
    log.seal("2026-06-01T00:00:11.000000Z")
    return log


EXAMPLE = _example()
GROWN = _grown()
APRIL = ("2026-04-01T00:00:00.000000Z", "2026-05-01T00:00:00.000000Z")
MAY = ("2026-05-01T00:00:00.000000Z", "2026-06-01T00:00:00.000000Z")
NEIGHBOUR = _neighbour()
LONG = _long()
WEEK = _week()
