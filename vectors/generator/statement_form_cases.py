"""Statements that are refused at step 1: JSON, members, times, items, roles, types, keys, origin."""

from __future__ import annotations

import copy
import json
from typing import Any

from generator.bounds import padded
from generator.entry_parts import bad_origins
from generator.example import (
    KEY,
    NEIGHBOUR,
    OPERATOR,
    OTHER_KEY,
    OTHER_OPERATOR,
    VKEY,
    WEEK,
    salt,
)
from generator.ledger import commitment
from generator.model import Case
from generator.mutate import STRAY, flip, stray_bit
from generator.receipt_parts import changed, paths_as_text, without
from generator.signing import b64, key_id, note, signature_line
from generator.statement_parts import (
    MAKER,
    ORIGIN,
    PERIOD,
    SIZE,
    Statement,
    at,
    full,
    item,
    light,
    named,
    refuse,
    request,
    signed_checkpoint,
    text,
    with_items,
    without_item,
)

_LIGHT = text(light())
_LATER = {
    **WEEK.entries[5],
    "type": "counterfoil/redaction@v1",
    "index": "3",
    "count": "3",
    "recordedAt": at(3),
}


def _container() -> list[Case]:
    cases: list[tuple[str, str, Statement | str]] = [
        ("empty", "nothing", ""),
        ("truncated", "the last brace is missing", _LIGHT[:-1]),
        ("text-behind", "something behind the statement", _LIGHT + "0"),
        ("bom", "U+FEFF before the brace", "\ufeff" + _LIGHT),
        ("array", "an array of the statement", f"[{_LIGHT}]"),
        ("string", "the statement as a string", json.dumps(_LIGHT)),
        ("null", "null", "null"),
        ("duplicate-to", "a second `to`", _LIGHT[:-1] + f',"to":"{at(8)}"}}'),
        ("duplicate-items", "a second `items`", _LIGHT[:-1] + ',"items":[]}'),
        (
            "duplicate-amount",
            "a second amount in an entry",
            _LIGHT.replace('"amount":"-1"', '"amount":"-1","amount":"-1"', 1),
        ),
        ("lone-surrogate", "a lone surrogate in a reason", _LIGHT.replace("call 3", "call \\ud83d")),
        ("member-unknown", "an unknown member", {**light(), "closing": "1"}),
        ("keys-inside", "the statement brings a key of its own", {**light(), "keys": [VKEY]}),
        ("no-type", "no type", without(light, "type")),
        ("type-null", "the type is null", changed(light, "type", to=None)),
        *((f"no-{name}", f"no `{name}`", without(light, name)) for name in ("from", "to", "mode", "items")),
        ("no-checkpoint", "no checkpoint", without(light, "checkpoint")),
        ("open-null", "`open` is null instead of absent", {**light(), "open": None}),
        ("mode-upper", "the mode with a capital letter", changed(light, "mode", to="Light")),
        ("mode-other", "a third mode", changed(light, "mode", to="medium")),
        (
            "mode-other-full",
            "a third mode, with the items of a full statement",
            changed(full, "mode", to="medium"),
        ),
        ("mode-null", "the mode is null", changed(light, "mode", to=None)),
        ("mode-array", "the mode in an array", changed(light, "mode", to=["light"])),
    ]
    unknown: list[tuple[str, str, Statement | str]] = [
        ("type-v2", "a statement of version 2", changed(light, "type", to="counterfoil/statement@v2")),
        ("type-receipt", "the type of a receipt", changed(light, "type", to="counterfoil/receipt@v1")),
        ("type-empty", "an empty type", changed(light, "type", to="")),
    ]
    return [*refuse(1, "malformed", cases), *refuse(1, "unknown-type", unknown)]


