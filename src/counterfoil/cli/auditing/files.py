"""Evidence packs as files that are read more than once, by place, so that processes may share them."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, Final, Self

from counterfoil.cli.files import open_input
from counterfoil.core.pack.lines import bounded_line, read_header
from counterfoil.core.pack.stream import split_lines
from counterfoil.errors import CounterfoilError

Progress = Callable[[int], object]
"""Told the number of lines that were read since the last call."""

_CHUNK_BYTES: Final = 262_144
_LINES_AT_ONCE: Final = 1_024


def lines_of(stream: BinaryIO, progress: Progress) -> Iterator[bytes]:
    """Yield the lines of a pack, from its beginning."""
    done = 0
    for line in split_lines(_chunks(stream)):
        yield line
        done += 1
        if done == _LINES_AT_ONCE:
            progress(done)
            done = 0
    progress(done)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    place = 0
    while chunk := os.pread(stream.fileno(), _CHUNK_BYTES, place):
        place += len(chunk)
        yield chunk


def _copy_pack(stream: BinaryIO, copy: BinaryIO) -> None:
    """Copy what can be read once, as far as it reads as a pack: it may be anything, and have no end.

    What stands behind the place where it does not is judged by nobody, and the copy is refused as the whole would be.
    """
    lines = split_lines(_copied(stream, copy))
    try:
        read_header(bounded_line(next(lines, b"")))
        for _ in lines:
            pass
    except CounterfoilError:
        pass
    copy.flush()


def _copied(stream: BinaryIO, copy: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        copy.write(chunk)
        yield chunk


class PackFiles:
    """Packs by the names of their files, each to be opened as often as it is needed.

    Use as a context.  What is no plain file, as standard input, can be read once: it is copied to one, as far as it reads
    as a pack, which is gone when the block ends.
    """

    def __init__(self) -> None:
        self._copies: dict[str, BinaryIO] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a pack.

        Raises:
            EngineError: `usage`, where there is no such file.
            OSError: where the system refuses.
        """
        if name in self._copies:
            yield self._copies[name]
            return
        with open_input(name) as stream:
            if name != "-" and stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                yield stream
                return
            copy = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  -- the stack closes it
            _copy_pack(stream, copy)
            self._copies[name] = copy
        yield copy
