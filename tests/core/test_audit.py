"""The audit of one log: every rule along it, planted broken, is found with its code."""

import hashlib
import json

import pytest
import rfc8785

from counterfoil.core.audit import LogAudit, undecided
from counterfoil.core.checkpoint import KeySet, parse_checkpoint, sign_checkpoint
from counterfoil.core.details import commit
from counterfoil.core.ed25519 import SigningKey
from counterfoil.core.entry import DELTA, Entry, format_delta, format_open, format_seal, parse_entry
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.note import verifier_key
from counterfoil.core.tiles import Edge
from tests import oracle
from tests.core.common import example_blocks, example_values
from tests.support import refused

ORIGIN = "ledger.example.com/acme/0xdc4dfc3208759067a112d73bb53467d9375dc42e"
SIGNER = SigningKey(hashlib.sha256(b"ledger").digest())
KEYS = KeySet([verifier_key("ledger.example.com", SIGNER.public_key)])
SALT = bytes(32)
VALUE = b'{"reason":"a"}'
OPENED = b'{"customerId":"cust_001"}'


def time(second):
    return f"2026-04-01T09:{second // 60:02}:{second % 60:02}.000000Z"


def delta(index, count, *, plus=None, key=None, second=None):
    """A delta of 1, the `count`th of its log."""
    credits_ = count * 10**9 if plus is None else plus
    key = hashlib.sha256(b"%d" % index).hexdigest() if key is None else key
    recorded_at = time(index if second is None else second)
    return format_delta(
        Entry(DELTA, index, recorded_at, "credits", count, credits_, 0, commit(SALT, VALUE), 10**9, key)
    )


def seal(previous):
    before = parse_entry(previous)
    return format_seal(before, time(before.index + 1))


OPEN = format_open(recorded_at=time(0), unit="credits", details=commit(SALT, OPENED), origin=ORIGIN)
LOG = [OPEN, delta(1, 1), delta(2, 2)]
LOG.append(seal(LOG[-1]))
LOG += [delta(4, 3), delta(5, 4)]
LOG.append(seal(LOG[-1]))


def checkpoint(entries, **changes):
    root = oracle.Tree([oracle.leaf_hash(entry) for entry in entries]).root(len(entries))
    return sign_checkpoint(
        **{"origin": ORIGIN, "size": len(entries), "root": root, "signer": SIGNER, **changes}
    ).note


def fed(*items, origin=ORIGIN, keys=KEYS):
    """An audit that was given entries (bytes) and checkpoints (text)."""
    audit = LogAudit(origin, keys)
    for item in items:
        if isinstance(item, bytes):
            audit.entry(item, None, None)
        else:
            audit.checkpoint(item)
    return audit


def changed(entry, **members):
    return rfc8785.dumps({**json.loads(entry), **members})


class TestWhatHolds:
    def test_a_log_with_two_checkpoints(self):
        audit = LogAudit(ORIGIN, KEYS)
        audit.entry(LOG[0], SALT, OPENED)
        audit.entry(LOG[1], SALT, VALUE)
        for entry in LOG[2:4]:
            audit.entry(entry, None, None)
        audit.checkpoint(checkpoint(LOG[:4]))
        for entry in LOG[4:]:
            audit.entry(entry, None, None)
        audit.checkpoint(checkpoint(LOG))
        audit.entry(delta(7, 5), SALT, VALUE)
        report = audit.finish()
        assert (report.origin, report.entries, report.deltas, report.checkpoints) == (ORIGIN, 8, 5, 2)
        assert (report.details_checked, report.details_absent, report.unknown_types) == (3, 3, 0)
        assert (report.covered, report.verified_through_at) == (7, time(6))
        assert report.last == parse_entry(delta(7, 5))

    def test_an_empty_log_says_that_nothing_was_there(self):
        report = LogAudit(ORIGIN, KEYS).finish()
        assert (
            report.entries,
            report.deltas,
            report.checkpoints,
            report.covered,
            report.verified_through_at,
            report.last,
        ) == (0, 0, 0, 0, None, None)

    def test_the_example_of_the_specification(self):
        blocks = example_blocks()
        audit = LogAudit(ORIGIN, KeySet.parse(example_values()["operator key"]))
        for index in range(6):
            value = blocks.get(f"details-{index}")
            salt = bytes.fromhex(example_values()[f"salt {index}"]) if value else None
            audit.entry(blocks[f"entry-{index}"], salt, value)
            if index + 1 in (4, 6):
                audit.checkpoint(blocks[f"checkpoint-{index + 1}"])
        report = audit.finish()
        assert (
            report.entries,
            report.deltas,
            report.checkpoints,
            report.details_checked,
            report.details_absent,
        ) == (6, 3, 2, 4, 0)

    def test_the_tiles_that_it_hands_out_are_those_of_the_tree(self):
        entries = [OPEN, *(delta(index, index) for index in range(1, 600))]
        entries.append(seal(entries[-1]))
        audit = LogAudit(ORIGIN, KEYS)
        completed = {}
        for entry in entries:
            audit.entry(entry, None, None)
            completed |= audit.take_tiles()
        partial = audit.partial_tiles()
        audit.checkpoint(checkpoint(entries))
        completed |= audit.take_tiles()
        edge = Edge()
        assert completed == edge.append(b"".join(map(leaf_hash, entries)))
        assert partial == audit.partial_tiles() == edge.partial_tiles()
        assert audit.take_tiles() == {}
        assert audit.finish().covered == 601

    def test_entries_of_a_later_version_are_counted_and_follow_the_same_rules(self):
        later = changed(seal(LOG[6]), type="counterfoil/redaction@v1", redacts="1")
        assert fed(*LOG, later).finish().unknown_types == 1
        with refused("totals-mismatch"):
            fed(*LOG, changed(later, count="5"))


