"""Packs that are made to cost much: lines that say nothing, notes that a carrier padded, logs without number."""

import gc
import json
import tracemalloc

import pytest

from counterfoil.core import seen_keys
from counterfoil.core.encoding import canonical_json, encode_base64
from counterfoil.core.pack.audit import LogFinding, audit_pack, verify_pack
from counterfoil.limits import PACK_STRAY_LINES_MAX
from tests.core.common import code_of
from tests.core.logs import KEYS, OPERATOR, Log, pack_of
from tests.core.test_pack_audit import FIRST, LAST, LOG, findings, told, written

# A line of no key of ours, as long as a signature line may be.
PADDING = "".join(f"— somebody{number} {encode_base64(b'abcd' + bytes(8_000))}\n" for number in range(20))


class TestLinesThatSayNothing:
    STRAYS = (b"", b"{}", b"x", b'{"log":1}', b'{"end":{},"log":1}', b"[]")

    @pytest.mark.parametrize("stray", STRAYS, ids=ascii)
    def test_behind_a_thousand_the_pack_is_read_on(self, stray):
        lines = pack_of([*FIRST.lines(), *[stray] * PACK_STRAY_LINES_MAX], LOG, LAST)
        codes, _ = findings(lines)
        assert (codes[LOG.origin], codes[LAST.origin]) == ("ok", "ok")

    @pytest.mark.parametrize("stray", STRAYS, ids=ascii)
    def test_behind_one_more_nothing_is_judged(self, stray):
        lines = pack_of([*FIRST.lines(), *[stray] * (PACK_STRAY_LINES_MAX + 1)], LOG, LAST)
        codes, whole = findings(lines)
        assert (set(codes), whole) == ({FIRST.origin}, "malformed")

    def test_they_are_counted_in_the_whole_pack(self):
        lines = pack_of([*FIRST.lines(), *[b""] * PACK_STRAY_LINES_MAX], [*LOG.lines(), b"", b""], LAST)
        assert findings(lines) == ({FIRST.origin: "malformed", LOG.origin: "malformed"}, "malformed")

    def test_no_more_is_read(self):
        asked = []

        def endless():
            yield from written(pack_of(FIRST)[:-1])
            while True:
                asked.append(1)
                yield b""

        assert code_of(verify_pack, endless, KEYS) == "malformed"
        assert len(asked) == PACK_STRAY_LINES_MAX + 1

    def test_a_log_that_ended_before_them_keeps_its_verdict(self):
        forked = [*FIRST.lines(), {"checkpoint": FIRST.checkpoint(root=bytes(32)).note}]
        lines = pack_of(forked, [*LOG.lines(), *[b""] * 2_000])
        assert findings(lines) == ({FIRST.origin: "fork", LOG.origin: "malformed"}, "malformed")


class TestPaddedCheckpoints:
    """Whoever carries a pack can add signature lines of any name."""

    def test_a_report_has_the_lines_of_the_given_keys_alone(self):
        lines = LOG.lines()
        lines[-1] = {"checkpoint": LOG.note + PADDING}
        [report] = verify_pack(lambda: written(pack_of(lines)), KEYS).logs
        assert report.newest == LOG.checkpoint()

    def test_so_have_the_facts_of_a_contradiction(self):
        lines = LOG.lines()
        lines.append({"checkpoint": LOG.checkpoint(root=bytes(32)).note + PADDING})
        lines[-2] = {"checkpoint": LOG.note + PADDING}
        [finding, _] = audit_pack(lambda: written(pack_of(lines)), KEYS)
        assert finding.found.code == "fork"
        assert finding.found.facts["first"] == LOG.note
        assert finding.found.facts["second"] == LOG.checkpoint(root=bytes(32)).note

    def test_a_checkpoint_that_stands_many_times_is_one(self):
        lines = LOG.lines()
        lines[-1:] = [lines[-1]] * 1_000
        [report] = verify_pack(lambda: written(pack_of(lines)), KEYS).logs
        assert report.checkpoints == 2


@pytest.fixture
def few_kept(monkeypatch):
    """Keys are let go after two, so that a hash is all that is known of the others."""
    monkeypatch.setattr(seen_keys, "_EXACT_MAX", 2)


