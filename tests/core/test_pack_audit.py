"""Packs: what each of the steps of docs/spec/pack.md refuses, whose fault it is, and that the rest is judged all the same."""

import copy
import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from counterfoil.core import seen_keys
from counterfoil.core.audit import AuditReport
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.encoding import canonical_json
from counterfoil.core.note import verifier_key
from counterfoil.core.pack.audit import (
    LogFinding,
    PackFinding,
    audit_pack,
    audit_share,
    verify_pack,
    whole_of,
)
from counterfoil.core.pack.lines import PackWriter
from counterfoil.core.pack.stream import split_lines
from counterfoil.errors import CounterfoilError
from tests.core.common import code_of
from tests.core.logs import KEYS, OPERATOR, SIGNER, Log, ended, pack_of
from tests.core.test_statement import STRANGER
from tests.support import refused

# Three logs by ascending origin; the one in the middle is the one that is spoiled.
FIRST, LOG, LAST = sorted(
    (Log(8, customer=f"c{number}", seals={3}) for number in range(3)), key=lambda log: log.origin
)
ROOT = Path(__file__).resolve().parents[2]
REFERENCE = LOG.origin.rpartition("/")[2]


def written(lines):
    return [line if isinstance(line, bytes | str) else canonical_json(line) for line in lines]


def findings(lines, keys=KEYS, held=None):
    """The code of each log by origin, and that of the pack; what is read is read twice at most, and shares say the same."""
    reads = []

    def read():
        reads.append(1)
        return iter(written(lines))

    *logs, whole = audit_pack(read, keys, held=held)
    assert isinstance(whole, PackFinding)
    for count in (2, 3):
        assert told(*of_shares(lines, count, keys, held)) == told(logs, whole)
    assert all(isinstance(one, LogFinding) for one in logs)
    assert len(reads) <= 2
    # Whatever is refused, the line of the pack is said.
    refusals = [one.found for one in logs if isinstance(one.found, CounterfoilError)]
    assert all("line" in refusal.facts for refusal in [*refusals, *filter(None, [whole.fault])])
    codes = {one.origin: one.found.code if isinstance(one.found, CounterfoilError) else "ok" for one in logs}
    assert len(codes) == len(logs)
    return codes, "ok" if whole.fault is None else whole.fault.code


def of_shares(lines, count, keys=KEYS, held=None):
    """What so many processes find, each its share."""
    parts = [
        [*audit_share(lambda: iter(written(lines)), keys, held=held, share=(number, count))]
        for number in range(count)
    ]
    return [one for part in parts for one in part[:-1]], whole_of([part[-1] for part in parts])


def told(logs, whole):
    """All that is said of a pack, in a form that compares."""

    def said(found):
        return (found.code, found.message, found.facts) if isinstance(found, CounterfoilError) else found

    by_number = [
        (one.number, one.origin, said(one.found)) for one in sorted(logs, key=lambda one: one.number)
    ]
    return by_number, replace(whole, fault=None), said(whole.fault)


def verdict(lines, keys=KEYS, held=None):
    return code_of(verify_pack, lambda: written(lines), keys, held=held)


def spoiled(change, log=LOG):
    """A pack of three logs, the lines of one of which were changed; its end counts what is there."""
    lines = log.lines()
    change(lines)
    return pack_of(FIRST, lines, LAST)


ALL_WELL = {FIRST.origin: "ok", LOG.origin: "ok", LAST.origin: "ok"}


