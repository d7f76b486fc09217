"""What must hold after every commit, recomputed from the bytes that the store gives, with nothing of the engine.

Own reading of entries and notes, own references, own trees (tests/oracle.py): the slow, obvious way.  What is new is
looked at once; what was seen before must still be there, byte for byte.
"""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from tests.oracle import Tree, leaf_hash
from tests.simulation.clock import BEHIND_MAX

# The promises, by the names under which a breach is reported.
KEPT = "what is committed stays as it is"
ONCE = "one key, one entry"
GAPLESS = "indices without a gap"
HEADS = "the head of a log fits its entries"
TIMES = "times strictly increase"
TOTALS = "totals are exact"
FORM = "entries are as their page says"
SIZES = "one checkpoint a seal, one seal a checkpoint"
SIGNED = "every published root is signed and that of the entries"
FORK = "the key signs one root a size"
WATERMARK = "nothing is recorded at or before a watermark"
REQUESTED = "only what was asked for is recorded"

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
EXACT = Context(prec=60)
# Every so many looks are at everything, whether its head changed or not.
WHOLE_EVERY = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BrokenError(AssertionError):
    """A promise does not hold.

    Attributes:
        promise: which.
    """

    def __init__(self, promise, why):
        super().__init__(f"{promise}: {why}")
        self.promise = promise


def require(holds, promise, why):
    if not holds:
        raise BrokenError(promise, why)


def microseconds(text):
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def month_end(text):
    year, month = int(text[:4]), int(text[5:7])
    return microseconds(f"{year + month // 12}-{month % 12 + 1:02}-01T00:00:00.000000Z")


class Log:
    """One log as it was last seen.

    Attributes:
        head: its head.
        stored: its entries as the store gives them.
        rows: the bytes of each.
        times: the `recordedAt` of each.
        totals: (count, credits, debits) after each.
        keys: the index of the delta under each key.
        owners: (request number, call number) of each delta, by index.
        seals: the size under each seal.
        notes: the note of each checkpoint, by size.
        told: the latest watermark that anybody was told.
    """

    def __init__(self, log, tenant, operator):
        self.tenant = tenant
        self.origin = f"{operator}/{tenant}/0x{log.hex()}"
        self.name = f"{tenant}/{log.hex()[:6]}"
        self.head = None
        self.stored, self.rows, self.times, self.totals, self.seals = [], [], [], [], []
        self.keys, self.owners, self.notes = {}, {}, {}
        self.unit = None
        self.told = ""
        self.tree = Tree([])

    @property
    def covered(self):
        return max(self.notes, default=0)

    @property
    def close_at(self):
        """When the month of the newest delta ends, None where a seal at or behind that closes it."""
        end = month_end(self.times[max(self.owners)])
        return None if self.seals and microseconds(self.times[self.seals[-1] - 1]) >= end else end


