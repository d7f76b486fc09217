"""Packs: those that must pass, those whose lines are refused, and the topic of all."""

from __future__ import annotations

from typing import Any

from generator import pack_claim_cases, pack_verdict_cases
from generator.bounds import padded
from generator.entry_parts import bad_origins
from generator.example import GROWN, KEY, OPERATOR, OTHER_KEY, OTHER_OPERATOR, VKEY, WEEK, salt
from generator.ledger import Log
from generator.model import Case, Topic
from generator.mutate import STRAY
from generator.pack_parts import (
    FIRST,
    LAST,
    LOGS,
    MAKER,
    MIDDLE,
    SIZES,
    Line,
    all_but,
    ended,
    lines_of,
    pack,
    refuse,
    request,
    signed,
    spaced,
    spoiled,
    written,
)

_HEADER = {"type": "counterfoil/pack@v1", "operator": OPERATOR}


def _report(log: Log, *, entries: int = 0, absent: int | None = None) -> dict[str, Any]:
    """Return what a pack says of a log; `absent` are details that were erased."""
    found = log.entries[: entries or len(log.entries)]
    sizes = [size for size in SIZES[log.customer_id] if size <= len(found)]
    return {
        "origin": log.origin,
        "entries": str(len(found)),
        "deltas": str(sum("amount" in entry for entry in found)),
        "checkpoints": str(len(sizes)),
        "covered": str(sizes[-1]),
        "verifiedThroughAt": found[sizes[-1] - 1]["recordedAt"],
        "detailsAbsent": str(absent or 0),
    }


def _output(*reports: dict[str, Any], absent: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"operator": OPERATOR, "logs": list(reports), "absent": list(absent)}


def _accepted() -> list[Case]:
    whole = _output(*map(_report, LOGS))
    example = _output(_report(GROWN))
    bare = [
        {name: member for name, member in line.items() if name != "details"}
        if isinstance(line, dict)
        else line
        for line in pack(lines_of(GROWN))
    ]
    tail = lines_of(WEEK)[:-1]
    again = lines_of(GROWN)
    again.append(again[-1])
    others = [log.origin for log in LOGS if log is not GROWN]
    cases = [
        ("example", "the worked example", request(pack(lines_of(GROWN))), example),
        ("three", "three logs", request(pack()), whole),
        ("log-keys", "with the keys of the logs", request(pack(), keys=[KEY.vkey(log.origin) for log in LOGS]), whole),
        ("several-keys", "with other keys before", request(pack(), keys=[OTHER_KEY.vkey(OTHER_OPERATOR), VKEY]), whole),
        ("spaced", "white space, and escapes for what is not ASCII", request([spaced(line) for line in pack()]), whole),
        ("carriage-returns", "a carriage return at the end of each line", request([written(line) + "\r" for line in pack()]), whole),
        ("indent", "white space around each line", request([f"\t {written(line)} " for line in pack()]), whole),
        ("details-removed", "all details were erased", request(bare), _output(_report(GROWN, absent=4))),
        ("unsigned-tail", "entries behind the newest checkpoint", request(pack(tail)),
         _output({**_report(WEEK), "covered": "6", "checkpoints": "1", "verifiedThroughAt": WEEK.entries[5]["recordedAt"]})),
        ("checkpoint-twice", "the same checkpoint twice", request(pack(again)), example),
        ("held-older", "the log extends the held checkpoint", request(pack(lines_of(GROWN)), held=[GROWN.checkpoint(4)]), example),
        ("held-newest", "the held checkpoint is the newest", request(pack(lines_of(GROWN)), held=[GROWN.checkpoint(6)]), example),
        ("held-between", "the held checkpoint is none of the pack's", request(pack(lines_of(WEEK)), held=[WEEK.checkpoint(9)]), _output(_report(WEEK))),
        ("held-behind", "the held checkpoint covers entries that none of the pack's covers", request(pack(tail), held=[WEEK.checkpoint(12)]),
         _output({**_report(WEEK), "covered": "6", "checkpoints": "1", "verifiedThroughAt": WEEK.entries[5]["recordedAt"]})),
        ("held-absent", "logs with a held checkpoint that the pack lacks are named",
         request(pack(lines_of(GROWN)), held=[log.checkpoint(4) for log in LOGS]), _output(_report(GROWN), absent=tuple(sorted(others)))),
    ]  # fmt: skip
    return [MAKER.accept(slug, comment, "step-7", asked, output) for slug, comment, asked, output in cases]