class TestAccepted:
    def test_every_log_has_its_report_and_the_pack_its_counts(self):
        *logs, whole = audit_pack(lambda: written(pack_of(FIRST, LOG, LAST)), KEYS)
        assert [one.origin for one in logs] == [FIRST.origin, LOG.origin, LAST.origin]
        assert [one.number for one in logs] == [0, 1, 2]
        assert whole == PackFinding(OPERATOR, 3, 24, 6, 35, (), None)
        report = logs[1].found
        assert isinstance(report, AuditReport)
        assert (report.entries, report.deltas, report.checkpoints) == (8, LOG.entries[-1].count, 2)
        assert (report.covered, report.verified_through_at) == (8, LOG.time(7))
        assert (report.details_checked, report.details_absent) == (6, 0)

    def test_verified_whole_it_says_the_same(self):
        found = verify_pack(lambda: written(pack_of(FIRST, LOG)), KEYS)
        assert (found.operator, found.absent) == (OPERATOR, ())
        assert [report.origin for report in found.logs] == [FIRST.origin, LOG.origin]

    def test_lines_may_be_spelled_otherwise(self):
        lines = pack_of(LOG)
        for spelled in (
            [json.dumps(line) for line in lines],
            [json.dumps(line).encode() + b"\r" for line in lines],
            [f"  {json.dumps(dict(reversed(line.items())))}\t" for line in lines],
        ):
            assert findings(spelled) == ({LOG.origin: "ok"}, "ok")

    def test_without_details_it_says_that_they_are_absent(self):
        [finding, _] = audit_pack(lambda: written(pack_of(LOG.lines(details=False))), KEYS)
        assert (finding.found.details_checked, finding.found.details_absent) == (0, 6)
        assert finding.found.customer_id is None

    def test_the_customer_is_the_one_that_the_details_of_the_first_entry_name(self):
        assert [report.customer_id for report in verify_pack(lambda: written(pack_of(LOG)), KEYS).logs] == [
            LOG.customer
        ]

    def test_entries_behind_the_newest_checkpoint_are_counted_apart(self):
        lines = pack_of(LOG.lines()[:-1])
        [finding, _] = audit_pack(lambda: written(lines), KEYS)
        assert (finding.found.entries, finding.found.covered) == (8, 4)
        # The totals that are signed are those of the seal, and not of the last entry.
        assert (finding.found.sealed, finding.found.last) == (LOG.entries[3], LOG.entries[7])

    def test_the_writer_writes_what_is_read(self):
        writer = PackWriter()
        made = writer.header(OPERATOR)
        for log in (FIRST, LOG):
            made += writer.log(log.origin)
            for index, data in enumerate(log.data):
                details = log.details[index]
                made += writer.entry(data, details and details.salt, details and details.canonical)
                if index in log.seals:
                    made += writer.checkpoint(log.checkpoint(index + 1).note)
        made += writer.end()
        assert made.split(b"\n") == [*written(pack_of(FIRST, LOG)), b""]

    def test_the_writer_refuses_logs_that_do_not_ascend(self):
        writer = PackWriter()
        writer.log(LOG.origin)
        for origin in (LOG.origin, FIRST.origin):
            with refused("malformed"):
                writer.log(origin)


