"""Pins: which checkpoints the logs of several packs have to agree with."""

import gzip

import pytest

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.encoding import encode_base64
from counterfoil.core.pack.audit import verify_pack
from counterfoil.core.pack.pins import Sighting, by_origin, pins_of_packs, sight_pack
from counterfoil.core.pack.stream import split_lines
from tests.core.common import code_of
from tests.core.logs import KEYS, Log, pack_of
from tests.core.test_pack_audit import written
from tests.core.test_statement import STRANGER

# One log, as it was earlier and as it went on; and the same customer's log as it was told to somebody else.
EARLY, LATE = Log(5, seals={2}), Log(12, seals={2, 4, 8})
OTHER_EARLY, OTHER_LATE = Log(5, seals={2}, seed=1), Log(12, seals={2, 4, 8}, seed=1)
# A log that another pack has alone.
SOLE = Log(4, customer="c2")
# Lines with a checkpoint that is none of the early log.
JUNK = [
    "x",
    5,
    EARLY.checkpoint(signer=STRANGER).note,
    SOLE.checkpoint().note,
    LATE.checkpoint().note,
]


def sighted(*logs, keys=KEYS):
    return sight_pack(written(pack_of(*logs)), keys)


def verdicts(*packs, held=()):
    """The verdict on each of several packs, each a list of lines, audited together."""
    seen = [sight_pack(written(lines), KEYS) for lines in packs]
    each = pins_of_packs(seen, by_origin(held))
    return [
        code_of(verify_pack, lambda lines=lines: written(lines), KEYS, held=pins)
        for lines, pins in zip(packs, each, strict=True)
    ]


def test_the_two_logs_are_one_that_went_on():
    assert LATE.data[:5] == EARLY.data
    assert OTHER_EARLY.origin == EARLY.origin
    assert OTHER_EARLY.data[:2] != EARLY.data[:2]


