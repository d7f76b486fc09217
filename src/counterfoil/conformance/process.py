"""A process that answers line by line, kept at arm's length.

The process is somebody else's program: it may die, hang, flood its output or never read its input, and leave children
behind that do.  Each of these becomes a `Violation` with words for a person; none of them blocks or breaks the runner.
Both pipes are moved without waiting on either, so a full one never stops the other, and every wait has its end.

Source: docs/spec/conformance.md.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import IO, Final, Self

from counterfoil.errors import EngineError

# The longest answer that a vector asks for has about 20,000 bytes.
LINE_BYTES_MAX: Final = 1_048_576
_CHUNK_BYTES: Final = 65_536
# How long a process that was killed, or closed its output, may take to be gone.
_END_SECONDS: Final = 1.0


class Violation(Exception):  # noqa: N818  -- what the process did, not what went wrong with us
    """What a process did that the protocol does not allow, in words."""


class LineProcess:
    """A running command.  Use it in a `with` block, whose end kills it and its process group.

    What it started in a session of its own is out of reach: it lives on without our ends of the pipes.
    """

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
        self._input = _unblocked(self._process.stdin)
        self._output = _unblocked(self._process.stdout)
        self._to_send = bytearray()
        self._received = bytearray()
        # Whether the input ends after what is still to be sent, and whether the output has ended.
        self._finishing = False
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            # The command may be a shell whose child does the work: the whole group ends.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._input.close()
        self._output.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)

    def ask(self, line: bytes, timeout_seconds: float) -> bytes:
        """Send one line, which ends in a newline; return the line that comes back, without it.

        Raises:
            Violation: where none comes in time, or something else does.
        """
        self._read()
        if self._received:
            raise Violation(f"wrote a line before it was asked: {excerpt(bytes(self._received))}")
        self._to_send += line
        try:
            found = self._next_line(timeout_seconds)
        except TimeoutError:
            raise Violation(f"gave no answer within {timeout_seconds:.3g} seconds") from None
        if found is None:
            raise Violation(self._end())
        return found

    def finish(self, timeout_seconds: float) -> None:
        """Close the input and wait for the end.

        Raises:
            Violation: where the process writes more, does not end in time, or ends with another status than 0.
        """
        self._finishing = True
        try:
            found = self._next_line(timeout_seconds)
            if found is not None:
                raise Violation(f"wrote a line after the last answer: {excerpt(found)}")
            if self._process.wait(timeout_seconds):
                raise Violation(self._end())
        except (TimeoutError, subprocess.TimeoutExpired):
            raise Violation(
                f"did not end within {timeout_seconds:.3g} seconds after its input ended"
            ) from None

    def _end(self) -> str:
        try:
            status = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return "closed its output"
        return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"

    def _next_line(self, timeout_seconds: float) -> bytes | None:
        """Return the next line, None where the output has ended.

        Raises:
            TimeoutError: where none comes in time.
            Violation: where it is too long.
        """
        deadline = time.monotonic() + timeout_seconds
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0 and not self._ended:
            searched = len(self._received)
            if searched > LINE_BYTES_MAX:
                break
            self._wait(deadline)
            self._write()
            self._read()
        line = bytes(self._received if end < 0 else self._received[:end])
        if len(line) > LINE_BYTES_MAX:
            raise Violation(f"wrote a line of over {LINE_BYTES_MAX} bytes")
        del self._received[: len(line) + 1]
        return None if end < 0 and not line else line

    def _wait(self, deadline: float) -> None:
        """Wait until a pipe can move.

        Raises:
            TimeoutError: where none can in time.
        """
        pipes = select.poll()
        pipes.register(self._output, select.POLLIN)
        if not self._input.closed and (self._to_send or self._finishing):
            pipes.register(self._input, select.POLLOUT)
        left = deadline - time.monotonic()
        if left <= 0 or not pipes.poll(math.ceil(left * 1000)):
            raise TimeoutError

    def _write(self) -> None:
        """Send what the pipe takes; close it after the last."""
        if self._input.closed:
            return
        try:
            while self._to_send and (count := self._input.write(self._to_send)):
                del self._to_send[:count]
        except BrokenPipeError:
            # A process that does not read may still answer; that it ended shows at its output.
            self._to_send.clear()
            self._input.close()
        if self._finishing and not self._to_send:
            self._input.close()

    def _read(self) -> None:
        """Take what the pipe holds, a chunk at most."""
        chunk = self._output.read(_CHUNK_BYTES)
        if chunk is not None:  # None: nothing is there yet
            self._ended = not chunk
            self._received += chunk


def _unblocked(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101  -- both were asked for
    os.set_blocking(pipe.fileno(), False)
    return pipe


def excerpt(value: object) -> str:
    """Return a line, or a value that came as JSON, as short ASCII text: no control character reaches the terminal."""
    shown = json.dumps(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
    return shown if len(shown) <= 200 else shown[:197] + "..."  # noqa: PLR2004  -- two lines of a terminal