class TestStep1:
    """Lines."""

    BAD = (
        b"", b"{", b"null", b"[]", b"1", b'"entry"', b"{}", b"\xff", b"\xef\xbb\xbf{}", b'{"entry":{},"entry":{}}',
        '{"checkpoint":"\ud800"}', b'{"checkpoint":"\\ud800"}', b'{"entry":1,"note":2}', b'{"note":1}',
        b'{"checkpoint":"","details":{}}', b'{"entry":NaN}', b"[" * 100_000, b'{"entry"\n:1}',
    )  # fmt: skip

    @pytest.mark.parametrize("line", BAD, ids=lambda line: ascii(line)[:24])
    @pytest.mark.parametrize("place", [1, 3, 5, 10])
    def test_one_that_is_none_is_the_fault_of_the_log_that_it_stands_in(self, line, place):
        lines = LOG.lines()
        pack = pack_of(FIRST, lines, LAST)
        pack.insert(pack.index(lines[0]) + place, line)
        assert findings(pack) == ({**ALL_WELL, LOG.origin: "malformed"}, "ok")

    @pytest.mark.parametrize("line", BAD[:8], ids=lambda line: ascii(line)[:24])
    def test_where_no_log_has_begun_it_is_the_fault_of_the_pack(self, line):
        header, *rest = pack_of(FIRST, LOG, LAST)
        assert findings([header, line, *rest]) == (ALL_WELL, "malformed")

    @pytest.mark.parametrize("long", [b"x" * 262_145, "é" * 131_073, b'{"entry":{}}' + b" " * 262_144])
    def test_over_262_144_bytes_it_is_too_large_and_nothing_behind_it_is_judged(self, long):
        lines = spoiled(lambda lines: lines.insert(3, long))
        assert findings(lines) == ({FIRST.origin: "ok", LOG.origin: "too-large"}, "too-large")
        assert verdict(lines) == "too-large"

    def test_of_262_144_bytes_it_is_read(self):
        lines = [json.dumps(line).ljust(262_144) for line in pack_of(FIRST, LOG, LAST)]
        assert findings(lines) == (ALL_WELL, "ok")

    def test_gzip_that_was_cut_is_the_fault_of_the_pack_and_of_the_log_that_it_cuts(self):
        whole = b"\n".join(written(pack_of(FIRST, LOG, LAST)))
        packed = gzip.compress(whole, mtime=0)
        # In the middle of the second log, and before the last byte of the check sum.
        for size, codes in (
            (len(packed) * 2 // 3, ["ok", "malformed"]),
            (len(packed) - 1, ["ok", "ok", "malformed"]),
        ):
            *logs, last = audit_pack(lambda size=size: split_lines([packed[:size]]), KEYS)
            assert last.fault.code == "malformed"
            assert ["ok" if isinstance(one.found, AuditReport) else one.found.code for one in logs] == codes
        assert code_of(verify_pack, lambda: split_lines([packed]), KEYS) == "ok"

    def test_a_fork_before_the_place_where_it_was_cut_decides(self):
        forked = [*FIRST.lines(), {"checkpoint": FIRST.checkpoint(root=bytes(32)).note}]
        packed = gzip.compress(b"\n".join(written(pack_of(forked, LOG, LAST))))
        assert code_of(verify_pack, lambda: split_lines([packed[:-9]]), KEYS) == "fork"


class TestStep2:
    """The first line."""

    @pytest.mark.parametrize(
        ("header", "code"),
        [
            ({"type": "counterfoil/pack@v2", "whatever": 1}, "unknown-type"),
            ({"type": "counterfoil/receipt@v1"}, "unknown-type"),
            ({"type": 1, "operator": OPERATOR}, "malformed"), ({"operator": OPERATOR}, "malformed"),
            ({"type": "counterfoil/pack@v1"}, "malformed"),
            ({"type": "counterfoil/pack@v1", "operator": OPERATOR, "keys": []}, "malformed"),
            ({"type": "counterfoil/pack@v1", "operator": "Op.example"}, "malformed"),
            ({"type": "counterfoil/pack@v1", "operator": None}, "malformed"),
            (b"x", "malformed"), (b"[]", "malformed"), (b"x" * 262_145, "too-large"),
        ],
    )  # fmt: skip
    def test_without_a_right_one_nothing_is_judged(self, header, code):
        lines = [header, *pack_of(FIRST, LOG)[1:]]
        assert findings(lines) == ({}, code)
        assert verdict(lines) == code

    def test_a_pack_that_begins_with_a_log_or_has_no_line_is_none(self):
        assert findings(pack_of(LOG)[1:]) == ({}, "malformed")
        assert findings([]) == ({}, "malformed")


class TestStep3:
    """A log begins."""

    @pytest.mark.parametrize("origin", [None, 1, "", OPERATOR, f"{OPERATOR}/t/0x00", LOG.origin + "0"])
    def test_one_that_names_no_customers_log_is_skipped(self, origin):
        lines = pack_of(FIRST, [{"log": origin}, *LOG.lines()[1:]], LAST)
        assert findings(lines) == ({FIRST.origin: "ok", LAST.origin: "ok"}, "malformed")

    def test_origins_ascend_and_out_of_order_the_logs_are_judged_all_the_same(self):
        assert findings(pack_of(LOG, FIRST, LAST)) == (ALL_WELL, "malformed")
        whole = [*audit_pack(lambda: written(pack_of(LOG, LOG)), KEYS)]
        assert [one.found.entries for one in whole[:-1]] == [8, 8]
        assert whole[-1].fault.code == "malformed"

    def test_a_log_of_another_operator_is_refused_whoever_signed_it(self):
        lines = [{**LAST.lines()[0], "log": f"zz.example/t/{REFERENCE}"}, *LAST.lines()[1:]]
        keys = KeySet([*KEYS.keys, verifier_key("zz.example", SIGNER.public_key)])
        assert findings(pack_of(FIRST, LOG, lines), keys) == (
            {FIRST.origin: "ok", LOG.origin: "ok", f"zz.example/t/{REFERENCE}": "wrong-origin"},
            "ok",
        )

    def test_the_first_line_may_not_name_another_operator(self):
        codes, _ = findings(pack_of(LOG, operator="other.example"))
        assert codes == {LOG.origin: "wrong-origin"}


class TestStep4:
    """Entries."""

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda lines: lines.pop(1), "index-mismatch"), (lambda lines: lines.pop(2), "index-mismatch"),
            (lambda lines: lines.insert(2, lines[2]), "index-mismatch"),
            (lambda lines: lines.insert(2, lines.pop(3)), "index-mismatch"),
            (lambda lines: lines.__setitem__(1, FIRST.lines()[1]), "wrong-origin"),
            (lambda lines: lines[2]["entry"].update(recordedAt=LOG.time(0)), "time-order"),
            (lambda lines: lines[2]["entry"].update(unit="EUR"), "totals-mismatch"),
            (lambda lines: lines[3]["entry"].update(key=lines[2]["entry"]["key"]), "duplicate-key"),
            (lambda lines: lines[2]["details"]["value"].update(reason="x"), "details-mismatch"),
            (lambda lines: lines[2]["details"].update(salt="00"), "malformed"),
            (lambda lines: lines[2]["details"]["value"].update(more=1), "malformed"),
            (lambda lines: lines[2].update(details=None), "malformed"),
            (lambda lines: lines[2].update(entry=None), "malformed"),
            (lambda lines: lines[2]["entry"].update(index="01"), "malformed"),
            (lambda lines: lines[2]["entry"].update(padding="x" * 2_048), "too-large"),
            (lambda lines: lines[2]["details"]["value"].update(reason="x" * 16_384), "too-large"),
            (lambda lines: lines[4].update(details=lines[2]["details"]), "details-mismatch"),
        ],
    )  # fmt: skip
    def test_one_that_breaks_a_rule_refuses_its_log_and_no_other(self, change, code):
        lines = LOG.lines()
        change(copied := copy.deepcopy(lines))
        assert findings(pack_of(FIRST, copied, LAST)) == ({**ALL_WELL, LOG.origin: code}, "ok")
        assert verdict(pack_of(FIRST, copied, LAST)) == code

    def test_the_first_fault_of_a_log_is_the_one_that_is_told(self):
        def change(lines):
            lines[2]["details"]["value"]["reason"] = "x"
            lines[3]["entry"]["unit"] = "EUR"
            lines.append(b"x")

        lines = LOG.lines()
        change(lines)
        assert findings(pack_of(lines))[0] == {LOG.origin: "details-mismatch"}

    def test_one_that_stands_in_no_log_is_the_fault_of_the_pack(self):
        header, *rest = pack_of(FIRST)
        for line in FIRST.lines()[1:]:
            codes, whole = findings(ended([header, line, *rest[:-1]]))
            assert (codes, whole) == ({FIRST.origin: "ok"}, "malformed")

    def test_an_unknown_type_is_counted_and_makes_the_verdict_undecided(self):
        log = Log(6, customer="c9")
        entry = {**json.loads(log.data[5]), "type": "counterfoil/redaction@v1"}
        log.data[5] = canonical_json(entry)
        log.data.append(canonical_json({**json.loads(log.data[5]), "type": "counterfoil/seal@v1", "index": "6",
                                        "recordedAt": log.time(6)}))  # fmt: skip
        log.details.append(None)
        log.seals = {6}
        assert findings(pack_of(log)) == ({log.origin: "unknown-type"}, "ok")


