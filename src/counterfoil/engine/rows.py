r"""The rows of a file, read as deltas.

A file is CSV (RFC 4180, UTF-8, comma, a header line) or JSON lines, UTF-8.  Of a row these members are read, under
their own name or the column that `Reading.columns` names; others are ignored, an empty CSV cell or a null is as absent:

    customerId  delta  reason  referenceId  idempotencyKey  effectiveAt  adjusts  metadata

A row without a key gets one from where it came from, what it says and the how-manieth row of exactly these bytes it is:

    key = hex( SHA-256( source || "\n" || occurrence || "\n" || row bytes ) )       occurrence: 1, 2, ... in decimal

Row bytes are those of the file from the first of the row to its last, without the line end.  So a corrected or longer
file records only what is new, and rows that repeat within a file all count.  Equal rows of two files with the same
source are the same rows: whoever has two such files gives each a source of its own.

Source: docs/cli.md#row-key, docs/spec/conventions.md for amounts and times as a sender writes them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO, Final, NamedTuple

from counterfoil.core.amount import format_nano, read_amount
from counterfoil.core.encoding import JsonValue, NumberToken, exact_numbers, excerpt, read_json
from counterfoil.engine.lines import BOM, Record, read_lines, read_records, too_long, without_line_end
from counterfoil.engine.request import Delta
from counterfoil.errors import CounterfoilError, EngineError, MalformedError
from counterfoil.limits import DETAILS_BYTES_MAX, IMPORT_LINE_BYTES_MAX

MEMBERS: Final = (
    "customerId", "delta", "reason", "referenceId", "idempotencyKey", "effectiveAt", "adjusts", "metadata",
)  # fmt: skip
# Of a hash that stands for a row while its repetitions are counted: two rows that share it would share a count.
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rows of a file are to be read.

    Attributes:
        source: a label that stands for the file in the keys of its rows; visible, without line breaks.
        columns: member -> the column or JSON member that holds it, where that is not its own name.
        reason: for rows without one.
        negate: whether amounts change their sign, as purchases do that are recorded as debits.
    """

    source: str
    columns: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    negate: bool = False

    def __post_init__(self) -> None:
        if not self.source or not self.source.isprintable():
            raise EngineError("usage", f"not a source label: {excerpt(self.source)}")
        if unknown := set(self.columns) - set(MEMBERS):
            raise EngineError("usage", f"no such member: {min(unknown)}; there are {' '.join(MEMBERS)}")

    def column(self, member: str) -> str:
        """Return the name under which a member stands in the file."""
        return self.columns.get(member, member)


class Row(NamedTuple):
    """A row of a file.

    Attributes:
        line: the number of its first line, from 1.
        data: its bytes without line end; of a row that is too long the beginning.
        delta: what it asks for, or the refusal that it met.
        keyless: whether it had no key of its own and got one from the source.
    """

    line: int
    data: bytes
    delta: Delta | CounterfoilError
    keyless: bool


def is_ndjson(beginning: bytes) -> bool:
    """Tell JSON lines from CSV by the first bytes of a file, where its name does not."""
    return beginning.removeprefix(BOM).lstrip().startswith(b"{")


def read_ndjson(stream: IO[bytes], reading: Reading) -> Iterator[Row]:
    """Yield the rows of a file of JSON lines; lines of white space are none.

    It keeps about 100 bytes a row without key, to count its repetitions.

    Raises:
        OSError: where the file cannot be read on.
    """
    keys = _Keys(reading.source)
    for line, whole in read_lines(stream):
        data = without_line_end(whole)
        if data.strip():
            yield keys.row(line, data, partial(_from_object, data, reading))


def read_csv(stream: IO[bytes], reading: Reading) -> Iterator[Row]:
    """Read the header of a CSV file; return an iterator of its rows, which is otherwise as `read_ndjson`.

    Raises:
        EngineError: `usage`, where the file has no header or a column that is needed is not in it.
    """
    records = read_records(read_lines(stream))
    for _, _, fields in records:
        if isinstance(fields, CounterfoilError):
            raise EngineError("usage", f"the header of the file does not read: {fields.message}")
        places = _places(fields, reading)
        return _csv_rows(records, reading, places, len(fields))
    raise EngineError("usage", "the file has no header line")


def _places(header: Sequence[str], reading: Reading) -> dict[str, int]:
    """Return where in a row each member stands."""
    names = ", ".join(map(excerpt, header))
    places: dict[str, int] = {}
    for member in MEMBERS:
        column = reading.column(member)
        if header.count(column) > 1:
            raise EngineError("usage", f"the file has two columns {column}")
        if column in header:
            places[member] = header.index(column)
        elif member in reading.columns or member in ("customerId", "delta"):
            raise EngineError("usage", f"the file has no column {column} for {member}; it has {names}")
    if "reason" not in places and not reading.reason:
        raise EngineError("usage", f"the file has no column for reason and none was given; it has {names}")
    return places


