"""Bugs in how checkpoints and watermarks are made, each planted into an engine that works (see planted_records)."""

from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from counterfoil.core import checkpoint as core_checkpoint
from counterfoil.core.checkpoint import sign_checkpoint
from counterfoil.core.entry import format_seal
from counterfoil.core.tiles import Edge
from counterfoil.core.timestamp import format_time, to_microseconds
from counterfoil.engine import checkpoint, engine, worker
from counterfoil.engine.clock import next_time
from counterfoil.engine.store import HeadMove, NewCheckpoint, NewEntry, StoredCheckpoint, TileKey
from counterfoil.engine.stored import key_prefix, read_last
from counterfoil.engine.transact import transact
from counterfoil.errors import CounterfoilError
from counterfoil.storage import memory
from tests.oracle import leaf_hash
from tests.simulation.judge import LIVES, TOLD
from tests.simulation.plant import Changed, Plant, with_write
from tests.simulation.promises import FORK, HEADS, KEPT, SIGNED, SIZES, WATERMARK
from tests.simulation.worker import Worker


def checkpoint_of(log, old_size, signed):
    """What a store is given of a checkpoint."""
    return NewCheckpoint(log, old_size, signed.size, signed.note.encode(), key_prefix(signed.root))


class PublishesWithoutComparing(Plant):
    """Whoever has signed publishes, whatever was published meanwhile; the store takes it."""

    promises = (KEPT, SIZES)

    @contextmanager
    def patched(self, _world):
        def publish(transaction, signed):
            new = [checkpoint_of(item.work.head.log, 0, item.checkpoint) for item in signed]
            transaction.put_checkpoints(new)
            transaction.put_tiles(
                {(item.work.head.log, *tile): item.tiles[tile] for item in signed for tile in item.tiles}
            )
            return {each.log for each in new}

        def put(self, new):
            for each in new:
                stored = StoredCheckpoint(each.log, each.size, each.note)
                self._add(self._rows.checkpoints[each.log], stored)
                self._add(self._rows.by_root[each.root_prefix], stored)

        writing = memory._Writing  # noqa: SLF001  -- the comparison that the store makes has to go too
        with patch.object(checkpoint, "_publish", publish), patch.object(writing, "put_checkpoints", put):
            yield


class SignsBeforeSealIsStored(Plant):
    """Seal and checkpoint are stored together, after the signature: a second attempt signs another seal."""

    promises = (FORK,)
    exact_clock = False

    @contextmanager
    def patched(self, _world):
        real = engine.checkpoint_many

        def checkpoint_many(store, operator, tenant, logs, *, refresh):
            for log in logs:
                try:
                    while self.attempt(store, operator, tenant, log, refresh=refresh):
                        pass
                except CounterfoilError as error:
                    yield error
                else:
                    # By now it says `unchanged`, or why not.
                    yield from real(store, operator, tenant, [log])

        with patch.object(engine, "checkpoint_many", checkpoint_many):
            yield

    @staticmethod
    def attempt(store, operator, tenant, log, *, refresh):
        """Seal, sign and publish; return whether somebody else was first."""
        head, now, rows = transact(
            store, lambda found: (found.heads([log]).get(log), found.now(), found.entries(log, 0, 1_000))
        )
        if head is None or (head.size == head.checkpoint_size and not refresh):
            return False
        last, size = read_last(head), head.size + 1
        time = next_time(now, to_microseconds(last.recorded_at))
        data = format_seal(last, format_time(time))
        close_at = head.close_at if head.close_at is not None and time < head.close_at else None
        edge = Edge()
        tiles = edge.append(b"".join(leaf_hash(entry) for entry in [*(row.entry for row in rows), data]))
        tiles |= edge.partial_tiles()
        signed = sign_checkpoint(operator.origin(tenant, log), size, edge.root(), operator.signer)
        operator.keys.verify(signed)

        def publish(transaction):
            if transaction.lock_heads([log])[log] != head:
                return True
            entry = NewEntry(log, head.size, data, None, None, None)
            transaction.append([entry], [HeadMove(log, tenant, size, size, close_at)])
            transaction.put_tiles({TileKey(log, *tile): hashes for tile, hashes in tiles.items()})
            transaction.put_checkpoints([checkpoint_of(log, head.checkpoint_size, signed)])
            return False

        return transact(store, publish)


