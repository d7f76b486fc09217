"""Packs whose logs are refused: entries, checkpoints, ends of logs."""

from __future__ import annotations

from typing import Any

from generator.example import (
    KEY,
    NEIGHBOUR,
    OPERATOR,
    OTHER_KEY,
    WEEK,
    salt,
)
from generator.model import Case
from generator.mutate import STRAY, flip
from generator.pack_parts import (
    FIRST,
    LAST,
    MAKER,
    MIDDLE,
    Line,
    all_but,
    later_end,
    lines_of,
    pack,
    refuse,
    request,
    signed,
    spoiled,
)
from generator.signing import key_id, note, signature_line
from generator.tree import sha256

# Lines of WEEK: the log, entries 0 to 5, the checkpoint of 6, entries 6 to 11, the checkpoint of 12.
_CHECKPOINT = 7


def _entries() -> list[Case]:
    def edited(index: int, name: str, value: str) -> list[Line]:
        place = index + 1 if index < _CHECKPOINT - 1 else index + 2
        return spoiled(lambda lines: lines[place]["entry"].update({name: value}))

    def moved(lines: list[Any]) -> None:
        lines.insert(3, lines.pop(4))

    mismatches: list[tuple[str, str, list[Line]]] = [
        ("dropped-open", "the open entry is left out", spoiled(lambda lines: lines.pop(1))),
        ("dropped-first", "the first delta is left out", spoiled(lambda lines: lines.pop(2))),
        ("dropped-middle", "a delta in the middle is left out", spoiled(lambda lines: lines.pop(4))),
        ("dropped-seal", "the seal under a checkpoint is left out", spoiled(lambda lines: lines.pop(6))),
        ("first-unknown", "the log begins with an entry of a later version",
         spoiled(lambda lines: lines[1]["entry"].update(type="counterfoil/redaction@v1"))),
        ("doubled-entry", "an entry stands twice", spoiled(lambda lines: lines.insert(3, lines[3]))),
        ("doubled-open", "the open entry stands twice", spoiled(lambda lines: lines.insert(2, lines[1]))),
        ("swapped-entries", "two entries change places", spoiled(moved)),
        ("entries-of-neighbour", "an entry of another log stands behind the first delta",
         spoiled(lambda lines: lines.insert(3, lines_of(NEIGHBOUR)[2]))),
        ("two-logs-in-one", "the entries of two logs under the origin of one",
         pack(lines_of(FIRST), [*lines_of(MIDDLE), *lines_of(LAST)[1:]])),
        ("entry-index", "an entry says another index", edited(3, "index", "4")),
    ]  # fmt: skip
    totals: list[tuple[str, str, list[Line]]] = [
        ("amount", "an amount changed", edited(2, "amount", "-2")),
        ("credits", "the credits of an entry changed", edited(2, "credits", "41")),
        ("count", "the count of an entry changed", edited(3, "count", "2")),
        ("unit", "the unit of an entry changed", edited(4, "unit", "EUR")),
        ("seal-totals", "the debits of a seal changed", edited(5, "debits", "5")),
    ]
    other: list[tuple[str, str, list[Line], str]] = [
        ("time-same", "an entry has the time of the one before it", edited(3, "recordedAt", WEEK.entries[2]["recordedAt"]), "time-order"),
        ("time-earlier", "an entry is earlier than the one before it", edited(3, "recordedAt", WEEK.entries[1]["recordedAt"]), "time-order"),
        ("key-twice", "a key stands twice", edited(3, "key", WEEK.entries[1]["key"]), "duplicate-key"),
        ("key-twice-late", "a key stands twice, with a checkpoint between", edited(9, "key", WEEK.entries[1]["key"]), "duplicate-key"),
        ("open-of-neighbour", "the log begins with another log's open entry", spoiled(lambda lines: lines.__setitem__(1, lines_of(NEIGHBOUR)[1])), "wrong-origin"),
        ("details-reason", "a reason changed", spoiled(lambda lines: lines[2]["details"]["value"].update(reason="x")), "details-mismatch"),
        ("details-salt", "a salt has one bit changed", spoiled(lambda lines: lines[2]["details"].update(salt=flip(salt(401)).hex())), "details-mismatch"),
        ("details-of-seal", "details of a seal", spoiled(lambda lines: lines[6].update(details=lines[2]["details"])), "details-mismatch"),
        ("details-of-other", "the details of the entry before", spoiled(lambda lines: lines[3].update(details=lines[2]["details"])), "details-mismatch"),
        ("details-null", "details are null", spoiled(lambda lines: lines[2].update(details=None)), "malformed"),
        ("details-members", "details of a delta with another member", spoiled(lambda lines: lines[2]["details"]["value"].update(note="x")), "malformed"),
        ("entry-null", "an entry is null", spoiled(lambda lines: lines[2].update(entry=None)), "malformed"),
        ("entry-zeros", "an amount with a trailing zero", edited(2, "amount", "-2.50"), "malformed"),
        ("entry-too-large", "an entry of over 2,048 bytes", edited(2, "unit", "x" * 2048), "too-large"),
        ("details-too-large", "details of over 16,384 bytes", spoiled(lambda lines: lines[2]["details"]["value"].update(reason="x" * 16_384)), "too-large"),
        ("order-time-totals", "an entry is earlier than the one before it, and of another unit",
         spoiled(lambda lines: lines[4]["entry"].update(recordedAt=WEEK.entries[1]["recordedAt"], unit="EUR")), "time-order"),
        ("order-key-details", "a key stands twice, and its details do not match",
         spoiled(lambda lines: (lines[4]["entry"].update(key=WEEK.entries[1]["key"]), lines[4]["details"].update(salt=salt(1).hex()))), "duplicate-key"),
    ]  # fmt: skip
    return [
        *refuse(4, "index-mismatch", mismatches),
        *refuse(4, "totals-mismatch", totals),
        *(case for slug, comment, lines, code in other for case in refuse(4, code, [(slug, comment, lines)])),
    ]


