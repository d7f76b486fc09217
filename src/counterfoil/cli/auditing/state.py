r"""What an auditor remembers from one audit to the next: the file of `audit PACK --state FILE`.  Imports `core` only.

A text file: a first line that says what it is, a JSON string a line, one note of each log, by ascending origin, and a
last line that counts them.

    counterfoil/audit-state@v1
    "ledger.example.com/acme/0xdc4d...42e\n6\ni54bFBqH...LrU=\n\n\u2014 ledger.example.com/acme/0xdc4d...42e sZ/TIa...wk=\n"
    {"logs":"1"}

It is the auditor's own: what is read from it is verified again all the same, with the auditor's keys.  It never goes
back, and one audit at a time uses it: two at once would each miss what the other finds.

Source: docs/cli.md#counterfoil-audit.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from counterfoil.cli.files import open_input, open_output
from counterfoil.core.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.core.encoding import decode_integer, members, read_json, text_member
from counterfoil.errors import EngineError, MalformedError
from counterfoil.limits import PACK_LINE_BYTES_MAX

_HEADER: Final = b"counterfoil/audit-state@v1\n"
_END: Final = frozenset({"logs"})


@dataclass(frozen=True, slots=True)
class State:
    """A state in use.

    Attributes:
        name: of its file.
        remembered: the newest checkpoint of each log, by origin.
    """

    name: str
    remembered: Mapping[str, Checkpoint]

    def remember(self, found: Mapping[str, Checkpoint]) -> None:
        """Write the file: of each log the larger checkpoint.  The old file stands until the new one is whole.

        Raises:
            EngineError: `internal`, where what was written does not read as it should.
            OSError: where the system refuses.
        """
        merged = {**self.remembered}
        for origin, checkpoint in found.items():
            if origin not in merged or merged[origin].size <= checkpoint.size:
                merged[origin] = checkpoint
        wanted = [merged[origin] for origin in sorted(merged)]
        with open_output(Path(self.name), durable=True) as stream:
            stream.write(_HEADER)
            for checkpoint in wanted:
                stream.write(json.dumps(checkpoint.note).encode("ascii") + b"\n")
            stream.write(b'{"logs":"%d"}\n' % len(wanted))
            stream.seek(0)
            # A state that its own reader refuses would end every audit to come.
            if not _reads_as(stream, wanted):
                raise EngineError("internal", f"--state {self.name}: what was written does not read again")


@contextmanager
def open_state(name: str) -> Iterator[State]:
    """Give a state to one audit; no other can use it until the block ends.  Without a file nothing is remembered yet.

    Raises:
        EngineError: `usage`, where the file is something else, its lock is, or there is no folder for it; `store-unavailable`, where
            another audit uses it.
        OSError: where the system refuses.
    """
    path = Path(name)
    if name == "-":
        raise EngineError("usage", "--state -: a state is a file, and ./- the name of one")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise EngineError("usage", f"--state {name}: it is no plain file")
    with _alone(path):
        yield State(name, _remembered(name) if path.exists() else {})


def _remembered(name: str) -> dict[str, Checkpoint]:
    try:
        with open_input(name, follow=False) as stream:
            return {checkpoint.origin: checkpoint for checkpoint in _checkpoints(stream)}
    except MalformedError as error:
        raise EngineError("usage", f"--state {name}: {error.message}") from error


def _checkpoints(stream: BinaryIO) -> Iterator[Checkpoint]:
    """Yield the checkpoints of a state.

    Raises:
        MalformedError: where it is none, or not whole.
    """
    if stream.readline(len(_HEADER)) != _HEADER:
        raise MalformedError("the file is no state of an audit")
    count, origin = 0, ""
    while line := stream.readline(PACK_LINE_BYTES_MAX + 1):
        value = read_json(line, bytes_max=PACK_LINE_BYTES_MAX, what="line")
        if isinstance(value, dict):
            end = members(value, required=_END, optional=frozenset(), what="last line")
            if decode_integer(text_member(end, "logs", what="last line")) != count or stream.read(1):
                raise MalformedError("the last line counts other lines than there are")
            return
        checkpoint = parse_checkpoint(value if isinstance(value, str) else "")
        if checkpoint.origin <= origin:
            raise MalformedError(f"{checkpoint.origin} does not stand behind {origin}")
        origin = checkpoint.origin
        count += 1
        yield checkpoint
    raise MalformedError("the file was cut: its last line is not there")


def _reads_as(stream: BinaryIO, wanted: list[Checkpoint]) -> bool:
    try:
        return all(one == other for one, other in zip(_checkpoints(stream), wanted, strict=True))
    except (MalformedError, ValueError):
        return False


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold off other audits with this state, by an empty file beside it that is locked until the block ends."""
    lock = path.with_name(f".{path.name}.lock")
    handle, is_new = _take(lock, path)
    try:
        yield
    finally:
        # While it is held: whoever comes next makes one of its own.  What lay there before, or was written meanwhile, is
        # somebody else's.
        if is_new and _is_at(handle, lock) and not os.fstat(handle).st_size:
            lock.unlink()
        os.close(handle)


def _take(lock: Path, path: Path) -> tuple[int, bool]:
    """Return the lock, held, and whether this call made its file."""
    while True:
        try:
            handle, is_new = _open_lock(lock)
        except (FileNotFoundError, NotADirectoryError):
            raise EngineError("usage", f"--state {path}: there is no folder {path.parent}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another audit may have ended meanwhile, and its lock be no longer there.
            if _is_at(handle, lock):
                return handle, is_new
        except BlockingIOError:
            os.close(handle)
            raise EngineError("store-unavailable", f"--state {path}: another audit uses it") from None
        os.close(handle)


def _open_lock(lock: Path) -> tuple[int, bool]:
    """Open the file of a lock; return it, and whether this call made it.

    Raises:
        EngineError: `usage`, where something else has its name.
        FileNotFoundError, NotADirectoryError: where there is no folder for it.
        OSError: where the system refuses.
    """
    # A pipe is not waited for.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(lock, flags | os.O_EXCL, 0o600), True
    except FileExistsError:
        if not lock.is_symlink() and not lock.is_dir():
            handle = os.open(lock, flags, 0o600)
            found = os.fstat(handle)
            # One that a killed audit left is empty.
            if stat.S_ISREG(found.st_mode) and not found.st_size:
                return handle, False
            os.close(handle)
        raise EngineError(
            "usage", f"{lock} is there and is no lock of an audit: take another state"
        ) from None


def _is_at(handle: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), lock.lstat())
    except FileNotFoundError:
        return False