def _csv_rows(
    records: Iterator[Record], reading: Reading, places: Mapping[str, int], columns: int
) -> Iterator[Row]:
    keys = _Keys(reading.source)
    for line, data, fields in records:
        yield keys.row(line, data, partial(_from_fields, fields, columns, reading, places))


def _from_fields(
    fields: list[str] | CounterfoilError, columns: int, reading: Reading, places: Mapping[str, int]
) -> Delta:
    if isinstance(fields, CounterfoilError):
        raise fields
    if len(fields) != columns:
        raise MalformedError(f"the row has {len(fields)} columns, the header {columns}")
    # An empty cell is no value: CSV has no other way to leave one out.
    found: dict[str, JsonValue] = {
        member: fields[place] for member, place in places.items() if fields[place] != ""
    }
    if "metadata" in found:
        found["metadata"] = read_metadata(str(found["metadata"]))
    return _delta(found, reading)


def _from_object(data: bytes, reading: Reading) -> Delta:
    value = read_json(data, bytes_max=IMPORT_LINE_BYTES_MAX, what="row", number_tokens=True)
    if not isinstance(value, dict):
        raise MalformedError("the row is no JSON object")
    found = {
        member: value[column] for member in MEMBERS if value.get(column := reading.column(member)) is not None
    }
    if "metadata" in found:
        try:
            found["metadata"] = exact_numbers(found["metadata"])
        except MalformedError as error:
            raise EngineError("invalid-field", error.message, field="metadata") from error
    return _delta(found, reading)


def _delta(found: Mapping[str, JsonValue], reading: Reading) -> Delta:
    for member in ("customerId", "delta"):
        if member not in found:
            raise EngineError("invalid-field", f"the row has no {member}", field=member)
    metadata = found.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise EngineError("invalid-field", "metadata is a JSON object", field="metadata")
    amount = found["delta"]
    if not isinstance(amount, str):
        raise EngineError("invalid-field", "an amount is a decimal number", field="delta")
    return Delta(
        customer_id=_text(found, "customerId") or "",
        amount=format_nano(-read_amount(amount)) if reading.negate else amount,
        reason=_text(found, "reason") or reading.reason or "",
        reference_id=_text(found, "referenceId"),
        metadata=metadata,
        idempotency_key=_text(found, "idempotencyKey"),
        effective_at=_text(found, "effectiveAt"),
        adjusts=_text(found, "adjusts"),
    )


def _text(found: Mapping[str, JsonValue], member: str) -> str | None:
    value = found.get(member)
    if value is None:
        return None
    if not isinstance(value, str) or isinstance(value, NumberToken):
        raise EngineError("invalid-field", f"{member} is text", field=member)
    return value


def read_metadata(text: str) -> dict[str, JsonValue]:
    """Read metadata that a sender gave as JSON text.

    Raises:
        EngineError: `invalid-field`, where it is no JSON object, or holds a number that is no exact double.
    """
    try:
        value = read_json(text, bytes_max=DETAILS_BYTES_MAX, what="metadata")
    except MalformedError as error:
        raise EngineError("invalid-field", error.message, field="metadata") from error
    if not isinstance(value, dict):
        raise EngineError("invalid-field", "metadata is a JSON object", field="metadata")
    return value


class _Keys:
    """Gives rows without a key their own."""

    def __init__(self, source: str) -> None:
        self._source = source.encode("utf-8")
        self._seen: Counter[bytes] = Counter()

    def row(self, line: int, data: bytes, read: Callable[[], Delta]) -> Row:
        """Make a row of its bytes; `read` says what it asks for."""
        try:
            if len(data) > IMPORT_LINE_BYTES_MAX:
                raise too_long()
            delta = read()
        except CounterfoilError as error:
            return Row(line, data, error, keyless=False)
        if delta.idempotency_key is not None:
            return Row(line, data, delta, keyless=False)
        return Row(line, data, replace(delta, idempotency_key=self._key(data)), keyless=True)

    def _key(self, data: bytes) -> str:
        digest = hashlib.sha256(data).digest()[:_DIGEST_BYTES]
        self._seen[digest] += 1
        occurrence = str(self._seen[digest]).encode("ascii")
        return hashlib.sha256(b"\n".join((self._source, occurrence, data))).hexdigest()
