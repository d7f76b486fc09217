"""Group commit: single records that many callers of one process make at one time share a transaction.

What a single record costs is nearly all COMMIT, which waits for the disk.  So while one batch is being committed the
next one gathers, and each caller gets its own answer after the COMMIT of its batch.

A caller who was answered is likely to come again at once.  The recorder waits for as many as it saw last time, and at
most `linger_seconds`, before it takes what is there: else those who come back find the next batch gone, two halves
take turns, and each COMMIT serves one of them.  A caller alone waits for nobody.

Source: docs/recording.md.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from copy import copy
from typing import Any, Final, Self

from counterfoil.engine.engine import Engine
from counterfoil.engine.record import Recorded
from counterfoil.engine.request import Delta
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.limits import BATCH_ITEMS_MAX, LOCK_WAIT_SECONDS

Answer = Recorded | CounterfoilError

# What a batch as a whole is refused with because of one of its deltas.  Any other refusal is of the store or of the
# clock: no delta is to blame, and to record it again would be useless, or wrong where it may stand there already.
_MAY_BE_OF_ONE: Final = frozenset({"log-corrupt", "internal"})


class Recorder:
    """Records the deltas of one engine that several threads or coroutines hand in one by one.

    It has a thread of its own.  Close it, or use it as a context manager; one that is left open is closed when the
    interpreter exits.  A process that was forked makes its own.
    """

    def __init__(self, engine: Engine, *, linger_seconds: float = 0.002, queue_items: int = 1_000) -> None:
        """Start.

        Args:
            engine: where to.
            linger_seconds: how long to wait, at most, for callers that were there a moment ago.
            queue_items: how many deltas may wait, which is also how many one transaction records; 1 to 10,000.

        Raises:
            EngineError: `invalid-field`, where `queue_items` is out of range.
        """
        if not 1 <= queue_items <= BATCH_ITEMS_MAX:
            raise EngineError(
                "invalid-field", f"a queue holds 1 to {BATCH_ITEMS_MAX} items", field="queue_items"
            )
        self._engine = engine
        self._linger_seconds = linger_seconds
        self._queue_items = queue_items
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._gathering = _Batch()
        # The thread is woken when so many are there.
        self._wanted = 1
        self._closed = False
        # A thread that is no daemon would be waited for before anything at exit could tell it to end.
        self._thread = threading.Thread(target=self._run, name="counterfoil-recorder", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, delta: Delta, *, timeout_seconds: float = LOCK_WAIT_SECONDS) -> Recorded:
        """Record one delta, and return when it is durable.

        Args:
            delta: what to record.
            timeout_seconds: how long to wait for room in the queue.  From there on it takes what the store takes.

        Raises:
            EngineError: as `Engine.record`; `store-unavailable` where the queue stayed full or the recorder is closed,
                and nothing was recorded; `unsafe-settings` after a fork.
        """
        if threading.current_thread() is self._thread:
            raise EngineError("usage", "a callback of the recorder cannot wait for it: submit instead")
        batch, place = self._enter([delta], timeout_seconds, None)
        # Nothing else goes between coming through and letting the next one in, not even an interrupt.
        with batch.answered:
            pass
        answer = batch.answers[place]
        if isinstance(answer, CounterfoilError):
            raise answer
        return answer

    def submit(self, delta: Delta, *, timeout_seconds: float = 0) -> Future[Recorded]:
        """Hand one delta in, and return what its answer will be in; `asyncio.wrap_future` makes it awaitable.

        A future that is cancelled before its batch is taken is not recorded.  Callbacks run in the recorder's thread,
        which records nothing meanwhile.

        Args:
            delta: what to record.
            timeout_seconds: how long to wait for room in the queue.

        Returns:
            a future of the answer; its exceptions are those of `Engine.record`.

        Raises:
            EngineError: `store-unavailable` where the queue stayed full or the recorder is closed, and nothing was
                recorded; `unsafe-settings` after a fork.
        """
        future: Future[Recorded] = Future()
        self._enter([delta], timeout_seconds, _One(future))
        return future

    def submit_many(self, deltas: Sequence[Delta], *, timeout_seconds: float = 0) -> Future[list[Answer]]:
        """Hand several deltas in, which stay together in one transaction; otherwise as `submit`.

        Args:
            deltas: at least one, and not more than the queue holds.
            timeout_seconds: how long to wait for room in the queue.

        Returns:
            a future of the answers in the order of the deltas, where one that was refused has its refusal.

        Raises:
            EngineError: as `submit`; `invalid-field`, where they are none or too many.
        """
        if not 1 <= len(deltas) <= self._queue_items:
            raise EngineError(
                "invalid-field", f"1 to {self._queue_items} deltas are handed in at a time", field="batch"
            )
        future: Future[list[Answer]] = Future()
        self._enter(deltas, timeout_seconds, _Several(future, len(deltas)))
        return future

    def close(self) -> None:
        """Take no more, record what waits, and end the thread; again is no error."""
        if os.getpid() != self._process:
            return  # The thread is another process's.
        with self._lock:
            self._closed = True
            self._work.notify()
            self._room.notify_all()
        # A callback may close too, and cannot wait for its own thread.
        if threading.current_thread() is not self._thread:
            self._thread.join()
            atexit.unregister(self.close)

    def _enter(
        self, deltas: Sequence[Delta], timeout_seconds: float, waiting: _Waiting | None
    ) -> tuple[_Batch, int]:
        """Put deltas into the batch that gathers; return that and the place of the first in it."""
        # Before the lock, which a thread of the parent may have held in the moment of the fork.
        if os.getpid() != self._process:
            raise EngineError(
                "unsafe-settings", "this recorder was started before a fork: make one in each process"
            )
        with self._lock:
            most = self._queue_items - len(deltas)
            if len(self._gathering.deltas) > most:
                self._room.wait_for(
                    lambda: self._closed or len(self._gathering.deltas) <= most, timeout_seconds
                )
            if self._closed:
                raise EngineError("store-unavailable", "the recorder is closed, nothing was recorded")
            batch = self._gathering
            place = len(batch.deltas)
            if place > most:
                raise EngineError("store-unavailable", "the recorder's queue is full, nothing was recorded")
            batch.deltas.extend(deltas)
            if waiting is not None:
                batch.waiting[place] = waiting
            if len(batch.deltas) >= self._wanted:
                self._work.notify()
            return batch, place

    def _has_work(self) -> bool:
        return self._closed or len(self._gathering.deltas) >= self._wanted

    def _run(self) -> None:
        while (batch := self._take()).deltas:
            answers = self._record(batch, batch.claim())
            self._wanted = min(len(answers) + len(self._gathering.deltas), self._queue_items)
            batch.answer(answers)

    def _take(self) -> _Batch:
        """Wait for a batch and return it, an empty one when the recorder is closed and nothing is left."""
        with self._lock:
            self._work.wait_for(self._has_work, self._linger_seconds)
            self._wanted = 1
            self._work.wait_for(self._has_work)
            batch, self._gathering = self._gathering, _Batch()
            self._room.notify_all()
            return batch

    def _record(self, batch: _Batch, places: Sequence[int]) -> dict[int, Answer]:
        """Return the answers to the deltas at these places, whatever happens."""
        try:
            answers = self._engine.record_many([batch.deltas[place] for place in places])
            return dict(zip(places, answers, strict=True))
        except CounterfoilError as refusal:
            if len(places) == 1 or refusal.code not in _MAY_BE_OF_ONE:
                return {place: _copy(refusal) for place in places}
        except BaseException as error:  # noqa: BLE001  -- whatever it is, somebody waits for an answer
            return {place: _defect(error) for place in places}
        # Nothing was recorded, and one of them may be the reason: in halves, until it is alone.
        middle = len(places) // 2
        return self._record(batch, places[:middle]) | self._record(batch, places[middle:])


class _Batch:
    """The deltas of one transaction, and who waits for which answer.

    Attributes:
        deltas: in order of arrival.
        waiting: by the place of their first delta, those that were submitted.
        answers: by place, from the moment that `answered` can be acquired.
        answered: held until then.  A turnstile: who comes through lets the next one in, so that waiting threads wake
            one after the other.  All at once they would fight for the interpreter, and a quarter of the rate be lost.
    """

    __slots__ = ("answered", "answers", "deltas", "waiting")

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.waiting: dict[int, _Waiting] = {}
        self.answers: dict[int, Answer] = {}
        self.answered = threading.Lock()
        self.answered.acquire()

    def claim(self) -> list[int]:
        """Return the places to record, without those that were cancelled; the others no longer can be."""
        cancelled = {
            each
            for place, waiting in self.waiting.items()
            if not _claim(waiting.future)
            for each in range(place, place + waiting.count)
        }
        return [place for place in range(len(self.deltas)) if place not in cancelled]

    def answer(self, answers: dict[int, Answer]) -> None:
        """Let everybody have their answer."""
        self.answers = answers
        self.answered.release()
        for place, waiting in self.waiting.items():
            if place in answers:
                waiting.settle([answers[each] for each in range(place, place + waiting.count)])


class _One:
    """Somebody who handed in one delta."""

    __slots__ = ("future",)
    count: Final = 1

    def __init__(self, future: Future[Recorded]) -> None:
        self.future = future

    def settle(self, answers: Sequence[Answer]) -> None:
        [answer] = answers
        # Of a callback, or of whoever answered it before: no reason to let others wait.
        with suppress(BaseException):
            if isinstance(answer, CounterfoilError):
                self.future.set_exception(answer)
            else:
                self.future.set_result(answer)


class _Several:
    """Somebody who handed in several."""

    __slots__ = ("count", "future")

    def __init__(self, future: Future[list[Answer]], count: int) -> None:
        self.future = future
        self.count = count

    def settle(self, answers: Sequence[Answer]) -> None:
        with suppress(BaseException):  # as above
            self.future.set_result(list(answers))


_Waiting = _One | _Several


def _claim(future: Future[Any]) -> bool:
    try:
        return future.set_running_or_notify_cancel()
    except RuntimeError:  # whoever holds it has answered it
        return False


def _copy(refusal: CounterfoilError) -> CounterfoilError:
    """Return a refusal to raise in one of several threads: raising changes an exception."""
    fresh = copy(refusal)
    fresh.__cause__ = refusal
    return fresh


def _defect(error: BaseException) -> CounterfoilError:
    # Nothing of the error's own words, which may hold something of another caller's delta.
    refusal = EngineError("internal", f"{type(error).__name__} while a batch was recorded")
    refusal.__cause__ = error
    return refusal
