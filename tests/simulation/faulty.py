"""A store and a signer as one process sees them: now and then they fail, or the process dies in the middle.

`commit-outcome-unknown` comes in both kinds, done and not done; every other refusal means that nothing was done.
"""

from contextlib import contextmanager

from counterfoil.core.ed25519 import SigningKey

NAP = "long pause"
DIES = "crash between transactions"
POWER_CUT = "crash of all at once"
READ_FAILS = "read fails at once"
READ_BREAKS = "read fails in the middle"
WRITE_FAILS = "write fails at once"
WRITE_BREAKS = "write fails in the middle"
WRITE_DIES = "crash in the middle of a write"
WRITE_CONFLICTS = "write conflicts in the middle"
COMMIT_CONFLICTS = "commit conflicts"
COMMIT_FAILS = "commit fails"
COMMIT_FULL = "commit finds no space"
COMMIT_LOST = "commit unknown, not done"
COMMIT_DONE = "commit unknown, done"
COMMIT_DIES = "crash between commit and answer"
SIGNER_FAILS = "signer fails"
SIGNER_LIES = "signer gives a wrong signature"
SIGNER_DIES = "crash while signing"

# What may happen at each place, one at a time.
FAULTS = {
    "pause": (NAP, DIES, POWER_CUT),
    "read": (READ_FAILS, READ_BREAKS),
    "write": (
        WRITE_FAILS, WRITE_BREAKS, WRITE_DIES, WRITE_CONFLICTS,
        COMMIT_CONFLICTS, COMMIT_FAILS, COMMIT_FULL, COMMIT_LOST, COMMIT_DONE, COMMIT_DIES,
    ),
    "sign": (SIGNER_FAILS, SIGNER_LIES, SIGNER_DIES),
}  # fmt: skip
# The code of the refusal that each means for whoever meets it.
CODES = {
    READ_FAILS: "store-unavailable",
    READ_BREAKS: "store-unavailable",
    WRITE_FAILS: "store-unavailable",
    WRITE_BREAKS: "store-unavailable",
    COMMIT_FAILS: "store-unavailable",
    COMMIT_FULL: "out-of-space",
    COMMIT_LOST: "commit-outcome-unknown",
    COMMIT_DONE: "commit-outcome-unknown",
    SIGNER_FAILS: "io-error",
    # Found out by whoever asked for the signature.
    SIGNER_LIES: "key-mismatch",
}
# After these the engine runs the transaction again, and nobody else hears of it.
CONFLICTS = (WRITE_CONFLICTS, COMMIT_CONFLICTS)
# A fault in the middle strikes at one of the first calls of a transaction.
_CALLS = 4


class FaultyStore:
    """The store of one process; between any two of its transactions others may have theirs."""

    def __init__(self, world, base):
        self._world = world
        self._base = base

    @contextmanager
    def read(self):
        fault = self._begin("read")
        if fault == READ_FAILS:
            self._world.fail(fault)
        with self._base.read() as view:
            yield _Breaking(self._world, view, fault) if fault == READ_BREAKS else view

    @contextmanager
    def write(self):
        world = self._world
        fault = self._begin("write")
        if fault == WRITE_FAILS:
            world.fail(fault)
        world.call.since = len(world.call.shown)
        with self._base.write() as transaction:
            if fault in (WRITE_BREAKS, WRITE_DIES, WRITE_CONFLICTS):
                breaking = _Breaking(world, transaction, fault)
                yield breaking
                breaking.require_whole()
            else:
                yield transaction
            if fault in (COMMIT_CONFLICTS, COMMIT_FAILS, COMMIT_FULL, COMMIT_LOST):
                world.fail(fault)
        world.committed()
        if fault in (COMMIT_DONE, COMMIT_DIES):
            world.fail(fault)
        world.pause()

    def close(self):
        self._base.close()

    def _begin(self, place):
        self._world.pause()
        return self._world.draw(place)


class _Breaking:
    """A transaction that breaks at one of its calls; whether that is caught or not, the block does not succeed."""

    def __init__(self, world, transaction, fault):
        self._world = world
        self._transaction = transaction
        self._fault = fault
        self._left = world.chance.randrange(_CALLS)
        self._failure = None

    def require_whole(self):
        if self._failure is not None:
            raise self._failure

    def __getattr__(self, name):
        method = getattr(self._transaction, name)

        def call(*args, **options):
            self.require_whole()
            if self._left:
                self._left -= 1
                return method(*args, **options)
            try:
                self._world.fail(self._fault)
            except BaseException as failure:
                self._failure = failure
                raise

        return call


class FaultySigner:
    """A signer whose key is somewhere else; what the key has signed is remembered there for ever."""

    def __init__(self, world, key):
        self._world = world
        self._key = key
        self.public_key = key.public_key

    def sign(self, message):
        world = self._world
        world.pause()
        fault = world.draw("sign")
        if fault in (SIGNER_FAILS, SIGNER_DIES):
            world.fail(fault)
        if fault == SIGNER_LIES:
            world.strike(fault)
            return SigningKey(bytes(32)).sign(message)
        world.promises.signed(message)
        return self._key.sign(message)
