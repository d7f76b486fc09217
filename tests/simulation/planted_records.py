"""Bugs in how deltas are recorded, each planted into an engine that works; the simulation has to find every one.

A plant changes as little as can be: it is what somebody could have written instead.
"""

from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from counterfoil.engine import engine, record, request, seal
from counterfoil.engine.operator import Operator
from counterfoil.errors import EngineError
from tests.simulation.judge import EXCUSED, NOT_THERE, TOLD, UNKNOWN
from tests.simulation.outside import item_key
from tests.simulation.plant import Changed, Plant, with_write
from tests.simulation.promises import FORM, HEADS, KEPT, ONCE, REQUESTED, TIMES, TOTALS, WATERMARK
from tests.simulation.worker import Worker
from tests.simulation.writer import Writer

# Acknowledging.


class AcknowledgesBeforeCommit(Plant):
    """The answer is on its way before the commit is; what the commit says nobody hears."""

    promises = (KEPT, TOLD)
    kind = Writer

    def store(self, process, store):
        return with_write(store, self.write) if isinstance(process, self.kind) else store

    @staticmethod
    def write(store):
        done = False
        try:
            with store.write() as transaction:
                yield transaction
                done = True
        except EngineError:
            if not done:
                raise


class PublishesBeforeCommit(AcknowledgesBeforeCommit):
    """A checkpoint is handed out though storing it failed."""

    promises = (TOLD, EXCUSED)
    kind = Worker


class TakesUnknownForNotDone(Plant):
    """A connection that is lost during COMMIT counts as a failure."""

    promises = (NOT_THERE,)

    def store(self, process, store):
        def write(store):
            try:
                with store.write() as transaction:
                    yield transaction
            except EngineError as error:
                if error.code != UNKNOWN:
                    raise
                process.world.call.excuses.add("store-unavailable")
                raise EngineError("store-unavailable", "the connection was lost") from error

        return with_write(store, write)


class SplitsBatches(Plant):
    """Half of a batch is one transaction, the other half another."""

    promises = (NOT_THERE,)

    @contextmanager
    def patched(self, _world):
        real = engine.record_many

        def split(store, operator, tenant, requests, *, randomness, batch_key):
            keyed = [
                replace(each, idempotency_key=item_key(batch_key, place))
                if batch_key and each.idempotency_key is None
                else each
                for place, each in enumerate(requests)
            ]
            middle = len(keyed) // 2
            return [
                answer
                for part in (keyed[:middle], keyed[middle:])
                if part
                for answer in real(store, operator, tenant, part, randomness=randomness)
            ]

        with patch.object(engine, "record_many", split):
            yield


# Idempotency.


class ChecksThenInserts(Plant):
    """Keys are looked up before the lock is taken."""

    promises = (ONCE,)

    def store(self, process, store):
        def write(store):
            known = process.world.promises.logs
            with store.read():
                sizes = {log: len(found.rows) for log, found in known.items()}
            with store.write() as transaction:

                def find(wanted):
                    return {
                        key: [index for index in found if index < sizes.get(key[0], 0)]
                        for key, found in transaction.find_keys(wanted).items()
                    }

                yield Changed(transaction, find_keys=find)

        return with_write(store, write) if isinstance(process, Writer) else store


class ForgetsOldKeys(Plant):
    """A key is known for as long as eight entries."""

    promises = (ONCE,)

    def store(self, _process, store):
        def write(store):
            with store.write() as transaction:

                def find(wanted):
                    heads = transaction.heads([log for log, _ in wanted])
                    return {
                        key: [index for index in found if index >= heads[key[0]].size - 8]
                        for key, found in transaction.find_keys(wanted).items()
                    }

                yield Changed(transaction, find_keys=find)

        return with_write(store, write)


class TakesAnotherKeyAfterUnknown(Plant):
    """After an unknown COMMIT the engine tries again by itself, with new keys."""

    promises = (ONCE, REQUESTED)

    @contextmanager
    def patched(self, _world):
        real = engine.record_many

        def stubborn(store, operator, tenant, requests, *, randomness, batch_key):
            try:
                return real(store, operator, tenant, requests, randomness=randomness, batch_key=batch_key)
            except EngineError as error:
                if error.code != UNKNOWN:
                    raise
            anew = [replace(each, idempotency_key=None) for each in requests]
            return real(store, operator, tenant, anew, randomness=randomness)

        with patch.object(engine, "record_many", stubborn):
            yield


class RunsUnknownAgain(Plant):
    """After an unknown COMMIT the same block runs again, as after a conflict; keys of its own it does not look up."""

    promises = (ONCE, TOLD)

    @contextmanager
    def patched(self, _world):
        real = record.transact

        def stubborn(store, work):
            try:
                return real(store, work)
            except EngineError as error:
                if error.code != UNKNOWN:
                    raise
            return real(store, work)

        with patch.object(record, "transact", stubborn):
            yield


class AnswersAnyReplay(Plant):
    """A key that is known answers, whatever is asked under it."""

    promises = (TOLD,)

    @contextmanager
    def patched(self, _world):
        def replay(item, entry, row):
            record_id = f"0x{item.log.hex()}.{entry.index}"
            return record.Recorded(record_id, item.customer_id, item.key_text, row.entry, replayed=True)

        with patch.object(record, "_replay", replay):
            yield


# Order, time, totals, names.


class TakesTimeBeforeLock(Plant):
    """An entry's time is what the clock said before the lock, and is not held against the entry before."""

    promises = (TIMES, WATERMARK)
    exact_clock = False

    @contextmanager
    def patched(self, _world):
        with patch.object(record, "next_time", lambda now, _last: now):
            yield

    def store(self, _process, store):
        def write(store):
            with store.write() as transaction:
                now = transaction.now()
            with store.write() as transaction:
                yield Changed(transaction, now=lambda: now)

        return with_write(store, write)


class FollowsAnyClock(Plant):
    """However far the clock falls back, recording goes on."""

    promises = (TIMES,)

    @contextmanager
    def patched(self, _world):
        def later(now, last):
            return max(now, last + 1)

        with patch.object(record, "next_time", later), patch.object(seal, "next_time", later):
            yield


class ReadsHeadsBeforeLock(Plant):
    """The place of an entry is counted before the lock is taken; the store notices, and nobody should have to."""

    promises = (EXCUSED, HEADS)

    def store(self, process, store):
        def write(store):
            with store.read() as view:
                heads = view.heads(list(process.world.promises.logs))
            with store.write() as transaction:
                yield Changed(transaction, lock_heads=lambda logs: _among(logs, heads))

        return with_write(store, write) if isinstance(process, Writer) else store


def _among(logs, heads):
    return {log: heads[log] for log in logs if log in heads}


class CountsInFloats(Plant):
    """Amounts go through binary fractions."""

    promises = (REQUESTED, TOTALS)

    @contextmanager
    def patched(self, _world):
        real = request.read_amount
        with patch.object(request, "read_amount", lambda text: real(text) and round(float(text) * 1e9)):
            yield


class LeavesTenantOut(Plant):
    """Customers of the same name share a log, whoever's they are."""

    promises = (FORM, EXCUSED)

    @contextmanager
    def patched(self, _world):
        real = Operator.log_of
        with patch.object(Operator, "log_of", lambda self, _tenant, customer: real(self, "acme", customer)):
            yield
