r"""What a client remembers: of each log the newest checkpoint that it ever verified.

    {"type": "counterfoil/client-memory@v1",
     "checkpoints": {"ledger.example.com/acme/0xdc4d...42e": "ledger.example.com/acme/0xdc4d...42e\n4\nGZ7G..."}}

Without memory nobody notices that a server shows another history today than it did yesterday.  So a memory is never
lost in silence: a file that is damaged, that disappears while it is in use or that goes back is refused, and a new
state is durable before anybody relies on it.

Processes and threads may share a file.  Each change is made under an advisory lock on the file `NAME.lock` beside it,
written to `NAME.new`, and put in place by one rename; readers need no lock.  The lock is no good on network file
systems that do not pass it on.

Source: docs/api/client.md.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from counterfoil.core.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.core.encoding import canonical_json, excerpt, members, read_json
from counterfoil.core.reference import parse_origin
from counterfoil.errors import EngineError, MalformedError, TooLargeError, VerificationError
from counterfoil.limits import LOCK_WAIT_SECONDS

MEMORY_TYPE: Final = "counterfoil/client-memory@v1"
# Some 100,000 logs.  Each change writes the whole file, so that it is slow long before that.
MEMORY_BYTES_MAX: Final = 67_108_864

_MEMBERS: Final = frozenset({"type", "checkpoints"})
_MODE: Final = 0o600
_OTHERS_WRITE: Final = 0o022
# A link under the name of the lock or of the draft would have another file made or emptied.
_FLAGS: Final = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK_PAUSE_SECONDS: Final = 0.01
# What tells one state of the file from another: it is never written in place.
_Identity = tuple[int, int, int]


class Memory:
    """The checkpoints of one client, or of all that share a file."""

    def __init__(
        self,
        path: Path | str | None,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """Read a file, or begin one with the first checkpoint; without a path remember as long as this object lives.

        Raises:
            MalformedError: where the file is damaged; `too-large` where it is beyond `MEMORY_BYTES_MAX`.
            VerificationError: `unknown-type`, where it is of a later version.
            EngineError: `usage`, where it is no path; `unsafe-settings`, where others may write to it; `store-unavailable`, where another process
                holds the lock for 30 seconds; `io-error`, `out-of-space`, where it cannot be read or its folder not be
                written to.
        """
        self._path = None if path is None else _place_of_file(path)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.RLock()
        self._read_as: _Identity | None = None
        self._notes: dict[str, str] = {}
        # By customer reference: a log that changes its operator or tenant is another log under a known name.
        self._origins: dict[str, str] = {}
        self._known: dict[str, Checkpoint] = {}
        # Whoever cannot lock now could not remember later.
        with self._exclusive():
            self._refresh()

    def of_reference(self, reference: str) -> Checkpoint | None:
        """Return the newest checkpoint of a log, by its customer reference `0x...`; None where there is none.

        Raises:
            CounterfoilError: as when it was opened; `malformed` also where the file lost what was in it, or went back.
        """
        with self._lock:
            self._refresh()
            origin = self._origins.get(reference)
            return None if origin is None else self._checkpoint(origin)

    def advance(self, held: Checkpoint | None, newer: Checkpoint) -> bool:
        """Put a newer checkpoint in the place of the one that it was held against.

        Returns:
            False where that is not the newest one any more, and nothing was changed: somebody was faster.

        Raises:
            CounterfoilError: as `of_reference`; then nothing was changed.
        """
        reference = reference_of(newer.origin)
        with self._exclusive():
            self._refresh(always=True)
            current = self._origins.get(reference)
            if _place(self._checkpoint(current) if current else None) != _place(held):
                return False
            notes = {**self._notes, newer.origin: newer.note}
            if self._path is not None:
                with _in_words(f"cannot write {self._path}"):
                    self._read_as = _write(self._path, notes)
            self._notes = notes
            self._origins[reference] = newer.origin
            self._known[newer.origin] = newer
            return True

    def _refresh(self, *, always: bool = False) -> None:
        """Read the file, where it is not the one that was read last; with `always` whatever it looks like."""
        if self._path is None:
            return
        with _in_words(f"cannot read {self._path}"):
            if not always and self._read_as is not None and _identity(self._path) == self._read_as:
                return
            found = _read(self._path)
        if found is None:
            if self._read_as is not None:
                raise self._damaged("it was there and is gone")
            return
        data, identity = found
        try:
            notes = _parse(data)
        except MalformedError as error:
            raise self._damaged(error.message, code=error.code) from error
        if lost := self._notes.keys() - notes.keys():
            raise self._damaged(f"it lost the checkpoint of {min(lost)}")
        for origin, before in self._notes.items():
            if notes[origin] != before:
                self._check_went_on(origin, before, notes[origin])
        self._notes, self._read_as = notes, identity
        self._origins = {reference_of(origin): origin for origin in notes}

    def _check_went_on(self, origin: str, before: str, after: str) -> None:
        """Refuse a note that is older than the one that the file held; also of a log that nobody asked for yet."""
        found = self._parse_note(origin, after)
        try:
            known = self._parse_note(origin, before)
        except MalformedError:
            # The file was damaged when it was opened, and somebody restored it: there is nothing to hold it against.
            return
        if found.size < known.size or (found.size == known.size and found.root != known.root):
            raise self._damaged(f"it went back from size {known.size} to {found.size} of {origin}")

    def _checkpoint(self, origin: str) -> Checkpoint:
        """Return a checkpoint of the file; each is read when it is first asked for, or changed."""
        note, known = self._notes[origin], self._known.get(origin)
        if known is None or known.note != note:
            known = self._known[origin] = self._parse_note(origin, note)
        return known

    def _parse_note(self, origin: str, note: str) -> Checkpoint:
        try:
            checkpoint = parse_checkpoint(note)
        except MalformedError as error:
            raise self._damaged(error.message) from error
        if checkpoint.origin != origin:
            raise self._damaged(f"the checkpoint of {excerpt(checkpoint.origin)} stands under {origin}")
        return checkpoint

    def _damaged(self, why: str, *, code: str = "malformed") -> MalformedError:
        return MalformedError(
            f"the memory of checkpoints {self._path} is damaged: {why}; restore it from a backup, or move it away, "
            "which forgets what the server showed until now",
            code=code,
        )

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold off all others, threads and processes."""
        with self._lock:
            if self._path is None:
                yield
                return
            with _in_words(f"cannot lock {self._path}.lock"):
                handle = os.open(f"{self._path}.lock", os.O_RDWR | _FLAGS, _MODE)
            try:
                self._wait_for(handle)
                yield
            finally:
                os.close(handle)  # which lets the lock go

    def _wait_for(self, handle: int) -> None:
        end = self._clock() + LOCK_WAIT_SECONDS
        while not _try_lock(handle, f"{self._path}.lock"):
            if self._clock() >= end:
                message = f"another process holds {self._path}.lock for {LOCK_WAIT_SECONDS} seconds"
                raise EngineError("store-unavailable", message)
            self._sleep(_LOCK_PAUSE_SECONDS)


