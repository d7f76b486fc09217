"""Auditing many logs in one process or several: logs have nothing to do with each other."""

from __future__ import annotations

import gc
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from typing import Final

from counterfoil.cli.context import Place, load_keys, open_engine, open_place
from counterfoil.cli.ending import Lifeline
from counterfoil.core.audit import AuditReport
from counterfoil.core.checkpoint import KeySet
from counterfoil.engine.audit import Progress
from counterfoil.engine.engine import Engine
from counterfoil.engine.operator import Operator
from counterfoil.errors import CounterfoilError, EngineError

Found = tuple[bytes, AuditReport | CounterfoilError]
AuditEach = Callable[[Iterable[bytes], Progress], Iterator[Found]]
"""Audits logs, and yields what it found in their order; tells how many entries were recomputed."""

# Logs that a process takes at a time: small ones cost less than to hand them over.
_LOGS_AT_ONCE: Final = 16
# Hands-over for each process that are under way: enough that none waits, and few enough to hold.
_AHEAD: Final = 4


@contextmanager
def auditors(place: Place, keys: KeySet | None, processes: int) -> Iterator[tuple[Engine, AuditEach]]:
    """Give an engine over the store, and what audits its logs.

    Args:
        place: where the store and the key folder are.
        keys: the keys to trust; the key folder's own where there are none.
        processes: how many audit side by side.

    Raises:
        EngineError: what keys and store say.
    """
    if processes == 1:
        with open_engine(place) as engine:
            yield engine, partial(_audit_here, engine, keys or engine.operator.keys)
        return
    # What is wrong with the store is said once, and a passphrase asked for once: before there are several.
    open_place(place).close()
    found = load_keys(place)
    operator = Operator(found.operator, found.signer, found.reference_key)
    # And they are forked before the store is opened here: a connection does not outlive a fork, in either process.
    context = multiprocessing.get_context("fork")
    with Lifeline() as lifeline:
        given = (lifeline, place, operator, keys or operator.keys)
        with ProcessPoolExecutor(processes, context, _start, given) as pool:
            pool.submit(int).result()
            try:
                with closing(open_place(place)) as store:
                    yield Engine(store, operator, tenant=place.tenant), partial(_audit_there, pool, processes)
            except BaseException:
                # The pool would do all that was handed over before it ends.
                lifeline.cut()
                raise


def _audit_here(engine: Engine, keys: KeySet, logs: Iterable[bytes], progress: Progress) -> Iterator[Found]:
    for log in logs:
        yield _audit(engine, keys, log, progress)


def _audit_there(
    pool: ProcessPoolExecutor, processes: int, logs: Iterable[bytes], progress: Progress
) -> Iterator[Found]:
    waiting = iter(logs)
    running: deque[Future[list[Found]]] = deque()
    try:
        while True:
            while len(running) < _AHEAD * processes and (some := list(islice(waiting, _LOGS_AT_ONCE))):
                running.append(pool.submit(_audit_in_member, some))
            if not running:
                return
            for log, found in running.popleft().result():
                if isinstance(found, AuditReport):
                    progress(found.entries)
                yield log, found
    except BrokenProcessPool as error:
        raise EngineError(
            "internal", "a process of the audit was killed: nothing is known of its logs"
        ) from error


def _audit(engine: Engine, keys: KeySet, log: bytes, progress: Progress) -> Found:
    try:
        return log, engine.audit_log(log, keys, progress=progress)
    except CounterfoilError as error:
        return log, error


# What a process of the pool audits with, for as long as it lives.
_member: tuple[Engine, KeySet]


def _start(lifeline: Lifeline, place: Place, operator: Operator, keys: KeySet) -> None:
    global _member  # noqa: PLW0603  -- a pool hands its processes nothing else
    lifeline.hold()
    gc.freeze()
    _member = (Engine(open_place(place), operator, tenant=place.tenant), keys)


def _audit_in_member(logs: list[bytes]) -> list[Found]:
    engine, keys = _member
    return [_audit(engine, keys, log, lambda _: None) for log in logs]