def _times() -> list[Case]:
    values: list[tuple[str, str, object]] = [
        ("date", "a plain date", "2026-06-01"),
        ("no-decimals", "no decimals", "2026-06-01T00:00:03Z"),
        ("offset", "an offset instead of Z", at(3).replace("Z", "+00:00")),
        ("lower", "a small z", at(3).lower()),
        ("second-60", "second 60", "2026-06-01T00:00:60.000000Z"),
        ("no-day", "31 June", "2026-06-31T00:00:03.000000Z"),
        ("newline", "a newline behind it", at(3) + "\n"),
        ("null", "null", None),
        ("number", "a number", 1780272003),
    ]
    cases: list[tuple[str, str, Statement | str]] = [
        (f"{name}-{slug}", f"`{name}`: {comment}", changed(light, name, to=value))
        for name in ("from", "to")
        for slug, comment, value in values
    ]
    cases += [
        (
            "from-is-to",
            "`from` is `to`, between two entries",
            WEEK.statement((at(4, 1), at(4, 1)), "light", SIZE),
        ),
        ("from-behind-to", "`from` is behind `to`", {**light(), "from": PERIOD[1], "to": PERIOD[0]}),
    ]
    return refuse(1, "malformed", cases)


def _checkpoints() -> list[Case]:
    good = WEEK.checkpoint(SIZE)
    line = KEY.line(ORIGIN, WEEK.text(SIZE))
    notes: list[tuple[str, str, object]] = [
        ("null", "the checkpoint is null", None),
        ("lines", "the checkpoint as an array of lines", good.split("\n")),
        ("extension", "a fourth line, signed", note(WEEK.text(SIZE) + "more\n", line)),
        ("size-zeros", "size 012, signed", signed_checkpoint(size="012")),
        ("no-signature", "no signature line", WEEK.text(SIZE) + "\n"),
        ("newline", "one more newline at the end", good + "\n"),
        ("crlf", "lines end in carriage return and newline", good.replace("\n", "\r\n")),
        ("proof", "a tlog-proof instead of the checkpoint", WEEK.receipt(3, SIZE)["proof"]),
    ]
    notes += [
        (slug, f"{comment}, signed", signed_checkpoint(origin))
        for slug, comment, origin in bad_origins(ORIGIN)
    ]
    return refuse(
        1,
        "malformed",
        [
            (f"checkpoint-{slug}", comment, changed(light, "checkpoint", to=value))
            for slug, comment, value in notes
        ],
    )


