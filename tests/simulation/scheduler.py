"""Processes that take turns: one runs at a time, and which one goes next is decided by chance alone.

An engine call cannot be left and taken up again in the middle but in a thread of its own.  So each process is a thread;
it runs while it holds the baton, and hands it on itself.  No two ever run at once, and nothing waits for a clock.
"""

import threading

from tests.engine.stepping import Crash


class Stop(BaseException):
    """The run is over: nothing of the engine catches it."""


class _Process:
    def __init__(self, name):
        self.name = name
        self.baton = threading.Lock()
        self.baton.acquire()
        self.alive = True
        self.doomed = False
        self.wakes = 0


class Scheduler:
    """Runs processes until so many steps were taken, or one of them failed."""

    # How often a process goes on though others could.
    SAME_AGAIN = 0.3
    NAP_STEPS = 60

    def __init__(self, chance, steps):
        self._chance = chance
        self._limit = steps
        self._processes = []
        self._running = None
        self._finished = threading.Lock()
        self._failure = None
        self._over = False
        self.steps = 0

    @property
    def running(self):
        """The name of the process that runs."""
        return self._running.name if self._running else "-"

    def run(self, works):
        """Run functions by name, which never return; raise what one of them raised."""
        self._processes = [_Process(name) for name in works]
        threads = [
            threading.Thread(target=self._live, args=(process, work), daemon=True)
            for process, work in zip(self._processes, works.values(), strict=True)
        ]
        for thread in threads:
            thread.start()
        self._finished.acquire()
        self._hand_to(self._next())
        self._finished.acquire()
        for thread in threads:
            thread.join()
        self._running = None
        if self._failure is not None:
            raise self._failure

    def pause(self, *, nap=False):
        """End a step: somebody goes on, perhaps the same process, which a nap keeps back for a while.

        Raises:
            Crash: the process died meanwhile.
            Stop: the run is over.
        """
        me = self._running
        self.steps += 1
        if self.steps >= self._limit:
            self._over = True
            raise Stop
        if nap:
            me.wakes = self.steps + self._chance.randrange(2, self.NAP_STEPS)
        if me.wakes > self.steps or self._chance.random() >= self.SAME_AGAIN:
            following = self._next()
            if following is not me:
                self._hand_to(following)
                me.baton.acquire()
        if self._over:
            raise Stop
        if me.doomed:
            me.doomed = False
            raise Crash

    def doom_all(self):
        """Let every process die before its next step."""
        for process in self._processes:
            process.doomed = True

    def _next(self):
        awake = [process for process in self._processes if process.wakes <= self.steps]
        if awake:
            return self._chance.choice(awake)
        return min(self._processes, key=lambda process: process.wakes)

    def _hand_to(self, process):
        self._running = process
        process.baton.release()

    def _live(self, process, work):
        process.baton.acquire()
        try:
            if not self._over:
                work()
        except Stop:
            pass
        except BaseException as error:  # noqa: BLE001  -- handed on by run()
            self._failure = error
            self._over = True
        process.alive = False
        # Everybody else leaves too, one after the other.
        following = next((other for other in self._processes if other.alive), None)
        if following is None:
            self._finished.release()
        else:
            self._hand_to(following)
