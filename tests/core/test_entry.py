"""Entries: what is written is read back, and what is read is exactly what docs/spec/entry.md lets through."""

# ruff: noqa: RUF001  -- look-alikes are what is refused

import json
import random
import re

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.amount import AMOUNT_NANO_END, TOTAL_NANO_END, format_nano
from counterfoil.core.entry import (
    DELTA,
    OPEN,
    SEAL,
    Entry,
    check_first,
    check_next,
    format_delta,
    format_open,
    format_seal,
    parse_entry,
    read_entry,
    require_known_type,
)
from tests.core.common import SPEC, code_of
from tests.core.entry_oracle import RULES, judge
from tests.support import refused

ORIGIN = "ledger.example.com/acme/0xdc4dfc3208759067a112d73bb53467d9375dc42e"
TIME = "2026-04-02T10:30:00.250000Z"
UNITS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=32
) | st.sampled_from(['a"b', "\\", '"', '\\"\\', "</x>", '"' * 32, "\\" * 32, "~!"])
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
TIMES = st.datetimes().map(
    lambda i: (
        f"{i.year:04}-{i.month:02}-{i.day:02}T{i.hour:02}:{i.minute:02}:{i.second:02}.{i.microsecond:06}Z"
    )
)
TOTALS = st.integers(0, TOTAL_NANO_END - 1) | st.integers(0, 10**12)


@st.composite
def deltas(draw):
    index = draw(st.integers(1, 2**63 - 1) | st.integers(1, 9))
    amount = draw(st.integers(1, AMOUNT_NANO_END - 1) | st.integers(1, 10**12)) * draw(
        st.sampled_from([1, -1])
    )
    plus, minus = draw(TOTALS), draw(TOTALS)
    if amount > 0:
        plus = min(plus + amount, TOTAL_NANO_END - 1)
    else:
        minus = min(minus - amount, TOTAL_NANO_END - 1)
    return Entry(
        DELTA, index, draw(TIMES), draw(UNITS), draw(st.integers(0, index)), plus, minus, draw(HASHES),
        amount, draw(HASHES),
        draw(st.none() | TIMES), draw(st.none() | st.integers(1, index - 1)) if index > 1 else None,
    )  # fmt: skip


def ours(data):
    """What core makes of the bytes, in the codes of the page."""

    def read():
        require_known_type(parse_entry(data))

    return code_of(read)