def reference_of(origin: str) -> str:
    """Return the customer reference that an origin ends in.

    Raises:
        MalformedError: where it is no origin of a customer's log.
    """
    return f"0x{parse_origin(origin).log.hex()}"


def _place(checkpoint: Checkpoint | None) -> tuple[str, int, bytes] | None:
    # Not the note: its signature lines may be others.
    return None if checkpoint is None else (checkpoint.origin, checkpoint.size, checkpoint.root)


def _try_lock(handle: int, name: str) -> bool:
    with _in_words(f"cannot lock {name}"):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _place_of_file(path: Path | str) -> Path:
    try:
        # Where the file is: a name that leads there is not to be replaced by a rename.
        return Path(os.path.realpath(path))
    except ValueError as error:
        raise EngineError("usage", f"not a path: {excerpt(path)}") from error


def _parse(data: bytes) -> dict[str, str]:
    """Read a memory: the note of each origin, as text."""
    value = read_json(data, bytes_max=MEMORY_BYTES_MAX, what="memory")
    if isinstance(value, dict) and value.get("type") != MEMORY_TYPE:
        raise VerificationError("unknown-type", f"memory of type {excerpt(value.get('type'))}")
    notes = members(value, required=_MEMBERS, optional=frozenset(), what="memory")["checkpoints"]
    if not isinstance(notes, dict):
        raise MalformedError("checkpoints is not a JSON object")
    texts = {origin: note for origin, note in notes.items() if isinstance(note, str)}
    if len(texts) != len(notes):
        raise MalformedError("a checkpoint is not text")
    if len({reference_of(origin) for origin in texts}) != len(texts):
        raise MalformedError("two checkpoints of one customer reference")
    return texts


def _identity(path: Path) -> _Identity | None:
    try:
        return _identity_of(path.stat())
    except FileNotFoundError:
        return None


def _identity_of(status: os.stat_result) -> _Identity:
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _read(path: Path) -> tuple[bytes, _Identity] | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if stat.S_IMODE(status.st_mode) & _OTHERS_WRITE:
            raise EngineError("unsafe-settings", f"{path} can be written to by others: chmod 0600 {path}")
        return file.read(MEMORY_BYTES_MAX + 1), _identity_of(status)


def _write(path: Path, notes: dict[str, str]) -> _Identity:
    """Put a new state in the place of the old one, durably: a crash leaves the one or the other."""
    data = canonical_json({"type": MEMORY_TYPE, "checkpoints": dict(notes)}) + b"\n"
    if len(data) > MEMORY_BYTES_MAX:
        raise TooLargeError(f"the memory of checkpoints {path} would have over {MEMORY_BYTES_MAX} bytes")
    # One name, under the lock: what a crash left of an earlier attempt is written over.
    draft = path.with_name(f"{path.name}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_TRUNC | _FLAGS, _MODE)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, _MODE)
        file.write(data)
        file.flush()
        os.fsync(handle)
        identity = _identity_of(os.fstat(handle))
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return identity


@contextmanager
def _in_words(words: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        code = "out-of-space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "io-error"
        raise EngineError(code, f"{words}: {error.strerror}") from error
