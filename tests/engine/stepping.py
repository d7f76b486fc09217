"""Stores that let something happen between two transactions: a crash, another worker, a pause."""

import threading
from collections import deque
from contextlib import contextmanager

WAIT_SECONDS = 20


class Crash(BaseException):
    """The process dies here: nothing of the engine catches it."""


class Stepping:
    """A store that calls `before(number)` at the beginning of each transaction, counted from 0."""

    def __init__(self, store):
        self._store = store
        self.steps = 0
        self.before = lambda _number: None

    def read(self):
        self._step()
        return self._store.read()

    def write(self):
        self._step()
        return self._store.write()

    def _step(self):
        number, self.steps = self.steps, self.steps + 1
        self.before(number)

    def crash_at(self, number):
        """Die at this transaction, counted from now."""
        self.steps = 0

        def before(step):
            if step == number:
                raise Crash

        self.before = before


class Turns:
    """Lets threads take steps one at a time, in a given order; what is left over runs in any order, still one at a time."""

    def __init__(self, order):
        self._order = deque(order)
        self._running = None
        self._changed = threading.Condition()

    def wait(self, name):
        """End the step that `name` is in, and wait for its next turn."""
        with self._changed:
            self._release(name)
            free = lambda: self._running is None and (not self._order or self._order[0] == name)  # noqa: E731
            assert self._changed.wait_for(free, WAIT_SECONDS), f"{name} never got its turn"
            self._running = name
            if self._order:
                self._order.popleft()

    def leave(self, name):
        """Give up the turns that `name` did not need."""
        with self._changed:
            self._release(name)
            self._order = deque(other for other in self._order if other != name)
            self._changed.notify_all()

    def _release(self, name):
        if self._running == name:
            self._running = None
            self._changed.notify_all()


@contextmanager
def taking_turns(turns, name):
    try:
        yield
    finally:
        turns.leave(name)


def interleave(order, workers):
    """Run workers, a function of a `before` hook by name, so that their transactions happen in this order.

    Returns what each gave back; raises what one of them raised.
    """
    turns = Turns(order)
    results, failures = {}, []

    def run(name, work):
        with taking_turns(turns, name):
            try:
                results[name] = work(lambda _number: turns.wait(name))
            except BaseException as error:  # noqa: BLE001  -- handed on below
                failures.append(error)

    threads = [threading.Thread(target=run, args=item) for item in workers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()
    if failures:
        raise failures[0]
    return results