class TestStep5:
    """Checkpoints."""

    @pytest.mark.parametrize(
        ("note", "code"),
        [
            (None, "malformed"), ("", "malformed"), (LOG.note, "index-mismatch"),
            (FIRST.checkpoint(4).note, "wrong-origin"), (LOG.checkpoint(4, signer=STRANGER).note, "unknown-key"),
            (LOG.checkpoint(4).note.replace("\n4\n", "\n5\n"), "bad-signature"),
            (LOG.checkpoint(4).note + "\n", "malformed"),
        ],
    )  # fmt: skip
    def test_one_that_is_not_of_these_entries_refuses_its_log_and_no_other(self, note, code):
        lines = spoiled(lambda lines: lines.__setitem__(5, {"checkpoint": note}))
        assert findings(lines) == ({**ALL_WELL, LOG.origin: code}, "ok")

    def test_no_seal_under_it(self):
        lines = LOG.lines()
        lines.insert(4, {"checkpoint": LOG.checkpoint(3).note})
        assert findings(pack_of(lines)) == ({LOG.origin: "missing-seal"}, "ok")

    def test_two_of_one_size_with_different_roots_are_a_fork(self):
        other = {"checkpoint": LOG.checkpoint(4, root=bytes(32)).note}
        for place in (5, 6):
            lines = LOG.lines()
            lines.insert(place, other)
            assert findings(pack_of(FIRST, lines)) == ({FIRST.origin: "ok", LOG.origin: "fork"}, "ok")
            assert verdict(pack_of(FIRST, lines)) == "fork"

    def test_a_key_is_never_taken_from_the_pack(self):
        assert findings(pack_of(LOG), KeySet([])) == ({LOG.origin: "unknown-key"}, "ok")


