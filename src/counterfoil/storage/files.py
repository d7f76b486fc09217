"""Making files that survive a power cut."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: to sync a new file does not sync its name.

    Raises:
        OSError: the system's own.
    """
    if os.name == "nt":  # Has no handle on a folder; its file systems log names by themselves.
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