OPENED = format_open(recorded_at=TIME, unit='a"b\\c', details="0d" * 32, origin=ORIGIN)
DELTA_ENTRY = Entry(
    DELTA,
    12,
    TIME,
    "credits",
    9,
    500 * 10**9,
    12_500_000_000,
    "0d" * 32,
    -12_500_000_000,
    "bc" * 32,
    "2026-04-02T10:29:59.000000Z",
    7,
)
DELTA_BYTES = format_delta(DELTA_ENTRY)
PLAIN_BYTES = format_delta(Entry(DELTA, 1, TIME, "EUR", 1, 10**9, 0, "0d" * 32, 10**9, "bc" * 32))
SEALED = format_seal(DELTA_ENTRY, "2026-04-30T23:59:59.999999Z")
LATER = rfc8785.dumps({**json.loads(SEALED), "type": "counterfoil/redaction@v1", "redacts": "résumé"})
SAMPLES = {"open": OPENED, "delta": DELTA_BYTES, "plain": PLAIN_BYTES, "seal": SEALED, "later": LATER}
VALUES = [
    "", "0", "-0", "00", "01", "1", "2", "6", "7", "9", "10", "11", "12", "13", "-1", "+1", "1.0", "1.5",
    "-12.5", "12.5", "-12.500000001", "500", "500.000000001", "0.000000001", "0.0000000001", "1e3", " 1",
    "1 ", "1\n",
    "9223372036854775807", "9223372036854775808", "9" * 18, "9" * 19, "9" * 29, "9" * 30,
    "9" * 18 + ".999999999", "1" * 200, "１", "٣", "NaN", "a", "A", "é", "\U0001f600", "\x00", "\x7f", '"',
    "\\", '\\"', "~" * 32, "~" * 33, '"' * 32, '"' * 33, "a b",
    TIME, TIME.lower(), TIME[:-1], "2026-02-29T00:00:00.000000Z", "2026-04-31T00:00:00.000000Z",
    "0000-01-01T00:00:00.000000Z", "2026-04-02T24:00:00.000000Z", "2026-04-02T23:59:60.000000Z",
    "9999-12-31T23:59:59.999999Z", "2026-04-02",
    "0d" * 32, "0D" * 32, "0d" * 31, "0d" * 33, "0" * 63, ORIGIN, ORIGIN.upper(), ORIGIN + "0", ORIGIN[:-1],
    ORIGIN.replace("acme", ""), ORIGIN.replace("acme", "-a"), ORIGIN.replace("acme", "a-"),
    ORIGIN.replace("acme", "a.b"), ORIGIN.replace("acme", "a" * 63),
    ORIGIN.replace("acme", "a" * 64), ORIGIN.replace("ledger.example.com", "a" * 100),
    ORIGIN.replace("ledger.example.com", "a" * 101), ORIGIN.replace("ledger.example.com", "A"),
    ORIGIN.replace("ledger.example.com", ".a"), ORIGIN + "\n", "/" + ORIGIN,
    OPEN, DELTA, SEAL, "counterfoil/delta@v2", "x" * 2_100,
]  # fmt: skip
NO_TEXTS = [None, True, False, 0, 1, 12, -1, 1.5, [], ["1"], {}, {"a": "1"}]


