"""Receipts that are refused at steps 6 and 7: details and customer."""

from __future__ import annotations

from generator.example import (
    EXAMPLE,
    LONG,
    NEIGHBOUR,
    salt,
)
from generator.model import Case
from generator.mutate import flip
from generator.receipt_parts import (
    MAKER,
    ORIGIN,
    PATH,
    ROOT,
    SIZE,
    Receipt,
    changed,
    named,
    paths_as_text,
    plain,
    request,
    without,
)
from generator.signing import b64


def _details() -> list[Case]:
    seal_details = {
        **EXAMPLE.receipt(3, SIZE),
        "details": {"salt": salt(3).hex(), "value": {"reason": "sealed"}},
    }
    cases = [
        ("reason", "the reason changed", changed(plain, "details", "value", "reason", to="api_calls")),
        (
            "reference",
            "referenceId changed",
            changed(plain, "details", "value", "referenceId", to="line_002"),
        ),
        (
            "number",
            "a number of the metadata changed",
            changed(plain, "details", "value", "metadata", "tokens", to=1201),
        ),
        (
            "number-as-text",
            "a number of the metadata became a string",
            changed(plain, "details", "value", "metadata", "tokens", to="1200"),
        ),
        (
            "accent",
            "an accent as two characters",
            changed(plain, "details", "value", "metadata", "model", to="ae\u0301"),
        ),
        (
            "metadata-added",
            "a member added to the metadata",
            changed(plain, "details", "value", "metadata", "note", to=""),
        ),
        ("metadata-empty", "the metadata emptied", changed(plain, "details", "value", "metadata", to={})),
        ("metadata-removed", "the metadata removed", without(plain, "details", "value", "metadata")),
        ("reference-removed", "referenceId removed", without(plain, "details", "value", "referenceId")),
        (
            "salt-bit",
            "the salt has one bit changed",
            changed(plain, "details", "salt", to=flip(salt(2)).hex()),
        ),
        ("of-entry-before", "the details of index 1", changed(plain, "details", to=EXAMPLE.details[1])),
        (
            "of-neighbour",
            "the details of the same index of another customer",
            changed(plain, "details", to=NEIGHBOUR.details[2]),
        ),
        (
            "value-of-entry-before",
            "the value of index 1 with the salt of index 2",
            changed(plain, "details", "value", to=EXAMPLE.value(1)),
        ),
        ("of-seal", "details with a seal, which commits to none", seal_details),
        (
            "of-first",
            "the open entry with another customerId",
            changed(
                lambda: EXAMPLE.receipt(0, SIZE),
                "details",
                to={"salt": salt(0).hex(), "value": {"customerId": "cust_002"}},
            ),
        ),
    ]
    return [
        MAKER.refuse(slug, comment, "step-6", request(receipt), "details-mismatch")
        for slug, comment, receipt in cases
    ]