def _items() -> list[Case]:
    path = light()["items"][0]["path"]
    wrong_value = changed(light, "items", 1, "details", "value", to={"note": "x"})
    wrong_value["items"][1]["entry"]["details"] = commitment(salt(403), {"note": "x"})
    cases: list[tuple[str, str, Statement | str]] = [
        ("items-null", "the items are null", changed(light, "items", to=None)),
        ("items-object", "the items are an object", changed(light, "items", to={"0": item(2)})),
        ("items-text", "the items are a text of 10,001 characters", changed(light, "items", to="x" * 10_001)),
        ("items-none", "no items", changed(light, "items", to=[])),
        ("items-10000", "10,000 items, none of which is one", changed(light, "items", to=[0] * 10_000)),
        ("item-null", "an item is null", changed(light, "items", 1, to=None)),
        ("item-receipt", "an item is a receipt", changed(light, "items", 1, to=WEEK.receipt(3, SIZE))),
        ("item-unknown", "an unknown member in an item", changed(light, "items", 1, "index", to="3")),
        ("item-no-entry", "an item without entry", without(light, "items", 1, "entry")),
        ("item-details-null", "details are null", changed(light, "items", 1, "details", to=None)),
        (
            "item-salt-short",
            "a salt of 31 bytes",
            changed(light, "items", 1, "details", "salt", to=salt(403).hex()[2:]),
        ),
        ("item-value", "details that are not those of a delta; the commitment fits", wrong_value),
        ("item-index-number", "an index is a number", changed(light, "items", 1, "entry", "index", to=3)),
        ("item-index-zeros", "an index with a leading zero", changed(light, "items", 1, "entry", "index", to="03")),
        ("item-amount-zeros", "an amount with a trailing zero", changed(light, "items", 1, "entry", "amount", to="-1.0")),
        ("item-member-missing", "an entry lacks its unit", without(light, "items", 1, "entry", "unit")),
        ("path-text", "a path as one string", changed(light, "items", 0, "path", to="\n".join(path))),
        ("path-null", "a path is null", changed(light, "items", 0, "path", to=None)),
        ("path-null-hash", "a hash of a path is null", changed(light, "items", 0, "path", 1, to=None)),
        ("path-hex", "a hash in hex", changed(light, "items", 0, "path", 0, to=STRAY.hex())),
        ("path-31-bytes", "a hash of 31 bytes", changed(light, "items", 0, "path", 0, to=b64(STRAY[:31]))),
        ("path-tail-bits", "a hash with a stray bit", changed(light, "items", 0, "path", 0, to=stray_bit(path[0]))),
        ("path-64", "64 hashes", changed(light, "items", 0, "path", to=paths_as_text([STRAY] * 64))),
        ("open-no-path", "`open` without path", without(named, "open", "path")),
        ("open-credits", "an open entry with credits", changed(named, "open", "entry", "credits", to="1")),
        ("open-value", "details of `open` that are those of a delta", changed(named, "open", "details", "value", to={"reason": "x"})),
        *(
            (f"light-no-path-{place}", f"item {place} of a light statement has no path", without(light, "items", place, "path"))
            for place in range(4)
        ),
        ("full-no-path-first", "the first item of a full statement has no path", without(full, "items", 0, "path")),
        ("full-no-path-last", "the last item of a full statement has no path", without(full, "items", 7, "path")),
        ("full-path-within", "an item within a full statement has its path", changed(full, "items", 3, to=item(5))),
        ("full-dropped-first", "the entry before the period is left out of a full statement", without_item(full, 0)),
        ("full-dropped-last", "the entry behind the period is left out of a full statement", without_item(full, 7)),
    ]  # fmt: skip
    too_large: list[tuple[str, str, Statement | str]] = [
        ("light-too-large", "a light statement of 262,145 bytes, most of which are spaces", padded(_LIGHT)),
        ("items-10001", "10,001 items, none of which is one", changed(light, "items", to=[0] * 10_001)),
        (
            "item-too-large",
            "an entry of over 2,048 bytes",
            changed(light, "items", 1, "entry", "unit", to="x" * 2048),
        ),
        (
            "item-details-too-large",
            "details of over 16,384 bytes",
            changed(light, "items", 1, "details", "value", to={"reason": "x" * 16_384}),
        ),
    ]
    return [*refuse(1, "malformed", cases), *refuse(1, "too-large", too_large)]


