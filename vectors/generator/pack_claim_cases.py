"""Packs whose logs are refused: entries, checkpoints, held checkpoints, and which of several faults decides."""

from __future__ import annotations

from typing import Any

from generator.example import (
    GROWN,
    KEY,
    NEIGHBOUR,
    OPERATOR,
    OTHER_KEY,
    VKEY,
    WEEK,
    salt,
)
from generator.ledger import Log
from generator.model import Case
from generator.mutate import STRAY, flip
from generator.pack_parts import (
    FIRST,
    LAST,
    MAKER,
    MIDDLE,
    Line,
    lines_of,
    pack,
    refuse,
    request,
    spoiled,
)
from generator.signing import Key, checkpoint_text, key_id, note, signature_line
from generator.tree import sha256

# Lines of WEEK: the log, entries 0 to 5, the checkpoint of 6, entries 6 to 11, the checkpoint of 12.
_CHECKPOINT = 7


def _signed(size: int, root: bytes, log: Log = WEEK, key: Key = KEY) -> str:
    text = checkpoint_text(log.origin, size, root)
    return note(text, key.line(log.origin, text))


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
        ("checkpoint-other-key", "signed with another key", replaced(_signed(6, WEEK.root(6), key=OTHER_KEY)), "unknown-key"),
        ("checkpoint-bit", "the signature has one bit changed", replaced(note(WEEK.text(6), line)), "bad-signature"),
        ("checkpoint-size-changed", "the size changed after signing", replaced(good.replace("\n6\n", "\n7\n")), "bad-signature"),
        ("checkpoint-of-neighbour", "another log's checkpoint", replaced(NEIGHBOUR.checkpoint(4)), "wrong-origin"),
        ("checkpoint-early", "the checkpoint of 6 stands before its last entry", spoiled(lambda lines: lines.insert(6, lines.pop(7))), "index-mismatch"),
        ("checkpoint-late", "the checkpoint of 6 stands behind one more entry", spoiled(lambda lines: lines.insert(8, lines.pop(7))), "index-mismatch"),
        ("checkpoint-first", "the checkpoint of 6 stands before all entries", spoiled(lambda lines: lines.insert(1, lines.pop(7))), "index-mismatch"),
        ("checkpoints-swapped", "the checkpoints change places",
         spoiled(lambda lines: lines.__setitem__(7, lines.pop())), "index-mismatch"),
        ("checkpoint-empty", "a checkpoint of the empty log before the first entry", added(_signed(0, sha256(b"")), 1), "missing-seal"),
        ("checkpoint-no-seal", "a checkpoint over a delta", added(_signed(4, WEEK.root(4)), 5), "missing-seal"),
        ("fork-first", "two checkpoints of one size, the first with another root", added(_signed(6, STRAY)), "fork"),
        ("fork-second", "two checkpoints of one size, the second with another root", added(_signed(6, STRAY), 8), "fork"),
        ("fork-prefix", "an older checkpoint has another root than the entries, a newer one theirs", replaced(_signed(6, STRAY)), "fork"),
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
    grown = [*later[:-1], *_behind()]
    cases: list[tuple[str, str, list[Line], str]] = [
        ("root", "the newest checkpoint has another root than the entries",
         spoiled(lambda lines: lines.__setitem__(-1, {"checkpoint": _signed(12, STRAY)})), "root-mismatch"),
        ("root-time", "the time of an entry changed, and all else fits",
         spoiled(lambda lines: lines[-2]["entry"].update(recordedAt="2026-06-01T00:00:11.000001Z")), "root-mismatch"),
        ("root-effective", "an entry gained a member", spoiled(lambda lines: lines[8]["entry"].update(effectiveAt="2026-06-01T00:00:06.000000Z")), "root-mismatch"),
        ("root-key", "the key of an entry changed", spoiled(lambda lines: lines[8]["entry"].update(key="00" * 32)), "root-mismatch"),
        ("root-commitment", "the details were erased, and the commitment changed",
         spoiled(lambda lines: (lines[8].pop("details"), lines[8]["entry"].update(details="00" * 32))), "root-mismatch"),
        ("unsigned", "a log without a checkpoint", _all_but(chosen), "not-yet-checkpointed"),
        ("log-alone", "a log without entries", _all_but({WEEK.origin: unsigned[:1]}), "not-yet-checkpointed"),
        ("type-unknown", "an entry of a later version, under a checkpoint that covers it", _all_but({WEEK.origin: grown}), "unknown-type"),
    ]  # fmt: skip
    return [
        MAKER.refuse(slug, comment, "step-6", request(lines), code) for slug, comment, lines, code in cases
    ]


def _behind() -> list[Line]:
    """Return the end of the log as a later version would go on: an entry of another type and a seal."""
    log = WEEK.rewritten({})
    # A copy of its own: the lists of the log itself stay as they are.
    log.entries = [*log.entries]
    seal = log.entries[11]
    for second, kind in ((12, "redaction"), (13, "seal")):
        log.entries.append({
            **seal, "type": f"counterfoil/{kind}@v1", "index": str(second),
            "recordedAt": f"2026-06-01T00:00:{second}.000000Z",
        })  # fmt: skip
    return [
        {"entry": log.entries[12]},
        {"entry": log.entries[13]},
        {"checkpoint": _signed(14, log.root(14))},
    ]