class TestStep6:
    """A log ends."""

    def test_a_root_that_the_entries_do_not_give(self):
        lines = spoiled(
            lambda lines: lines.__setitem__(-1, {"checkpoint": LOG.checkpoint(root=bytes(32)).note})
        )
        assert findings(lines) == ({**ALL_WELL, LOG.origin: "root-mismatch"}, "ok")

    def test_nothing_is_signed(self):
        unsigned = [line for line in LOG.lines() if "checkpoint" not in line]
        assert findings(pack_of(unsigned)) == ({LOG.origin: "not-yet-checkpointed"}, "ok")
        assert findings(pack_of(LOG.lines()[:1])) == ({LOG.origin: "not-yet-checkpointed"}, "ok")


class TestStep7:
    """The end."""

    def test_a_pack_that_was_cut_says_so_and_its_whole_logs_are_judged(self):
        lines = pack_of(FIRST, LOG, LAST)
        for size in range(1, len(lines)):
            codes, whole = findings(lines[:size])
            assert whole == "malformed"
            assert set(codes.values()) <= {"ok", "not-yet-checkpointed"}
        assert findings(lines[:-1]) == (ALL_WELL, "malformed")

    def test_a_line_that_was_cut_says_so_too(self):
        *lines, end = written(pack_of(LOG))
        for size in range(len(end)):
            assert findings([*lines, end[:size]])[1] == "malformed"

    @pytest.mark.parametrize("behind", [b"", {"log": LAST.origin}, {"end": {}}, b"x"])
    def test_nothing_stands_behind_it(self, behind):
        assert findings([*pack_of(LOG), behind]) == ({LOG.origin: "ok"}, "malformed")

    @pytest.mark.parametrize("name", ["logs", "entries", "checkpoints"])
    @pytest.mark.parametrize("count", ["0", "3", "010", "-1", "", 1, None])
    def test_it_counts_what_is_there(self, name, count):
        lines = pack_of(LOG)
        lines[-1]["end"][name] = count
        assert findings(lines) == ({LOG.origin: "ok"}, "malformed")

    @pytest.mark.parametrize("end", [None, {}, [], {"logs": "1", "entries": "8"}])
    def test_it_has_its_members(self, end):
        assert findings([*pack_of(LOG)[:-1], {"end": end}]) == ({LOG.origin: "ok"}, "malformed")

    def test_a_whole_log_taken_out_shows_in_the_counts(self):
        whole = pack_of(FIRST, LOG, LAST)
        assert findings([*pack_of(FIRST, LAST)[:-1], whole[-1]])[1] == "malformed"

    def test_a_pack_without_logs_is_nothing_checked(self):
        assert findings(pack_of()) == ({}, "nothing-checked")
        assert verdict(pack_of()) == "nothing-checked"


class TestTheVerdict:
    def test_the_worst_decides_and_of_equals_the_first(self):
        def refused_with(log, note):
            return [*log.lines()[:-1], {"checkpoint": note}]

        forked = [*FIRST.lines(), {"checkpoint": FIRST.checkpoint(root=bytes(32)).note}]
        invalid = refused_with(LOG, LOG.checkpoint(root=bytes(32)).note)
        unknown = refused_with(LAST, LAST.checkpoint(signer=STRANGER).note)
        cut = pack_of(FIRST, LOG, LAST)[:-1]
        assert verdict(pack_of(FIRST, LOG, LAST)) == "ok"
        assert verdict(pack_of(FIRST, LOG, unknown)) == "unknown-key"
        assert verdict(cut) == "malformed"
        assert verdict(pack_of(FIRST, LOG, unknown)[:-1]) == "malformed"
        assert verdict(pack_of(FIRST, invalid, unknown)[:-1]) == "root-mismatch"
        assert verdict(pack_of(forked, invalid, unknown)[:-1]) == "fork"
        mismatched = FIRST.lines()
        del mismatched[1]
        assert verdict(pack_of(mismatched, invalid)) == "index-mismatch"


