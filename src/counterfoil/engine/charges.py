"""The other party's charges: a CSV file (RFC 4180, UTF-8, a header line) of what it has of one customer.

Columns are separated by commas, semicolons or tabs: by whichever of them the header names the wanted columns.  Of a row
these members are read, under their own name or the column that the caller names; others are ignored, and an empty cell
is as absent:

    delta  referenceId  effectiveAt

Amounts are in the sense of a delta: what was used up is negative, unless the caller turns all signs.  They have a decimal
point: what a comma means is not guessed.  A date stays a date, and stands for its whole day.

Some rows are no charges and are counted: those whose amount is zero, and those with neither amount nor reference.  A row
that does not read refuses the file: the sums of a part would say nothing.

Source: docs/cli.md#counterfoil-compare, docs/spec/conventions.md for amounts and times as a sender writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, Final, NamedTuple

from counterfoil.core.amount import read_amount, read_balance
from counterfoil.core.compare import Charge
from counterfoil.core.encoding import excerpt
from counterfoil.core.timestamp import is_date, read_time
from counterfoil.engine.lines import Line, Record, read_lines, read_records, without_line_end
from counterfoil.errors import CounterfoilError, EngineError, MalformedError, TooLargeError
from counterfoil.limits import DISPUTE_BYTES_MAX, DISPUTE_ROWS_MAX

CHARGE_MEMBERS: Final = ("delta", "referenceId", "effectiveAt")

_DELIMITERS: Final = (",", ";", "\t")
_NO_RECORD: Final[Record] = (0, b"", MalformedError("there is none"))


class BadRow(NamedTuple):
    """One fault of a row that does not read: the line on which the row begins, from 1, and what is wrong."""

    line: int
    error: CounterfoilError


@dataclass(slots=True)
class Charges:
    """The charges of a file.

    Attributes:
        rows: in the order of the file; the place of each is its position here, from 0.
        zero: how many rows were passed over because their amount is zero.
        empty: how many because they have neither amount nor reference.
    """

    rows: list[Charge] = field(default_factory=list)
    zero: int = 0
    empty: int = 0


def read_charges(
    stream: IO[bytes],
    columns: Mapping[str, str],
    *,
    negate: bool,
    on_bad: Callable[[BadRow], object] = lambda _: None,
) -> Charges:
    """Read the charges of a file.

    Args:
        stream: the bytes.
        columns: member -> the column that holds it, where that is not its own name.
        negate: whether amounts change their sign.
        on_bad: told of each fault of each row that does not read, in the order of the file.

    Raises:
        EngineError: `usage`, where the file has no header or a column that is needed is not in it; `rows-refused`, where
            a row does not read: `on_bad` was told of all of them.
        TooLargeError: beyond 100,000 rows, or 67,108,864 characters of references: no packet could hold them.
        OSError: where the file cannot be read on.
    """
    lines = read_lines(stream)
    first = next((line for line in lines if without_line_end(line[1])), None)
    if first is None:
        raise EngineError("usage", "the file has no header line")
    delimiter = _delimiter(first, columns)
    records = read_records(chain([first], lines), delimiter)
    _, _, header = next(records, _NO_RECORD)
    if isinstance(header, CounterfoilError):
        raise EngineError("usage", f"the header of the file does not read: {header.message}")
    places = _places(header, columns)
    charges, bad, characters = Charges(), 0, 0
    for number, (line, _, fields) in enumerate(records, 1):
        if number > DISPUTE_ROWS_MAX:
            raise TooLargeError(f"the file has over {DISPUTE_ROWS_MAX:,} rows")
        found = _cells(fields, len(header), places)
        if isinstance(found, CounterfoilError):
            faults = [found]
        else:
            characters += len(found.get("referenceId", ""))
            faults = _take(charges, line, found, negate=negate)
        for fault in faults:
            on_bad(BadRow(line, fault))
        bad += bool(faults)
        if characters > DISPUTE_BYTES_MAX:
            raise TooLargeError(f"the references have over {DISPUTE_BYTES_MAX:,} characters")
    if bad:
        words = "1 row does" if bad == 1 else f"{bad:,} rows do"
        raise EngineError("rows-refused", f"{words} not read: nothing was compared")
    return charges


def _delimiter(first: Line, columns: Mapping[str, str]) -> str:
    """Return by which delimiter the header names what is wanted; of none, by which it has the most columns."""
    wanted = {columns.get("delta", "delta"), *columns.values()}
    found = {delimiter: _header(first, delimiter) for delimiter in _DELIMITERS}
    # Of several that are alike the first counts: a comma, as the standard has it.
    return max(_DELIMITERS, key=lambda each: (wanted <= set(found[each]), len(found[each])))


def _header(first: Line, delimiter: str) -> list[str]:
    _, _, fields = next(read_records(iter([first]), delimiter), _NO_RECORD)
    return [] if isinstance(fields, CounterfoilError) else fields


def _places(header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Return where in a row each member stands."""
    places: dict[str, int] = {}
    for member in CHARGE_MEMBERS:
        column = columns.get(member, member)
        if header.count(column) > 1:
            raise EngineError("usage", f"the file has two columns {excerpt(column)}")
        if column in header:
            places[member] = header.index(column)
        elif member in columns or member == "delta":
            names = ", ".join(map(excerpt, header))
            raise EngineError(
                "usage",
                f"the file has no column {excerpt(column)}: say which one holds {member}; it has {names}",
            )
    return places


def _cells(
    fields: Sequence[str] | CounterfoilError, width: int, places: Mapping[str, int]
) -> dict[str, str] | CounterfoilError:
    """Return the members of a row that are there, or why nobody can tell."""
    if isinstance(fields, CounterfoilError):
        return fields
    if len(fields) != width:
        return MalformedError(f"the row has {len(fields)} columns, the header {width}")
    # An empty cell is no value: CSV has no other way to leave one out.
    return {member: fields[column] for member, column in places.items() if fields[column] != ""}


def _take(charges: Charges, line: int, found: Mapping[str, str], *, negate: bool) -> list[CounterfoilError]:
    """Take the charge of a row, or count that it is none; return all that is wrong with it."""
    reference, faults = found.get("referenceId"), list[CounterfoilError]()
    if "delta" not in found and reference is None:
        charges.empty += 1
        return []
    amount, time = 0, None
    try:
        amount = _amount(found.get("delta"))
    except CounterfoilError as error:
        faults.append(error)
    try:
        time = _time(found.get("effectiveAt"))
    except CounterfoilError as error:
        faults.append(error)
    if not faults and amount:
        charges.rows.append(Charge(len(charges.rows), -amount if negate else amount, reference, time, line))
    charges.zero += not faults and not amount
    return faults


def _amount(text: str | None) -> int:
    """Read an amount, which may be zero here; return nano."""
    if text is None:
        raise EngineError("invalid-field", "the row has a reference and no amount", field="delta")
    if "," in text:
        words = f"an amount has a decimal point and no comma: {excerpt(text)}"
        raise EngineError("invalid-field", words, field="delta")
    # Of what is not zero an amount has fewer digits than a balance.
    return read_amount(text) if read_balance(text, field="delta") else 0


def _time(text: str | None) -> str | None:
    """Read a time; a date stays one."""
    if text is None:
        return None
    moment = read_time(text)
    return text if is_date(text) else moment
