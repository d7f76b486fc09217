"""Statements that are refused at steps 2 to 6: root, completeness, end, order, details and customer."""

from __future__ import annotations

from typing import Any

from generator.example import LONG, NEIGHBOUR, WEEK, salt
from generator.model import Case
from generator.mutate import STRAY, flip
from generator.receipt_parts import changed, paths_as_text, without
from generator.signing import b64
from generator.statement_parts import (
    CUSTOMER,
    MAKER,
    SIZE,
    Statement,
    at,
    full,
    item,
    last,
    light,
    named,
    of,
    refuse,
    request,
    signed_checkpoint,
    with_items,
    without_item,
)
from generator.tree import sha256


def _roots() -> list[Case]:
    path = WEEK.path(2, SIZE)
    cases: list[tuple[str, str, Statement | str]] = [
        ("path-bit-first", "the first hash of a path has one bit changed", changed(light, "items", 0, "path", 0, to=b64(flip(path[0])))),
        ("path-bit-last", "the last hash of a path has one bit changed", changed(light, "items", 0, "path", 3, to=b64(flip(path[3])))),
        ("path-swapped", "two hashes of a path change places", changed(light, "items", 0, "path", to=paths_as_text([path[1], path[0], *path[2:]]))),
        ("path-short", "a hash is missing", changed(light, "items", 0, "path", to=paths_as_text(path[:-1]))),
        ("path-long", "one more hash", changed(light, "items", 0, "path", to=paths_as_text([*path, STRAY]))),
        ("path-empty", "a path without hashes", changed(light, "items", 0, "path", to=[])),
        ("path-of-neighbour", "the path of the entry beside it", changed(light, "items", 1, "path", to=light()["items"][0]["path"])),
        ("path-older", "a path under an older checkpoint", changed(light, "items", 0, "path", to=WEEK.proven(2, 6)["path"])),
        *(
            (f"item-{place}-amount", f"the amount of item {place} changed",
             changed(light, "items", place, "entry", "amount", to="-0.5"))
            for place in range(3)
        ),
        ("totals-edited", "the debits of the last entry of the period changed", changed(light, "items", 2, "entry", "debits", to="99")),
        ("opening-edited", "the credits before the period changed", changed(light, "items", 0, "entry", "credits", to="50")),
        ("time-edited", "a time changed within the period", changed(light, "items", 1, "entry", "recordedAt", to=at(4))),
        ("checkpoint-older", "the items of 12 entries under the checkpoint of 6", changed(light, "checkpoint", to=WEEK.checkpoint(6))),
        ("checkpoint-of-neighbour", "another customer's checkpoint", changed(light, "checkpoint", to=LONG.checkpoint(255))),
        ("checkpoint-other-root", "the operator signed another root", changed(light, "checkpoint", to=signed_checkpoint(root=STRAY))),
        ("checkpoint-13", "the operator signed 13 entries with this root", changed(last, "checkpoint", to=signed_checkpoint(size=13))),
        ("items-of-neighbour", "an entry of another customer in the place of one",
         with_items(light, [{**item(2), "entry": {**NEIGHBOUR.entries[2], "recordedAt": at(2)}, "details": NEIGHBOUR.details[2]}, *light()["items"][1:]])),
        ("full-dropped-second", "the first entry of the period is left out of a full statement", without_item(full, 1)),
        ("full-dropped-middle", "an entry in the middle is left out of a full statement", without_item(full, 4)),
        ("full-dropped-seal", "the seal in the middle is left out of a full statement", without_item(full, 3)),
        ("full-dropped-second-last", "the last entry of the period is left out of a full statement", without_item(full, 6)),
        ("full-amount", "the amount of an entry in the middle changed", changed(full, "items", 4, "entry", "amount", to="9")),
        ("full-totals", "the totals of an entry in the middle changed", changed(full, "items", 4, "entry", "debits", to="99")),
        ("full-key", "the key of an entry in the middle is another one's", changed(full, "items", 4, "entry", "key", to=WEEK.entries[1]["key"])),
        ("full-path-first", "a hash left of the range has one bit changed", changed(full, "items", 0, "path", 1, to=b64(flip(path[1])))),
        ("full-path-unused", "a hash that the range itself gives has one bit changed", changed(full, "items", 0, "path", 0, to=b64(flip(path[0])))),
        ("full-path-last", "a hash right of the range has one bit changed", changed(full, "items", 7, "path", 1, to=b64(STRAY))),
        ("full-paths-swapped", "the paths of the first and the last item change places",
         changed(lambda: changed(full, "items", 0, "path", to=full()["items"][7]["path"]), "items", 7, "path", to=full()["items"][0]["path"])),
        ("full-doubled-leaf", "the operator signed the seal in the place of the delta before it too, which the statement lacks", _doubled()),
        ("order-root-gap", "a path is wrong, and the entry behind the period is left out",
         without_item(lambda: changed(light, "items", 0, "path", 0, to=b64(STRAY)), 3)),
    ]  # fmt: skip
    beyond: list[tuple[str, str, Statement | str]] = [
        ("index-is-size", "the first item says the index that is the size",
         with_items(last, [{**item(11), "entry": {**WEEK.entries[11], "index": "12", "recordedAt": at(9)}}])),
        ("index-largest", "the first item says the largest index",
         with_items(last, [{**item(11), "entry": {**WEEK.entries[11], "index": str(2**63 - 1), "recordedAt": at(9)}}])),
        ("checkpoint-empty", "the operator signed the empty tree", changed(last, "checkpoint", to=signed_checkpoint(size=0, root=sha256(b"")))),
    ]  # fmt: skip
    return [*refuse(2, "root-mismatch", cases), *refuse(2, "index-mismatch", beyond)]