def _lines() -> list[Case]:
    values: list[tuple[str, str, Line]] = [
        ("empty", "an empty line", ""),
        ("truncated", "the first half of a line", written(lines_of(WEEK)[3])[:200]),
        ("text", "a line that is no JSON", "entry"),
        ("null", "null", "null"),
        ("array", "an array of a line", f"[{written(lines_of(WEEK)[3])}]"),
        ("two", "two objects in a line", written(lines_of(WEEK)[3]) * 2),
        ("bom", "U+FEFF before a line", "\ufeff" + written(lines_of(WEEK)[3])),
        ("newline", "a newline between the tokens of a line", written(lines_of(WEEK)[3]).replace(":", ":\n", 1)),
        ("object-empty", "an object without members", {}),
        ("member-unknown", "a line of another shape", {"note": "x"}),
        ("header", "a second first line", _HEADER),
        ("key", "a key in the pack", {"key": VKEY}),
        ("entry-unknown", "an entry with an unknown member beside", {"entry": {}, "index": "3"}),
        ("entry-checkpoint", "an entry and a checkpoint in one line", {"entry": WEEK.entries[3], "checkpoint": WEEK.checkpoint(6)}),
        ("checkpoint-details", "a checkpoint with details", {"checkpoint": WEEK.checkpoint(6), "details": None}),
        ("duplicate", "an entry twice in one line", '{"entry":{},"entry":{}}'),
        ("lone-surrogate", "a lone surrogate in an escape", '{"checkpoint":"\\ud83d"}'),
        ("nan", "NaN", '{"entry":NaN}'),
    ]  # fmt: skip
    cases = [
        (f"line-{slug}", f"between the entries of a log: {comment}", spoiled(lambda lines, line=line: lines.insert(3, line)))
        for slug, comment, line in values
    ]  # fmt: skip
    first, *rest = pack()
    cases += [
        (f"early-{slug}", f"before the first log: {comment}", [first, line, *rest])
        for slug, comment, line in values[:3]
    ]
    other_key = lines_of(WEEK)
    other_key[7] = {"checkpoint": signed(6, WEEK.root(6), key=OTHER_KEY)}
    other_key[8] = padded(written(other_key[8]))
    forked = [*lines_of(GROWN), {"checkpoint": signed(6, STRAY, GROWN)}]
    too_large: list[tuple[str, str, list[Line]]] = [
        ("first-too-large", "the first line has 262,145 bytes, most of which are spaces", [padded(written(first)), *rest]),
        # That the log was refused before does not help the pack, and nothing is known of the log behind.
        ("line-too-large", "a line of 262,145 bytes behind a checkpoint of another key, and a log behind it is forked",
         all_but({WEEK.origin: other_key, GROWN.origin: forked})),
    ]  # fmt: skip
    return [*refuse(1, "malformed", cases), *refuse(1, "too-large", too_large)]


def _headers() -> list[Case]:
    cases: list[tuple[str, str, list[Line], str]] = [
        (f"first-{slug}", f"the first line: {comment}", [line, *pack()[1:]], code)
        for slug, comment, line, code in (
            (
                "v2",
                "a pack of version 2",
                {**_HEADER, "type": "counterfoil/pack@v2", "more": 1},
                "unknown-type",
            ),
            (
                "receipt",
                "the type of a receipt",
                {**_HEADER, "type": "counterfoil/receipt@v1"},
                "unknown-type",
            ),
            ("type-null", "the type is null", {**_HEADER, "type": None}, "malformed"),
            ("no-type", "no type", {"operator": OPERATOR}, "malformed"),
            ("no-operator", "no operator", {"type": "counterfoil/pack@v1"}, "malformed"),
            (
                "operator-upper",
                "a capital letter in the operator",
                {**_HEADER, "operator": "Ledger.example.com"},
                "malformed",
            ),
            ("operator-null", "the operator is null", {**_HEADER, "operator": None}, "malformed"),
            (
                "operator-origin",
                "an origin as the operator",
                {**_HEADER, "operator": GROWN.origin},
                "malformed",
            ),
            ("keys-inside", "the pack brings keys of its own", {**_HEADER, "keys": [VKEY]}, "malformed"),
            ("text", "no JSON", "pack", "malformed"),
            ("empty", "an empty line", "", "malformed"),
        )
    ]
    cases += [
        ("first-missing", "no first line", pack()[1:], "malformed"),
        ("nothing", "no lines", [], "malformed"),
        (
            "order-type-rest",
            "a pack of version 2 with lines that version 1 would refuse",
            [{**_HEADER, "type": "counterfoil/pack@v2"}, "x"],
            "unknown-type",
        ),
    ]
    return [
        case for slug, comment, lines, code in cases for case in refuse(2, code, [(slug, comment, lines)])
    ]


