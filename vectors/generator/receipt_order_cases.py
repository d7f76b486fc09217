"""Receipts in which two faults meet: the stated order of steps 1 and 7 decides which code comes first."""

from __future__ import annotations

from generator.example import EXAMPLE, KEY, NEIGHBOUR, OPERATOR, salt
from generator.ledger import Log
from generator.model import Case
from generator.mutate import flip
from generator.receipt_parts import (
    MAKER,
    ORIGIN,
    SIZE,
    Receipt,
    changed,
    named,
    paths_as_text,
    plain,
    proof,
    refuse_form,
    request,
    signed_checkpoint,
    text,
    without,
)
from generator.signing import b64

_LARGE_ENTRY = {**EXAMPLE.entries[2], "padding": "x" * 2048}
_LARGE_VALUE = {"reason": "x" * 16384}
_LATER = {**EXAMPLE.entries[3], "type": "counterfoil/redaction@v1", "index": "2"}


def _plain(**members: object) -> Receipt:
    return {**plain(), **members}


def _named(**members: object) -> Receipt:
    """Return the receipt with `open`, some members of which are others."""
    receipt = named()
    receipt["open"].update(members)
    return receipt


def _details(**members: object) -> dict[str, object]:
    return {"salt": salt(2).hex(), "value": EXAMPLE.value(2), **members}


def _forms() -> list[Case]:
    with_extra = proof().replace("\nindex", "\nextra AAAA\nindex")
    of_other_shape = proof(checkpoint=signed_checkpoint(f"{OPERATOR}/acme/cust_001"))
    short = salt(2).hex()[2:]
    malformed: list[tuple[str, str, Receipt | str]] = [
        (
            "order-number-type",
            "2^53 in the details of a receipt of version 2",
            text(changed(plain, "type", to="counterfoil/receipt@v2")).replace("1200", "9007199254740992"),
        ),
        (
            "order-member-entry",
            "an unknown member, and an entry of over 2,048 bytes",
            _plain(entry=_LARGE_ENTRY, note=""),
        ),
        (
            "order-proof-entry",
            "a proof with an `extra` line, and an entry of over 2,048 bytes",
            _plain(entry=_LARGE_ENTRY, proof=with_extra),
        ),
        (
            "order-origin-entry",
            "an origin that is no customer's log, and an entry of over 2,048 bytes",
            _plain(entry=_LARGE_ENTRY, proof=of_other_shape),
        ),
        (
            "order-proof-details",
            "a proof with an `extra` line, and details of over 16,384 bytes",
            _plain(proof=with_extra, details=_details(value=_LARGE_VALUE)),
        ),
        (
            "order-amount-details",
            "an amount with a trailing zero, and details of over 16,384 bytes",
            _plain(entry={**EXAMPLE.entries[2], "amount": "-12.50"}, details=_details(value=_LARGE_VALUE)),
        ),
        (
            "order-salt-value",
            "a salt of 31 bytes, and a value of over 16,384 bytes",
            _plain(details=_details(salt=short, value=_LARGE_VALUE)),
        ),
        (
            "order-value-open",
            "details of a delta without a reason, and an entry of over 2,048 bytes in `open`",
            {**_named(entry=_LARGE_ENTRY), "details": _details(value={"referenceId": "line_001"})},
        ),
        (
            "order-open-path",
            "a path of `open` that is no array, and an entry of over 2,048 bytes in `open`",
            _named(entry=_LARGE_ENTRY, path="none"),
        ),
        (
            "order-open-null",
            "a hash of the path of `open` is null, and an entry of over 2,048 bytes in `open`",
            _named(entry=_LARGE_ENTRY, path=[None]),
        ),
        (
            "order-type-member",
            "an entry of an unknown type, and an unknown member of the receipt",
            {**without(plain, "details"), "entry": _LATER, "note": ""},
        ),
        (
            "order-type-salt",
            "an entry of an unknown type, and details with a salt of 31 bytes",
            _plain(entry=_LATER, details=_details(salt=short)),
        ),
        (
            "order-type-open",
            "an entry of an unknown type, and an entry with credits in `open`",
            {**_named(entry={**EXAMPLE.entries[0], "credits": "1"}), "entry": _LATER},
        ),
    ]
    too_large: list[tuple[str, str, Receipt | str]] = [
        (
            "order-entry-members",
            "an entry of over 2,048 bytes whose index has a leading zero",
            _plain(entry={**_LARGE_ENTRY, "index": "02"}),
        ),
        (
            "order-entry-details",
            "an entry of over 2,048 bytes, and details that are null",
            _plain(entry=_LARGE_ENTRY, details=None),
        ),
        (
            "order-value-members",
            "details of a delta of over 16,384 bytes with an unknown member",
            _plain(details=_details(value={**_LARGE_VALUE, "note": ""})),
        ),
        (
            "order-open-hash",
            "an entry of over 2,048 bytes in `open`, whose path has a hash of 31 bytes",
            _named(entry=_LARGE_ENTRY, path=paths_as_text([bytes(31), bytes(32)])),
        ),
        (
            "order-type-large",
            "an entry of an unknown type, and an entry of over 2,048 bytes in `open`",
            {**_named(entry=_LARGE_ENTRY), "entry": _LATER},
        ),
    ]
    not_judged = {
        **changed(plain, "type", to="counterfoil/receipt@v2"),
        "entry": _LARGE_ENTRY,
        "proof": None,
        "more": None,
    }
    return [
        *refuse_form(malformed),
        *refuse_form(too_large, "too-large"),
        *refuse_form(
            [
                (
                    "order-type-rest",
                    "a receipt of version 2 whose members version 1 would refuse",
                    not_judged,
                )
            ],
            "unknown-type",
        ),
    ]