class Promises:
    """Holds what the store has against what it had, and against what was asked for."""

    def __init__(self, operator, outside, tenants, trace, *, exact_clock):
        self._operator = operator
        self._outside = outside
        self._tenants = tenants
        self._trace = trace
        self._exact_clock = exact_clock
        self._verify_key = VerifyKey(operator.signer.public_key)
        self._looks = 0
        self._signed = {}
        self._entries_of = {}
        self.logs = {}

    def reference(self, tenant, customer):
        return self._hmac(f"counterfoil/customer-reference@v1\n{tenant}\n{customer}")[:20]

    def key(self, log, key):
        return self._hmac(f"counterfoil/idempotency-key@v1\n0x{log.hex()}\n{key}").hex()

    def log_of(self, request):
        """The log that a request belongs to, None where it is not there yet."""
        return self.logs.get(self.reference(request.tenant, request.delta.customer_id))

    def signed(self, message):
        """Remember what the key signs, whether it is ever published or not."""
        origin, size, root = message.decode("ascii").removesuffix("\n").split("\n")
        known = self._signed.setdefault((origin, size), root)
        require(known == root, FORK, f"two roots of {origin} at size {size}")

    def look(self, view, call):
        """Look at the store after a transaction of a call: at what changed, and now and then at everything."""
        self._looks += 1
        for tenant in self._tenants:
            found = view.logs(tenant, limit=1_000)
            missing = [log for log, known in self.logs.items() if known.tenant == tenant and log not in found]
            require(not missing, KEPT, f"logs of {tenant} are gone")
            for log, head in view.heads(found).items():
                known = self.logs.get(log)
                if known is None:
                    known = self.logs[log] = Log(log, tenant, self._operator.name)
                if head != known.head or self._looks % WHOLE_EVERY == 0:
                    self._look_at_entries(view, log, known, call)
                    self._look_at_notes(view, log, known)
                    self._look_at_head(known, head)

    def _look_at_entries(self, view, log, known, call):
        stored = view.entries(log, 0, len(known.stored) + 1_000)
        require([row.index for row in stored] == list(range(len(stored))), GAPLESS, known.name)
        seen = len(known.stored)
        require(stored[:seen] == known.stored, KEPT, f"entries of {known.name} changed")
        for row in stored[seen:]:
            self._add(log, known, row, call)
        known.stored = stored

    def _look_at_notes(self, view, log, known):
        published = view.checkpoints(log, limit=1_000)
        sizes = [row.size for row in published]
        notes = {row.size: row.note for row in published}
        require(len(sizes) == len(notes), SIZES, f"two checkpoints of {known.name} at one size")
        seen = len(known.notes)
        require(list(notes.items())[:seen] == list(known.notes.items()), KEPT, f"{known.name}: {sizes}")
        for size in sizes[seen:]:
            self._add_note(known, size, notes[size])
        # A seal gets its checkpoint before another is appended, so that at most the last one is without.
        due = (known.seals, known.seals[:-1])
        require(sizes in due, SIZES, f"{known.name}: {sizes}, sealed {known.seals}")

    def _look_at_head(self, known, head):
        known.head = head
        sealed = known.seals[-1] if known.seals else 0
        found = (head.tenant, head.size, head.sealed_size, head.checkpoint_size)
        wanted = (known.tenant, len(known.rows), sealed, known.covered)
        require(found == wanted, HEADS, f"{known.name}: {found}, and not {wanted}")
        require(head.close_at == known.close_at, HEADS, f"{known.name} is to be closed at {head.close_at}")
        require(head.last_entry == known.rows[-1], HEADS, f"{known.name} ends with {head.last_entry}")

    def _add(self, log, known, row, call):
        entry = json.loads(row.entry)
        self._trace(f"entry {known.name}.{row.index} {row.entry.decode('ascii')}")
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        require(text.encode("ascii") == row.entry, FORM, f"{known.name}.{row.index} is not canonical")
        require(entry["index"] == str(row.index), GAPLESS, f"{known.name}.{row.index} says {entry['index']}")
        self._check_time(known, entry["recordedAt"], call.shown[call.since :])
        known.unit = known.unit or entry["unit"]
        require(entry["unit"] == known.unit, FORM, f"{known.name}.{row.index} has another unit")
        count, plus, minus = known.totals[-1] if known.totals else (0, Decimal(0), Decimal(0))
        kind = entry["type"]
        if kind == "counterfoil/delta@v1":
            amount = Decimal(entry["amount"])
            count = count + 1
            plus, minus = EXACT.add(plus, max(amount, 0)), EXACT.add(minus, max(-amount, 0))
            self._check_request(log, known, row, entry, call)
        elif kind == "counterfoil/seal@v1":
            known.seals.append(row.index + 1)
            require(row.salt is None and row.value is None, FORM, "a seal with details")
        else:
            opens = (kind, row.index, entry["origin"]) == ("counterfoil/open@v1", 0, known.origin)
            require(opens, FORM, f"{known.name} begins with {kind}")
            customer = json.loads(row.value)["customerId"]
            require(
                self.reference(known.tenant, customer) == log, FORM, f"{known.name} is the log of {customer}"
            )
        totals = (int(entry["count"]), Decimal(entry["credits"]), Decimal(entry["debits"]))
        require(totals == (count, plus, minus), TOTALS, f"{known.name}.{row.index}")
        if row.salt is not None:
            commitment = hashlib.sha256(row.salt + row.value).hexdigest()
            require(commitment == entry["details"], FORM, f"details of {known.name}.{row.index}")
        known.rows.append(row.entry)
        known.times.append(entry["recordedAt"])
        known.totals.append(totals)
        known.tree.leaves.append(leaf_hash(row.entry))

    def _check_time(self, known, text, shown):
        """The clock's, or the next one; not far behind, and behind every watermark that was told."""
        require(bool(TIME.fullmatch(text)), FORM, f"{text} is no time")
        time = microseconds(text)
        allowed = list(shown)
        if known.times:
            last = known.times[-1]
            require(text > last, TIMES, f"{known.name}: {text} after {last}")
            allowed.append(microseconds(last) + 1)
            behind = microseconds(last) - BEHIND_MAX
            require(not shown or min(shown) >= behind, TIMES, f"{known.name}: recorded by a clock far behind")
        require(text > known.told, WATERMARK, f"{known.name}: {text}, and {known.told} was told")
        require(
            not self._exact_clock or time in allowed,
            TIMES,
            f"{known.name}: {text} is neither the clock's nor the next one",
        )

    def _check_request(self, log, known, row, entry, call):
        value = json.loads(row.value)
        number = int(value["reason"].removeprefix("request "))
        request = self._outside.requests[number]
        where = f"request {number} at {known.name}.{row.index}"
        require(
            entry["key"] not in known.keys, ONCE, f"{where}: its key stands at {known.keys.get(entry['key'])}"
        )
        require(
            number not in self._entries_of, ONCE, f"{where} stands at {self._entries_of.get(number)} as well"
        )
        require(request.refusal is None, REQUESTED, f"{where} has to be refused: {request.refusal}")
        delta = request.delta
        details = {"reason": delta.reason, "referenceId": delta.reference_id, "metadata": delta.metadata}
        asked = (
            self.reference(request.tenant, delta.customer_id),
            Decimal(delta.amount),
            {name: each for name, each in details.items() if each is not None},
            delta.adjusts and delta.adjusts.partition(".")[2],
            delta.effective_at and f"{delta.effective_at}T00:00:00.000000Z",
            self.key(log, request.key) if request.key else entry["key"],
        )
        found = (
            log,
            Decimal(entry["amount"]),
            value,
            entry.get("adjusts"),
            entry.get("effectiveAt"),
            entry["key"],
        )
        require(found == asked, REQUESTED, f"{where}: {found}, and not {asked}")
        known.keys[entry["key"]] = row.index
        known.owners[row.index] = (number, call.number)
        self._entries_of[number] = f"{known.name}.{row.index}"
        call.recorded.append(number)

    def _add_note(self, known, size, note):
        text, _, signature = note.decode("utf-8").partition("\n\n")
        self._trace(f"note {known.name} {size} {note!r}")
        origin, size_text, root = text.split("\n")
        require((origin, size_text) == (known.origin, str(size)), SIGNED, f"{known.name} at {size}: {text!r}")
        require(
            size > known.covered and size in known.seals, SIZES, f"{known.name}: {size} after {known.covered}"
        )
        require(
            base64.b64decode(root) == known.tree.root(size), SIGNED, f"{known.name} at {size}: another root"
        )
        dash, name, blob = signature.removesuffix("\n").split(" ")
        require((dash, name) == ("—", known.origin), SIGNED, f"{known.name} at {size}: signed as {name}")
        try:
            self._verify_key.verify((text + "\n").encode(), base64.b64decode(blob, validate=True)[4:])
        except BadSignatureError as error:
            raise BrokenError(SIGNED, f"{known.name} at {size}: the signature is another's") from error
        known.notes[size] = note

    def _hmac(self, text):
        return hmac.digest(self._operator.reference_key, text.encode("ascii"), "sha256")
