"""Dispute packets of a log whose deltas have references, and what they are made of."""

import copy
import json

from counterfoil.core.compare import (
    AMOUNT_DIFFERS,
    COUNTED_TWICE,
    MISSING_HERE,
    MISSING_THERE,
    Charge,
    Difference,
    charges_of,
)
from counterfoil.core.dispute import (
    compare_period,
    format_dispute,
    proven_of,
    verify_dispute,
)
from counterfoil.core.encoding import canonical_json
from counterfoil.core.receipt import format_receipt
from counterfoil.core.statement_verify import verify_statement
from counterfoil.core.tlog_proof import format_tlog_proof
from tests.core.logs import KEYS, Log


class Billed(Log):
    """A log whose deltas have references."""

    def value_at(self, index):
        return {"reason": "usage", "referenceId": f"line_{index}"}


class Subscribed(Billed):
    """A log in which the reference of 7 comes again behind the period."""

    def value_at(self, index):
        return super().value_at(7 if index == 9 else index)


# The period has the deltas 3, 4, 6, 7 and 8.
LOG = Billed(12, seals={5})
# The same deltas, two of them with one reference.
SUBSCRIBED = Subscribed(12, seals={5})
NEIGHBOUR = Billed(12, customer="c2", seals={5})
# The same log as it went on.
GROWN = Billed(14, seals={5, 11})
PERIOD = (3, 9)
TOLERANCE = 300
OURS = {charge.place: charge for charge in charges_of([LOG.item(index) for index in range(12)])}


def rows_of(*charges):
    return [charge._replace(place=place) for place, charge in enumerate(charges)]


def signed(amount):
    """An amount a little larger, of the same sign."""
    return amount + (1 if amount > 0 else -1)


# They agree about 3; 4 differs; 6 is missing there; 7 is there twice; the last one is missing here.
ROWS = rows_of(
    OURS[7],
    OURS[4]._replace(amount=signed(OURS[4].amount)),
    OURS[3]._replace(reference=None),
    OURS[8],
    OURS[7],
    Charge(0, -77, "line_99"),
)
DIFFERENCES = (
    Difference(AMOUNT_DIFFERS, OURS[4].amount - signed(OURS[4].amount), 4, 1),
    Difference(MISSING_THERE, OURS[6].amount, 6),
    Difference(COUNTED_TWICE, -OURS[7].amount, None, 4, 0),
    Difference(MISSING_HERE, 77, None, 5),
)


def receipt(index, log=LOG):
    return format_receipt(log.item(index), log.opening(), format_tlog_proof(index, log.path(index), log.note))


def made(rows=ROWS, log=LOG, tolerance=TOLERANCE, elsewhere=(), entries=PERIOD, **options):
    """A packet, as a JSON value; `elsewhere` are entries by row."""
    statement = canonical_json(log.statement(*entries, "full", **{"opened": True, **options}))
    found = compare_period(verify_statement(statement, KEYS), rows, tolerance_seconds=tolerance).differences
    found = [one._replace(elsewhere=dict(elsewhere).get(one.theirs)) for one in found]
    receipts = [receipt(index, log) for index in map(proven_of, found) if index is not None]
    return json.loads(format_dispute(statement, rows, found, receipts, tolerance_seconds=tolerance))


PACKET = made()
# The same, and two rows of charges that were recorded behind the period and before it.
ELSEWHERE = made(
    rows_of(*ROWS, OURS[9], OURS[2]._replace(amount=signed(OURS[2].amount))), elsewhere={6: 9, 7: 2}
)


def changed(change, packet=PACKET):
    copied = copy.deepcopy(packet)
    change(copied)
    return copied


def verified(packet, keys=KEYS, **expected):
    return verify_dispute(json.dumps(packet), keys, **expected)