class TestShares:
    """Every pack of this page is audited in shares too; here is what they alone can get wrong."""

    def test_each_judges_its_own_logs(self):
        lines = pack_of(FIRST, LOG, LAST)
        for number, wanted in enumerate(([FIRST, LAST], [LOG])):
            *logs, part = audit_share(lambda: written(lines), KEYS, share=(number, 2))
            assert [one.origin for one in logs] == [log.origin for log in wanted]
            assert part.entries == 8 * len(wanted)

    def test_a_line_that_begins_a_log_in_another_spelling_ends_the_one_that_is_passed_over(self):
        lines = written(pack_of(FIRST, LOG, LAST))
        respelled = [
            line.replace(b'{"log"', b'{"l\\u006fg"').replace(b'{"end"', b'{ "\\u0065nd"') for line in lines
        ]
        assert respelled != lines
        assert findings(respelled) == (ALL_WELL, "ok")

    @pytest.mark.parametrize("first", ["entry", "details", "checkpoint"])
    def test_a_line_that_would_be_two_begins_no_log_and_ends_no_pack(self, first):
        for second in ("log", "end"):
            line = f'{{"{first}":"","{second}":"{LAST.origin}"}}'.encode()
            for place, log in ((5, FIRST), (16, LOG)):
                lines = written(pack_of(FIRST, LOG, LAST))
                lines[place:place] = [line]
                assert findings(lines) == ({**ALL_WELL, log.origin: "malformed"}, "ok")

    def test_a_pack_that_changed_between_two_readings_is_refused(self):
        first, second = (written(pack_of(*logs)) for logs in ([FIRST, LOG], [FIRST, LOG, LAST]))
        parts = [
            [*audit_share(lambda: first, KEYS, share=(0, 2))][-1],
            [*audit_share(lambda: second, KEYS, share=(1, 2))][-1],
        ]
        assert whole_of(parts).fault.code == "malformed"


class TestHeldCheckpoints:
    def test_a_log_that_extends_it_holds(self):
        for size in (4, 8):
            held = {LOG.origin: [LOG.checkpoint(size)]}
            assert findings(pack_of(FIRST, LOG, LAST), held=held) == (ALL_WELL, "ok")

    @pytest.mark.parametrize("size", [1, 2, 4, 6, 8])
    def test_a_log_that_does_not_extend_it_is_a_fork_with_both_checkpoints(self, size):
        held = {LOG.origin: [LOG.checkpoint(size, root=bytes(32))]}
        finding = [*audit_pack(lambda: written(pack_of(FIRST, LOG, LAST)), KEYS, held=held)][1]
        assert finding.found.code == "fork"
        # The first of its own checkpoints that covers as much and holds.
        newer = LOG.checkpoint(4 if size <= 4 else 8)
        assert finding.found.facts["first"] == held[LOG.origin][0].note
        assert finding.found.facts["second"] == newer.note

    def test_a_log_whose_own_checkpoints_stop_before_it_is_a_root_mismatch(self):
        held = {LOG.origin: [LOG.checkpoint(6, root=bytes(32))]}
        assert findings(pack_of(LOG.lines()[:-1]), held=held) == ({LOG.origin: "root-mismatch"}, "ok")

    def test_a_log_that_ends_before_it_is_an_index_mismatch(self):
        longer = LOG.checkpoint(9, root=bytes(32))
        assert findings(pack_of(LOG), held={LOG.origin: [longer]}) == ({LOG.origin: "index-mismatch"}, "ok")

    def test_one_that_is_not_signed_by_a_given_key_or_of_another_log_proves_nothing(self):
        stranger = LOG.checkpoint(4, signer=STRANGER)
        assert findings(pack_of(LOG), held={LOG.origin: [stranger]})[0] == {LOG.origin: "unknown-key"}
        other = FIRST.checkpoint(4)
        assert findings(pack_of(LOG), held={LOG.origin: [other]})[0] == {LOG.origin: "wrong-origin"}

    def test_a_log_extends_all_that_are_held_of_it(self):
        good = [LOG.checkpoint(size) for size in (1, 4, 6, 8)]
        assert findings(pack_of(LOG), held={LOG.origin: good}) == ({LOG.origin: "ok"}, "ok")
        for size in (2, 5):
            held = {LOG.origin: [*good, LOG.checkpoint(size, root=bytes(32))]}
            assert findings(pack_of(LOG), held=held) == ({LOG.origin: "fork"}, "ok")

    def test_a_log_that_the_pack_lacks_is_named(self):
        held = {log.origin: [log.checkpoint()] for log in (FIRST, LOG, LAST)}
        whole = [*audit_pack(lambda: written(pack_of(LOG)), KEYS, held=held)][-1]
        assert whole.absent == (FIRST.origin, LAST.origin)
        assert whole.fault is None


