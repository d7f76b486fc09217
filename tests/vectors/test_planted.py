"""The vectors find faults: each rule of reading or verifying, taken out of our own implementation, is missed by some.

A vector set that a forgiving verifier passes is worth nothing, however many cases it has.
"""

import base64
import hashlib
import json
from itertools import pairwise

import pytest

from counterfoil.cli import respond
from counterfoil.conformance.vectors import load_vectors
from counterfoil.core import (
    amount,
    audit,
    checkpoint,
    details,
    encoding,
    entry,
    merkle,
    note,
    receipt,
    statement,
    statement_verify,
    tlog_proof,
)
from counterfoil.core.pack import audit as pack_audit
from counterfoil.core.pack import lines as pack_lines
from counterfoil.core.pack import log as pack_log
from counterfoil.errors import TooLargeError
from counterfoil.limits import DETAILS_BYTES_MAX, ENTRY_BYTES_MAX

CASES = load_vectors()


def topics_that_notice():
    """The topics with a case that is not answered as it should be; a crash is no right answer either."""
    noticed = set()
    for case in CASES:
        try:
            answer = respond.answer({"id": case.id, "op": case.op, **case.input})
        except Exception:  # noqa: BLE001  -- the planted fault may lead anywhere
            answer = {}
        if (answer.get("result"), answer.get("output")) != (case.result, case.output):
            noticed.add(case.topic)
    return noticed


def ignore(*_, **__):
    """A check that checks nothing."""


def lenient_base64(text, _size=None):
    return base64.b64decode(text + "==")


def lenient_hex(text, _size=None):
    return bytes.fromhex(text)