def _doubled() -> Statement:
    """Return a statement of a log whose last two entries are one; each path that it has is right."""
    log = WEEK.rewritten({})
    log.entries = [*WEEK.entries[:10], WEEK.entries[11], WEEK.entries[11]]
    return without_item(lambda: of(log, period=(at(8), at(11, 1))), 3)


def _gaps() -> list[Case]:
    items = light()["items"]
    empty = WEEK.statement((at(4, 1), at(5)), "light", SIZE)
    single = WEEK.statement((at(4), at(5)), "light", SIZE)
    cases: list[tuple[str, str, Statement | str]] = [
        ("dropped-before", "the entry before the period is left out", without_item(light, 0)),
        ("dropped-first", "the first entry of the period is left out", without_item(light, 1)),
        ("dropped-last", "the last entry of the period is left out", without_item(light, 2)),
        ("dropped-inside", "the period is left out", with_items(light, [items[0], items[3]])),
        ("earlier-before", "an earlier entry stands for the one before the period", with_items(light, [item(1), *items[1:]])),
        ("later-after", "a later entry stands for the one behind the period", with_items(light, [*items[:3], item(10)])),
        ("later-first", "the second entry of the period stands for its first", with_items(light, [items[0], item(4), *items[2:]])),
        ("earlier-last", "the last entry but one stands for the last", with_items(light, [*items[:2], item(7), items[3]])),
        ("first-not-0", "the first item is the entry of index 1", {**with_items(light, [item(1), *items[2:]]), "from": at(0, 1)}),
        ("empty-gap", "around an empty period one entry is left out", {**with_items(lambda: empty, [item(3), item(5)]), "from": at(3, 1)}),
        ("single-gap", "the one entry of the period is left out", with_items(lambda: single, [single["items"][0], single["items"][2]])),
        ("from-earlier", "`from` at the entry before the period, and the one before that is not there", {**with_items(light, [item(2), *items[2:]]), "from": at(2)}),
        ("order-gap-end", "the entry before the period is left out, and nothing shows its end", with_items(light, items[1:3])),
    ]  # fmt: skip
    return refuse(3, "incomplete-period", cases)


