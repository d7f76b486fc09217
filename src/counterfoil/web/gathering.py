"""From coroutines to the recorder's thread and back, many deltas at a time.

What comes in one turn of the event loop is handed in together, and answered with one call back: a future a delta that
two threads share, and the loop woken for each, would take as long as to record it does.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from copy import copy

from counterfoil.engine.record import Recorded
from counterfoil.engine.recorder import Answer, Recorder
from counterfoil.engine.request import Delta
from counterfoil.errors import CounterfoilError

_Waiting = asyncio.Future[Recorded]


class Gathering:
    """Hands single deltas to a recorder.

    Attributes:
        loop: the event loop that it belongs to.
    """

    def __init__(self, recorder: Recorder) -> None:
        """Begin with nothing at hand, in the loop that runs."""
        self._recorder = recorder
        self.loop = asyncio.get_running_loop()
        self._deltas: list[Delta] = []
        self._waiting: list[_Waiting] = []

    def record(self, delta: Delta) -> _Waiting:
        """Return what the answer will be in; its exceptions are those of `Recorder.submit` and `Engine.record`."""
        if not self._deltas:
            self.loop.call_soon(self._hand_in)
        waiting: _Waiting = self.loop.create_future()
        self._deltas.append(delta)
        self._waiting.append(waiting)
        return waiting

    def _hand_in(self) -> None:
        deltas, waiting = self._deltas, self._waiting
        self._deltas, self._waiting = [], []
        try:
            done = self._recorder.submit_many(deltas)
        except CounterfoilError as error:
            # One each: raising changes an exception.
            _answer(waiting, [copy(error) for _ in waiting])
            return

        def answer(done: Future[list[Answer]]) -> None:
            # In the recorder's thread.
            self.loop.call_soon_threadsafe(_answer, waiting, done.result())

        done.add_done_callback(answer)


def _answer(waiting: list[_Waiting], answers: list[Answer]) -> None:
    for each, answer in zip(waiting, answers, strict=True):
        # Whoever gave up waiting has cancelled it; what was handed in is recorded all the same.
        if each.done():
            continue
        if isinstance(answer, CounterfoilError):
            each.set_exception(answer)
        else:
            each.set_result(answer)
