"""Packs held against checkpoints from before, and which of several findings decides."""

from __future__ import annotations

from generator.example import GROWN, KEY, NEIGHBOUR, OTHER_KEY, VKEY, WEEK, salt
from generator.model import Case
from generator.mutate import STRAY, flip
from generator.pack_parts import (
    LOGS,
    MAKER,
    Line,
    all_but,
    later_end,
    lines_of,
    pack,
    request,
    signed,
    spoiled,
)
from generator.signing import key_id, note, signature_line


def _held() -> list[Case]:
    short = all_but({WEEK.origin: lines_of(WEEK)[:8]})
    # Entries alone, but for a checkpoint of 6 that they do not give, or with one of 12 likewise.
    broken = lines_of(WEEK)[:-1]
    broken[7] = {"checkpoint": signed(6, STRAY)}
    ended_otherwise = [*lines_of(WEEK)[:-1], {"checkpoint": signed(12, STRAY)}]
    bad = note(
        WEEK.text(6),
        signature_line(WEEK.origin, key_id(WEEK.origin, KEY.public), bytes(64)),
    )
    step_3 = [
        ("held-other-key", "the held checkpoint is signed with another key", signed(6, WEEK.root(6), key=OTHER_KEY), "unknown-key"),
        ("held-bad-signature", "the held checkpoint has a bad signature", bad, "bad-signature"),
    ]  # fmt: skip
    step_5 = [
        (
            f"held-fork-{size}",
            f"the log does not extend the held checkpoint of {size} entries",
            signed(size, STRAY),
        )
        for size in (1, 4, 6, 9, 12)
    ]
    step_6 = [
        ("held-longer", "the log ends before the held checkpoint", pack(), signed(13, STRAY), "index-mismatch"),
        ("held-set-back", "the log was set back to an older checkpoint", short, WEEK.checkpoint(12), "index-mismatch"),
        ("held-unsigned", "no checkpoint of the log reaches the held one, which its entries do not give",
         all_but({WEEK.origin: lines_of(WEEK)[:-1]}), signed(9, STRAY), "root-mismatch"),
    ]  # fmt: skip
    return [
        *(MAKER.refuse(slug, comment, "step-3", request(pack(), held=[one]), code) for slug, comment, one, code in step_3),
        MAKER.refuse(
            "held-fork-newer",
            "the entries do not give the log's own checkpoint of 6 entries, and give the held one of 9",
            "step-4",
            request(all_but({WEEK.origin: broken}), held=[WEEK.checkpoint(9)]),
            "fork",
        ),
        *(MAKER.refuse(slug, comment, "step-5", request(pack(), held=[one]), "fork") for slug, comment, one in step_5),
        MAKER.refuse(
            "held-fork-both-wrong",
            "the newest checkpoint and the held one have one size and two roots, none of which the entries give",
            "step-5",
            request(all_but({WEEK.origin: ended_otherwise}), held=[signed(12, flip(STRAY))]),
            "fork",
        ),
        *(MAKER.refuse(slug, comment, "step-6", request(lines, held=[one]), code) for slug, comment, lines, one, code in step_6),
        MAKER.refuse("held-malformed", "a held checkpoint is none", "step-1", request(pack(), held=["x"]), "malformed"),
        MAKER.refuse("held-two", "two checkpoints of one log are held", "step-1", request(pack(), held=[WEEK.checkpoint(6), WEEK.checkpoint(12)]), "malformed"),
    ]  # fmt: skip


