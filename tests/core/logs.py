"""Logs made with functions of core alone, and the statements and packs of them, put together by hand."""

import copy
import hashlib
import json
import random
from functools import cached_property

from counterfoil.core.checkpoint import KeySet, sign_checkpoint
from counterfoil.core.details import canonical_details, commit, read_details
from counterfoil.core.ed25519 import SigningKey
from counterfoil.core.encoding import canonical_json, encode_base64
from counterfoil.core.entry import DELTA, Entry, format_delta, format_open, format_seal, parse_entry
from counterfoil.core.note import verifier_key
from counterfoil.core.receipt import Opening, ProvenEntry
from counterfoil.core.timestamp import format_time, to_microseconds
from tests import oracle

SIGNER = SigningKey(hashlib.sha256(b"logs").digest())
OPERATOR = "op.example"
KEYS = KeySet([verifier_key(OPERATOR, SIGNER.public_key)])
# 2026-04-01T09:00:00Z
START = 1_775_034_000_000_000
NANO = 10**9


def origin_of(customer):
    return f"{OPERATOR}/t/0x{hashlib.sha256(customer.encode()).hexdigest()[:40]}"


class Log:
    """A log of so many entries, sealed at its end and here and there before; the same one each time.

    With `steady` the entries stand a second apart; else at times that grow by anything.
    """

    def __init__(self, size, customer="c1", *, seals=(), steady=True, seed=0):
        self.customer = customer
        self.origin = origin_of(customer)
        self._chance = random.Random(f"{customer} {seed}")  # noqa: S311  -- the same log each time
        self.seals = {*seals, size - 1} - {0}
        self.data = []
        self.details = []
        self._now = START
        for index in range(size):
            self._now += 1_000_000 if steady else self._chance.choice([1, 1, 7, 10**6, 10**9])
            self._append(index)
        self.entries = [parse_entry(data) for data in self.data]

    def _append(self, index):
        at = format_time(self._now)
        if index in self.seals:
            self.data.append(format_seal(parse_entry(self.data[-1]), at))
            self.details.append(None)
            return
        value = self.value_at(index) if index else {"customerId": self.customer}
        details = read_details({"salt": self._chance.randbytes(32).hex(), "value": value}, what="details")
        self.details.append(details)
        commitment = commit(details.salt, canonical_details(value))
        if not index:
            self.data.append(
                format_open(recorded_at=at, unit="credits", details=commitment, origin=self.origin)
            )
            return
        previous = parse_entry(self.data[-1])
        amount = self.amount_at(index)
        self.data.append(
            format_delta(
                Entry(
                    DELTA,
                    index,
                    at,
                    "credits",
                    previous.count + 1,
                    previous.credits + max(amount, 0),
                    previous.debits - min(amount, 0),
                    commitment,
                    amount,
                    hashlib.sha256(f"{self.customer} {index}".encode()).hexdigest(),
                )
            )
        )

    def value_at(self, index):
        """What the details of a delta say."""
        return {"reason": f"number {index}"}

    def amount_at(self, _):
        """The amount of a delta, in nano."""
        return self._chance.choice([1, -1]) * self._chance.choice([1, 7, NANO, 25 * NANO // 2, 10**20])

    def rewritten(self, changes):
        """A log of the same entries but for these members of some, each named by index; the operator signs whatever
        it says."""
        other = copy.copy(self)
        for name in ("tree", "note"):
            other.__dict__.pop(name, None)
        other.data = [
            canonical_json({**json.loads(data), **changes.get(index, {})})
            for index, data in enumerate(self.data)
        ]
        other.entries = [parse_entry(data) for data in other.data]
        return other

    def __len__(self):
        return len(self.data)

    @cached_property
    def tree(self):
        return oracle.Tree([oracle.leaf_hash(data) for data in self.data])

    def checkpoint(self, size=None, signer=SIGNER, **changes):
        size = len(self) if size is None else size
        root = changes.pop("root", None) or self.tree.root(size)
        return sign_checkpoint(
            **{"origin": self.origin, "size": size, "root": root, **changes}, signer=signer
        )

    @cached_property
    def note(self):
        return self.checkpoint().note

    def path(self, index):
        return tuple(self.tree.path(index, len(self)))

    def item(self, index, *, details=True):
        return ProvenEntry(self.entries[index], self.data[index], self.details[index] if details else None)

    def opening(self):
        return Opening(self.item(0), self.path(0))

    def time(self, index):
        """The time of an entry; behind the last one, a second later."""
        return self.entries[index].recorded_at if index < len(self) else format_time(self._now + 1_000_000)

    def period(self, start, end):
        """A period that holds the entries `[start, end)`; None where none does: it has at least a microsecond."""
        first, behind = self.time(start), self.time(end)
        if start == end:
            # As early as the entry before allows.
            first = format_time(to_microseconds(self.time(start - 1)) + 1 if start else START)
        return (first, behind) if first < behind else None

    def ranges(self):
        """Every range of entries that some period holds; behind the last entry there is none that is complete."""
        size = len(self)
        every = ((start, end) for start in range(size) for end in range(start, size + 1))
        return [(start, end) for start, end in every if self.period(start, end)]

    def value(self, index, *, path, details=True):
        """An entry as an item of a document."""
        found = {"entry": json.loads(self.data[index])}
        if details and self.details[index] is not None:
            opened = self.details[index]
            found["details"] = {"salt": opened.salt.hex(), "value": {**opened.value}}
        if path:
            found["path"] = [encode_base64(sibling) for sibling in self.path(index)]
        return found

    def indices(self, start, end, mode):
        """Which entries a statement of the range `[start, end)` has."""
        inside = list(range(start, end))
        if mode == "light":
            inside = sorted({*inside[:1], *inside[-1:]})
        before = [start - 1] if start else []
        return [*before, *inside, *([end] if end < len(self) else [])]

    def statement(self, start, end, mode, *, period=None, details=True, opened=False):
        """The statement of the entries `[start, end)`, as a JSON value."""
        indices = self.indices(start, end, mode)
        ends = (indices[0], indices[-1])
        first, behind = period or self.period(start, end)
        document = {
            "type": "counterfoil/statement@v1",
            "from": first,
            "to": behind,
            "mode": mode,
            "items": [
                self.value(index, path=mode == "light" or index in ends, details=details) for index in indices
            ],
            "checkpoint": self.note,
        }
        if opened:
            document["open"] = self.value(0, path=True)
        return document

    def lines(self, *, details=True):
        """Its lines of a pack, as JSON values: a checkpoint behind every seal."""
        found = [{"log": self.origin}]
        for index in range(len(self)):
            found.append(self.value(index, path=False, details=details))
            if index in self.seals:
                found.append({"checkpoint": self.checkpoint(index + 1).note})
        return found


def pack_of(*logs, operator=OPERATOR):
    """The lines of a pack, as JSON values; each log is a log or its lines."""
    lines = [{"type": "counterfoil/pack@v1", "operator": operator}]
    for log in logs:
        lines += log.lines() if isinstance(log, Log) else log
    return ended(lines)


def ended(lines):
    """Lines without an end, with the one that counts them right."""
    kinds = {"logs": "log", "entries": "entry", "checkpoints": "checkpoint"}
    objects = [line for line in lines if isinstance(line, dict)]
    counts = {name: str(sum(kind in line for line in objects)) for name, kind in kinds.items()}
    return [*lines, {"end": counts}]