def _opens() -> list[Case]:
    path = EXAMPLE.path(0, SIZE)
    foreign = NEIGHBOUR.receipt(2, SIZE, with_open=True)["open"]
    delta_as_open = changed(
        named, "open", to={"entry": EXAMPLE.entries[1], "path": paths_as_text(EXAMPLE.path(1, SIZE))}
    )
    copied = changed(named, "open", to={**foreign, "entry": {**NEIGHBOUR.entries[0], "origin": ORIGIN}})
    origins = [
        (
            "of-neighbour",
            "`open` of another customer, with its own path",
            request(changed(named, "open", to=foreign)),
        ),
        (
            "of-neighbour-right-path",
            "`open` of another customer, with the path of this log",
            request(changed(named, "open", to={**foreign, "path": paths_as_text(path)})),
        ),
        (
            "of-neighbour-no-details",
            "the open entry of another customer without details",
            request(changed(named, "open", to={"entry": NEIGHBOUR.entries[0], "path": paths_as_text(path)})),
        ),
        (
            "other-tenant",
            "the open entry names another tenant",
            request(changed(named, "open", "entry", "origin", to=ORIGIN.replace("/acme/", "/other/"))),
        ),
        ("customer-other", "the caller names another customer", request(named(), customer="cust_002")),
        (
            "customer-case",
            "the caller names the customer with a capital letter",
            request(named(), customer="Cust_001"),
        ),
        (
            "customer-prefix",
            "the caller names the beginning of the customerId",
            request(named(), customer="cust_00"),
        ),
        ("customer-empty", "the caller names an empty customerId", request(named(), customer="")),
        (
            "customer-no-open",
            "the caller names a customer, and the receipt has no `open`",
            request(plain(), customer="cust_001"),
        ),
        (
            "customer-no-details",
            "the caller names a customer, and the details of `open` were erased",
            request(without(named, "open", "details"), customer="cust_001"),
        ),
        (
            "customer-in-reason",
            "the caller names a customer whose id stands in the reason only",
            request(LONG.receipt(3, 7), customer="call 3"),
        ),
    ]
    roots = [
        (
            "path-bit",
            "a hash of the path of `open` has one bit changed",
            changed(named, "open", "path", 0, to=b64(flip(path[0]))),
        ),
        ("path-empty", "no hashes in `open`", changed(named, "open", "path", to=[])),
        (
            "path-short",
            "a hash of the path of `open` is missing",
            changed(named, "open", "path", to=paths_as_text(path[1:])),
        ),
        (
            "path-long",
            "one more hash in the path of `open`",
            changed(named, "open", "path", to=paths_as_text([*path, ROOT])),
        ),
        (
            "path-of-entry",
            "the path of the receipt's own entry in `open`",
            changed(named, "open", "path", to=paths_as_text(PATH)),
        ),
        (
            "path-older",
            "the path of `open` under an older checkpoint",
            changed(named, "open", "path", to=paths_as_text(EXAMPLE.path(0, 3))),
        ),
        (
            "entry-time",
            "the time of the open entry changed",
            changed(named, "open", "entry", "recordedAt", to="2026-04-01T08:00:00.000000Z"),
        ),
        (
            "entry-unit",
            "the unit of the open entry changed",
            changed(named, "open", "entry", "unit", to="EUR"),
        ),
        (
            "entry-commitment",
            "the commitment of the open entry changed",
            changed(named, "open", "entry", "details", to=NEIGHBOUR.entries[0]["details"]),
        ),
        (
            "of-neighbour-renamed",
            "the open entry of another customer with this log's origin written into it",
            copied,
        ),
    ]
    details = [
        (
            "value",
            "the customerId in `open` changed",
            changed(named, "open", "details", "value", "customerId", to="cust_002"),
        ),
        ("salt", "the salt in `open` changed", changed(named, "open", "details", "salt", to=salt(1).hex())),
        (
            "of-neighbour",
            "the details of another customer in `open`",
            changed(named, "open", "details", to=NEIGHBOUR.details[0]),
        ),
    ]
    return [
        *(
            MAKER.refuse(f"open-{slug}", comment, "step-7", asked, "wrong-origin")
            for slug, comment, asked in origins
        ),
        MAKER.refuse(
            "open-is-delta",
            "`open` holds the delta of index 1, with its path",
            "step-7",
            request(delta_as_open),
            "index-mismatch",
        ),
        *(
            MAKER.refuse(f"open-{slug}", comment, "step-7", request(receipt), "root-mismatch")
            for slug, comment, receipt in roots
        ),
        *(
            MAKER.refuse(f"open-details-{slug}", comment, "step-7", request(receipt), "details-mismatch")
            for slug, comment, receipt in details
        ),
        MAKER.refuse(
            "open-unit",
            "`open` is of another unit than the entry",
            "step-7",
            request(_opened({"unit": "EUR"})),
            "totals-mismatch",
        ),
        MAKER.refuse(
            "open-later",
            "`open` is later than the entry",
            "step-7",
            request(_opened({"recordedAt": "2026-04-03T00:00:00.000000Z"})),
            "time-order",
        ),
        MAKER.refuse(
            "open-next",
            "the entry behind `open` has other totals than its amount gives",
            "step-7",
            request(EXAMPLE.rewritten({1: {"credits": "501"}}).receipt(1, SIZE, with_open=True)),
            "totals-mismatch",
        ),
        MAKER.refuse(
            "open-unit-customer",
            "`open` is of another unit than the entry, and the caller names another customer",
            "step-7",
            request(_opened({"unit": "EUR"}), customer="cust_002"),
            "totals-mismatch",
        ),
    ]


def _opened(changes: dict[str, str]) -> Receipt:
    """The receipt of a log whose open entry says something else, as the operator signed it."""
    return EXAMPLE.rewritten({0: changes}).receipt(2, SIZE, with_open=True)


def cases() -> list[Case]:
    """Return the cases of these steps."""
    return [*_details(), *_opens()]