class TestReading:
    @pytest.mark.parametrize("name", SAMPLES)
    def test_the_samples_are_what_the_page_lets_through(self, name):
        assert ours(SAMPLES[name]) == judge(SAMPLES[name]) == ("unknown-type" if name == "later" else "ok")

    @given(deltas())
    def test_a_delta_is_read_back(self, entry):
        data = format_delta(entry)
        assert judge(data) == "ok"
        assert parse_entry(data) == entry
        assert read_entry(json.loads(data)) == (entry, data)
        assert rfc8785.dumps(json.loads(data)) == data

    @given(TIMES, UNITS, HASHES)
    def test_an_open_is_read_back(self, recorded_at, unit, details):
        data = format_open(recorded_at=recorded_at, unit=unit, details=details, origin=ORIGIN)
        assert judge(data) == "ok"
        assert parse_entry(data) == Entry(OPEN, 0, recorded_at, unit, 0, 0, 0, details=details, origin=ORIGIN)
        assert read_entry(json.loads(data))[1] == rfc8785.dumps(json.loads(data)) == data

    @given(deltas().filter(lambda entry: entry.index < 2**63 - 1), TIMES)
    def test_a_seal_carries_on_the_totals_and_is_read_back(self, before, recorded_at):
        data = format_seal(before, recorded_at)
        assert judge(data) == "ok"
        assert parse_entry(data) == Entry(
            SEAL, before.index + 1, recorded_at, before.unit, before.count, before.credits, before.debits
        )
        assert read_entry(json.loads(data))[1] == rfc8785.dumps(json.loads(data)) == data

    def test_the_balance_is_credits_less_debits(self):
        assert DELTA_ENTRY.balance == 487_500_000_000

    @pytest.mark.parametrize("name", SAMPLES)
    def test_with_any_byte_changed_dropped_or_put_in_it_is_what_the_page_says(self, name):
        sample = SAMPLES[name]
        seen = {}
        for place in range(len(sample) + 1):
            mutants = [sample[:place] + bytes([byte]) + sample[place:] for byte in b'" \\0a,\n\x00\x7f\xc3']
            if place < len(sample):
                mutants += [
                    sample[:place] + bytes([sample[place] ^ 1 << bit]) + sample[place + 1 :]
                    for bit in range(8)
                ]
                mutants += [sample[:place] + sample[place + 1 :], sample[:place], sample[place:]]
            for mutant in mutants:
                code = judge(mutant)
                assert ours(mutant) == code, mutant
                seen[code] = seen.get(code, 0) + 1
        # Both verdicts are made, or the comparison would show nothing.
        assert seen["malformed"] > 1_000
        assert sum(seen.values()) - seen["malformed"] > 100
        assert sum(seen.values()) == 10 * (len(sample) + 1) + 11 * len(sample)

    @pytest.mark.parametrize("name", SAMPLES)
    def test_with_any_member_removed_replaced_or_added_it_is_what_the_page_says(self, name):
        members = json.loads(SAMPLES[name])
        seen = set()
        for member in [*RULES, "note", "balance", "Type", ""]:
            mutants = [{key: value for key, value in members.items() if key != member}]
            mutants += [{**members, member: value} for value in [*VALUES, *NO_TEXTS]]
            for mutant in mutants:
                data = rfc8785.dumps(mutant)
                code = judge(data)
                assert ours(data) == code, data
                # Inside a container the canonical bytes are made from the value.
                assert code_of(lambda value=mutant: require_known_type(read_entry(value)[0])) == code, data
                seen.add(code)
        assert {"malformed", "too-large", "unknown-type"} <= seen

    def test_with_two_members_replaced_it_is_what_the_page_says(self):
        draw = random.Random(5)  # noqa: S311  -- the same entries each time
        accepted = 0
        for _ in range(20_000):
            members = json.loads(draw.choice([*SAMPLES.values()]))
            for _ in range(2):
                members[draw.choice([*members])] = draw.choice(VALUES)
            data = rfc8785.dumps(members)
            code = judge(data)
            assert ours(data) == code, data
            accepted += code in ("ok", "unknown-type")
        assert accepted > 100

    @given(
        deltas(),
        st.sampled_from(["index", "count", "adjusts", "amount", "credits", "debits"]),
        st.integers(-3, 3),
        st.data(),
    )
    def test_on_the_edge_of_a_rule_it_is_what_the_page_says(self, entry, member, step, data):
        members = json.loads(format_delta(entry))
        edges = {
            "index": [entry.index, entry.count, entry.adjusts or 1], "count": [entry.index],
            "adjusts": [1, entry.index],
            "amount": [entry.credits, -entry.debits, AMOUNT_NANO_END],
            "credits": [entry.amount, TOTAL_NANO_END], "debits": [-entry.amount, TOTAL_NANO_END],
        }  # fmt: skip
        edge = data.draw(st.sampled_from(edges[member])) + step
        members[member] = str(edge) if member in ("index", "count", "adjusts") else format_nano(edge)
        mutant = rfc8785.dumps(members)
        assert ours(mutant) == judge(mutant)

    @pytest.mark.parametrize("data", [
        b"", b"{}", b"[]", b"null", b'""', b"1", b"{", SEALED + b"\n", b" " + SEALED,
        b"\xef\xbb\xbf" + SEALED, SEALED.replace(b",", b", "), SEALED.replace(b'"unit"', b'"uni\\u0074"'),
        SEALED.replace(b"seal@", b"seal\\u0040"),
        SEALED[:-1] + b',"unit":"credits"}', SEALED.replace(b'"unit":"credits"', b'"unit":"cr\\u0065dits"'),
        b"[" * 2_000, b'{"a":' * 400, SEALED.replace(b"{", b'{"type":"counterfoil/seal@v1",'),
        LATER.replace(b"r\xc3\xa9sum\xc3\xa9", b"\\ud83d"),
        LATER.replace(b"r\xc3\xa9sum\xc3\xa9", b"\xed\xa0\xbd"),
        LATER.replace(b'"r\xc3\xa9sum\xc3\xa9"', b"1"),
        LATER.replace(b'"r\xc3\xa9sum\xc3\xa9"', b'{"a":"b"}'),
        # A JSON slash may be escaped, a canonical one is not.
        SEALED.replace(b"counterfoil/seal", b"counterfoil\\/seal"), OPENED.replace(b'\\"', b"\\u0022"),
    ])  # fmt: skip
    def test_what_is_not_canonical_is_malformed(self, data):
        assert judge(data) == "malformed"
        with refused("malformed"):
            parse_entry(data)

    def test_the_members_of_another_order_are_malformed(self):
        members = json.loads(SEALED)
        data = json.dumps(dict(reversed(members.items())), separators=(",", ":")).encode()
        with refused("malformed"):
            parse_entry(data)
        assert read_entry(json.loads(data)) == (parse_entry(SEALED), SEALED)

    def test_2_048_bytes_are_read_and_one_more_is_too_large(self):
        members = json.loads(LATER)
        room = 2_048 - len(rfc8785.dumps({**members, "pad": ""}))
        data = rfc8785.dumps({**members, "pad": "x" * room})
        assert len(data) == 2_048
        with refused("unknown-type"):
            require_known_type(parse_entry(data))
        with refused("too-large"):
            parse_entry(rfc8785.dumps({**members, "pad": "x" * (room + 1)}))
        with refused("too-large"):
            parse_entry(b"\xff" * 2_049)
        with refused("too-large"):
            read_entry({**members, "pad": "x" * 200_000})

    def test_an_entry_is_never_near_its_bound(self):
        # The longest of each type: what limits.py promises.
        longest = format_delta(
            Entry(
                DELTA,
                2**63 - 1,
                TIME,
                '"' * 32,
                2**63 - 1,
                TOTAL_NANO_END - 1,
                TOTAL_NANO_END - 1,
                "0d" * 32,
                1 - AMOUNT_NANO_END,
                "bc" * 32,
                TIME,
                2**63 - 2,
            )
        )
        assert judge(longest) == ours(longest) == "ok"
        assert len(longest) < 1_000

    @pytest.mark.parametrize("index", ["0", "1", "9223372036854775807"])
    def test_an_unknown_type_may_stand_at_any_index_with_any_further_members(self, index):
        data = rfc8785.dumps(
            {
                **json.loads(LATER),
                "index": index,
                "count": "0",
                "amount": "much",
                "origin": "",
                "\U0001f600": "é\n",
            }
        )
        assert judge(data) == "unknown-type"
        entry = parse_entry(data)
        assert (entry.type, entry.index, entry.count, entry.credits, entry.debits) == (
            "counterfoil/redaction@v1",
            int(index),
            0,
            500 * 10**9,
            12_500_000_000,
        )
        with refused("unknown-type"):
            require_known_type(entry)

    @pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", [], [["type", SEAL]], {}], ids=repr)
    def test_what_is_no_object_of_texts_is_malformed(self, value):
        with refused("malformed"):
            read_entry(value)


