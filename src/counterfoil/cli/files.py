"""Reading and writing the files that a command line names."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from counterfoil.errors import EngineError, TooLargeError


@contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    """Open a file for reading; `-` is standard input, which stays open.

    Raises:
        EngineError: `usage`, where there is no such file.
        OSError: where the system refuses.
    """
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(name).open("rb")  # noqa: SIM115  -- closed below; what the block raises is not about opening
    except (FileNotFoundError, NotADirectoryError):
        raise EngineError("usage", f"there is no file {name}") from None
    except IsADirectoryError:
        raise EngineError("usage", f"{name} is a folder, not a file") from None
    except ValueError:  # a NUL in the name
        raise EngineError("usage", f"not the name of a file: {name}") from None
    with stream:
        yield stream


def read_input(name: str, bytes_max: int) -> bytes:
    """Read a whole file; `-` is standard input.

    Raises:
        TooLargeError: where it has over `bytes_max` bytes; no more than these are read.
        EngineError: `usage`, where there is no such file.
        OSError: where the system refuses.
    """
    with open_input(name) as stream:
        data = stream.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise TooLargeError(f"{name} has over {bytes_max} bytes")
    return data


def write_output(path: Path, data: bytes) -> None:
    """Write a file so that its name stands for the old bytes or the new ones, never for half of either.

    Raises:
        EngineError: `usage`, where the name is that of something else than a plain file.
        OSError: where the system refuses.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        pass
    else:
        # A link or a device would be replaced, not written through.
        if not stat.S_ISREG(mode):
            raise EngineError("usage", f"{path} is there already and is no plain file")
    draft = path.with_name(f".{os.urandom(8).hex()}.new")
    try:
        with draft.open("xb") as file:
            file.write(data)
        draft.replace(path)
    except FileNotFoundError:
        raise EngineError("usage", f"there is no folder {path.parent}") from None
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


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