def _customers() -> list[Case]:
    foreign = _first_of_neighbour()
    delta = {"entry": EXAMPLE.entries[1], "path": paths_as_text(EXAMPLE.path(1, SIZE))}
    path = EXAMPLE.path(0, SIZE)
    broken_path = [b64(flip(path[0])), b64(path[1])]
    other = {**EXAMPLE.receipt(0, SIZE)["details"], "value": {"customerId": "cust_002"}}
    cases = [
        (
            "order-first-open",
            "an open entry of another log under this one's checkpoint, and a delta in `open`",
            request({**foreign, "open": delta}),
            "wrong-origin",
        ),
        (
            "order-delta-customer",
            "`open` holds a delta, and the caller names another customer",
            request({**plain(), "open": delta}, customer="cust_002"),
            "index-mismatch",
        ),
        (
            "order-origin-path",
            "`open` names another tenant, and its path is wrong",
            request(
                _named(
                    entry={**EXAMPLE.entries[0], "origin": ORIGIN.replace("/acme/", "/other/")},
                    path=broken_path,
                )
            ),
            "wrong-origin",
        ),
        (
            "order-path-customer",
            "the path of `open` is wrong, and the caller names another customer",
            request(_named(path=broken_path), customer="cust_002"),
            "root-mismatch",
        ),
        (
            "order-details-customer",
            "the details of `open` name another customer, and so does the caller",
            request(_named(details=other), customer="cust_003"),
            "details-mismatch",
        ),
    ]
    return [
        MAKER.refuse(
            "first-of-neighbour",
            "the open entry of another log stands in this one, and the operator signed that",
            "step-7",
            request(foreign),
            "wrong-origin",
        ),
        *(MAKER.refuse(slug, comment, "step-7", asked, code) for slug, comment, asked, code in cases),
    ]


def _first_of_neighbour() -> Receipt:
    """Return the receipt of index 0 of a log that begins with another log's open entry."""
    log = Log(OPERATOR, "acme", "cust_001", key=KEY, reference_key=EXAMPLE.reference_key)
    log.entries = [NEIGHBOUR.entries[0], *EXAMPLE.entries[1:]]
    log.details = [NEIGHBOUR.details[0], *EXAMPLE.details[1:]]
    return log.receipt(0, SIZE)


def cases() -> list[Case]:
    """Return the cases of these steps."""
    return [*_forms(), *_customers()]