def entry_after(previous, **changes):
    """The delta or seal that follows from an entry, with changes."""
    base = {
        "index": previous.index + 1,
        "recorded_at": "2026-05-01T00:00:00.000000Z",
        "unit": previous.unit,
        "count": previous.count,
        "credits": previous.credits,
        "debits": previous.debits,
    }
    return Entry(**{"type": SEAL, **base, **changes})


class TestFollowing:
    PREVIOUS = parse_entry(DELTA_BYTES)
    ONE = 10**9

    @pytest.mark.parametrize(("changes", "code"), [
        # A seal and a type of a later version change nothing.
        ({}, "ok"), ({"type": "counterfoil/redaction@v1"}, "ok"),
        ({"index": 12}, "index-mismatch"), ({"index": 14}, "index-mismatch"),
        ({"index": 0}, "index-mismatch"), ({"index": 2**63 - 1}, "index-mismatch"),
        ({"recorded_at": TIME}, "time-order"), ({"recorded_at": "2026-04-02T10:30:00.249999Z"}, "time-order"),
        ({"recorded_at": "0001-01-01T00:00:00.000000Z"}, "time-order"),
        ({"recorded_at": "2026-04-02T10:30:00.250001Z"}, "ok"),
        ({"unit": "EUR"}, "totals-mismatch"), ({"unit": "Credits"}, "totals-mismatch"),
        ({"count": 10}, "totals-mismatch"), ({"count": 8}, "totals-mismatch"),
        ({"credits": 500 * ONE + 1}, "totals-mismatch"), ({"debits": 12_500_000_001}, "totals-mismatch"),
        ({"debits": 0}, "totals-mismatch"),
        ({"type": "counterfoil/redaction@v1", "count": 10}, "totals-mismatch"),
        # A positive delta.
        ({"type": DELTA, "amount": 1, "count": 10, "credits": 500 * ONE + 1}, "ok"),
        ({"type": DELTA, "amount": 1, "count": 10}, "totals-mismatch"),
        ({"type": DELTA, "amount": 1, "count": 9, "credits": 500 * ONE + 1}, "totals-mismatch"),
        ({"type": DELTA, "amount": 1, "count": 11, "credits": 500 * ONE + 1}, "totals-mismatch"),
        ({"type": DELTA, "amount": 1, "count": 10, "credits": 500 * ONE + 2}, "totals-mismatch"),
        ({"type": DELTA, "amount": 1, "count": 10, "debits": 12_500_000_001}, "totals-mismatch"),
        ({"type": DELTA, "amount": 1, "count": 10, "credits": 500 * ONE + 1, "debits": 12_500_000_001},
        "totals-mismatch"),
        # A negative one.
        ({"type": DELTA, "amount": -1, "count": 10, "debits": 12_500_000_001}, "ok"),
        ({"type": DELTA, "amount": -1, "count": 10, "credits": 500 * ONE - 1}, "totals-mismatch"),
        ({"type": DELTA, "amount": -1, "count": 10, "debits": 12_499_999_999}, "totals-mismatch"),
        # The order of the codes: index, time, totals.
        ({"index": 12, "recorded_at": TIME, "count": 0}, "index-mismatch"),
        ({"recorded_at": TIME, "count": 0}, "time-order"),
    ])  # fmt: skip
    def test_an_entry_follows_or_says_why_not(self, changes, code):
        assert code_of(check_next, self.PREVIOUS, entry_after(self.PREVIOUS, **changes)) == code

    def test_an_open_follows_nothing(self):
        with refused("index-mismatch"):
            check_next(self.PREVIOUS, parse_entry(OPENED))

    @given(
        deltas().filter(lambda entry: entry.index < 2**63 - 1),
        st.integers(1, 10**20) | st.integers(-(10**20), -1),
        st.integers(-2, 2),
        st.integers(-2, 2),
        st.integers(-2, 2),
    )
    def test_only_the_exact_sums_follow(self, previous, amount, count, plus, minus):
        entry = entry_after(
            previous,
            type=DELTA,
            recorded_at="~",
            amount=amount,
            count=previous.count + 1 + count,
            credits=previous.credits + max(amount, 0) + plus,
            debits=previous.debits + max(-amount, 0) + minus,
        )
        assert code_of(check_next, previous, entry) == ("totals-mismatch" if count or plus or minus else "ok")

    def test_a_log_begins_with_its_own_open(self):
        check_first(parse_entry(OPENED), ORIGIN)
        with refused("wrong-origin"):
            check_first(parse_entry(OPENED), ORIGIN[:-1] + "f")
        for other in (PLAIN_BYTES, SEALED, LATER):
            with refused("index-mismatch"):
                check_first(parse_entry(other), ORIGIN)


def test_the_oracle_knows_every_member_of_the_page():
    page = (SPEC / "entry.md").read_text(encoding="utf-8")
    table = page.partition("## Members")[2].partition("The balance")[0]
    assert {
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    } == RULES.keys()
