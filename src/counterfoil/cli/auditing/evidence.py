"""Evidence of a fork as files: `audit PACK --evidence DIR`.  Imports `core` only.

Each signed checkpoint of a contradiction is a file that `verify` takes.  Its name is made of what is signed and has one
shape: the reference of the log, the size, the root.  So nothing in a pack can choose where something is written, and the
same evidence has the same name.

Source: docs/cli.md#counterfoil-audit.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from counterfoil.cli.files import describe_os_error, make_folder, open_input, write_output
from counterfoil.core.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.core.reference import parse_origin
from counterfoil.errors import CounterfoilError, EngineError


def check_folder(name: str) -> None:
    """Check that there can be a folder of evidence; it is made when there is something to write.

    Raises:
        EngineError: `usage`, where the name is that of something else, or stands in something else.
    """
    path = Path(name)
    there = next(place for place in (path, *path.parents, Path()) if place.exists() or place.is_symlink())
    if not there.is_dir():
        raise EngineError("usage", f"--evidence {name}: {there} is no folder")


def write_evidence(folder: str, notes: Iterable[str]) -> tuple[list[str], list[CounterfoilError]]:
    """Write checkpoints that verified, each to a file of its own.

    Returns:
        The names of the files that are there now, and of each other one why it is not.
    """
    written: list[str] = []
    missing: list[CounterfoilError] = []
    for note in notes:
        path = Path(folder) / _name(parse_checkpoint(note))
        try:
            make_folder(path.parent)
            _write_new(path, note.encode("utf-8"))
        except OSError as error:
            missing.append(describe_os_error(error))
        except CounterfoilError as error:
            missing.append(error)
        else:
            written.append(str(path))
    return written, missing


def _name(checkpoint: Checkpoint) -> str:
    log = parse_origin(checkpoint.origin).log
    return f"0x{log.hex()}.{checkpoint.size}.{checkpoint.root.hex()}.checkpoint"


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, or is there with these bytes: whole, or not at all."""
    if not path.exists() and not path.is_symlink():
        write_output(path, data)
        return
    with open_input(str(path), follow=False) as stream:
        if stream.read(len(data) + 1) != data:
            raise EngineError("usage", f"{path} is there already and is something else")