class TestEntries:
    """Steps 1 to 5."""

    @pytest.mark.parametrize(("entries", "code"), [
        ([b""], "malformed"), ([OPEN + b"\n"], "malformed"), ([OPEN, b"x" * 2_049], "too-large"),
        ([OPEN, changed(LOG[1], amount="0")], "malformed"),
        ([OPEN, LOG[1].replace(b",", b", ")], "malformed"),
        # Step 3: the beginning.
        ([LOG[1]], "index-mismatch"), ([LOG[3]], "index-mismatch"),
        ([changed(OPEN, origin=ORIGIN[:-1] + "f")], "wrong-origin"),
        ([changed(OPEN, origin=ORIGIN.replace("acme", "other"))], "wrong-origin"),
        # Step 3: from one to the next.
        ([OPEN, OPEN], "index-mismatch"), ([OPEN, LOG[2]], "index-mismatch"),
        ([*LOG[:2], LOG[1]], "index-mismatch"), ([*LOG[:2], LOG[3]], "index-mismatch"),
        ([OPEN, delta(1, 1, second=0)], "time-order"), ([*LOG[:2], delta(2, 2, second=1)], "time-order"),
        ([*LOG[:2], delta(2, 2, second=0)], "time-order"),
        ([OPEN, changed(LOG[1], unit="EUR")], "totals-mismatch"),
        ([OPEN, delta(1, 0, plus=10**9)], "totals-mismatch"),
        ([*LOG[:2], delta(2, 1, plus=2 * 10**9)], "totals-mismatch"),
        ([*LOG[:2], delta(2, 2, plus=10**9)], "totals-mismatch"),
        ([*LOG[:2], delta(2, 2, plus=3 * 10**9)], "totals-mismatch"),
        ([*LOG[:2], changed(LOG[2], debits="0.000000001")], "totals-mismatch"),
        ([*LOG[:3], changed(LOG[3], count="1")], "totals-mismatch"),
        ([*LOG[:3], changed(LOG[3], credits="3")], "totals-mismatch"),
        # Step 4: a key for ever, across checkpoints too.
        ([*LOG[:2], delta(2, 2, key=json.loads(LOG[1])["key"])], "duplicate-key"),
        ([*LOG[:4], checkpoint(LOG[:4]), delta(4, 3, key=json.loads(LOG[1])["key"])], "duplicate-key"),
    ])  # fmt: skip
    def test_the_first_thing_that_does_not_hold_has_its_code(self, entries, code):
        fed(*entries[:-1])
        with refused(code):
            fed(*entries)

    @pytest.mark.parametrize(
        ("salt", "value"),
        [
            (SALT, b'{"reason":"b"}'),
            (bytes(31) + b"\x01", VALUE),
            (SALT, b""),
            (b"", VALUE),
            (SALT, VALUE + b" "),
            (SALT, None),
            (None, VALUE),
            (VALUE, SALT),
        ],
    )
    def test_details_that_do_not_open_the_commitment_and_halves_of_them(self, salt, value):
        audit = fed(OPEN)
        with refused("details-mismatch"):
            audit.entry(LOG[1], salt, value)

    def test_details_of_an_entry_that_commits_to_none(self):
        audit = fed(*LOG[:3])
        with refused("details-mismatch"):
            audit.entry(LOG[3], SALT, VALUE)


