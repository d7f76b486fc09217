"""Stores with planted faults: each is the control of a suite, which must catch it."""

from contextlib import contextmanager, suppress

from sqlalchemy import event

from counterfoil import EngineError


def safe(store):
    return store


def without_journal_on_disk(store):
    """A store that keeps its rollback journal in memory: half a transaction cannot be undone after a crash."""
    return _with_setting(store, "journal_mode = MEMORY")


def without_syncing(store):
    """A store that leaves it to the system when its writes reach the disk."""
    return _with_setting(store, "synchronous = OFF")


def _with_setting(store, setting):
    engine = store._database.engine  # noqa: SLF001  -- a store takes no unsafe settings
    event.listen(engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {setting}").fetchall())
    engine.dispose()
    return store


class Hasty:
    """A store that answers before its COMMIT, which comes when it is next called."""

    def __init__(self, store):
        self._store = store
        self._open = None

    def read(self):
        self._settle()
        return self._store.read()

    def write(self):
        self._settle()
        return _Deferred(self, self._store.write())

    def close(self):
        self._settle()
        self._store.close()

    def defer(self, block):
        self._open = block

    def _settle(self):
        block, self._open = self._open, None
        if block is not None:
            block.__exit__(None, None, None)


class _Deferred:
    def __init__(self, hasty, block):
        self._hasty = hasty
        self._block = block

    def __enter__(self):
        return self._block.__enter__()

    def __exit__(self, *failure):
        if failure[0] is not None:
            return self._block.__exit__(*failure)
        self._hasty.defer(self._block)
        return None


class Deaf:
    """A store that takes a COMMIT that failed for a good one."""

    def __init__(self, store):
        self._store = store

    def read(self):
        return self._store.read()

    @contextmanager
    def write(self):
        block = self._store.write()
        yield block.__enter__()
        # Where the work itself fails, all of it is left to the end of the process.
        with suppress(EngineError):
            block.__exit__(None, None, None)

    def close(self):
        self._store.close()


class Sure(Deaf):
    """A store that takes a COMMIT of unknown outcome for one that surely failed."""

    @contextmanager
    def write(self):
        try:
            with self._store.write() as transaction:
                yield transaction
        except EngineError as error:
            if error.code != "commit-outcome-unknown":
                raise
            raise EngineError("io-error", error.message) from error