def with_key_twice(customer):
    log = Log(12, customer=customer)
    return log.rewritten({9: {"key": log.entries[4].key}})


class TestTheSecondReading:
    """It follows the first, and is one however many logs need it."""

    LOGS = sorted(
        [with_key_twice("k1"), Log(6, "k2"), with_key_twice("k3"), with_key_twice("k4"), Log(5, "k5")],
        key=lambda log: log.origin,
    )

    @pytest.mark.usefixtures("few_kept")
    def test_findings_come_in_the_order_of_the_logs(self):
        *found, _ = audit_pack(lambda: written(pack_of(*self.LOGS)), KEYS)
        assert [one.origin for one in found] == [log.origin for log in self.LOGS]

    @pytest.mark.usefixtures("few_kept")
    def test_a_finding_comes_as_soon_as_its_log_ends(self):
        first, *rest = sorted((with_key_twice("k1"), LOG, LAST), key=lambda log: log.customer != "k1")
        taken = []

        def read():
            for line in written(pack_of(first, *rest)):
                taken.append(line)
                yield line

        found = next(audit_pack(read, KEYS))
        assert (found.origin, found.found.code) == (first.origin, "duplicate-key")
        assert len(taken) <= 2 * (len(first.lines()) + 2)

    @pytest.mark.usefixtures("few_kept")
    def test_it_says_what_an_audit_that_keeps_every_key_says(self, monkeypatch):
        *found, whole = audit_pack(lambda: written(pack_of(*self.LOGS)), KEYS)
        monkeypatch.setattr(seen_keys, "_EXACT_MAX", 1_000)
        *exact, same = audit_pack(lambda: written(pack_of(*self.LOGS)), KEYS)
        assert told(found, whole) == told(exact, same)
        assert [getattr(one.found, "code", "ok") for one in found].count("duplicate-key") == 3


def growth(count, body, code):
    """What the second half of so many logs adds to what an audit holds, in bytes; all are refused for one reason.

    The lines of a log are what `body` makes of its origin.
    """
    held = []

    def read():
        yield canonical_json({"operator": OPERATOR, "type": "counterfoil/pack@v1"})
        for number in range(count):
            if number in {count // 2, count - 1}:
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
            origin = f"{OPERATOR}/t/0x{number:040x}"
            yield canonical_json({"log": origin})
            yield from body(origin)

    tracemalloc.start()
    codes = {one.found.code for one in audit_pack(read, KEYS) if isinstance(one, LogFinding)}
    tracemalloc.stop()
    assert codes == {code}
    before, after, *_ = held
    return after - before


class TestMemoryOfManyLogs:
    def test_of_a_log_that_has_ended_nothing_is_kept(self):
        assert growth(2_000, lambda _: [], "not-yet-checkpointed") < 20_000

    def test_nor_of_one_with_a_padded_checkpoint(self):
        lines = [canonical_json({"checkpoint": LOG.note + PADDING})]
        assert growth(200, lambda _: lines, "wrong-origin") < 20_000

    @pytest.mark.usefixtures("few_kept")
    def test_nor_of_one_in_which_two_keys_may_be_equal(self):
        opened, *rest = [{"entry": json.loads(data)} for data in with_key_twice("k1").data]

        def body(origin):
            return written([{"entry": {**opened["entry"], "origin": origin}}, *rest])

        assert growth(200, body, "duplicate-key") < 20_000

    def test_a_finding_holds_nothing_of_the_lines_that_it_is_about(self):
        line = canonical_json({"checkpoint": f"{LOG.origin}\n4\n{encode_base64(bytes(32))}\n\n{PADDING}"})

        def read():
            yield canonical_json({"operator": OPERATOR, "type": "counterfoil/pack@v1"})
            for number in range(64):
                yield canonical_json({"log": f"{OPERATOR}/t/0x{number:040x}"})
                # Bytes of its own, as of a file.
                yield line + b" "

        tracemalloc.start()
        held = [one for one in audit_pack(read, KEYS) if isinstance(one, LogFinding)]
        # Nobody has to look for it: a cycle would stay until somebody does.
        current, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert {one.found.code for one in held} == {"unknown-key"}
        assert len(line) > 200_000
        assert current < 1_000_000
        assert peak < 5_000_000
