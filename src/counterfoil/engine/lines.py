r"""Lines of a file, and the CSV records that they make up (RFC 4180, UTF-8, comma).

Both are bounded, and so is the work: no byte of a file is parsed more than twice, whatever the file holds.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import IO, Final

from counterfoil.errors import CounterfoilError, MalformedError, TooLargeError
from counterfoil.limits import IMPORT_LINE_BYTES_MAX

BOM: Final = b"\xef\xbb\xbf"

# Its number, from 1, and its bytes with the line end.
Line = tuple[int, bytes]
# The number of its first line, its bytes without the last line end, and its fields or why it has none.
Record = tuple[int, bytes, list[str] | CounterfoilError]


def read_lines(stream: IO[bytes]) -> Iterator[Line]:
    """Yield lines; of one that is too long only the beginning, one byte beyond the bound.

    Raises:
        OSError: where the file cannot be read on.
    """
    number = 0
    while data := stream.readline(IMPORT_LINE_BYTES_MAX + 3):
        number += 1
        if number == 1:
            data = data.removeprefix(BOM)
        if len(without_line_end(data)) > IMPORT_LINE_BYTES_MAX:
            rest = data
            while rest and not rest.endswith(b"\n"):
                rest = stream.readline(IMPORT_LINE_BYTES_MAX)
            data = data[: IMPORT_LINE_BYTES_MAX + 1]
        yield number, data


def without_line_end(data: bytes) -> bytes:
    """Return a line without its end: one newline, then one carriage return."""
    return data.removesuffix(b"\n").removesuffix(b"\r")


def read_records(lines: Iterator[Line], delimiter: str = ",") -> Iterator[Record]:
    """Yield the records of a CSV file, or of one whose columns another character separates; empty lines are none.

    A quoted field may hold line ends, so a record may be several lines.  Where such a one does not read, a stray quote
    must not take the lines with it that it swallowed: its first line alone is refused; each of the others is a record
    of its own or refused too, but for the last, where a record of several lines may begin again.  So a line is looked
    at twice at most: once within a record, and once alone or as the first of another.
    """
    waiting: list[Line] = []

    def next_line() -> Line | None:
        return waiting.pop() if waiting else next(lines, None)

    while True:
        taken: list[Line] = []
        fields = _read_record(iter(next_line, None), taken, delimiter)
        if not taken:
            return
        if isinstance(fields, CounterfoilError) and len(taken) > 1:
            first, *swallowed, last = taken
            yield _record([first], fields)
            for line in swallowed:
                if alone := _read_record([line], [], delimiter):
                    yield _record([line], alone)
            waiting.append(last)
        elif fields:
            yield _record(taken, fields)


def _record(lines: list[Line], fields: list[str] | CounterfoilError) -> Record:
    return lines[0][0], without_line_end(b"".join(data for _, data in lines)), fields


def _read_record(lines: Iterable[Line], taken: list[Line], delimiter: str) -> list[str] | CounterfoilError:
    """Return the fields of the first record, or why it does not read; `taken` gets the lines that this took."""
    try:
        return next(csv.reader(_texts(lines, taken), strict=True, delimiter=delimiter), [])
    except csv.Error as error:
        return MalformedError(f"the row is not CSV: {error}")
    except (MalformedError, TooLargeError) as error:
        return error


def _texts(lines: Iterable[Line], taken: list[Line]) -> Iterator[str]:
    """Yield the lines that one record takes, as text, and keep them.

    Raises:
        MalformedError: where a line is not UTF-8.
        TooLargeError: where the record passes its bound.
    """
    size = 0
    for line in lines:
        taken.append(line)
        if size + len(without_line_end(line[1])) > IMPORT_LINE_BYTES_MAX:
            raise too_long()
        size += len(line[1])
        try:
            yield line[1].decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("the row is not UTF-8") from None


def too_long() -> TooLargeError:
    """Return the refusal of a row that passes its bound."""
    return TooLargeError(f"the row has over {IMPORT_LINE_BYTES_MAX} bytes")