def _logs() -> list[Case]:
    def renamed(origin: object) -> list[Line]:
        return spoiled(lambda lines: lines.__setitem__(0, {"log": origin}), LAST)

    # Whole and right in itself, and nothing of this operator's.
    foreign = Log(OTHER_OPERATOR, "acme", "cust_001", key=OTHER_KEY, reference_key=GROWN.reference_key)
    foreign.open("2026-04-01T09:00:00.000000Z", salt(0))
    foreign.seal("2026-04-01T09:00:00.000001Z")
    malformed: list[tuple[str, str, list[Line]]] = [
        ("log-null", "the origin is null", renamed(None)),
        ("log-array", "the origin in an array", renamed([LAST.origin])),
        *(
            (f"log-{slug}", comment, renamed(origin))
            for slug, comment, origin in bad_origins(LAST.origin)[:8]
        ),
        ("logs-descending", "the logs in the opposite order", pack(*(lines_of(log) for log in LOGS[::-1]))),
        ("logs-swapped", "two logs change places", pack(lines_of(MIDDLE), lines_of(FIRST), lines_of(LAST))),
        (
            "logs-swapped-last",
            "the last two logs change places",
            pack(lines_of(FIRST), lines_of(LAST), lines_of(MIDDLE)),
        ),
        ("log-twice", "a log stands twice", pack(lines_of(FIRST), lines_of(FIRST), lines_of(LAST))),
    ]
    return [
        *refuse(3, "malformed", malformed),
        MAKER.refuse(
            "log-other-operator",
            "a log of another operator, whose key is given",
            "step-3",
            request(pack(lines_of(FIRST), list[Line](foreign.pack(2))), keys=[VKEY, OTHER_KEY.vkey(OTHER_OPERATOR)]),
            "wrong-origin",
        ),
        MAKER.refuse(
            "first-other-operator",
            "the first line names another operator, whose key is given",
            "step-3",
            request([{**_HEADER, "operator": OTHER_OPERATOR}, *pack()[1:]], keys=[VKEY, OTHER_KEY.vkey(OTHER_OPERATOR)]),
            "wrong-origin",
        ),
        *refuse(4, "malformed", [("entry-in-no-log", "an entry before the first log", ended([lines_of(FIRST)[1], *lines_of(FIRST)]))]),
        *refuse(5, "malformed", [("checkpoint-in-no-log", "a checkpoint before the first log", ended([lines_of(FIRST)[-1], *lines_of(FIRST)]))]),
    ]  # fmt: skip


def _ends() -> list[Case]:
    whole = pack()
    end = whole[-1]
    assert isinstance(end, dict)  # noqa: S101  -- the last line of a pack

    def counted(**counts: object) -> list[Line]:
        return [*whole[:-1], {"end": {**end["end"], **counts}}]

    without_week = pack(*(lines_of(log) for log in LOGS if log is not WEEK))
    cases: list[tuple[str, str, list[Line]]] = [
        ("cut", "the end is missing", whole[:-1]),
        ("cut-in-log", "the second half is missing", whole[: len(whole) // 2]),
        ("cut-after-log", "the last log and the end are missing", without_week[:-1]),
        ("cut-first-only", "only the first line is there", whole[:1]),
        ("end-truncated", "the end is cut", [*whole[:-1], written(end)[:-3]]),
        ("end-twice", "the end stands twice", [*whole, end]),
        ("behind-empty", "an empty line behind the end", [*whole, ""]),
        ("behind-log", "a log behind the end", [*pack(lines_of(FIRST)), *lines_of(LAST)]),
        ("log-removed", "a whole log was taken out, and the end counts it", [*without_week[:-1], end]),
        ("entry-removed", "an unsigned entry was taken out, and the end counts it", [*pack(lines_of(WEEK)[:-2])[:-1], pack(lines_of(WEEK)[:-1])[-1]]),
        ("checkpoint-removed", "a checkpoint was taken out, and the end counts it", [*pack(lines_of(WEEK)[:-1])[:-1], pack(lines_of(WEEK))[-1]]),
        ("logs-more", "the end counts one log more", counted(logs="4")),
        ("entries-less", "the end counts one entry less", counted(entries="21")),
        ("checkpoints-more", "the end counts one checkpoint more", counted(checkpoints="6")),
        ("count-zeros", "a count with a leading zero", counted(logs="03")),
        ("count-number", "a count is a number", counted(logs=3)),
        ("count-minus", "a negative count", counted(logs="-3")),
        ("count-unknown", "an unknown count", counted(deltas="15")),
        ("end-null", "the end is null", [*whole[:-1], {"end": None}]),
        ("end-empty", "the end counts nothing", [*whole[:-1], {"end": {}}]),
    ]  # fmt: skip
    return [
        *refuse(7, "malformed", cases),
        *refuse(7, "nothing-checked", [
            ("no-logs", "a pack without logs", ended([])),
            ("order-nothing-behind", "a pack without logs, and a line behind its end", [*ended([]), ""]),
        ]),
        *refuse(7, "malformed", [("order-counts-nothing", "a pack without logs that counts one", [*ended([])[:-1], end])]),
    ]  # fmt: skip


TOPIC = Topic(
    "pack",
    "Packs: the output names what was checked of each log; `absent` are logs of which a checkpoint is held, and that the pack lacks.",
    [
        *_accepted(),
        *_lines(),
        *_headers(),
        *_logs(),
        *_ends(),
        *pack_claim_cases.cases(),
        *pack_verdict_cases.cases(),
    ],
    by_step=True,
)
