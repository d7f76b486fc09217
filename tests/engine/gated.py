"""A store whose COMMITs wait until they are let through, and fail where a test says so."""

import threading
from contextlib import contextmanager

from counterfoil.core.entry import DELTA, parse_entry

WAIT_SECONDS = 20


class Gated:
    """A store that tells what each transaction appended.

    Attributes:
        commits: the amounts that each transaction tried to record, those that failed too.
        before: called with these amounts before COMMIT; what it raises undoes the transaction.
        after: called likewise after COMMIT; what it raises hides that it was one.
    """

    def __init__(self, store):
        self._store = store
        self._open = threading.Event()
        self._open.set()
        self._committing = threading.Semaphore(0)
        self.commits = []
        self.before = lambda _amounts: None
        self.after = lambda _amounts: None

    def read(self):
        return self._store.read()

    @contextmanager
    def write(self):
        amounts = []
        with self._store.write() as transaction:
            append = transaction.append

            def overheard(entries, moves):
                found = [parse_entry(entry.entry) for entry in entries]
                amounts.extend(entry.amount // 10**9 for entry in found if entry.type == DELTA)
                append(entries, moves)

            transaction.append = overheard
            yield transaction
            self.commits.append(amounts)
            self._committing.release()
            assert self._open.wait(WAIT_SECONDS)
            self.before(amounts)
        self.after(amounts)

    def shut(self):
        """Let no COMMIT through from now on."""
        self._open.clear()
        while self._committing.acquire(blocking=False):
            pass

    def wait_for_commit(self):
        """Return when a transaction stands before the gate."""
        assert self._committing.acquire(timeout=WAIT_SECONDS)

    def let_through(self):
        self._open.set()
