"""Does a store hold what it promises?  Recomputed from its rows alone, with nothing of the engine.

Own reading of JSON, notes, amounts and bundles, own trees: the slow, obvious way.  From outside come only the driver,
`hashlib` and PyNaCl for the signatures.  What processes were told while they ran is held against the rows too.
"""

import base64
import hashlib
import json
import re
import sqlite3
import zlib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import NamedTuple

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from tests.bundle_oracle import rows_of

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
WIDTH = 256
BUNDLE_ENTRIES_MAX = 256
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BrokenError(AssertionError):
    """The store breaks a promise."""


class Acknowledged(NamedTuple):
    """A delta that somebody was told is recorded."""

    log: bytes
    index: int
    entry: bytes


class Published(NamedTuple):
    """A checkpoint that somebody was told is published, with the watermark that came with it."""

    log: bytes
    note: str
    verified_through_at: str


class Found(NamedTuple):
    """What the store holds, in numbers.

    `unsigned` entries are behind checkpoints, `pending` seals without one, `settled` entries in bundles.
    """

    logs: int
    deltas: int
    checkpoints: int
    unsigned: int
    pending: int
    settled: int


def require(holds, why):
    if not holds:
        raise BrokenError(why)


def fsck(path, **told):
    """As `fsck_rows`, of a SQLite file."""
    with closing(sqlite3.connect(path)) as connection:
        require(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "SQLite: not intact")
        return fsck_rows(connection, **told)


def fsck_rows(connection, *, operator, public_key, acknowledged=(), published=(), mark="?"):
    """Recompute everything in a store; raise `BrokenError` at the first promise that does not hold.

    I1 every acknowledged delta is there, with the acknowledged bytes.  I2 indices have no gap and stand once.  I3 totals
    are exact.  I4 every signed root is that of the entries.  I5 no two signed roots of one size; each tree extends
    the one before, which follows where all roots are of one row of entries.  I6 times strictly increase.  I7 the
    watermark covers only what is signed, and never went back.  I9 one key, one entry.  I10 nothing of one log
    stands in another's.

    Args:
        connection: of the driver, sqlite3 or psycopg; everything is read in the transaction that it is in.
        operator: whose store it should be.
        public_key: of the operator, 32 bytes.
        acknowledged: `Acknowledged` each.
        published: `Published` each.
        mark: what stands for a parameter, `?` or `%s`.
    """

    def query(statement, *parameters):
        return connection.execute(statement.replace("?", mark), parameters).fetchall()

    heads = query("SELECT log, tenant, size, sealed_size, checkpoint_size, close_at FROM logs ORDER BY log")
    known = {head[0] for head in heads}
    for table in ("customers", "entries", "bundles", "keys", "checkpoints", "tiles", "outbox", "deliveries"):
        strays = {log for (log,) in query(f"SELECT DISTINCT log FROM {table}")} - known  # noqa: S608  -- a name from the line above
        require(not strays, f"{table} of a log that does not exist")
    try:
        checked = {head[0]: _Log(query, head, operator, VerifyKey(public_key)).check() for head in heads}
    except (ValueError, KeyError, TypeError, ArithmeticError, zlib.error) as error:
        raise BrokenError(f"something does not read: {error}") from error
    for ack in acknowledged:
        log = checked.get(ack.log)
        require(log is not None and ack.index < len(log.rows), f"I1: acknowledged delta {ack.index} is lost")
        require(log.rows[ack.index] == ack.entry, f"I1: acknowledged delta {ack.index} has other bytes")
    for told in published:
        checked[told.log].check_published(told)
    return Found(
        len(checked),
        sum(log.deltas for log in checked.values()),
        sum(len(log.notes) for log in checked.values()),
        sum(len(log.rows) - log.checkpoint_size for log in checked.values()),
        sum(log.sealed_size > log.checkpoint_size for log in checked.values()),
        sum(log.settled for log in checked.values()),
    )


