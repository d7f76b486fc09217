"""Looking for files, and making them so that they survive a power cut."""

from __future__ import annotations

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
        raise EngineError("io-error", f"cannot look for {path}: {error.strerror}") from error
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
