"""Entries, the items of a log: those that must pass, and the topic of all."""

from __future__ import annotations

import json

from generator import entry_form_cases, entry_member_cases
from generator.entry_parts import ADJUSTING, CREDIT, DELTA, LARGEST, MAKER, OPEN, SEAL, written
from generator.model import Case, Topic
from generator.tree import leaf_hash


def _accepted() -> list[Case]:
    most = "9" * 29 + ".999999999"
    cases = [
        ("open", "the worked example: open", written(OPEN)),
        ("delta-credit", "the worked example: a credit", written(CREDIT)),
        ("delta-debit", "the worked example: a debit with effectiveAt", written(DELTA)),
        ("seal", "the worked example: seal", written(SEAL)),
        ("delta-adjusts", "a delta that corrects an earlier one", written(ADJUSTING)),
        ("adjusts-neighbour", "a correction of the entry just before", written(ADJUSTING, adjusts="9")),
        ("adjusts-first", "a correction of the first delta", written(ADJUSTING, adjusts="1")),
        (
            "amount-smallest",
            "the smallest amount, which is the whole total",
            written(CREDIT, amount="0.000000001", credits="0.000000001"),
        ),
        (
            "amount-largest",
            "the largest amount",
            written(CREDIT, amount="9" * 18 + ".999999999", credits="9" * 18 + ".999999999"),
        ),
        (
            "debit-is-total",
            "a debit as large as all debits",
            written(DELTA, amount="-12.5", debits="12.5", credits="0"),
        ),
        (
            "totals-largest",
            "totals of 29 digits before and 9 behind the point",
            written(SEAL, credits=most, debits=most),
        ),
        ("index-largest", "the largest index and count", written(SEAL, index=LARGEST, count=LARGEST)),
        (
            "count-0",
            "a seal behind nothing but the open entry",
            written(SEAL, index="1", count="0", credits="0", debits="0"),
        ),
        (
            "effective-later",
            "effectiveAt later than recordedAt: it is the sender's and free",
            written(DELTA, effectiveAt="9999-12-31T23:59:59.999999Z"),
        ),
        ("unit-32", "a unit of 32 characters", written(SEAL, unit="u" * 32)),
        ("unit-quotes", "a unit of characters that JSON escapes", written(SEAL, unit='"\\"')),
        ("unit-edges", "the first and the last character that a unit may have", written(SEAL, unit="!~")),
        ("unit-1", "a unit of one character", written(SEAL, unit="u")),
        ("origin-shortest", "the shortest operator and tenant", written(OPEN, origin="a/b/0x" + "0" * 40)),
        ("origin-two", "operator and tenant of two characters", written(OPEN, origin="5a/6b/0x" + "0" * 40)),
        (
            "origin-longest",
            "operator and tenant of 100 and 63 characters, every one that they may have",
            written(OPEN, origin=f"7{('0123456789az.-' * 7)}8/6{('0123456789az-' * 5)[:61]}7/0x{'0' * 40}"),
        ),
    ]
    return [_accept(slug, comment, text) for slug, comment, text in cases]


def _accept(slug: str, comment: str, text: str) -> Case:
    entry = json.loads(text)
    output = {"type": entry["type"], "index": entry["index"], "leafHash": leaf_hash(text.encode()).hex()}
    return MAKER.accept(slug, comment, "step-9", {"text": text}, output)


TOPIC = Topic(
    "entry",
    "Entries: the text holds the exact bytes of an entry, which must be canonical. The output names type, index and leaf hash.",
    [*_accepted(), *entry_form_cases.cases(), *entry_member_cases.cases()],
    by_step=True,
)