def _roles() -> list[Case]:
    items, all_items = light()["items"], full()["items"]
    bare = [{name: member for name, member in one.items() if name != "path"} for one in all_items]
    ends = {name: {"path": all_items[place]["path"]} for name, place in (("first", 0), ("last", 7))}
    swapped = [
        {**bare[0], **ends["first"]},
        bare[1],
        bare[3],
        bare[2],
        *bare[4:7],
        {**bare[7], **ends["last"]},
    ]
    doubled = [{**bare[0], **ends["first"]}, *bare[1:5], bare[4], *bare[5:7], {**bare[7], **ends["last"]}]
    cases: list[tuple[str, str, Statement | str]] = [
        ("reversed", "the items in the opposite order", with_items(light, items[::-1])),
        ("swapped-inside", "the first and the last entry of the period change places", with_items(light, [items[0], items[2], items[1], items[3]])),
        ("swapped-before", "the entry before the period stands behind its first", with_items(light, [items[1], items[0], *items[2:]])),
        ("doubled", "an item stands twice", with_items(light, [items[0], items[1], items[1], items[3]])),
        ("full-swapped", "two entries of a full statement change places", with_items(full, swapped)),
        ("full-doubled", "an entry of a full statement stands twice", with_items(full, doubled)),
        ("two-before", "two entries before the period", with_items(light, [item(1), *items])),
        ("two-after", "two entries behind the period", with_items(light, [*items, item(10)])),
        ("light-three-inside", "three entries of the period in a light statement", with_items(light, [*items[:2], item(5), *items[2:]])),
        ("full-as-light", "a full statement sold as a light one", changed(full, "mode", to="light")),
        ("light-as-full", "a light statement sold as a full one", changed(light, "mode", to="full")),
        ("from-later", "`from` behind the first entry of the period", changed(light, "from", to=at(3, 1))),
        ("to-earlier", "`to` at the last entry of the period", changed(light, "to", to=at(8))),
        ("full-from-later", "`from` behind the first entry of a full statement", changed(full, "from", to=at(3, 1))),
        ("full-to-earlier", "`to` at the last entry of a full statement", changed(full, "to", to=at(8))),
        ("full-time-within", "an entry within says a time before the period", changed(full, "items", 3, "entry", "recordedAt", to=at(1))),
        ("full-time-within-after", "an entry within says a time behind the period", changed(full, "items", 3, "entry", "recordedAt", to=at(10))),
    ]  # fmt: skip
    first = copy.deepcopy(WEEK.statement((at(0), at(4)), "full", SIZE))
    first["items"][2]["entry"]["recordedAt"] = "2026-05-31T00:00:00.000000Z"
    final = copy.deepcopy(WEEK.statement((at(8), at(11, 1)), "full", SIZE))
    final["items"][2]["entry"]["recordedAt"] = at(12)
    cases += [
        (
            "full-before-within",
            "from the first entry on, and one within says a time before the period",
            first,
        ),
        ("full-after-within", "up to the last entry, and one within says a time behind the period", final),
    ]
    return refuse(1, "malformed", cases)


def _types() -> list[Case]:
    later = changed(light, "items", 1, to={"entry": _LATER, "path": light()["items"][1]["path"]})
    inside = changed(full, "items", 3, "entry", "type", to="counterfoil/redaction@v1")
    first = changed(named, "open", "entry", "type", to="counterfoil/open@v2")
    unknown: list[tuple[str, str, Statement | str]] = [
        ("item-type-unknown", "an entry of a later version", later),
        ("full-item-type-unknown", "an entry of a later version within a full statement", inside),
        ("open-type-unknown", "`open` holds an entry of a later version", first),
    ]
    malformed: list[tuple[str, str, Statement | str]] = [
        (
            "order-type-roles",
            "an entry of a later version, and two entries behind the period",
            {**later, "items": [*later["items"], item(10)]},
        ),
        ("order-type-open", "an entry of a later version, and `open` without path", {**later, "open": without(named, "open", "path")["open"]}),
        ("order-checkpoint-item", "a checkpoint with one more newline, and an entry of over 2,048 bytes",
         {**changed(light, "items", 1, "entry", "unit", to="x" * 2048), "checkpoint": WEEK.checkpoint(SIZE) + "\n"}),
        ("order-time-item", "31 June, and an entry of over 2,048 bytes",
         {**changed(light, "items", 1, "entry", "unit", to="x" * 2048), "to": "2026-06-31T00:00:00.000000Z"}),
        ("order-item-item", "an amount with a trailing zero, and a later entry of over 2,048 bytes",
         changed(lambda: changed(light, "items", 2, "entry", "unit", to="x" * 2048), "items", 1, "entry", "amount", to="-1.0")),
    ]  # fmt: skip
    large: list[tuple[str, str, Statement | str]] = [
        ("order-item-hash", "an entry of over 2,048 bytes, whose path has a hash of 31 bytes",
         changed(lambda: changed(light, "items", 1, "entry", "unit", to="x" * 2048), "items", 1, "path", 0, to=b64(bytes(31)))),
        ("order-item-roles", "an entry of over 2,048 bytes, and the items in the opposite order",
         with_items(light, changed(light, "items", 1, "entry", "unit", to="x" * 2048)["items"][::-1])),
        ("order-items-item", "10,001 items, the first of which is no object", changed(full, "items", to=[0] * 10_001)),
    ]  # fmt: skip
    return [
        *refuse(1, "unknown-type", unknown),
        *refuse(1, "malformed", malformed),
        *refuse(1, "too-large", large),
        MAKER.refuse(
            "order-type-key",
            "an entry of a later version, and no key",
            "step-1",
            request(later, keys=[]),
            "unknown-type",
        ),
    ]