def _ends() -> list[Case]:
    items = light()["items"]
    sealed = WEEK.statement((at(11, 1), at(12)), "light", SIZE)
    provisional = {**last(), "to": at(11, 2)}
    month = {**last(), "to": "2026-07-01T00:00:00.000000Z"}
    unsealed = {**light(), "items": [item(2, 9), item(3, 9), item(8, 9)], "checkpoint": WEEK.checkpoint(9)}
    cases: list[tuple[str, str, Statement | str]] = [
        ("dropped-after", "the entry behind the period is left out", without_item(light, 3)),
        ("dropped-after-sealed", "the period ends with a seal in the middle of the log", with_items(light, [*items[:2], item(5)])),
        ("dropped-after-final", "the period ends a microsecond behind a seal in the middle of the log",
         {**light(), "to": at(5, 1), "items": [*items[:2], item(5)]}),
        ("dropped-seal", "the seal at the end of the log is left out", with_items(last, [*last()["items"][:2], item(10)])),
        ("no-seal", "the last entry under the checkpoint is a delta", unsealed),
        ("provisional", "the log is sealed a microsecond too early, and the caller allows no such period", provisional),
        ("provisional-month", "a period that is still open sold as a closed month", month),
        ("sealed-before", "the log is sealed before the period", sealed),
        ("only-before", "one item, the entry before the period", with_items(light, [item(2)])),
        ("to-later", "`to` behind the entry that follows the period", {**light(), "items": items[:3], "to": at(10)}),
    ]  # fmt: skip
    allowed: list[tuple[str, str, Statement | str]] = [
        ("allowed-dropped-after", "the entry behind the period is left out, and the caller allows open periods", without_item(light, 3)),
        ("allowed-dropped-after-sealed", "the period ends with a seal in the middle of the log, and the caller allows open periods",
         with_items(light, [*items[:2], item(5)])),
        ("allowed-no-seal", "the last entry is a delta, and the caller allows open periods", unsealed),
        ("allowed-sealed-before", "the log is sealed before the period, and the caller allows open periods", sealed),
    ]  # fmt: skip
    asked = [
        (
            "provisional-false",
            "the caller says that it allows no open period",
            request(provisional, provisional=False),
        ),
        *((slug, comment, request(statement, provisional=True)) for slug, comment, statement in allowed),
        (
            "order-end-totals",
            "the period is open, and its totals do not follow",
            request(
                {**of(WEEK.rewritten({9: {"unit": "EUR"}}), "full", (at(8), at(11, 1))), "to": at(11, 2)}
            ),
        ),
    ]
    return [
        *refuse(4, "incomplete-period", cases),
        *(
            MAKER.refuse(slug, comment, "step-4", given, "incomplete-period")
            for slug, comment, given in asked
        ),
    ]


def _orders() -> list[Case]:
    def signed(changes: dict[int, dict[str, str]], mode: str = "full") -> Statement:
        return of(WEEK.rewritten(changes), mode)

    times: list[tuple[str, str, Statement | str]] = [
        ("same-time", "two neighbours have one time", signed({6: {"recordedAt": at(5)}})),
        ("earlier", "an entry is earlier than the one before it", signed({6: {"recordedAt": at(4)}})),
        ("same-time-after", "the last entry of the period has the time of the one before it", signed({8: {"recordedAt": at(7)}})),
        ("light-too-near", "five indices in four microseconds", signed({8: {"recordedAt": at(3, 4)}}, "light")),
        ("light-same-time", "five indices apart at one time", signed({8: {"recordedAt": at(3)}}, "light")),
        ("light-earlier-before", "the entry before the period is one microsecond before its first, the last too near", signed({2: {"recordedAt": at(2, 999999)}, 8: {"recordedAt": at(3, 1)}}, "light")),
        ("order-time-totals", "an entry is earlier than the one before it, and of another unit", signed({6: {"recordedAt": at(4), "unit": "EUR"}})),
    ]  # fmt: skip
    totals: list[tuple[str, str, Statement | str]] = [
        ("unit", "an entry is of another unit", signed({6: {"unit": "EUR"}})),
        ("unit-before", "the entry before the period is of another unit", signed({2: {"unit": "EUR"}})),
        ("count-same", "a delta leaves the count as it was", signed({6: {"count": "4"}})),
        ("count-two", "a delta adds two to the count", signed({6: {"count": "6"}})),
        ("credits-less", "a delta adds less than its amount", signed({6: {"credits": "49.999999999"}})),
        ("credits-more", "a delta adds more than its amount", signed({6: {"credits": "50.000000001"}})),
        ("debits-wrong-side", "a credit raises the debits", signed({6: {"debits": "14.25"}})),
        ("seal-count", "a seal adds to the count", signed({5: {"count": "5"}})),
        ("seal-debits", "a seal adds to the debits", signed({5: {"debits": "4.250000001"}})),
        ("after-totals", "the entry behind the period does not follow from its last", signed({9: {"credits": "53"}})),
        ("light-unit", "the last entry of the period is of another unit", signed({8: {"unit": "EUR"}, 9: {"unit": "EUR"}}, "light")),
        ("light-count-more", "the count grows by six in five indices", signed({3: {"count": "1"}, 2: {"count": "0", "amount": "-2.5"}}, "light")),
        ("light-count-less", "the count falls", signed({8: {"count": "2"}, 9: {"count": "3"}}, "light")),
        ("light-credits-less", "the credits fall", signed({8: {"credits": "39"}, 9: {"credits": "41"}}, "light")),
        ("light-debits-less", "the debits fall", signed({8: {"debits": "3"}, 9: {"debits": "3"}}, "light")),
        ("order-first-pair", "one pair does not follow in its totals, a later one not in its time", signed({5: {"unit": "EUR"}, 7: {"recordedAt": at(6)}})),
        ("order-totals-details", "totals do not follow, and details do not match", _with_details(signed({6: {"unit": "EUR"}}))),
    ]  # fmt: skip
    return [*refuse(5, "time-order", times), *refuse(5, "totals-mismatch", totals)]