def json_without_utf_16(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def details_measured_first(value, honest=details.canonical_details):
    if len(encoding.canonical_json(value)) > DETAILS_BYTES_MAX:
        raise TooLargeError("measured before the nesting was judged")
    return honest(value)


def entry_of_known_type(value, honest=entry.read_entry):
    found, data = honest(value)
    entry.require_known_type(found)
    return found, data


def entry_measured_at_once(value, honest=receipt.members, **rule):
    if len(encoding.canonical_json(value.get("entry"))) > ENTRY_BYTES_MAX:
        raise TooLargeError("measured before the members and the proof were judged")
    return honest(value, **rule)


def path_of_any_length(index, size, leaf, path, root):
    """RFC 9162, section 2.1.3.2, without the test that the last number is zero at the end."""
    number, last = index, size - 1
    for sibling in path:
        if number & 1 or number == last:
            leaf = merkle.node_hash(sibling, leaf)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            leaf = merkle.node_hash(leaf, sibling)
        number, last = number >> 1, last >> 1
    if leaf != root:
        raise AssertionError("root-mismatch")


def first_pair_only(entries):
    """Of all neighbours the first ones."""
    return list(pairwise(entries))[:1]


FAULTS = {
    "signatures are not verified": (
        [(note, "verify_signature", ignore)],
        {"note", "checkpoint", "consistency-file", "receipt", "statement", "pack"},
    ),
    "small-order keys are taken": ([(note, "check_public_key", ignore)], {"note", "checkpoint", "receipt"}),
    "every key speaks for every origin": (
        [(checkpoint, "operator_of", lambda origin: f"{origin.split('/')[0][:-1]}")],
        {"checkpoint", "receipt"},
    ),
    "base64 is read as libraries read it": (
        [(module, "decode_base64", lenient_base64) for module in (respond, note, checkpoint, tlog_proof)],
        {"base64", "note", "checkpoint", "consistency-file", "receipt"},
    ),
    "hex is read as libraries read it": (
        [(module, "decode_hex", lenient_hex) for module in (respond, note, details)],
        {"reference", "inclusion", "consistency", "details", "note", "receipt"},
    ),
    "integers are read as libraries read them": (
        [(module, "decode_integer", int) for module in (respond, checkpoint, tlog_proof)],
        {"inclusion", "consistency", "checkpoint", "consistency-file", "receipt"},
    ),
    "amounts are read as libraries read them": (
        [(respond, "parse_amount", lambda text: int(float(text) * amount.NANO))],
        {"amount"},
    ),
    "nodes are hashed without their byte": (
        [(merkle, "node_hash", lambda left, right: hashlib.sha256(left + right).digest())],
        {"inclusion", "consistency", "receipt"},
    ),
    "leaves are hashed without their byte": (
        [
            (module, "leaf_hash", lambda data: hashlib.sha256(data).digest())
            for module in (respond, receipt, statement_verify, audit)
        ],
        {"hashing", "entry", "receipt", "statement", "pack"},
    ),
    "paths may have any length": (
        [(module, "verify_inclusion", path_of_any_length) for module in (respond, receipt)],
        {"inclusion", "receipt"},
    ),
    "consistency is not verified": (
        [(respond, "verify_consistency", ignore), (tlog_proof, "verify_consistency", ignore)],
        {"consistency", "consistency-file"},
    ),
    "details are not compared": (
        [(respond, "verify_commitment", ignore), (receipt, "verify_commitment", ignore)],
        {"details", "receipt"},
    ),
    "names are sorted by code points": ([(details, "canonical_json", json_without_utf_16)], {"details"}),
    "origins may have any shape": ([(receipt, "parse_origin", ignore)], {"receipt"}),
    "unknown types are taken": (
        [(respond, "require_known_type", ignore), (receipt, "require_known_type", ignore)],
        {"entry", "receipt"},
    ),
    "details are measured before their nesting is judged": (
        [(module, "canonical_details", details_measured_first) for module in (respond, details)],
        {"details"},
    ),
    "an unknown type is refused at once": ([(receipt, "read_entry", entry_of_known_type)], {"receipt"}),
    "entries are measured before the proof is read": (
        [(receipt, "members", entry_measured_at_once)],
        {"receipt"},
    ),
    "days that do not exist are taken": ([(entry, "check_instant", ignore)], {"entry"}),
    "further members are taken": (
        [(receipt, "members", lambda value, **_: value), (details, "members", lambda value, **_: value)],
        {"receipt"},
    ),
    "items of a statement are not proven": (
        [(statement_verify, "verify_inclusion", ignore), (statement_verify, "verify_range", ignore)],
        {"statement"},
    ),
    "a full statement is proven at its ends alone": (
        [(statement_verify, "verify_range", ignore)],
        {"statement"},
    ),
    "items need not be by index and role": ([(statement, "_check_roles", ignore)], {"statement"}),
    "nothing has to stand around a period": (
        [(statement_verify, "_require_neighbours", ignore)],
        {"statement"},
    ),
    "every period is final": ([(statement_verify, "_provisional_through", ignore)], {"statement"}),
    "times and totals of a statement are believed": (
        [(statement_verify, "check_later", ignore)],
        {"statement"},
    ),
    "of a statement the first two items are compared": (
        [(statement_verify, "pairwise", first_pair_only)],
        {"statement"},
    ),
    "details of a statement are not compared": (
        [(statement_verify, "verify_commitment", ignore)],
        {"statement"},
    ),
    "whose statement it is, is not asked": ([(statement_verify, "verify_customer", ignore)], {"statement"}),
    "entries of a log need not follow": ([(audit, "check_next", ignore)], {"pack"}),
    "a log may begin with anything": ([(audit, "check_first", ignore)], {"pack"}),
    "roots of a pack are believed": (
        [(audit.LogAudit, "_hold_against", lambda *_: True)],
        {"pack"},
    ),
    "keys may stand twice": ([(pack_log.HashedKeys, "add", lambda *_: False)], {"pack"}),
    "a pack may end anywhere": ([(pack_audit, "read_end", ignore)], {"pack"}),
    "a log without a checkpoint is taken": ([(pack_log, "undecided", ignore)], {"pack"}),
    "every log is the operator's": ([(pack_log, "operator_of", lambda _: "ledger.example.com")], {"pack"}),
    "lines may have further members": ([(pack_lines, "members", lambda value, **_: value)], {"pack"}),
    "lone surrogates and duplicate members are taken": (
        [(module, "read_json", lambda data, **_: json.loads(data)) for module in (respond, receipt, entry)],
        {"entry", "details", "receipt"},
    ),
}


def test_without_a_fault_nothing_is_noticed():
    assert topics_that_notice() == set()


@pytest.mark.parametrize(("plants", "topics"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_noticed(plants, topics, monkeypatch):
    for module, name, fault in plants:
        monkeypatch.setattr(module, name, fault)
    assert topics_that_notice() >= topics


def test_the_plants_reach_the_reading_of_json():
    # The faults above replace names where they are used; this one must still be the shared reader.
    assert respond.read_json is receipt.read_json is encoding.read_json
