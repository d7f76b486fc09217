"""How commands end that are asked to, and the processes that they started with them, however that comes about."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Self

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal asked this process to end.  What a block leaves behind when an exception ends it, it leaves for this.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a block as Ctrl-C does, where they would just end the process.

    Raises:
        Ended: where one came.
    """
    process = os.getpid()

    def end(number: int, _: FrameType | None) -> None:
        if os.getpid() != process:
            # A process that was forked from it has nothing to put in order.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        for each in before:
            # A second one would cut off what the first began.
            signal.signal(each, signal.SIG_IGN)
        raise Ended(number)

    before = {
        number: signal.getsignal(number)
        for number in _SIGNALS
        # Whoever ignores one, as nohup does, wants it ignored; and other threads get no signals.
        if signal.getsignal(number) is signal.SIG_DFL
        and threading.current_thread() is threading.main_thread()
    }
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Lifeline:
    """A pipe into which nobody writes, and that the process alone holds open that made it: others end when it closes.

    Use as a context, in the process that forks the others.
    """

    def __init__(self) -> None:
        self._theirs, self._ours = os.pipe()
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        os.close(self._theirs)

    def cut(self) -> None:
        """End the others, whatever they are at."""
        if self._open:
            os.close(self._ours)
            self._open = False

    def hold(self) -> None:
        """End this process with the one that made the lifeline: the first thing that a forked one does."""
        os.close(self._ours)
        # Ctrl-C reaches all of them; the one that started them ends them.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        os.read(self._theirs, 1)
        # At once: it may be waiting for room in a pipe that nobody empties any more.
        os._exit(1)
