"""Looking for files, and making them so that they survive a power cut."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from counterfoil.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path


def is_there(path: Path) -> bool:
    """Whether something stands at a path.

    Raises:
        EngineError: `usage`, where it is no path at all, with a NUL in it say; `io-error`, where the system does not
            tell: a name is too long, or a folder on the way may not be looked into.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise os_refusal(error, f"cannot look for {path}") from error
    except ValueError as error:
        raise EngineError("usage", f"not a path: {str(path)!r}") from error
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: to sync a new file does not sync its name.

    Raises:
        OSError: the system's own.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, so that their names are durable; one that is there is left as it is.

    Raises:
        OSError: the system's own.
    """
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def os_refusal(error: OSError, words: str) -> EngineError:
    """Return the refusal that an error of the system stands for: `io-error`, or `out-of-space`."""
    code = "out-of-space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "io-error"
    return EngineError(code, f"{words}: {error.strerror}")