def _verdicts() -> list[Case]:
    forked = [*lines_of(WEEK), {"checkpoint": signed(12, STRAY)}]
    mismatch = [*lines_of(GROWN)[:-1], {"checkpoint": signed(6, STRAY, GROWN)}]
    unknown = [*lines_of(NEIGHBOUR)[:-1], {"checkpoint": signed(4, NEIGHBOUR.root(4), NEIGHBOUR, OTHER_KEY)}]
    dropped = lines_of(NEIGHBOUR)
    del dropped[2]
    cases: list[tuple[str, str, int, list[Line], str]] = [
        ("worst-fork", "one log is forked, one has another root, one another key, and the end is missing", 5,
         all_but({WEEK.origin: forked, GROWN.origin: mismatch, NEIGHBOUR.origin: unknown})[:-1], "fork"),
        ("worst-root", "one log has another root, one another key, and the end is missing", 6,
         all_but({GROWN.origin: mismatch, NEIGHBOUR.origin: unknown})[:-1], "root-mismatch"),
        ("worst-end", "one log has another key, and the end is missing", 7, all_but({NEIGHBOUR.origin: unknown})[:-1], "malformed"),
        ("worst-key", "one log has another key", 5, all_but({NEIGHBOUR.origin: unknown}), "unknown-key"),
        ("first-of-equals", "two logs are invalid", 0, all_but({GROWN.origin: mismatch, NEIGHBOUR.origin: dropped}), ""),
        ("first-in-log", "details do not match, and later totals do not follow", 4,
         spoiled(lambda lines: (lines[2]["details"].update(salt=salt(1).hex()), lines[4]["entry"].update(unit="EUR"))), "details-mismatch"),
        ("key-before-fault", "a key stands twice, and a later line is no JSON", 4,
         spoiled(lambda lines: (lines[4]["entry"].update(key=WEEK.entries[1]["key"]), lines.append("x"))), "duplicate-key"),
        ("unknown-before-fault", "one log has another key, and a later line of it is no JSON", 5, all_but({NEIGHBOUR.origin: [*unknown, "x"]}), "unknown-key"),
        ("fault-before-key", "a line is no JSON, and a later key stands twice", 1,
         spoiled(lambda lines: (lines[4]["entry"].update(key=WEEK.entries[1]["key"]), lines.insert(3, "x"))), "malformed"),
    ]  # fmt: skip
    # Which of the two invalid logs comes first is a matter of their origins.
    first = (6, "root-mismatch") if GROWN.origin < NEIGHBOUR.origin else (4, "index-mismatch")
    return [
        MAKER.refuse(slug, comment, f"step-{step or first[0]}", request(lines, keys=[VKEY]), code or first[1])
        for slug, comment, step, lines, code in cases
    ]


def _worst() -> list[Case]:
    """Two logs, or a log and the pack, the second of which decides."""
    if (LOGS[0], LOGS[-1]) != (WEEK, GROWN):
        raise ValueError("the worse log does not come second, so the cases would test nothing")
    root = [*lines_of(GROWN)[:-1], {"checkpoint": signed(6, STRAY, GROWN)}]
    fork = [*lines_of(GROWN), {"checkpoint": signed(6, STRAY, GROWN)}]
    text = [*lines_of(GROWN), "x"]
    large = lines_of(GROWN)
    large[2] = {"entry": {**GROWN.entries[1], "unit": "x" * 2048}}
    first_root = [*lines_of(WEEK)[:-1], {"checkpoint": signed(12, STRAY)}]
    first_large = lines_of(WEEK)
    first_large[2] = {"entry": {**WEEK.entries[1], "unit": "x" * 2048}}
    first_key = [*lines_of(WEEK)[:-1], {"checkpoint": signed(12, WEEK.root(12), key=OTHER_KEY)}]
    unsigned = [line for line in lines_of(WEEK) if isinstance(line, dict) and "checkpoint" not in line]
    nowhere = [{"log": None}, *lines_of(NEIGHBOUR)[1:]]
    miscounted = pack(lines_of(WEEK), root)
    miscounted[-1] = pack()[-1]
    cases: list[tuple[str, str, int, list[Line], str]] = [
        ("text-root", "a line of the first log is no JSON, the last has another root", 6, pack([*lines_of(WEEK), "x"], root), "root-mismatch"),
        ("large-root", "an entry of the first log is too large, the last log has another root", 6, pack(first_large, root), "root-mismatch"),
        ("root-fork", "the first log has another root, the last is forked", 5, pack(first_root, fork), "fork"),
        ("type-text", "the first log has an entry of a later version, a line of the last is no JSON", 1, pack([*lines_of(WEEK)[:-1], *later_end()], text), "malformed"),
        ("key-large", "the first log has another key, an entry of the last is too large", 4, pack(first_key, large), "too-large"),
        ("unsigned-text", "the first log has no checkpoint, a line of the last is no JSON", 1, pack([*unsigned], text), "malformed"),
        ("root-log", "the first log has another root, and what is behind it stands in no log", 6, pack(first_root, nowhere), "root-mismatch"),
        ("root-end", "the last log has another root, and the end counts other lines", 6, miscounted, "root-mismatch"),
    ]  # fmt: skip
    return [
        MAKER.refuse(f"worst-{slug}", comment, f"step-{step}", request(lines), code)
        for slug, comment, step, lines, code in cases
    ]


def cases() -> list[Case]:
    """Return the cases."""
    return [*_held(), *_verdicts(), *_worst()]
