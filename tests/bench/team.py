"""Several processes on one store."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from typing import Any, Self

from counterfoil.engine.clock import HostClock
from counterfoil.engine.store import Store
from counterfoil.storage import open_store
from tests.bench.world import Watch

Work = Callable[[Store], Any]


class Team:
    """Processes that have the store open and wait for work: that they come up is no part of what is measured."""

    def __init__(self, url: str, count: int) -> None:
        self.count = count
        self._url = url

    def __enter__(self) -> Self:
        # Spawned, not forked: the parent has the store open as well.
        context = multiprocessing.get_context("spawn")
        self._members = []
        self._pipes = []
        for _ in range(self.count):
            ours, theirs = context.Pipe()
            member = context.Process(target=_member, args=(theirs, self._url), daemon=True)
            member.start()
            # The member alone holds its end, so that to read of a dead one is an error and no wait.
            theirs.close()
            self._members.append(member)
            self._pipes.append(ours)
        self._answers()
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for member in self._members:
            member.join()

    def run(self, *works: Work) -> tuple[float, list[Any]]:
        """Start one work in each process; return the seconds until the last one is done, and what each returned."""
        with Watch() as watch:
            for pipe, work in zip(self._pipes, works, strict=True):
                pipe.send(work)
            answers = self._answers()
        return watch.seconds, answers

    def _answers(self) -> list[Any]:
        return [pipe.recv() for pipe in self._pipes]


def _member(pipe: Connection, url: str) -> None:
    gc.freeze()  # as the commands do
    with closing(open_store(url, clock=HostClock())) as store, suppress(EOFError):
        pipe.send("ready")
        while True:
            pipe.send(pipe.recv()(store))