def _keys() -> list[Case]:
    signature, identifier = KEY.sign(WEEK.text(SIZE)), key_id(ORIGIN, KEY.public)
    bad_line = signature_line(ORIGIN, identifier, flip(signature))
    moved = WEEK.checkpoint(SIZE).replace("\n12\n", "\n13\n")
    other = {"keys": [OTHER_KEY.vkey(OPERATOR)]}
    bad = changed(light, "checkpoint", to=note(WEEK.text(SIZE), bad_line))
    asked: list[tuple[str, str, dict[str, Any], str]] = [
        ("no-keys", "no key given", request(light(), keys=[]), "unknown-key"),
        ("other-operator", "the key of another operator", request(light(), keys=[OTHER_KEY.vkey(OTHER_OPERATOR)]), "unknown-key"),
        ("other-key", "another key of the operator", request(light(), **other), "unknown-key"),
        ("neighbour-log-key", "the key under the origin of another log", request(light(), keys=[KEY.vkey(NEIGHBOUR.origin)]), "unknown-key"),
        ("signature-bit", "the signature has one bit changed", request(bad), "bad-signature"),
        ("size-changed", "the size of the checkpoint changed to 13", request(changed(light, "checkpoint", to=moved)), "bad-signature"),
        ("order-key-origin", "another key, and another origin is expected", request(light(), origin=NEIGHBOUR.origin, **other), "unknown-key"),
        ("order-signature-origin", "a bad signature, and another origin is expected", request(bad, origin=NEIGHBOUR.origin), "bad-signature"),
        ("expected-neighbour", "the caller expects another customer's log", request(light(), origin=NEIGHBOUR.origin), "wrong-origin"),
        ("expected-prefix", "the caller expects the origin without its last digit", request(light(), origin=ORIGIN[:-1]), "wrong-origin"),
        ("expected-empty", "the caller expects an empty origin", request(light(), origin=""), "wrong-origin"),
        ("of-neighbour-expected", "another customer's statement, and the caller expects this log",
         request(NEIGHBOUR.statement(("2026-04-01T00:00:00.000000Z", "2026-05-01T00:00:00.000000Z"), "light", 4), origin=ORIGIN), "wrong-origin"),
        ("order-origin-root", "another origin is expected, and a path is wrong",
         request(changed(light, "items", 0, "path", 0, to=b64(STRAY)), origin=NEIGHBOUR.origin), "wrong-origin"),
        ("key-order-8", "a key of order 8 among those given", request(light(), keys=[VKEY, _ORDER_8]), "malformed"),
        ("provisional-text", "`allowProvisional` is a string", {**request(light()), "allowProvisional": "true"}, "malformed"),
    ]  # fmt: skip
    return [MAKER.refuse(slug, comment, "step-1", given, code) for slug, comment, given, code in asked]


_ORDER_8 = (
    "ledger.example.com+"
    + key_id(
        OPERATOR, bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
    ).hex()
    + "+"
    + b64(b"\x01" + bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
)


def cases() -> list[Case]:
    """Return the cases of this step."""
    return [*_container(), *_times(), *_checkpoints(), *_items(), *_roles(), *_types(), *_keys()]