class TestPlaces:
    """Where in the pack a refusal says that it is."""

    @staticmethod
    def places(lines, **options):
        """Line and index of the first refusal, and its code."""
        found = [
            one.found if isinstance(one, LogFinding) else one.fault
            for one in audit_pack(lambda: written(lines), KEYS, **options)
        ]
        refusal = next(one for one in found if isinstance(one, CounterfoilError))
        return refusal.code, int(refusal.facts["line"]), refusal.facts.get("index")

    def test_a_line_that_does_not_read_is_counted_from_1(self):
        for place in range(len(pack_of(FIRST, LOG))):
            lines = pack_of(FIRST, LOG)
            lines[place] = b"x"
            assert self.places(lines)[:2] == ("malformed", place + 1)

    def test_an_entry_is_named_by_its_index_too(self):
        lines = pack_of(FIRST, LOG)
        for place in (3, 14):
            changed = copy.deepcopy(lines)
            changed[place]["entry"]["padding"] = "x"
            assert self.places(changed) == (
                "malformed",
                place + 1,
                str(place - 2 if place < 12 else place - 13),
            )

    def test_a_log_that_ends_wrongly_does_so_at_its_last_line(self):
        lines = pack_of(FIRST, LOG.lines()[:-1], LAST)
        held = {LOG.origin: [LOG.checkpoint(6, root=bytes(32))]}
        assert self.places(lines, held=held)[:2] == ("root-mismatch", 22)

    def test_a_pack_that_was_cut_wants_its_end_behind_the_last_line(self):
        assert self.places(pack_of(FIRST)[:-1])[:2] == ("malformed", 13)

    def test_counts_that_are_wrong_stand_in_the_last_line(self):
        lines = pack_of(FIRST)
        lines[-1]["end"]["logs"] = "2"
        assert self.places(lines)[:2] == ("malformed", len(lines))

    def test_damaged_gzip_is_in_the_line_that_could_not_be_read(self):
        whole = written(pack_of(FIRST))
        packed = gzip.compress(b"\n".join(whole[:5]) + b"\n")[:-1]
        [finding, _] = audit_pack(lambda: split_lines([packed]), KEYS)
        assert (finding.found.code, finding.found.facts["line"]) == ("malformed", "6")

    @pytest.mark.usefixtures("few_kept")
    def test_a_key_that_a_second_reading_finds_is_placed_as_in_the_first(self, monkeypatch):
        log = Log(40, customer="c7", seals={20})
        lines = pack_of(FIRST, log.rewritten({30: {"key": log.entries[12].key}}))
        found = self.places(lines)
        monkeypatch.setattr(seen_keys, "_EXACT_MAX", 1_000)
        assert found == self.places(lines) == ("duplicate-key", 45, "30")


@pytest.fixture
def few_kept(monkeypatch):
    """Keys are let go after two, so that a hash is all that is known of the others."""
    monkeypatch.setattr(seen_keys, "_EXACT_MAX", 2)


@pytest.fixture
def one_hash(few_kept, monkeypatch):
    """And every key has the same hash."""
    del few_kept
    monkeypatch.setattr(seen_keys, "hash", lambda _: 7, raising=False)


