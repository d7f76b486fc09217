"""Fifty canonical receipts, of logs of 1 to 300 entries, always the same ones."""

import hashlib
import json
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from counterfoil.core.checkpoint import Checkpoint, sign_checkpoint
from counterfoil.core.details import commit, read_details
from counterfoil.core.encoding import canonical_json
from counterfoil.core.entry import Entry, format_open, format_seal, parse_entry
from counterfoil.core.receipt import Opening, ProvenEntry, format_receipt, verify_receipt
from counterfoil.core.reference import format_record_id
from counterfoil.core.tlog_proof import format_tlog_proof
from counterfoil.engine.engine import Engine
from counterfoil.engine.request import Delta
from counterfoil.storage.memory import MemoryStore
from tests import oracle
from tests.support import FakeClock, operator_named, seeded

OPERATOR = operator_named("op.example")
KEYS = OPERATOR.keys
# Sizes around powers of two and around the width of a tile; a log that the engine makes has at least 3 entries.
SIZES = (3, 4, 7, 8, 9, 255, 256, 257, 300)
UNITS = ("credits", 'a"b', "\\", "EUR", '"\\"', "{}", "~", "tokens", "!")
# What the deltas of a log carry, in turn.
VARIETIES = (
    {"amount": "+500", "reason": "deposit"},
    {"amount": "-12.5", "reason": "é—😀", "reference_id": 'line "1"\n', "effective_at": "2026-03-31"},
    {
        "amount": "0.000000001",
        "reason": " ",
        "metadata": {"\U0001f600": [1, 0.1, None, True, "\\u0000\x00"], "\ufb33": {"": -5e-7}},
    },
    {"amount": Decimal("-1e17"), "reason": "</script>", "metadata": {}},
    {"amount": 7, "reason": "\u2028\x7f", "reference_id": ""},
)


class Facts(NamedTuple):
    """What a receipt says when it was verified."""

    entry: Entry
    checkpoint: Checkpoint
    details: bytes | None
    customer_id: str | None


class Sample(NamedTuple):
    """A receipt with its facts, and those that it would show had nothing been withheld from it."""

    name: str
    data: bytes
    facts: Facts
    whole: Facts


def facts_of(data, keys=KEYS):
    verified = verify_receipt(data, keys)
    details = None if verified.details is None else canonical_json(verified.details)
    return Facts(verified.entry, verified.checkpoint, details, verified.customer_id)


@cache
def samples():
    found = [*_of_tiny_logs()]
    for number, size in enumerate(SIZES):
        found += _of_a_log(number, size)
    return tuple(Sample(name, data, facts_of(data), facts_of(whole)) for name, data, whole in found)


def _deltas(customer, unit, count):
    for number in range(count):
        variety = dict(VARIETIES[number % len(VARIETIES)])
        yield Delta(customer, variety.pop("amount"), unit=unit, idempotency_key=f"req-{number}", **variety)


def _of_a_log(number, size):
    """Three to seven receipts of a log of so many entries, the open, deltas and the seal at its end."""
    engine = Engine(MemoryStore(FakeClock()), OPERATOR, tenant="t", randomness=seeded(number))
    customer = f"c{number}"
    requests = list(_deltas(customer, UNITS[number], size - 2))
    if size == 300:
        # A seal in the middle, and a delta that corrects another.
        engine.record_many(requests[:100])
        engine.checkpoint(customer)
        requests = [
            *requests[100:-2],
            Delta(customer, "-1", "correction", adjusts=format_record_id(engine.log_of(customer), 1)),
        ]
    engine.record_many(requests)
    assert engine.checkpoint(customer).checkpoint.size == size
    log = engine.log_of(customer)
    indices = sorted({0, 1, 2, size // 2, size - 2, size - 1} | ({101, 298} if size == 300 else set()))
    for place, index in enumerate(indices[:5] if size < 300 else indices):
        # With and without open, with and without details, in turn.
        whole = engine.receipt(format_record_id(log, index)).receipt
        document = json.loads(whole)
        if (place + number) % 3 == 0:
            del document["open"]
        if (place + number) % 4 == 3:
            document.pop("details", None)
        if (place + number) % 5 == 4 and "open" in document:
            document["open"].pop("details")
        yield f"{size}-{index}", canonical_json(document), whole


def _of_tiny_logs():
    """Receipts of logs of 1 and 2 entries, put together by hand: the engine makes none so small."""
    for size in (1, 2):
        customer = f"tiny{size}"
        origin = OPERATOR.origin("t", OPERATOR.log_of("t", customer))
        salt = hashlib.sha256(customer.encode()).digest()
        details = read_details({"salt": salt.hex(), "value": {"customerId": customer}}, what="details")
        commitment = commit(salt, details.canonical)
        opened = format_open(
            recorded_at="2026-04-01T09:00:00.000000Z", unit="u", details=commitment, origin=origin
        )
        sealed = format_seal(parse_entry(opened), "2026-04-01T09:00:00.000001Z")
        items = [
            ProvenEntry(parse_entry(opened), opened, details),
            ProvenEntry(parse_entry(sealed), sealed, None),
        ]
        tree = oracle.Tree([oracle.leaf_hash(item.data) for item in items])
        note = sign_checkpoint(origin, size, tree.root(size), OPERATOR.signer).note
        opening = Opening(items[0], tuple(tree.path(0, size)))
        for index in range(size):
            proof = format_tlog_proof(index, tree.path(index, size), note)
            whole = format_receipt(items[index], opening, proof)
            yield f"{size}-{index}-open", whole, whole
            yield f"{size}-{index}", format_receipt(items[index], None, proof), whole