class _Log:
    def __init__(self, query, head, operator, verify_key):
        self.log, self.tenant, self.size, self.sealed_size, self.checkpoint_size, self.close_at = head
        self.origin = f"{operator}/{self.tenant}/0x{self.log.hex()}"
        self.verify_key = verify_key
        self.bundles = query(
            "SELECT first, last, entries, details, time, count FROM bundles WHERE log = ? ORDER BY last",
            self.log,
        )
        self.names = query("SELECT tenant, customer_id FROM customers WHERE log = ?", self.log)
        self.announced = query("SELECT size, tenant FROM outbox WHERE log = ?", self.log)
        self.settled_keys = sorted(query("SELECT idx, key_prefix FROM keys WHERE log = ?", self.log))
        self.hot = query(
            "SELECT idx, entry, salt, value, key_prefix FROM entries WHERE log = ? ORDER BY idx", self.log
        )
        checkpoints = query(
            "SELECT size, note, root_prefix FROM checkpoints WHERE log = ? ORDER BY size", self.log
        )
        self.notes = {size: note for size, note, _ in checkpoints}
        self.root_prefixes = {size: prefix for size, _, prefix in checkpoints}
        self.tiles = {
            (level, number): hashes
            for level, number, hashes in query(
                "SELECT level, number, hashes FROM tiles WHERE log = ?", self.log
            )
        }
        self.deltas = 0
        self.times = []

    def check(self):
        self.stored = [*self._unpacked(), *(row[:4] for row in self.hot)]
        require(
            [row[0] for row in self.stored] == list(range(self.size)),
            "I2: indices with a gap, standing twice, or beyond the head",
        )
        self.settled = self.size - len(self.hot)
        require(self.settled <= self.sealed_size, "settled beyond the newest seal")
        require(self.settled < self.size, "the last entry is not where the head looks for it")
        self.rows = [row[1] for row in self.stored]
        self.tree = _Tree(self.rows)
        seals = self._check_entries()
        require(self.sealed_size == (seals[-1] + 1 if seals else 0), "the head names another seal")
        signed = sorted(self.notes)
        require(
            self.checkpoint_size == (signed[-1] if signed else 0), "I7: the head names another checkpoint"
        )
        # A seal gets its checkpoint before another is appended, so at most the last one is without.
        sizes = [index + 1 for index in seals]
        require(signed == sizes or signed == sizes[:-1], "seals and checkpoints do not belong together")
        for size, note in self.notes.items():
            self._check_note(size, note)
        self._check_tiles()
        self._check_finding()
        return self

    def _unpacked(self):
        """Return the settled entries; the bundles follow one another from index 0 on."""
        rows = []
        for first, last, entries, details, *_ in self.bundles:
            found = rows_of(first, entries, details)
            require(first == len(rows), "I2: bundles with a gap, or entries in two of them")
            require(len(found) == last - first + 1 <= BUNDLE_ENTRIES_MAX, "a bundle of another size")
            rows += found
        return rows

    def _check_entries(self):
        count, plus, minus = 0, Decimal(0), Decimal(0)
        keys, seals, deltas, hints = set(), [], [], {}
        unit = None
        for index, data, salt, value in self.stored:
            entry = json.loads(data)
            text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
            require(text.encode("ascii") == data, f"entry {index} is not canonical")
            kind = entry["type"]
            require(entry["index"] == str(index), f"I2: entry {index} says it is {entry['index']}")
            require(bool(TIME.fullmatch(entry["recordedAt"])), f"entry {index} has no time")
            require(not self.times or entry["recordedAt"] > self.times[-1], f"I6: entry {index} is not later")
            self.times.append(entry["recordedAt"])
            unit = unit or entry["unit"]
            require(entry["unit"] == unit, f"entry {index} has another unit")
            if kind == "counterfoil/delta@v1":
                amount = Decimal(entry["amount"])
                count += 1
                with localcontext(prec=60):
                    plus, minus = (plus + amount, minus) if amount > 0 else (plus, minus - amount)
                require(entry["key"] not in keys, f"I9: the key of entry {index} stands twice")
                keys.add(entry["key"])
                hints[index] = int.from_bytes(bytes.fromhex(entry["key"])[:8], "big", signed=True)
                require(
                    "adjusts" not in entry or int(entry["adjusts"]) in deltas,
                    f"entry {index} adjusts no delta",
                )
                deltas.append(index)
            elif kind == "counterfoil/seal@v1":
                seals.append(index)
            else:
                require(
                    (kind, index, entry["origin"]) == ("counterfoil/open@v1", 0, self.origin),
                    "I10: not its open",
                )
            totals = (int(entry["count"]), Decimal(entry["credits"]), Decimal(entry["debits"]))
            require(totals == (count, plus, minus), f"I3: the totals of entry {index} are wrong")
            require((salt is None) == (value is None), f"entry {index} has half of its details")
            if salt is not None:
                require(
                    entry["details"] == hashlib.sha256(salt + value).hexdigest(),
                    f"details of {index} are others",
                )
        self._check_keys(hints)
        self._check_month(deltas, seals)
        self.deltas = count
        return seals

    def _check_keys(self, hints):
        """A delta is found by its key in one place: beside it, or once it is settled in the table of keys."""
        for index, *_, prefix in self.hot:
            require(prefix == hints.get(index), f"entry {index} cannot be found by its key")
        settled = sorted((index, hint) for index, hint in hints.items() if index < self.settled)
        require(self.settled_keys == settled, "settled entries cannot be found by their keys, or others can")

    def _check_month(self, deltas, seals):
        """The head knows when the month of the newest delta ends, until a seal closes it."""
        expected = None
        if deltas:
            ends = _month_end(self.times[deltas[-1]])
            closed = any(_microseconds(self.times[index]) >= ends for index in seals)
            expected = None if closed else ends
        require(self.close_at == expected, f"the month ends at {expected} and not at {self.close_at}")

    def _check_note(self, size, note):
        text, _, signature = note.decode("utf-8").partition("\n\n")
        origin, size_text, root = text.split("\n")
        require(
            (origin, size_text) == (self.origin, str(size)),
            f"I10: checkpoint {size} is of another log or size",
        )
        dash, name, blob = signature.removesuffix("\n").split(" ")
        require((dash, name) == ("—", self.origin), f"checkpoint {size} is signed under another name")
        key = bytes(self.verify_key)
        decoded = base64.b64decode(blob, validate=True)
        require(decoded[:4] == hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4], "another key id")
        try:
            self.verify_key.verify((text + "\n").encode(), decoded[4:])
        except BadSignatureError as error:
            raise BrokenError(f"I4: checkpoint {size} is not signed") from error
        require(
            base64.b64decode(root) == self.tree.root(0, size), f"I4, I5: checkpoint {size} has another root"
        )
        prefix = int.from_bytes(base64.b64decode(root)[:8], "big", signed=True)
        require(self.root_prefixes[size] == prefix, f"checkpoint {size} is not found by its root")

    def _check_finding(self):
        """Customers are found by name, bundles by time and count, announcements lead to something."""
        value = self.stored[0][3]
        named = [] if value is None else [(self.tenant, json.loads(value)["customerId"])]
        require([tuple(row) for row in self.names] == named, f"its customer is listed as {self.names}")
        for _, last, _, _, time, count in self.bundles:
            entry = json.loads(self.rows[last])
            expected = (_microseconds(entry["recordedAt"]), int(entry["count"]))
            require((time, count) == expected, f"the bundle of entry {last} is found by {time} and {count}")
        for size, tenant in self.announced:
            require(tenant == self.tenant, "announced as another tenant's")
            require(size in {0, *self.notes}, f"a checkpoint of size {size} is announced, and there is none")

    def _check_tiles(self):
        level, below = 0, self.checkpoint_size
        while below:
            for number in range(-(-below // WIDTH)):
                hashes = [
                    self.tree.root(place * WIDTH**level, (place + 1) * WIDTH**level)
                    for place in range(number * WIDTH, min((number + 1) * WIDTH, below))
                ]
                stored = self.tiles.get((level, number), b"")
                require(stored.startswith(b"".join(hashes)), f"tile {level}/{number} is another")
            level, below = level + 1, below // WIDTH

    def check_published(self, told):
        size = int(told.note.split("\n")[1])
        require(
            self.notes.get(size) == told.note.encode("utf-8"),
            f"I5: published checkpoint {size} is gone or another",
        )
        require(
            self.times[size - 1] == told.verified_through_at,
            f"I7: checkpoint {size} came with another watermark",
        )


class _Tree:
    """RFC 6962, section 2.1, as it is written there; roots are kept."""

    def __init__(self, leaves):
        self._leaves = leaves
        self._roots = {}

    def root(self, start, end):
        if end - start == 1:
            return hashlib.sha256(b"\x00" + self._leaves[start]).digest()
        if (start, end) not in self._roots:
            split = 1
            while split * 2 < end - start:
                split *= 2
            left, right = self.root(start, start + split), self.root(start + split, end)
            self._roots[start, end] = hashlib.sha256(b"\x01" + left + right).digest()
        return self._roots[start, end]


def _microseconds(time):
    return (datetime.fromisoformat(time) - EPOCH) // timedelta(microseconds=1)


def _month_end(time):
    begins = datetime.fromisoformat(time[:7] + "-01T00:00:00Z")
    return ((begins + timedelta(days=31)).replace(day=1) - EPOCH) // timedelta(microseconds=1)


def tree_root(leaves):
    """Return the root over exact leaf bytes."""
    return _Tree(list(leaves)).root(0, len(leaves))
