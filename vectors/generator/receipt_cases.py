"""Receipts: those that must pass, and the topic of all."""

from __future__ import annotations

import json
from typing import Any

from generator import (
    receipt_claim_cases,
    receipt_customer_cases,
    receipt_form_cases,
    receipt_order_cases,
    receipt_proof_cases,
)
from generator.example import (
    EXAMPLE,
    KEY,
    LONG,
    NEIGHBOUR,
    OPERATOR,
    OTHER_KEY,
    OTHER_OPERATOR,
    VKEY,
)
from generator.ledger import Log
from generator.model import Case, Topic
from generator.receipt_parts import (
    LINE,
    MAKER,
    ORIGIN,
    SIZE,
    TEXT,
    WITNESS_LINE,
    changed,
    named,
    plain,
    proof,
    request,
    text,
    without,
)
from generator.signing import note, signature_line


def _facts(log: Log, index: int, size: int, *, customer: bool = False) -> dict[str, Any]:
    return {
        "origin": log.origin,
        "index": str(index),
        "size": str(size),
        "type": log.entries[index]["type"],
        "customer": log.customer_id if customer else None,
    }


def _accepted() -> list[Case]:
    quiet = _facts(EXAMPLE, 2, SIZE)
    full = _facts(EXAMPLE, 2, SIZE, customer=True)
    escaped = text(plain()).replace("api_call", "\\u0061pi\\u005fcall").replace("c2sp.org/", "c2sp.org\\/")
    backwards = {name: plain()[name] for name in ("type", "proof", "entry", "details")}
    backwards["entry"] = dict(sorted(plain()["entry"].items(), reverse=True))
    with_witness = note(
        TEXT, signature_line("large.example.org", b"\1\2\3\4", bytes(2428)), LINE, WITNESS_LINE
    )
    bare = without(named, "open", "details")
    del bare["details"]
    cases = [
        ("example", "the worked example: index 2 of 4, without `open`", request(plain()), quiet),
        ("open", "with `open`: the customer is proven", request(named()), full),
        ("expected-origin", "the caller names the origin", request(plain(), origin=ORIGIN), quiet),
        (
            "expected-both",
            "the caller names origin and customer",
            request(named(), origin=ORIGIN, customer="cust_001"),
            full,
        ),
        ("log-key", "with the key under the log's origin", request(plain(), keys=[KEY.vkey(ORIGIN)]), quiet),
        (
            "both-keys",
            "with the operator's key and the same key under the log's origin",
            request(plain(), keys=[VKEY, KEY.vkey(ORIGIN)]),
            quiet,
        ),
        (
            "several-keys",
            "with other keys before",
            request(plain(), keys=[OTHER_KEY.vkey(OTHER_OPERATOR), OTHER_KEY.vkey(OPERATOR), VKEY]),
            quiet,
        ),
        ("details-removed", "the details were erased", request(without(plain, "details")), quiet),
        (
            "open-details-removed",
            "the details of `open` were erased: the customer is not proven",
            request(without(named, "open", "details")),
            quiet,
        ),
        ("all-details-removed", "all details were erased", request(bare), quiet),
        ("indented", "white space between the tokens", request(json.dumps(plain(), indent=2)), quiet),
        ("order", "the members in another order", request(json.dumps(backwards)), quiet),
        (
            "ascii",
            "every character outside ASCII as an escape",
            request(json.dumps(plain(), ensure_ascii=True)),
            quiet,
        ),
        ("escapes", "escapes that nobody needs", request(escaped), quiet),
        ("spaces-around", "white space before and behind", request(f"\r\n\t {text(plain())} \n"), quiet),
        (
            "number-respelled",
            "a number of the details in another spelling",
            request(text(plain()).replace("1200", "1.2e3")),
            quiet,
        ),
        (
            "witnessed",
            "signature lines of others before and behind",
            request(changed(plain, "proof", to=proof(checkpoint=with_witness))),
            quiet,
        ),
        (
            "older-checkpoint",
            "the same entry under the checkpoint of 3 entries",
            request(EXAMPLE.receipt(2, 3)),
            _facts(EXAMPLE, 2, 3),
        ),
        ("first", "the open entry itself", request(EXAMPLE.receipt(0, SIZE)), _facts(EXAMPLE, 0, SIZE)),
        (
            "first-with-open",
            "the open entry itself, with `open`",
            request(EXAMPLE.receipt(0, SIZE, with_open=True), customer="cust_001"),
            _facts(EXAMPLE, 0, SIZE, customer=True),
        ),
        ("seal", "a seal", request(EXAMPLE.receipt(3, SIZE)), _facts(EXAMPLE, 3, SIZE)),
        (
            "neighbour",
            "another customer of the operator, with the same key",
            request(NEIGHBOUR.receipt(2, SIZE, with_open=True)),
            _facts(NEIGHBOUR, 2, SIZE, customer=True),
        ),
        (
            "adjusts",
            "a delta that corrects an earlier one",
            request(LONG.receipt(10, 255)),
            _facts(LONG, 10, 255),
        ),
    ]
    places = [
        (1, 2),
        (2, 3),
        (3, 7),
        (6, 7),
        (5, 8),
        (7, 8),
        (254, 255),
        (0, 256),
        (200, 256),
        (255, 256),
        (3, 257),
        (256, 257),
    ]
    cases += [
        (
            f"index-{index}-size-{size}",
            f"index {index} of {size}, with `open`",
            request(LONG.receipt(index, size, with_open=True), customer="cust_003"),
            _facts(LONG, index, size, customer=True),
        )
        for index, size in places
    ]
    return [MAKER.accept(slug, comment, "step-7", asked, output) for slug, comment, asked, output in cases]


TOPIC = Topic(
    "receipt",
    "Receipts: the output names what the receipt proves; `customer` is the customerId that `open` proves, else null.",
    [
        *_accepted(),
        *receipt_form_cases.cases(),
        *receipt_proof_cases.cases(),
        *receipt_claim_cases.cases(),
        *receipt_customer_cases.cases(),
        *receipt_order_cases.cases(),
    ],
    by_step=True,
)