class TestSighting:
    def test_it_is_what_a_pack_has_of_each_log(self):
        logs = sorted((EARLY, SOLE), key=lambda log: log.origin)
        assert sighted(*logs) == {log.origin: Sighting(len(log), log.checkpoint()) for log in logs}

    def test_a_log_of_which_no_key_signed_a_checkpoint_is_left_out(self):
        assert sighted(EARLY, keys=KeySet([])) == {}
        lines = [*EARLY.lines()[:3], {"checkpoint": EARLY.checkpoint(3, signer=STRANGER).note}]
        assert sight_pack(written(pack_of(lines)), KEYS) == {}

    @pytest.mark.parametrize("note", JUNK, ids=["text", "number", "stranger", "other log", "not there"])
    @pytest.mark.parametrize("place", [1, -1, None])
    def test_a_checkpoint_that_is_none_hides_none_wherever_it_stands(self, note, place):
        lines = EARLY.lines()
        lines.insert(len(lines) if place is None else place, {"checkpoint": note})
        [seen] = sight_pack(written(pack_of(lines)), KEYS).values()
        assert seen.newest == EARLY.checkpoint()

    def test_of_a_log_that_stands_twice_it_is_what_has_the_larger_checkpoint(self):
        for lines in ([*EARLY.lines(), *LATE.lines()], [*LATE.lines(), *EARLY.lines()]):
            assert sight_pack(written(pack_of(lines)), KEYS) == sighted(LATE)

    def test_so_is_one_without_a_checkpoint(self):
        assert sight_pack(written(pack_of(EARLY.lines()[:2])), KEYS) == {}

    def test_of_a_pack_that_cannot_be_read_on_it_has_the_logs_before(self):
        first, second = sorted((EARLY, SOLE), key=lambda log: log.origin)
        packed = gzip.compress(b"\n".join(written(pack_of(first, second))))
        # Of the second the checkpoint was not read yet.
        assert list(sight_pack(split_lines([packed[: len(packed) * 2 // 3]]), KEYS)) == [first.origin]
        lines = written(pack_of(first, second))
        place = len(first) + 5
        assert list(sight_pack([*lines[:place], "x" * 262_145, *lines[place:]], KEYS)) == [first.origin]
        assert sight_pack([], KEYS) == sight_pack([b"x", *written(pack_of(first))[1:]], KEYS) == {}

    def test_what_stands_behind_a_line_that_is_none_is_seen_as_it_is_judged(self):
        first, second = sorted((EARLY, SOLE), key=lambda log: log.origin)
        lines = pack_of(first, second)
        for place in range(1, len(lines) - 1):
            spoiled = written([*lines[:place], b"x", *lines[place:]])
            assert set(sight_pack(spoiled, KEYS)) == {first.origin, second.origin}
        assert list(sight_pack(written([*lines[:-1], {"end": {}}, *LATE.lines()]), KEYS)) == [
            first.origin,
            second.origin,
        ]

    def test_behind_too_many_of_them_nothing_is_seen(self):
        first, second = sorted((EARLY, SOLE), key=lambda log: log.origin)
        for count, logs in ((1_000, [first, second]), (1_001, [first])):
            lines = pack_of([*first.lines(), *[b""] * count], second)
            assert list(sight_pack(written(lines), KEYS)) == [log.origin for log in logs]

    def test_of_what_carriers_add_to_a_checkpoint_it_has_nothing(self):
        note = EARLY.note + f"— somebody {encode_base64(bytes(60))}\n"
        [seen] = sight_pack(written(pack_of([*EARLY.lines()[:-1], {"checkpoint": note}])), KEYS).values()
        assert seen.newest.note == EARLY.note


class TestPins:
    def test_an_earlier_and_a_later_pack_hold_in_either_order(self):
        assert verdicts(pack_of(EARLY), pack_of(LATE)) == ["ok", "ok"]
        assert verdicts(pack_of(LATE), pack_of(EARLY), pack_of(LATE)) == ["ok", "ok", "ok"]

    @pytest.mark.parametrize("log", [EARLY, SOLE])
    def test_a_line_that_is_none_hides_no_second_history(self, log):
        first, second = sorted((EARLY, SOLE), key=lambda log: log.origin)
        lines = pack_of(first, second)
        lines.insert(lines.index({"log": log.origin}), {})
        lines.insert(lines.index({"log": log.origin}) + 2, {})
        assert "fork" in verdicts(lines, pack_of(OTHER_LATE))

    @pytest.mark.parametrize(
        ("one", "other"),
        [(EARLY, OTHER_EARLY), (EARLY, OTHER_LATE), (LATE, OTHER_EARLY), (LATE, OTHER_LATE)],
    )
    def test_two_histories_are_a_fork_in_either_order_and_at_any_length(self, one, other):
        for packs in ((one, other), (other, one)):
            found = verdicts(*map(pack_of, packs))
            assert "fork" in found
            assert set(found) <= {"fork", "ok"}

    @pytest.mark.parametrize("note", JUNK)
    @pytest.mark.parametrize("other", [OTHER_EARLY, OTHER_LATE])
    def test_a_checkpoint_that_is_none_hides_no_second_history(self, note, other):
        hiding = pack_of([*other.lines(), {"checkpoint": note}])
        for packs in ((hiding, pack_of(EARLY)), (pack_of(EARLY), hiding), (pack_of(LATE), hiding)):
            assert "fork" in verdicts(*packs)

    def test_a_log_that_stands_twice_hides_no_second_history(self):
        hiding = pack_of([*OTHER_LATE.lines(), *EARLY.lines()])
        assert "fork" in verdicts(pack_of(LATE), hiding)

    def test_a_pack_that_is_held_against_itself_alone_holds(self):
        assert verdicts(pack_of(OTHER_EARLY)) == ["ok"]

    def test_logs_that_one_pack_has_alone_have_no_pins(self):
        seen = [sighted(EARLY), sighted(SOLE)]
        assert list(pins_of_packs(seen, {})) == [{EARLY.origin: []}, {SOLE.origin: []}]

    def test_the_pack_that_has_most_must_reach_what_was_kept_and_older_ones_need_not(self):
        assert verdicts(pack_of(EARLY), pack_of(LATE), held=[LATE.checkpoint(9)]) == ["ok", "ok"]
        assert verdicts(pack_of(EARLY), held=[LATE.checkpoint(9)]) == ["index-mismatch"]
        assert verdicts(pack_of(EARLY), pack_of(EARLY), held=[LATE.checkpoint(9)]) == ["index-mismatch"] * 2

    def test_lines_that_nobody_signed_excuse_no_pack_from_what_was_kept(self):
        entries = EARLY.lines()[:-1]
        stuffed = pack_of([*entries, *entries[-1:] * 20, {"checkpoint": EARLY.note}])
        for packs in ((pack_of(EARLY), stuffed), (stuffed, pack_of(EARLY))):
            found = verdicts(*packs, held=[LATE.checkpoint(9)])
            assert found[packs.index(pack_of(EARLY))] == "index-mismatch"
            assert "ok" not in found

    def test_what_was_kept_counts_for_older_packs_as_far_as_they_go(self):
        wrong = EARLY.checkpoint(3, root=bytes(32))
        assert verdicts(pack_of(EARLY), pack_of(LATE), held=[wrong]) == ["fork", "fork"]

    def test_logs_that_a_pack_does_not_show_keep_what_was_kept(self):
        held = by_origin([LATE.checkpoint(5), LATE.checkpoint(), SOLE.checkpoint()])
        [pins, _] = pins_of_packs([{}, sighted(EARLY)], held)
        assert pins == held
        assert {origin: len(checkpoints) for origin, checkpoints in held.items()} == {
            LATE.origin: 2,
            SOLE.origin: 1,
        }
