"""Reading and writing the files that a command line names."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from counterfoil.errors import EngineError, TooLargeError

# Names of what this process was started with.
_OWN_STREAMS: Final = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


class FileKind(NamedTuple):
    """A kind of file that a command writes, and replaces where it wrote one before.

    Attributes:
        what: its name, for a message, as in `a receipt`.
        is_ours: whether an open file is of it: reads from the beginning as much as that needs to see.
    """

    what: str
    is_ours: Callable[[BinaryIO], bool]


@contextmanager
def open_input(name: str, *, follow: bool = True) -> Iterator[BinaryIO]:
    """Open a file for reading; `-` is standard input, which stays open.

    A pipe is read where it is this process's own, as `/dev/fd/3`: one with a name in a folder may never end.

    Args:
        name: of the file.
        follow: whether it may be a symbolic link.

    Raises:
        EngineError: `usage`, where there is no such file, or it is no plain one.
        OSError: where the system refuses.
    """
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        handle = _open(name, follow=follow)
    except (FileNotFoundError, NotADirectoryError):
        raise EngineError("usage", f"there is no file {name}") from None
    except ValueError:  # a NUL in the name
        raise EngineError("usage", f"not the name of a file: {name}") from None
    with os.fdopen(handle, "rb") as stream:
        yield stream


def _open(name: str, *, follow: bool) -> int:
    own = name.startswith(_OWN_STREAMS)
    if not follow and Path(name).is_symlink():
        raise EngineError("usage", f"{name} is a symbolic link, not a file")
    flags = os.O_RDONLY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    # Without this, opening a pipe waits for somebody to write to it; to plain files it means nothing.
    handle = os.open(name, flags if own else flags | os.O_NONBLOCK)
    try:
        _require_file(name, os.fstat(handle).st_mode, own=own)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _require_file(name: str, mode: int, *, own: bool) -> None:
    if stat.S_ISDIR(mode):
        raise EngineError("usage", f"{name} is a folder, not a file")
    if not own and not stat.S_ISREG(mode):
        raise EngineError("usage", f"{name} is no plain file")


def read_input(name: str, bytes_max: int, *, follow: bool = True) -> bytes:
    """Read a whole file; otherwise as `open_input`.

    Raises:
        TooLargeError: where it has over `bytes_max` bytes; no more than these are read.
        EngineError: `usage`, where there is no such file, or it is no plain one.
        OSError: where the system refuses.
    """
    with open_input(name, follow=follow) as stream:
        data = stream.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise TooLargeError(f"{name} has over {bytes_max} bytes")
    return data


def require_different(paths: Iterable[Path], *, inputs: Iterable[str] = ()) -> None:
    """Check that files to be written are different ones, and none that is read: what is written would replace it.

    Args:
        paths: of what is to be written.
        inputs: names of what the same command reads; `-` is standard input.

    Raises:
        EngineError: `usage`, where two are the same, by whatever names.
    """
    read = {os.path.realpath(name) for name in inputs if name != "-"}
    seen: set[str] = set()
    for path in paths:
        target = os.path.realpath(path)
        if target in read:
            raise EngineError("usage", f"{path} is read by this command: name another file to write to")
        if target in seen:
            raise EngineError("usage", f"{path} is to be written twice: give each its own name")
        seen.add(target)


def require_replaceable(name: str, kind: FileKind) -> None:
    """Check that a file to be written is not there yet, is empty, or is one of its kind: nothing else is replaced.

    Raises:
        EngineError: `usage`, where something else is there.
        OSError: where it cannot be read.
    """
    path = Path(name)
    if path.exists() or path.is_symlink():
        with open_input(name, follow=False) as stream:
            if os.fstat(stream.fileno()).st_size and not kind.is_ours(stream):
                raise EngineError("usage", f"{name} is there, and is something else than {kind.what}")


def write_output(path: Path, data: bytes) -> None:
    """Write a file; otherwise as `open_output`."""
    with open_output(path) as stream:
        stream.write(data)


@contextmanager
def open_output(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing; its name stands for the old bytes or all of the new ones, never for half of either.

    What the block raises leaves the old ones.  What it has written it may read again.

    Args:
        path: of the file.
        durable: whether that holds through a power cut too.

    Raises:
        EngineError: `usage`, where the name is that of something else than a plain file, or of none that can be.
        OSError: where the system refuses.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        raise EngineError("usage", f"there is no folder {path.parent}") from None
    else:
        # A link or a device would be replaced, not written through.
        if not stat.S_ISREG(mode):
            raise EngineError("usage", f"{path} is there already and is no plain file")
    if not path.parent.is_dir():
        raise EngineError("usage", f"there is no folder {path.parent}")
    draft = path.with_name(f".{os.urandom(8).hex()}.new")
    try:
        # Made in here: a signal that ends the process may come as soon as it is there.
        with draft.open("x+b") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> Path:
    """Return a folder to write to; make it where there is none.

    Raises:
        EngineError: `usage`, where the name is that of something else.
        OSError: where the system refuses.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise EngineError("usage", f"{path} is no folder") from None
    return path


def describe_os_error(error: OSError) -> EngineError:
    """Return the refusal that an error of the system stands for: `io-error`, or `out-of-space`."""
    code = "out-of-space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "io-error"
    words = error.strerror or type(error).__name__
    return EngineError(code, f"{error.filename}: {words}" if error.filename else words)