def _checkpoints() -> list[Case]:
    def replaced(written: object) -> list[Line]:
        return spoiled(lambda lines: lines.__setitem__(_CHECKPOINT, {"checkpoint": written}))

    def added(written: str, place: int = _CHECKPOINT) -> list[Line]:
        return spoiled(lambda lines: lines.insert(place, {"checkpoint": written}))

    good = WEEK.checkpoint(6)
    line = signature_line(WEEK.origin, key_id(WEEK.origin, KEY.public), flip(KEY.sign(WEEK.text(6))))
    cases: list[tuple[str, str, list[Line], str]] = [
        ("checkpoint-null", "a checkpoint is null", replaced(None), "malformed"),
        ("checkpoint-lines", "a checkpoint as an array of lines", replaced(good.split("\n")), "malformed"),
        ("checkpoint-newline", "one more newline at the end", replaced(good + "\n"), "malformed"),
        ("checkpoint-extension", "a fourth line, signed", replaced(note(WEEK.text(6) + "more\n", KEY.line(WEEK.origin, WEEK.text(6) + "more\n"))), "malformed"),
        ("checkpoint-other-key", "signed with another key", replaced(signed(6, WEEK.root(6), key=OTHER_KEY)), "unknown-key"),
        ("checkpoint-bit", "the signature has one bit changed", replaced(note(WEEK.text(6), line)), "bad-signature"),
        ("checkpoint-size-changed", "the size changed after signing", replaced(good.replace("\n6\n", "\n7\n")), "bad-signature"),
        ("checkpoint-of-neighbour", "another log's checkpoint", replaced(NEIGHBOUR.checkpoint(4)), "wrong-origin"),
        ("checkpoint-early", "the checkpoint of 6 stands before its last entry", spoiled(lambda lines: lines.insert(6, lines.pop(7))), "index-mismatch"),
        ("checkpoint-late", "the checkpoint of 6 stands behind one more entry", spoiled(lambda lines: lines.insert(8, lines.pop(7))), "index-mismatch"),
        ("checkpoint-first", "the checkpoint of 6 stands before all entries", spoiled(lambda lines: lines.insert(1, lines.pop(7))), "index-mismatch"),
        ("checkpoints-swapped", "the checkpoints change places",
         spoiled(lambda lines: lines.__setitem__(7, lines.pop())), "index-mismatch"),
        ("checkpoint-empty", "a checkpoint of the empty log before the first entry", added(signed(0, sha256(b"")), 1), "missing-seal"),
        ("checkpoint-no-seal", "a checkpoint over a delta", added(signed(4, WEEK.root(4)), 5), "missing-seal"),
        ("fork-first", "two checkpoints of one size, the first with another root", added(signed(6, STRAY)), "fork"),
        ("fork-second", "two checkpoints of one size, the second with another root", added(signed(6, STRAY), 8), "fork"),
        ("fork-prefix", "an older checkpoint has another root than the entries, a newer one theirs", replaced(signed(6, STRAY)), "fork"),
        ("no-keys", "no key given", pack(), "unknown-key"),
        ("key-of-log", "only the key of another log is given", pack(), "unknown-key"),
    ]  # fmt: skip
    keys = {"no-keys": [], "key-of-log": [KEY.vkey(f"{OPERATOR}/acme/0x{'00' * 20}")]}
    return [
        MAKER.refuse(slug, comment, "step-5", request(lines, keys=keys.get(slug)), code)
        for slug, comment, lines, code in cases
    ]


def _ends_of_logs() -> list[Case]:
    unsigned = [line for line in lines_of(WEEK) if not isinstance(line, dict) or "checkpoint" not in line]
    chosen = {WEEK.origin: unsigned}
    later = lines_of(WEEK)
    grown = [*later[:-1], *later_end()]
    cases: list[tuple[str, str, list[Line], str]] = [
        ("root", "the newest checkpoint has another root than the entries",
         spoiled(lambda lines: lines.__setitem__(-1, {"checkpoint": signed(12, STRAY)})), "root-mismatch"),
        ("root-time", "the time of an entry changed, and all else fits",
         spoiled(lambda lines: lines[-2]["entry"].update(recordedAt="2026-06-01T00:00:11.000001Z")), "root-mismatch"),
        ("root-effective", "an entry gained a member", spoiled(lambda lines: lines[8]["entry"].update(effectiveAt="2026-06-01T00:00:06.000000Z")), "root-mismatch"),
        ("root-key", "the key of an entry changed", spoiled(lambda lines: lines[8]["entry"].update(key="00" * 32)), "root-mismatch"),
        ("root-commitment", "the details were erased, and the commitment changed",
         spoiled(lambda lines: (lines[8].pop("details"), lines[8]["entry"].update(details="00" * 32))), "root-mismatch"),
        ("unsigned", "a log without a checkpoint", all_but(chosen), "not-yet-checkpointed"),
        ("log-alone", "a log without entries", all_but({WEEK.origin: unsigned[:1]}), "not-yet-checkpointed"),
        ("type-unknown", "an entry of a later version, under a checkpoint that covers it", all_but({WEEK.origin: grown}), "unknown-type"),
    ]  # fmt: skip
    return [
        MAKER.refuse(slug, comment, "step-6", request(lines), code) for slug, comment, lines, code in cases
    ]


def cases() -> list[Case]:
    """Return the cases of these steps."""
    return [*_entries(), *_checkpoints(), *_ends_of_logs()]