def _with_details(statement: Statement) -> Statement:
    statement["items"][1]["details"] = {"salt": salt(1).hex(), "value": {"reason": "none"}}
    return statement


def _details() -> list[Case]:
    seal = {"salt": salt(405).hex(), "value": {"reason": "sealed"}}
    foreign = NEIGHBOUR.proven(0, 4)
    first = of(WEEK.rewritten({0: {"origin": NEIGHBOUR.origin}}), "light", (at(0), at(4)))
    wrong_path = [b64(flip(WEEK.path(0, SIZE)[0])), *named()["open"]["path"][1:]]
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        ("details-first", "the reason before the period changed", request(changed(light, "items", 0, "details", "value", "reason", to="x")), "details-mismatch"),
        ("details-last", "the reason behind the period changed", request(changed(light, "items", 3, "details", "value", "reason", to="x")), "details-mismatch"),
        ("details-salt", "a salt has one bit changed", request(changed(light, "items", 1, "details", "salt", to=flip(salt(403)).hex())), "details-mismatch"),
        ("details-swapped", "the details of another item", request(changed(light, "items", 1, "details", to=WEEK.details[8])), "details-mismatch"),
        ("details-within", "the reason of an entry within a full statement changed", request(changed(full, "items", 4, "details", "value", "reason", to="x")), "details-mismatch"),
        ("details-of-seal", "details of a seal, which commits to none", request(changed(full, "items", 3, "details", to=seal)), "details-mismatch"),
        ("first-of-neighbour", "the operator signed a log that begins with another log's open entry", request(first), "wrong-origin"),
        ("open-of-neighbour", "`open` of another customer", request({**light(), "open": foreign}), "wrong-origin"),
        ("open-is-delta", "`open` holds a delta with its path", request({**light(), "open": item(1)}), "index-mismatch"),
        ("open-path", "a hash of the path of `open` has one bit changed", request(changed(named, "open", "path", to=wrong_path)), "root-mismatch"),
        ("open-entry", "the time of the open entry changed", request(changed(named, "open", "entry", "recordedAt", to=at(1))), "root-mismatch"),
        ("open-unit", "`open` is of another unit than all that follows", request(_opened({0: {"unit": "EUR"}}), customer=CUSTOMER), "totals-mismatch"),
        ("open-later", "`open` has the time of the first item", request(_opened({0: {"recordedAt": at(2)}})), "time-order"),
        ("open-details", "the customerId in `open` changed", request(changed(named, "open", "details", "value", "customerId", to="cust_002"), customer="cust_002"), "details-mismatch"),
        ("customer-other", "the caller names another customer", request(named(), customer="cust_002"), "wrong-origin"),
        ("customer-empty", "the caller names an empty customerId", request(named(), customer=""), "wrong-origin"),
        ("customer-no-open", "the caller names a customer, and there is no `open`", request(light(), customer=CUSTOMER), "wrong-origin"),
        ("customer-no-details", "the caller names a customer, and the details of `open` were erased", request(without(named, "open", "details"), customer=CUSTOMER), "wrong-origin"),
        ("of-neighbour", "another customer's statement, whole and right", request(_neighbour(), customer=CUSTOMER), "wrong-origin"),
        ("order-details-customer", "a reason changed, and the caller names another customer", request(changed(named, "items", 1, "details", "value", "reason", to="x"), customer="cust_002"), "details-mismatch"),
        ("order-details-open", "the reason of the last item changed, and `open` is another customer's", request({**changed(light, "items", 3, "details", "value", "reason", to="x"), "open": foreign}), "details-mismatch"),
    ]  # fmt: skip
    return [MAKER.refuse(slug, comment, "step-6", given, code) for slug, comment, given, code in cases]


def _opened(changes: dict[int, dict[str, str]]) -> Statement:
    log = WEEK.rewritten(changes)
    return {**of(log, "light"), "open": log.proven(0, SIZE)}


def _neighbour() -> Statement:
    return NEIGHBOUR.statement(
        ("2026-04-01T00:00:00.000000Z", "2026-05-01T00:00:00.000000Z"), "light", 4, with_open=True
    )


def cases() -> list[Case]:
    """Return the cases of these steps."""
    return [*_roots(), *_gaps(), *_ends(), *_orders(), *_details()]