def _all_but(other: dict[str, list[Line]]) -> list[Line]:
    """Return a pack of all logs, some with other lines."""
    return pack(*(other.get(log.origin, lines_of(log)) for log in (FIRST, MIDDLE, LAST)))


def _held() -> list[Case]:
    short = _all_but({WEEK.origin: lines_of(WEEK)[:8]})
    broken = [
        *lines_of(WEEK)[:_CHECKPOINT],
        {"checkpoint": _signed(6, STRAY)},
        *lines_of(WEEK)[_CHECKPOINT:][1:-1],
    ]
    bad = note(
        WEEK.text(6),
        signature_line(WEEK.origin, key_id(WEEK.origin, KEY.public), bytes(64)),
    )
    step_3 = [
        ("held-other-key", "the held checkpoint is signed with another key", _signed(6, WEEK.root(6), key=OTHER_KEY), "unknown-key"),
        ("held-bad-signature", "the held checkpoint has a bad signature", bad, "bad-signature"),
    ]  # fmt: skip
    step_5 = [
        (
            f"held-fork-{size}",
            f"the log does not extend the held checkpoint of {size} entries",
            _signed(size, STRAY),
        )
        for size in (1, 4, 6, 9, 12)
    ]
    step_6 = [
        ("held-longer", "the log ends before the held checkpoint", pack(), _signed(13, STRAY), "index-mismatch"),
        ("held-set-back", "the log was set back to an older checkpoint", short, WEEK.checkpoint(12), "index-mismatch"),
        ("held-unsigned", "no checkpoint of the log reaches the held one, which its entries do not give",
         _all_but({WEEK.origin: lines_of(WEEK)[:-1]}), _signed(9, STRAY), "root-mismatch"),
    ]  # fmt: skip
    return [
        *(MAKER.refuse(slug, comment, "step-3", request(pack(), held=[one]), code) for slug, comment, one, code in step_3),
        MAKER.refuse(
            "held-fork-newer",
            "the entries do not give the log's own checkpoint of 6 entries, and give the held one of 9",
            "step-4",
            request(_all_but({WEEK.origin: broken}), held=[WEEK.checkpoint(9)]),
            "fork",
        ),
        *(MAKER.refuse(slug, comment, "step-5", request(pack(), held=[one]), "fork") for slug, comment, one in step_5),
        *(MAKER.refuse(slug, comment, "step-6", request(lines, held=[one]), code) for slug, comment, lines, one, code in step_6),
        MAKER.refuse("held-malformed", "a held checkpoint is none", "step-1", request(pack(), held=["x"]), "malformed"),
    ]  # fmt: skip


def _verdicts() -> list[Case]:
    forked = [*lines_of(WEEK), {"checkpoint": _signed(12, STRAY)}]
    mismatch = [*lines_of(GROWN)[:-1], {"checkpoint": _signed(6, STRAY, GROWN)}]
    unknown = [*lines_of(NEIGHBOUR)[:-1], {"checkpoint": _signed(4, NEIGHBOUR.root(4), NEIGHBOUR, OTHER_KEY)}]
    dropped = lines_of(NEIGHBOUR)
    del dropped[2]
    cases: list[tuple[str, str, int, list[Line], str]] = [
        ("worst-fork", "one log is forked, one has another root, one another key, and the end is missing", 5,
         _all_but({WEEK.origin: forked, GROWN.origin: mismatch, NEIGHBOUR.origin: unknown})[:-1], "fork"),
        ("worst-root", "one log has another root, one another key, and the end is missing", 6,
         _all_but({GROWN.origin: mismatch, NEIGHBOUR.origin: unknown})[:-1], "root-mismatch"),
        ("worst-end", "one log has another key, and the end is missing", 7, _all_but({NEIGHBOUR.origin: unknown})[:-1], "malformed"),
        ("worst-key", "one log has another key", 5, _all_but({NEIGHBOUR.origin: unknown}), "unknown-key"),
        ("first-of-equals", "two logs are invalid", 0, _all_but({GROWN.origin: mismatch, NEIGHBOUR.origin: dropped}), ""),
        ("first-in-log", "details do not match, and later totals do not follow", 4,
         spoiled(lambda lines: (lines[2]["details"].update(salt=salt(1).hex()), lines[4]["entry"].update(unit="EUR"))), "details-mismatch"),
        ("key-before-fault", "a key stands twice, and a later line is no JSON", 4,
         spoiled(lambda lines: (lines[4]["entry"].update(key=WEEK.entries[1]["key"]), lines.append("x"))), "duplicate-key"),
        ("fault-before-key", "a line is no JSON, and a later key stands twice", 1,
         spoiled(lambda lines: (lines[4]["entry"].update(key=WEEK.entries[1]["key"]), lines.insert(3, "x"))), "malformed"),
    ]  # fmt: skip
    # Which of the two invalid logs comes first is a matter of their origins.
    first = (6, "root-mismatch") if GROWN.origin < NEIGHBOUR.origin else (4, "index-mismatch")
    return [
        MAKER.refuse(slug, comment, f"step-{step or first[0]}", request(lines, keys=[VKEY]), code or first[1])
        for slug, comment, step, lines, code in cases
    ]


def cases() -> list[Case]:
    """Return the cases of these steps."""
    return [*_entries(), *_checkpoints(), *_ends_of_logs(), *_held(), *_verdicts()]