class TestKeysThatStandTwice:
    LONG = Log(40, customer="c7", seals={20})

    def repeated(self, index, of):
        """The log with the key of one entry at another, and nothing else wrong before it."""
        return self.LONG.rewritten({index: {"key": self.LONG.entries[of].key}})

    @pytest.mark.parametrize("index", [2, 5, 19, 21, 38])
    @pytest.mark.usefixtures("few_kept")
    def test_they_are_found_by_a_second_reading(self, index):
        for of in {1, index - 1} - {20}:
            lines = pack_of(FIRST, self.repeated(index, of))
            *_, finding, whole = audit_pack(lambda lines=lines: written(lines), KEYS)
            assert finding.found.code == "duplicate-key"
            assert finding.found.message == f"entry {index} bears the key of an earlier one"
            assert whole.fault is None

    @pytest.mark.usefixtures("one_hash")
    def test_different_keys_of_one_hash_are_no_fault(self):
        assert findings(pack_of(self.LONG)) == ({self.LONG.origin: "ok"}, "ok")

    @pytest.mark.usefixtures("one_hash")
    def test_among_many_of_one_hash_the_one_that_stands_twice_is_found(self):
        assert findings(pack_of(self.repeated(30, 12)))[0] == {self.LONG.origin: "duplicate-key"}

    @pytest.mark.usefixtures("one_hash")
    def test_too_many_of_one_hash_cannot_be_told_apart(self, monkeypatch):
        monkeypatch.setattr(seen_keys, "SUSPECTS_MAX", 64)
        log = Log(80, customer="c8")
        assert findings(pack_of(log))[0] == {log.origin: "too-large"}
        twice = log.rewritten({20: {"key": log.entries[5].key}})
        assert findings(pack_of(twice))[0] == {log.origin: "duplicate-key"}

    @pytest.mark.usefixtures("few_kept")
    def test_the_verdict_is_that_of_an_audit_that_keeps_every_key(self, monkeypatch):
        # A key that stands twice before the first fault, at it, and behind it.
        for index, fault in ((10, 15), (15, 15), (16, 15)):
            lines = self.repeated(index, 4).lines()
            lines[fault + 1]["details"] = {"salt": "00" * 32, "value": {"reason": "x"}}
            found = findings(pack_of(lines))
            with monkeypatch.context() as exact:
                exact.setattr(seen_keys, "_EXACT_MAX", 1_000)
                assert findings(pack_of(lines)) == found
            assert found[0] == {self.LONG.origin: "duplicate-key" if index <= fault else "details-mismatch"}

    @pytest.mark.usefixtures("few_kept")
    def test_a_pack_that_changes_between_the_readings_is_refused(self):
        readings = [written(pack_of(self.repeated(30, 12))), written(pack_of(FIRST))]
        [finding, _] = audit_pack(lambda: readings.pop(0), KEYS)
        assert finding.found.code == "malformed"

    @pytest.mark.usefixtures("few_kept")
    def test_a_second_reading_that_fails_settles_nothing(self):
        packed = gzip.compress(b"\n".join(written(pack_of(self.repeated(30, 12)))))
        readings = [[packed], [packed[: len(packed) // 2]]]
        [finding, _] = audit_pack(lambda: split_lines(readings.pop(0)), KEYS)
        assert finding.found.code == "malformed"

    @pytest.mark.usefixtures("few_kept")
    def test_logs_are_told_apart_in_the_second_reading_also_where_lines_are_bad(self):
        lines = [*FIRST.lines(), b"x", {"log": "none"}, *LOG.lines()[1:], *self.repeated(30, 12).lines()]
        codes, whole = findings(pack_of(lines))
        assert codes == {FIRST.origin: "malformed", self.LONG.origin: "duplicate-key"}
        assert whole == "malformed"


class TestMemory:
    def test_ten_million_entries_are_audited_within_300_mib(self, long):
        # Without --long a fiftieth of them, within what an interpreter and that share take.
        entries, bound = (10_000_000, 300) if long else (200_000, 80)
        command = [sys.executable, "-m", "tests.core.large_pack", str(entries)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        found = json.loads(done.stdout)
        assert (found["entries"], found["fault"]) == (entries, None)
        assert found["mebibytes"] < bound
