"""Holds every answer of the engine against what the store has and what the caller met.

An answer is judged at the moment at which it is given; what was true when the call began must be in it.
"""

import base64
import json

from tests.oracle import leaf_hash, root_from_path
from tests.simulation.clock import BEHIND_MAX
from tests.simulation.promises import EXACT, KEPT, WATERMARK, microseconds, require

TOLD = "what is told is so"
NOT_THERE = "what was surely refused is not there"
EXCUSED = "nobody is refused without a reason"
PROGRESS = "a checkpoint covers what was there before"
RECEIPTS = "a receipt stays valid"
LIVES = "once nothing fails, everything is answered and sealed"

UNKNOWN = "commit-outcome-unknown"


class Judge:
    """Judges answers; everything that was told is remembered outside."""

    def __init__(self, promises, outside, clock, *, host_clock):
        self._promises = promises
        self._outside = outside
        self._clock = clock
        self._host_clock = host_clock
        self._watermarks = []

    # Recording.

    def acknowledged(self, call, request, answer, *, again):
        """`again`: the same request stood earlier in the same batch."""
        log = self._promises.log_of(request)
        reference, _, index = answer.record_id.partition(".")
        where = f"request {request.number} at {answer.record_id}"
        require(log is not None and log.origin.endswith(reference), TOLD, f"{where}: another log")
        index = int(index)
        require(index < len(log.rows) and log.rows[index] == answer.data, KEPT, f"{where} is not there")
        number, caller = log.owners[index]
        require(number == request.number, TOLD, f"{where} is request {number}")
        fresh = caller == call.number and not again
        require(answer.replayed is not fresh, TOLD, f"{where}: replayed is {answer.replayed}")
        require(answer.customer_id == request.delta.customer_id, TOLD, f"{where}: another customer")
        require(request.key in (None, answer.idempotency_key), TOLD, f"{where}: another key")
        require(request.data in (None, answer.data), KEPT, f"{where} was another entry before")
        self._outside.acknowledged(request, answer.data)

    def refused(self, call, request, error):
        """One item of a batch was refused."""
        why = f"request {request.number}: {error}"
        require(request.number not in call.recorded, NOT_THERE, why)
        if error.code == request.refusal:
            return
        log = self._promises.log_of(request)
        if error.code == "idempotency-conflict":
            index = log and log.keys.get(self._promises.key(self._reference(request), request.key))
            require(index and log.owners[index][0] != request.number, EXCUSED, why)
            require(request.data is None, TOLD, f"{why}, and it was accepted before")
        else:
            self.excused(call, error, [log] if log else [])

    def failed(self, call, error, requests=()):
        """The whole call was refused."""
        if error.code != UNKNOWN:
            there = [request.number for request in requests if request.number in call.recorded]
            require(not there, NOT_THERE, f"{there}: {error}")
        self.excused(call, error, self._promises.logs.values())

    def excused(self, call, error, logs):
        """A refusal is that of a fault that the call met, or the clock's."""
        if error.code == "clock-regressed":
            if self._host_clock:
                excused = self._clock.disturbed
            else:
                seen = min(call.shown, default=None)
                excused = seen is not None and any(
                    microseconds(log.times[-1]) - seen > BEHIND_MAX for log in logs
                )
        else:
            excused = error.code in call.excuses
        require(excused, EXCUSED, f"{error} {error.facts}")

    # Checkpoints and watermarks.

    def checkpointed(self, call, done, *, refresh):
        log = self._promises.logs[done.log]
        size = done.checkpoint.size
        note = done.checkpoint.note.encode("utf-8")
        require(log.notes.get(size) == note, TOLD, f"{log.name}: no such checkpoint of size {size}")
        before = call.sizes.get(done.log, 0)
        require(size >= before, PROGRESS, f"{log.name}: {size}, and {before} entries were there")
        require(size > before or not refresh, PROGRESS, f"{log.name}: no fresh watermark at {size}")
        self.watermark(call, done.log, size, done.verified_through_at)
        self._outside.checkpoints.append((log.tenant, done.log, done.checkpoint))

    def watermark(self, call, reference, size, text):
        """Somebody is told that everything up to a time is under the checkpoint of a size."""
        log = self._promises.logs[reference]
        unsealed = [time for time in log.times[size:] if time <= text]
        require(not unsealed, WATERMARK, f"{log.name}: {text} was told, and {unsealed} are not under {size}")
        before = call.watermarks.get(reference, "")
        require(text >= before, WATERMARK, f"{log.name}: {text} after {before}")
        log.told = max(log.told, text)
        self._watermarks.append((log, size, text))

    def customer(self, call, record):
        log = self._promises.logs[record.log]
        require(
            call.sizes.get(record.log, 0) <= record.size <= len(log.rows), TOLD, f"{log.name}: {record.size}"
        )
        count, plus, minus = log.totals[record.size - 1]
        nano = (count, int(plus.scaleb(9, EXACT)), int(minus.scaleb(9, EXACT)))
        require((record.count, record.credits, record.debits) == nano, TOLD, f"totals of {log.name}")
        covered = record.checkpoint_size
        require(call.covered.get(record.log, 0) <= covered <= log.covered, TOLD, f"{log.name}: {covered}")
        require(bool(covered) == (record.verified_through_at is not None), TOLD, f"{log.name}: {covered}")
        if covered:
            require(
                record.verified_count == log.totals[covered - 1][0], TOLD, f"verified count of {log.name}"
            )
            self.watermark(call, record.log, covered, record.verified_through_at)

    def audited(self, call, reference, report):
        log = self._promises.logs[reference]
        entries, covered = call.sizes.get(reference, 0), call.covered.get(reference, 0)
        require(entries <= report.entries <= len(log.rows), TOLD, f"{log.name}: {report.entries} audited")
        require(covered <= report.covered <= log.covered, TOLD, f"{log.name}: {report.covered} covered")

    def listed(self, call, reference, sizes):
        """The sizes of all checkpoints of a log; some may have come meanwhile."""
        log = self._promises.logs[reference]
        whole = sizes == list(log.notes)[: len(sizes)] and max(sizes, default=0) >= call.covered.get(
            reference, 0
        )
        require(whole, TOLD, f"{log.name}: {sizes}")

    def refused_log(self, call, error, reference=None):
        """A call about one log, or one log of a call, was refused."""
        if "log" in error.facts:
            reference = bytes.fromhex(error.facts["log"].removeprefix("0x"))
        absent = error.code == "customer-not-found" and reference not in call.sizes
        early = error.code == "not-yet-checkpointed" and not call.covered.get(reference)
        if not absent and not early:
            self.excused(call, error, self._promises.logs.values())

    # Proofs.

    def receipt(self, record_id, receipt):
        """Hold a receipt against the store: its entry, its checkpoint, its path."""
        reference, _, index = record_id.partition(".")
        log = self._promises.logs[bytes.fromhex(reference.removeprefix("0x"))]
        receipt = json.loads(receipt)
        entry = json.dumps(receipt["entry"], sort_keys=True, separators=(",", ":")).encode("ascii")
        require(log.rows[int(index)] == entry, RECEIPTS, f"{record_id} is another entry")
        proof, _, note = receipt["proof"].partition("\n\n")
        _header, place, *path = proof.split("\n")
        require(place == f"index {index}", RECEIPTS, f"{record_id}: {place}")
        size, root = int(note.split("\n")[1]), note.split("\n")[2]
        require(log.notes.get(size) == note.encode("utf-8"), RECEIPTS, f"{record_id}: no checkpoint {size}")
        computed = root_from_path(
            int(index), size, leaf_hash(entry), [base64.b64decode(each) for each in path]
        )
        require(
            computed == base64.b64decode(root), RECEIPTS, f"{record_id} does not lead to the root of {size}"
        )

    def not_yet(self, call, reference, index, error):
        """A receipt is not to be had before a checkpoint covers the entry."""
        early = error.code == "not-yet-checkpointed" and index >= call.covered.get(reference, 0)
        if not early:
            self.failed(call, error)

    # The end.

    def sealed(self, now):
        """Nothing fails and nobody is at work: what does not lie in the future is sealed."""
        for log in self._promises.logs.values():
            if microseconds(log.times[-1]) <= now:
                whole = log.covered == len(log.rows)
                require(whole, LIVES, f"{log.name}: {log.covered} of {len(log.rows)}")

    def closed(self, now):
        """Months that are over are closed."""
        for log in self._promises.logs.values():
            if microseconds(log.times[-1]) <= now:
                require(log.close_at is None or log.close_at > now, LIVES, f"{log.name}: its month is open")

    def finish(self):
        """After the last call everything that was ever told still holds."""
        for log, size, text in self._watermarks:
            require(
                log.times[size - 1] == text, WATERMARK, f"{log.name}: {text} is not the time of seal {size}"
            )
        for request in self._outside.recorded:
            log = self._promises.log_of(request)
            require(request.data in log.rows, KEPT, f"request {request.number} is lost")
        for record_id, receipt in self._outside.receipts:
            self.receipt(record_id, receipt)

    def _reference(self, request):
        return self._promises.reference(request.tenant, request.delta.customer_id)
