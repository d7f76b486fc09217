"""`audit PACK --held`: of a document all checkpoints count, not that alone under which its period stands."""

import json
from pathlib import Path

import pytest

from counterfoil.cli.auditing.held import read_held
from counterfoil.core.compare import charges_of
from counterfoil.core.dispute import compare_period, format_dispute
from counterfoil.core.encoding import canonical_json
from counterfoil.core.receipt import format_receipt
from counterfoil.core.statement_verify import verify_statement
from counterfoil.core.tlog_proof import format_tlog_proof
from tests.core.logs import KEYS, Log, pack_of
from tests.core.test_pack_audit import written

[KEY] = KEYS.keys


class Otherwise(Log):
    """A log that went on differently behind its eighth entry."""

    def value_at(self, index):
        return {"reason": "otherwise"} if index >= 8 else super().value_at(index)


EARLIER, GROWN, OTHER = Log(8, seals={3}), Log(12, seals={3, 7}), Otherwise(12, seals={3, 7})


def receipt(log, index):
    return format_receipt(log.item(index), log.opening(), format_tlog_proof(index, log.path(index), log.note))


@pytest.fixture
def packet(cf):
    """A dispute packet whose statement is earlier than its receipts."""
    statement = canonical_json(EARLIER.statement(1, 7, "full", opened=True))
    rows = charges_of([EARLIER.item(1), EARLIER.item(2)])
    found = compare_period(verify_statement(statement, KEYS), rows, tolerance_seconds=0).differences
    receipts = [receipt(GROWN, one.ours) for one in found]
    data = format_dispute(
        statement, [row._replace(place=place) for place, row in enumerate(rows)], found, receipts,
        tolerance_seconds=0,
    )  # fmt: skip
    Path("packet.json").write_bytes(data)
    return cf


def audit(cf, log, *options):
    Path("p.pack").write_bytes(b"\n".join(written(pack_of(log))))
    return cf("audit", "p.pack", "--key", KEY, "--held", "packet.json", *options)


def test_the_two_logs_have_their_first_eight_entries_in_common():
    assert GROWN.data[:8] == OTHER.data[:8] == EARLIER.data
    assert GROWN.data[8:] != OTHER.data[8:]


class TestPacket:
    def test_each_of_its_checkpoints_is_held_once(self, packet):
        del packet
        assert len(json.loads(Path("packet.json").read_bytes())["receipts"]) > 1
        assert read_held("packet.json", KEYS) == [EARLIER.checkpoint(), GROWN.checkpoint()]

    def test_a_log_that_goes_on_from_all_of_them_holds(self, packet):
        assert audit(packet, GROWN).status == 0

    def test_one_that_went_on_differently_behind_the_statement_is_a_fork(self, packet):
        outcome = audit(packet, OTHER, "--json")
        assert (outcome.status, outcome.code) == (12, "fork")
        assert outcome.findings[0]["against"] == "packet.json"

    def test_one_that_ends_before_the_receipts_does_not_reach_them(self, packet):
        outcome = audit(packet, EARLIER, "--json")
        assert outcome.code == "index-mismatch"
        assert outcome.findings[0]["facts"]["held"] == GROWN.note

    def test_one_whose_log_is_in_no_pack_is_named_once(self, packet):
        outcome = audit(packet, Log(4, customer="c2"), "--json")
        unchecked = outcome.findings[-1]["summary"]["notChecked"]
        assert len([words for words in unchecked if words.startswith("packet.json, ")]) == 1