class TestCheckpoints:
    """Steps 6 to 9."""

    STRANGER = SigningKey(hashlib.sha256(b"stranger").digest())

    @pytest.mark.parametrize(("note", "code"), [
        ("", "malformed"), ("x" * 262_145, "too-large"), (checkpoint(LOG[:4]) + "\n", "malformed"),
        (checkpoint(LOG[:4], signer=STRANGER), "unknown-key"),
        (checkpoint(LOG[:4]).rpartition(" ")[0] + checkpoint(LOG)[-97:], "bad-signature"),
        (checkpoint(LOG[:4], origin=ORIGIN[:-1] + "f"), "wrong-origin"),
        (checkpoint(LOG[:3]), "index-mismatch"), (checkpoint(LOG), "index-mismatch"),
        (checkpoint(LOG[:4], size=5), "index-mismatch"),
    ])  # fmt: skip
    def test_what_is_no_checkpoint_of_these_entries(self, note, code):
        if code == "bad-signature":
            note = checkpoint(LOG[:4]).rpartition(" ")[0] + " " + checkpoint(LOG).rpartition(" ")[2]
        with refused(code):
            fed(*LOG[:4], note)

    @pytest.mark.parametrize("size", [1, 2, 3])
    def test_no_seal_under_a_checkpoint(self, size):
        with refused("missing-seal"):
            fed(*LOG[:size], checkpoint(LOG[:size]))

    def test_a_checkpoint_before_the_first_entry(self):
        with refused("missing-seal"):
            fed(checkpoint([]))

    def test_a_checkpoint_without_its_entries(self):
        with refused("index-mismatch"):
            fed(checkpoint(LOG))

    def test_the_same_checkpoint_may_be_shown_twice(self):
        assert fed(*LOG[:4], checkpoint(LOG[:4]), checkpoint(LOG[:4])).finish().covered == 4

    def test_a_root_that_the_entries_do_not_give(self):
        audit = fed(*LOG[:4], checkpoint(LOG[:4], root=bytes(32)), *LOG[4:])
        with refused("root-mismatch") as caught:
            audit.finish()
        assert caught.value.facts["signed"] == bytes(32).hex()

    def test_one_that_holds_after_one_that_does_not_is_a_fork_with_both_notes(self):
        older, newer = checkpoint(LOG[:4], root=bytes(32)), checkpoint(LOG)
        with refused("fork") as caught:
            fed(*LOG[:4], older, *LOG[4:], newer)
        assert caught.value.facts == {"first": older, "second": newer}

    def test_two_of_one_size_with_different_roots_are_a_fork(self):
        with refused("fork"):
            fed(*LOG[:4], checkpoint(LOG[:4], root=bytes(32)), checkpoint(LOG[:4]))

    def test_two_of_one_size_are_a_fork_in_any_order_and_whether_one_of_them_holds_or_none(self):
        good, bad, worse = (
            checkpoint(LOG[:4]), checkpoint(LOG[:4], root=bytes(32)), checkpoint(LOG[:4], root=bytes(31) + b"a"),
        )  # fmt: skip
        for first, second in ((good, bad), (bad, worse)):
            with refused("fork") as caught:
                fed(*LOG[:4], first, second)
            assert caught.value.facts == {"first": first, "second": second}

    def test_one_that_does_not_hold_after_one_that_does_is_a_root_mismatch(self):
        audit = fed(*LOG[:4], checkpoint(LOG[:4]), *LOG[4:], checkpoint(LOG, root=bytes(32)))
        with refused("root-mismatch"):
            audit.finish()

    @pytest.mark.parametrize("index", range(4))
    def test_any_other_entry_gives_another_root(self, index):
        # As consistent as can be: only the root knows.
        entries = list(LOG[:4])
        entries[index] = changed(
            entries[index],
            recordedAt=json.loads(entries[index])["recordedAt"].replace(".000000Z", ".000001Z"),
        )
        audit = fed(*entries, checkpoint(LOG[:4]))
        with refused("root-mismatch"):
            audit.finish()


def audited(held, *items):
    """An audit with a checkpoint from before, or several."""
    notes = [held] if isinstance(held, str) else held
    audit = LogAudit(ORIGIN, KEYS, held=[parse_checkpoint(note) for note in notes])
    for item in items:
        if isinstance(item, bytes):
            audit.entry(item, None, None)
        else:
            audit.checkpoint(item)
    return audit.finish()


