"""`pack`: whole logs in one file, for auditors.

Source: docs/spec/pack.md.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

import click

from counterfoil.cli.context import (
    Place,
    check_outputs,
    customers_options,
    file_or_stdout,
    open_engine,
    place_options,
)
from counterfoil.cli.documents import PACK_FILE
from counterfoil.cli.files import open_output
from counterfoil.cli.output import Progress, hint, plural, put, say
from counterfoil.core.pack.lines import read_end, read_line
from counterfoil.errors import EngineError

_GZIP_SUFFIX: Final = ".gz"
# Entries hold random bytes: more effort takes longer and saves next to nothing.
_GZIP_LEVEL: Final = 6
_CHUNK_BYTES: Final = 262_144


@click.command(
    epilog="\b\nExamples:\n  counterfoil pack cust_001 -o cust_001.pack\n"
    "  counterfoil pack --all -o everyone.pack.gz",
)
@customers_options("Every customer that has a checkpoint.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    callback=file_or_stdout,
    help="Write it there; compressed where the name ends in .gz. - is standard output.",
)
@place_options
def pack(place: Place, customers: Sequence[str] | None, output: str | None) -> None:
    """Write an evidence pack.

    Whole logs, as far as checkpoints cover them: whoever has the file and the operator's key recomputes everything with `counterfoil audit`.
    """
    check_outputs(place, (output, PACK_FILE))
    with open_engine(place) as engine, Progress("pack", "entries") as progress:
        wanted = sum(1 for _ in engine.logs()) if customers is None else len(set(customers))
        lines = engine.pack_lines(customers, progress=progress.advance)
        with _standard_output() if output is None else _written(Path(output)) as stream:
            end = _write(stream, lines)
            if not end["log"]:
                raise EngineError("not-yet-checkpointed", "no checkpoint covers a log yet")
    if left_out := wanted - end["log"]:
        hint(f"{plural(left_out, 'customer')} without a checkpoint, not in the pack")
    # Standard output has the pack, and nothing else.
    if output is not None:
        say(
            f"{plural(end['log'], 'log')}, {plural(end['entry'], 'entry')}, "
            f"{plural(end['checkpoint'], 'checkpoint')} in {output}"
        )


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """Give what is copied to standard output when it is whole: like a file, it gets all of a pack or nothing."""
    with tempfile.TemporaryFile() as whole:
        yield whole
        whole.seek(0)
        while chunk := whole.read(_CHUNK_BYTES):
            put(chunk)


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    with open_output(path) as stream:
        if not path.name.endswith(_GZIP_SUFFIX):
            yield stream
            return
        # Without name and time: the same logs are the same file.
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, stream, mtime=0) as compressed:
            yield cast("BinaryIO", compressed)


def _write(stream: BinaryIO, lines: Iterable[bytes]) -> dict[str, int]:
    """Write lines; return what the last one counts."""
    last = b""
    for line in lines:
        stream.write(line)
        last = line
    _, end = read_line(last.removesuffix(b"\n"))
    return read_end(end)
