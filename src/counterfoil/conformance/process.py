"""A process that answers line by line, kept at arm's length.

The process is somebody else's program: it may die, hang, flood its output or never read its input.  Each of these
becomes a `Violation` with words for a person; none of them blocks or breaks the runner.  Two threads move the bytes,
so that a full pipe in one direction never stops the other.

Source: docs/spec/conformance.md.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import Final, Self

from counterfoil.errors import EngineError

# The longest answer that a vector asks for has about 20,000 bytes.
LINE_BYTES_MAX: Final = 1_048_576
_CHUNK_BYTES: Final = 65_536
# Lines that wait to be read; beyond this the process has to wait.
_WAITING_LINES_MAX: Final = 100
_ENDED: Final = object()
_TOO_LONG: Final = object()


class Violation(Exception):  # noqa: N818  -- what the process did, not what went wrong with us
    """What a process did that the protocol does not allow, in words."""


class LineProcess:
    """A running command.  Use it in a `with` block, whose end kills whatever still runs."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start the command.

        Raises:
            EngineError: `usage`, where it cannot be started.
        """
        try:
            self._process = subprocess.Popen(  # noqa: S603  -- to run the caller's command is the purpose
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ValueError, IndexError) as error:
            raise EngineError("usage", f"cannot start the command: {error}") from error
        self._requests: queue.Queue[bytes | None] = queue.Queue()
        self._lines: queue.Queue[object] = queue.Queue(_WAITING_LINES_MAX)
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._writer.start()
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            # The command may be a shell whose child holds the pipes: the whole group ends.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._requests.put(None)
        # The reader may wait for room in the queue; make room until it has seen the end.
        while self._reader.is_alive():
            with contextlib.suppress(queue.Empty):
                self._lines.get(timeout=0.01)
        self._reader.join()
        self._writer.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def ask(self, line: bytes, timeout_seconds: float) -> bytes:
        """Send one line, which ends in a newline; return the line that comes back, without it.

        Raises:
            Violation: where none comes in time, or something else does.
        """
        if not self._lines.empty():
            raise Violation(f"wrote a line before it was asked: {_shown(self._lines.get())}")
        self._requests.put(line)
        try:
            found = self._lines.get(timeout=timeout_seconds)
        except queue.Empty:
            raise Violation(f"gave no answer within {timeout_seconds:g} seconds") from None
        if not isinstance(found, bytes):
            raise Violation(
                self._end() if found is _ENDED else f"wrote a line of over {LINE_BYTES_MAX} bytes"
            )
        return found

    def finish(self, timeout_seconds: float) -> None:
        """Close the input and wait for the end.

        Raises:
            Violation: where the process writes more, does not end in time, or ends with another status than 0.
        """
        self._requests.put(None)
        try:
            found = self._lines.get(timeout=timeout_seconds)
            if found is not _ENDED:
                raise Violation(f"wrote a line after the last answer: {_shown(found)}")
            if self._process.wait(timeout_seconds):
                raise Violation(self._end())
        except (queue.Empty, subprocess.TimeoutExpired):
            raise Violation(f"did not end within {timeout_seconds:g} seconds after its input ended") from None

    def _end(self) -> str:
        try:
            status = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "closed its output"
        return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"

    def _write(self) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        # A process that ended does not read: the reader notices its end and says so.
        with contextlib.suppress(OSError), stdin:
            while (request := self._requests.get()) is not None:
                rest = memoryview(request)
                while rest:
                    rest = rest[stdin.write(rest) :]

    def _read(self) -> None:
        stdout = self._process.stdout
        line = bytearray()
        too_long = False
        while stdout is not None and (chunk := stdout.read(_CHUNK_BYTES)):
            *complete, rest = chunk.split(b"\n")
            for part in complete:
                line += part
                self._lines.put(_TOO_LONG if too_long or len(line) > LINE_BYTES_MAX else bytes(line))
                line.clear()
                too_long = False
            line += rest
            if len(line) > LINE_BYTES_MAX:
                too_long = True
                line.clear()
        if line or too_long:
            self._lines.put(_TOO_LONG if too_long else bytes(line))
        self._lines.put(_ENDED)


def _shown(line: object) -> str:
    """Return a line as a short literal: no control character of it reaches the terminal."""
    if not isinstance(line, bytes):
        return "its end" if line is _ENDED else "too long to show"
    shown = ascii(line.decode("utf-8", "replace"))
    return shown if len(shown) <= 80 else shown[:77] + "..."  # noqa: PLR2004  -- a line of a terminal
