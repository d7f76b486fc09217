"""The other party's charges: a CSV file (RFC 4180, UTF-8, comma, a header line) of what it has of one customer.

Of a row these members are read, under their own name or the column that the caller names; others are ignored, and an
empty cell is as absent:

    delta  referenceId  effectiveAt

Amounts are in the sense of a delta: what was used up is negative, unless the caller turns all signs.  A row that does not
read ends it: the sums of a part would say nothing.

Source: docs/cli.md#counterfoil-compare, docs/spec/conventions.md for amounts and times as a sender writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Final

from counterfoil.core.amount import read_amount
from counterfoil.core.compare import Charge
from counterfoil.core.encoding import excerpt
from counterfoil.core.timestamp import read_time
from counterfoil.engine.lines import read_lines, read_records
from counterfoil.errors import CounterfoilError, EngineError, MalformedError, TooLargeError
from counterfoil.limits import DISPUTE_ROWS_MAX

CHARGE_MEMBERS: Final = ("delta", "referenceId", "effectiveAt")


def read_charges(stream: IO[bytes], columns: Mapping[str, str], *, negate: bool) -> list[Charge]:
    """Read the rows of a file; the place of a charge is the position of its row, from 0.

    Args:
        stream: the bytes.
        columns: member -> the column that holds it, where that is not its own name.
        negate: whether amounts change their sign.

    Raises:
        EngineError: `usage`, where the file has no header or a column that is needed is not in it; `invalid-field`,
            `amount-out-of-range` of a row.
        MalformedError: where a row is not CSV, or `too-large`.
        OSError: where the file cannot be read on.
    """
    records = read_records(read_lines(stream))
    _, _, header = next(records, (0, b"", MalformedError("the file has no header line")))
    if isinstance(header, CounterfoilError):
        raise EngineError("usage", f"the header of the file does not read: {header.message}")
    places = _places(header, columns)
    charges: list[Charge] = []
    for line, _, fields in records:
        if len(charges) == DISPUTE_ROWS_MAX:
            raise TooLargeError(f"the file has over {DISPUTE_ROWS_MAX} rows")
        try:
            charges.append(_charge(len(charges), fields, len(header), places, negate=negate))
        except MalformedError as error:
            raise MalformedError(f"line {line}: {error.message}", code=error.code) from error
        except CounterfoilError as error:
            raise EngineError(error.code, f"line {line}: {error.message}", **error.facts) from error
    return charges


def _places(header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Return where in a row each member stands."""
    places: dict[str, int] = {}
    for member in CHARGE_MEMBERS:
        column = columns.get(member, member)
        if header.count(column) > 1:
            raise EngineError("usage", f"the file has two columns {column}")
        if column in header:
            places[member] = header.index(column)
        elif member in columns or member == "delta":
            names = ", ".join(map(excerpt, header))
            raise EngineError("usage", f"the file has no column {column} for {member}; it has {names}")
    return places


def _charge(
    place: int,
    fields: Sequence[str] | CounterfoilError,
    width: int,
    places: Mapping[str, int],
    *,
    negate: bool,
) -> Charge:
    if isinstance(fields, CounterfoilError):
        raise fields
    if len(fields) != width:
        raise MalformedError(f"the row has {len(fields)} columns, the header {width}")
    # An empty cell is no value: CSV has no other way to leave one out.
    found = {member: fields[column] for member, column in places.items() if fields[column] != ""}
    if "delta" not in found:
        raise EngineError("invalid-field", "the row has no delta", field="delta")
    amount = read_amount(found["delta"])
    time = found.get("effectiveAt")
    return Charge(
        place,
        -amount if negate else amount,
        found.get("referenceId"),
        None if time is None else read_time(time),
    )
