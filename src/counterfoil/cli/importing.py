"""`import`: the rows of a file.  What a row is and how it is recorded once says `counterfoil.engine.rows`."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

import click

from counterfoil.cli.columns import map_option, read_columns
from counterfoil.cli.context import Place, check_output, open_engine, place_options
from counterfoil.cli.files import open_input, open_output
from counterfoil.cli.output import Progress, emit, hint, json_option, plural, say
from counterfoil.engine.importing import Imported, Refused, import_rows
from counterfoil.engine.rows import MEMBERS, Reading, Row, is_ndjson, read_csv, read_ndjson
from counterfoil.errors import EngineError

# Refused rows that are shown to a person; a file of the wrong kind would show nothing else.
_SHOWN_MAX: Final = 20
_PEEKED_BYTES: Final = 512


@click.command(
    "import",
    epilog="\b\nExamples:\n  counterfoil import usage.ndjson\n"
    "  counterfoil import purchases.csv --map customerId=customer_id --map delta=amount \\\n"
    "    --map effectiveAt=date --negate --reason purchase --errors refused.ndjson",
)
@click.argument("file")
@map_option
@click.option("--reason", metavar="TEXT", help="The reason of rows without one.")
@click.option("--negate", is_flag=True, help="Change the sign of every amount.")
@click.option(
    "--source", metavar="LABEL", help="Stands for the file in the keys of its rows.  [default: its name]"
)
@click.option("--errors", metavar="FILE", help="Write refused rows there, one JSON object a line.")
@json_option
@place_options
def import_file(
    *,
    place: Place,
    file: str,
    maps: Sequence[str],
    reason: str | None,
    source: str | None,
    errors: str | None,
    negate: bool,
    as_json: bool,
) -> None:
    """Record the rows of a file, each once.

    FILE is CSV or JSON lines; - is standard input. The members are customerId, delta, reason, referenceId, idempotencyKey, effectiveAt, adjusts and metadata. Importing
    a file again records only what is new: a row without idempotencyKey gets one from the source, its bytes, and how
    many rows of these bytes stand before it. Bad rows are refused by line and code, the rest goes in.
    """
    reading = Reading(_label(file, source), read_columns(maps, MEMBERS), reason, negate)
    imported = Imported()
    with ExitStack() as stack:
        stream = stack.enter_context(open_input(file))
        rows = _rows(file, stream, reading)
        engine = stack.enter_context(open_engine(place))
        listing = None
        if errors is not None:
            _check_listing(place, errors, file)
            listing = stack.enter_context(open_output(Path(errors)))
        progress = stack.enter_context(Progress("import", "rows"))
        report = _Report(imported, listing, as_json=as_json)
        # Said even where the import is cut short: this much is recorded, and the same command goes on from there.
        stack.callback(report.summarize)
        for count in import_rows(engine.record_many, rows, imported, on_refused=report.refuse):
            progress.advance(count)
    if source is None and imported.replayed_keyless and not imported.recorded:
        hint("rows without a key are known by the file's name: another file of the same name needs --source")
    if imported.refused:
        raise EngineError(
            "rows-refused", f"{imported.refused:,} of {plural(imported.rows, 'row')} were refused"
        )


def _label(file: str, source: str | None) -> str:
    if source is not None:
        return source
    if file == "-":
        raise EngineError("usage", "standard input has no name: give its rows one with --source")
    return os.fsencode(Path(file).name).decode("utf-8", "backslashreplace")


def _rows(file: str, stream: BinaryIO, reading: Reading) -> Iterator[Row]:
    suffix = Path(file).suffix.lower()
    if suffix in (".ndjson", ".jsonl"):
        return read_ndjson(stream, reading)
    if suffix != ".csv" and isinstance(stream, io.BufferedReader) and is_ndjson(stream.peek(_PEEKED_BYTES)):
        return read_ndjson(stream, reading)
    return read_csv(stream, reading)


def _check_listing(place: Place, name: str, input_name: str) -> None:
    path = Path(name)
    if input_name != "-" and path.exists() and path.samefile(input_name):
        raise EngineError("usage", "--errors names the file that is imported")
    check_output(place, path)


class _Report:
    """What is said of an import: each refused row, and the counts in the end."""

    def __init__(self, imported: Imported, listing: BinaryIO | None, *, as_json: bool) -> None:
        self._imported = imported
        self._listing = listing
        self._as_json = as_json
        self._shown = 0

    def refuse(self, refused: Refused) -> None:
        error = refused.error
        finding: dict[str, object] = {
            "line": refused.line,
            "code": error.code,
            "message": error.message,
            "row": refused.data.decode("utf-8", "backslashreplace"),
        }
        if self._listing is not None:
            self._listing.write(json.dumps(finding).encode("ascii") + b"\n")
        if self._as_json:
            emit(finding)
        elif self._shown < _SHOWN_MAX:
            say(f"refused  line {refused.line}  {error.code}: {error.message}")
            self._shown += 1

    def summarize(self) -> None:
        counts = self._imported
        if self._as_json:
            summary = {"rows": counts.rows, "recorded": counts.recorded, "replayed": counts.replayed}
            emit({**summary, "refused": counts.refused, "customers": len(counts.customers)})
            return
        if counts.refused > self._shown:
            say(f"refused  {counts.refused - self._shown:,} more; --errors FILE lists them all")
        say(
            f"{plural(counts.rows, 'row')} read: {counts.recorded:,} recorded, {counts.replayed:,} already recorded, "
            f"{counts.refused:,} refused; {plural(len(counts.customers), 'customer')}"
        )
