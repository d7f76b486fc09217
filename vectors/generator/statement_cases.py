"""Statements: those that must pass, and the topic of all."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta
from typing import Any

from generator import statement_claim_cases, statement_form_cases
from generator.bounds import padded
from generator.example import APRIL, GROWN, KEY, LONG, MAY, OPERATOR, OTHER_KEY, OTHER_OPERATOR, VKEY, WEEK
from generator.ledger import Log, decimal, nano
from generator.model import Case, Topic
from generator.receipt_parts import changed, without
from generator.signing import note, signature_line
from generator.statement_parts import (
    CUSTOMER,
    MAKER,
    ORIGIN,
    PERIOD,
    SIZE,
    Statement,
    at,
    full,
    last,
    light,
    named,
    of,
    request,
    text,
)


def _facts(log: Log, period: tuple[str, str], size: int, *, customer: bool = False) -> dict[str, Any]:
    """Return what a statement proves, from the amounts of the deltas alone."""
    sums = {"opening": [0, 0, 0], "period": [0, 0, 0]}
    for entry in log.entries[:size]:
        if "amount" in entry and entry["recordedAt"] < period[1]:
            part = sums["opening" if entry["recordedAt"] < period[0] else "period"]
            amount = nano(entry["amount"])
            part[0] += 1
            part[1] += max(amount, 0)
            part[2] -= min(amount, 0)
    closing = [one + other for one, other in zip(sums["opening"], sums["period"], strict=True)]
    sealed, end = (datetime.fromisoformat(time) for time in (log.entries[size - 1]["recordedAt"], period[1]))
    final = sealed + timedelta(microseconds=1) >= end
    return {
        "origin": log.origin,
        "size": str(size),
        "opening": _totals(sums["opening"]),
        "period": _totals(sums["period"]),
        "closing": _totals(closing),
        "provisionalThrough": None if final else log.entries[size - 1]["recordedAt"],
        "customer": log.customer_id if customer else None,
    }


def _totals(sums: list[int]) -> dict[str, str]:
    count, plus, minus = sums
    return {"count": str(count), "credits": decimal(plus), "debits": decimal(minus)}


def _largest() -> tuple[Statement, dict[str, Any]]:
    """Return a statement whose credits end at the largest total that there is, and what it proves."""
    more = nano("9" * 29 + ".999999999") - nano(WEEK.entries[SIZE - 1]["credits"])
    first = int(full()["items"][0]["entry"]["index"])
    raised = {
        index: {"credits": decimal(nano(WEEK.entries[index]["credits"]) + more)}
        for index in range(first, SIZE)
    }
    facts = _facts(WEEK, PERIOD, SIZE)
    for name in ("opening", "closing"):
        facts[name]["credits"] = decimal(nano(facts[name]["credits"]) + more)
    return of(WEEK.rewritten(raised)), facts


def _bare(statement: Statement) -> Statement:
    for item in statement["items"]:
        item.pop("details", None)
    return statement


def _accepted() -> list[Case]:
    facts = _facts(WEEK, PERIOD, SIZE)
    proven = {**facts, "customer": CUSTOMER}
    closed = _facts(WEEK, (at(8), at(11, 1)), SIZE)
    written = WEEK.text(SIZE)
    witnessed = note(
        written, signature_line("large.example.org", b"\1\2\3\4", bytes(2428)), KEY.line(ORIGIN, written)
    )
    backwards = dict(reversed(light().items()))
    named_full = copy.deepcopy(WEEK.statement(PERIOD, "full", SIZE, with_open=True))
    cases = [
        ("april-light", "the worked example: April, light", request(GROWN.statement(APRIL, "light", 6)), _facts(GROWN, APRIL, 6)),
        ("april-full", "the worked example: April, full", request(GROWN.statement(APRIL, "full", 6)), _facts(GROWN, APRIL, 6)),
        ("may-full", "the worked example: May, full, with `open`", request(GROWN.statement(MAY, "full", 6, with_open=True)), _facts(GROWN, MAY, 6, customer=True)),
        ("april-older", "April under the checkpoint that closed it", request(GROWN.statement(APRIL, "light", 4)), _facts(GROWN, APRIL, 4)),
        ("light", "six entries in the middle of a log, light", request(light()), facts),
        ("full", "six entries in the middle of a log, full", request(full()), facts),
        ("open", "with `open`: the customer is proven", request(named()), proven),
        ("full-open", "a full one with `open`", request(named_full, customer=CUSTOMER), proven),
        ("expected-both", "the caller names origin and customer", request(named(), origin=ORIGIN, customer=CUSTOMER), proven),
        ("log-key", "with the key under the log's origin", request(light(), keys=[KEY.vkey(ORIGIN)]), facts),
        ("several-keys", "with other keys before", request(light(), keys=[OTHER_KEY.vkey(OTHER_OPERATOR), OTHER_KEY.vkey(OPERATOR), VKEY]), facts),
        ("provisional-not-needed", "the caller would take an open period", request(light(), provisional=True), facts),
        ("details-removed", "the details of one entry were erased", request(without(light, "items", 1, "details")), facts),
        ("all-details-removed", "all details were erased", request(_bare(full())), facts),
        ("open-details-removed", "the details of `open` were erased: the customer is not proven", request(without(named, "open", "details")), facts),
        ("indented", "white space between the tokens", request(json.dumps(light(), indent=1)), facts),
        ("order", "the members in another order", request(json.dumps(backwards)), facts),
        ("escapes", "escapes that nobody needs", request(text(light()).replace("call", "\\u0063all").replace("/", "\\/")), facts),
        ("witnessed", "a signature line of somebody else", request(changed(light, "checkpoint", to=witnessed)), facts),
        ("from-tight", "`from` right behind the entry before", request(changed(light, "from", to=at(2, 1))), facts),
        ("to-tight", "`to` right behind the last entry", request(changed(light, "to", to=at(8, 1))), facts),
        ("final-by-seal", "the seal at the end stands a microsecond before `to`", request(last()), closed),
        ("provisional-allowed", "the seal stands two microseconds before `to`, and the caller takes an open period",
         request({**last(), "to": at(11, 2)}, provisional=True), _facts(WEEK, (at(8), at(11, 2)), SIZE)),
        ("full-large", "a full statement of 262,145 bytes, most of which are spaces", request(padded(text(full()))), facts),
        ("provisional-full", "a month that is still open", request(WEEK.statement((at(3), "2026-07-01T00:00:00.000000Z"), "full", SIZE), provisional=True),
         _facts(WEEK, (at(3), "2026-07-01T00:00:00.000000Z"), SIZE)),
        ("light-gap", "between its items a light statement sees nothing: another unit and another count",
         request(of(WEEK.rewritten({6: {"unit": "EUR", "count": "1"}}), "light")), facts),
        ("totals-largest", "credits of 29 digits before the point and 9 behind it, which differ by little", request(_largest()[0]), _largest()[1]),
        ("light-near", "items five indices and five microseconds apart", request(of(WEEK.rewritten({8: {"recordedAt": at(3, 5)}}), "light")), facts),
    ]  # fmt: skip
    periods = [
        ("before-log", "before the log began", WEEK, ("2026-05-01T00:00:00.000000Z", at(0)), SIZE),
        ("first-entry", "the open entry alone", WEEK, (at(0), at(1)), SIZE),
        ("whole", "the whole log", WEEK, (at(0), at(11, 1)), SIZE),
        ("empty", "an empty period between two entries", WEEK, (at(4, 1), at(5)), SIZE),
        ("one-microsecond", "one microsecond with one entry", WEEK, (at(4), at(4, 1)), SIZE),
        ("one-microsecond-empty", "one microsecond without an entry", WEEK, (at(4, 7), at(4, 8)), SIZE),
        ("two", "two entries", WEEK, (at(4), at(6)), SIZE),
        ("older", "an older checkpoint", WEEK, (at(1), at(4)), 6),
        ("older-sealed", "an older checkpoint whose seal closes the period", WEEK, (at(1), at(5, 1)), 6),
        ("seal-only", "the last seal alone", WEEK, (at(10, 1), at(11, 1)), SIZE),
        ("first-year", "from the first instant of all", WEEK, ("0001-01-01T00:00:00.000000Z", at(2)), SIZE),
    ]
    cases += [
        (f"{slug}-{mode}", f"{comment}, {mode}", request(log.statement(period, mode, size)), _facts(log, period, size))
        for slug, comment, log, period, size in periods
        for mode in ("light", "full")
    ]  # fmt: skip
    for start, end, size in ((1, 256, 257), (3, 7, 255), (127, 129, 256), (254, 257, 257), (200, 256, 257)):
        period = (_minute(start), _minute(end) if end < size else _minute(size - 1).replace("00Z", "01Z"))
        for mode in ("light", "full") if end - start < 20 else ("light",):  # noqa: PLR2004  -- the files stay small
            cases.append((
                f"entries-{start}-{end}-{size}-{mode}", f"entries {start} to {end - 1} of {size}, {mode}",
                request(_bare(LONG.statement(period, mode, size))), _facts(LONG, period, size),
            ))  # fmt: skip
    return [MAKER.accept(slug, comment, "step-6", asked, output) for slug, comment, asked, output in cases]


def _minute(index: int) -> str:
    """Return the time of an entry of the long log."""
    return str(LONG.entries[index]["recordedAt"])


TOPIC = Topic(
    "statement",
    "Statements: the output names what the period adds up to; `customer` is the customerId that `open` proves, else null.",
    [*_accepted(), *statement_form_cases.cases(), *statement_claim_cases.cases()],
    by_step=True,
)