class SealsAgainBeforeSigning(Plant):
    """A seal that another worker left is not taken up: a new one is appended."""

    promises = (SIZES, HEADS)

    def store(self, process, store):
        def write(store):
            with store.write() as transaction:

                def heads(logs):
                    found = transaction.lock_heads(logs)
                    return {
                        log: head._replace(sealed_size=head.checkpoint_size) for log, head in found.items()
                    }

                yield Changed(transaction, lock_heads=heads)

        return with_write(store, write) if isinstance(process, Worker) else store


class LeavesPendingSeals(Plant):
    """Whoever looks for work passes over logs that somebody seems to be working at."""

    promises = (LIVES,)

    def store(self, _process, store):
        def read(store):
            with store.read() as view:

                def unsealed(tenant, *, after=b"", limit):
                    found = view.logs_with_work(tenant, after=after, limit=limit)
                    heads = view.heads(found)
                    return [log for log in found if heads[log].sealed_size == heads[log].checkpoint_size]

                yield Changed(view, logs_with_work=unsealed)

        return Changed(with_write(store, claims_nothing), read=contextmanager(lambda: read(store)))


def claims_nothing(store):
    with store.write() as transaction:
        yield Changed(transaction, claim=lambda *_args, limit: [])  # noqa: ARG005  -- as the real one


class KeepsClaims(Plant):
    """What a worker claimed stays claimed, though the worker died."""

    promises = (LIVES,)

    @contextmanager
    def patched(self, _world):
        with patch.object(worker, "CLAIM_SECONDS", 10**9):
            yield


class LeavesMonthsOpen(Plant):
    """No worker looks for months that are over."""

    promises = (LIVES,)

    def store(self, _process, store):
        def write(store):
            with store.write() as transaction:
                yield Changed(transaction, claim_to_close=lambda *_args, limit: [])  # noqa: ARG005  -- as the real one

        return with_write(store, write)


class TrustsTheSigner(Plant):
    """A new signature is not verified."""

    promises = (SIGNED,)

    @contextmanager
    def patched(self, _world):
        with patch.object(core_checkpoint.KeySet, "verify", lambda _keys, _checkpoint: None):
            yield


class TellsTheTimeOfPublishing(Plant):
    """The watermark is what the clock says when the checkpoint is published."""

    promises = (WATERMARK,)

    @contextmanager
    def patched(self, world):
        real = engine.checkpoint_many

        def told(*args, **options):
            for done in real(*args, **options):
                if isinstance(done, checkpoint.Checkpointed) and done.outcome == "signed":
                    yield replace(done, verified_through_at=format_time(world.clock.look()))
                else:
                    yield done

        with patch.object(engine, "checkpoint_many", told):
            yield


class TellsTheTimeOfTheNewestEntry(Plant):
    """The watermark is the latest time that is known."""

    promises = (WATERMARK,)

    @contextmanager
    def patched(self, _world):
        real = engine.Engine.customer

        def customer(self, customer_id):
            found = real(self, customer_id)
            return replace(found, verified_through_at=found.verified_through_at and found.last_at)

        with patch.object(engine.Engine, "customer", customer):
            yield


class ReadsAnOldCopy(Plant):
    """Records come from a copy that lags behind."""

    promises = (TOLD, WATERMARK)

    @contextmanager
    def patched(self, _world):
        real, copies = engine.Engine.customer, {}

        def customer(self, customer_id):
            found = real(self, customer_id)
            return copies.setdefault((self.tenant, customer_id), found)

        with patch.object(engine.Engine, "customer", customer):
            yield