class TestHeldCheckpoint:
    """Steps 9 and 10, with a checkpoint that the auditor kept from before."""

    def test_a_log_that_extends_it_holds_and_counts_its_own_checkpoints_alone(self):
        for held in (checkpoint(LOG[:4]), checkpoint(LOG)):
            report = audited(held, *LOG, checkpoint(LOG))
            assert (report.checkpoints, report.covered) == (1, 7)
        assert audited(checkpoint([]), *LOG, checkpoint(LOG)).covered == 7

    def test_a_log_that_goes_on_behind_its_own_checkpoint_may_reach_it_unsigned(self):
        report = audited(checkpoint(LOG), *LOG[:4], checkpoint(LOG[:4]), *LOG[4:])
        assert (report.entries, report.covered) == (7, 4)

    def test_a_log_that_does_not_extend_it_is_a_fork_once_a_checkpoint_of_it_holds(self):
        for size in (4, 6, 7):
            held = checkpoint(LOG[:size], root=bytes(32))
            with refused("fork") as caught:
                audited(
                    held, *LOG[:4], *([] if size > 4 else [checkpoint(LOG[:4])]), *LOG[4:], checkpoint(LOG)
                )
            assert caught.value.facts["first"] == held

    def test_of_its_size_another_root_is_a_fork_whatever_the_entries_give(self):
        held, other = checkpoint(LOG), checkpoint(LOG, root=bytes(32))
        with refused("fork") as caught:
            audited(held, *LOG, other)
        assert caught.value.facts == {"first": held, "second": other}

    def test_entries_that_do_not_give_it_and_no_checkpoint_that_holds_are_a_root_mismatch(self):
        with refused("root-mismatch"):
            audited(checkpoint(LOG[:6], root=bytes(32)), *LOG[:4], checkpoint(LOG[:4]), *LOG[4:])

    def test_one_that_holds_after_one_that_does_not_is_a_fork_whichever_of_them_are_held(self):
        older, newer = checkpoint(LOG[:4], root=bytes(32)), checkpoint(LOG[:6])
        for held, items in ((newer, [*LOG[:4], older, *LOG[4:]]), ([older, newer], LOG)):
            with refused("fork") as caught:
                audited(held, *items)
            assert caught.value.facts == {"first": older, "second": newer}

    def test_a_log_that_ends_before_it_is_an_index_mismatch_with_both_notes(self):
        held, own = checkpoint(LOG), checkpoint(LOG[:4])
        with refused("index-mismatch") as caught:
            audited(held, *LOG[:4], own)
        assert caught.value.facts == {"held": held, "newest": own}

    def test_several_are_held_each_at_its_size(self):
        held = [checkpoint(LOG), checkpoint(LOG[:2]), checkpoint(LOG[:4]), checkpoint(LOG[:2])]
        assert audited(held, *LOG, checkpoint(LOG)).covered == 7
        for size in (2, 6):
            wrong = checkpoint(LOG[:size], root=bytes(32))
            with refused("fork") as caught:
                audited([checkpoint(LOG), checkpoint(LOG[:4]), wrong], *LOG, checkpoint(LOG))
            assert caught.value.facts["first"] == wrong

    def test_the_largest_is_the_one_that_the_log_must_reach(self):
        with refused("index-mismatch") as caught:
            audited([checkpoint(LOG), checkpoint(LOG[:6]), checkpoint(LOG[:2])], *LOG[:4])
        assert caught.value.facts["held"] == checkpoint(LOG)

    def test_two_of_one_size_that_contradict_each_other_are_a_fork_whatever_the_log_is(self):
        held = [checkpoint(LOG[:4]), checkpoint(LOG[:4], root=bytes(32))]
        with refused("fork") as caught:
            audited(held)
        assert caught.value.facts == {"first": held[0], "second": held[1]}

    def test_it_is_verified_before_anything_is_held_against_it(self):
        with refused("unknown-key"):
            audited(checkpoint(LOG, signer=TestCheckpoints.STRANGER))
        with refused("wrong-origin"):
            audited(checkpoint(LOG, origin=ORIGIN[:-1] + "f"))


class TestUndecided:
    def test_without_a_checkpoint_or_with_unknown_types_nothing_is_decided(self):
        later = changed(seal(LOG[6]), type="counterfoil/redaction@v1", redacts="1")
        assert undecided(fed(*LOG, checkpoint(LOG)).finish()) is None
        assert undecided(fed(*LOG).finish()).code == "not-yet-checkpointed"
        assert undecided(fed(*LOG, checkpoint(LOG), later).finish()).code == "unknown-type"
