"""Evidence of a fork as files: `audit PACK --evidence DIR`.  Imports `core` only.

Each signed checkpoint of a contradiction is a file that `verify` takes.  Its name is made of what is signed and has one
shape: the reference of the log, the size, the root.  So nothing in a pack can choose where something is written, and the
same evidence has the same name.

Source: docs/cli.md#counterfoil-audit.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from counterfoil.cli.files import make_folder, read_input
from counterfoil.core.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.core.reference import parse_origin
from counterfoil.errors import EngineError
from counterfoil.limits import NOTE_BYTES_MAX


def check_folder(name: str) -> None:
    """Check that there can be a folder of evidence; it is made when there is something to write.

    Raises:
        EngineError: `usage`, where the name is that of something else.
    """
    path = Path(name)
    if (path.exists() or path.is_symlink()) and not path.is_dir():
        raise EngineError("usage", f"--evidence {name}: it is no folder")


def write_evidence(folder: str, notes: Iterable[str]) -> list[str]:
    """Write checkpoints that verified, each to a file of its own; return the names of the files.

    Raises:
        EngineError: `usage`, where another file has such a name.
        OSError: where the system refuses.
    """
    place = make_folder(Path(folder))
    paths = []
    for note in notes:
        path = place / _name(parse_checkpoint(note))
        _write_new(path, note.encode("utf-8"))
        paths.append(str(path))
    return paths


def _name(checkpoint: Checkpoint) -> str:
    log = parse_origin(checkpoint.origin).log
    return f"0x{log.hex()}.{checkpoint.size}.{checkpoint.root.hex()}.checkpoint"


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, or is there with these bytes."""
    try:
        stream = path.open("xb")
    except FileExistsError:
        if read_input(str(path), NOTE_BYTES_MAX, follow=False) != data:
            raise EngineError("usage", f"{path} is there already and is another checkpoint") from None
        return
    with stream:
        stream.write(data)
