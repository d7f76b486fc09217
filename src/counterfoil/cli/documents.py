"""Telling our formats apart by their first bytes and by the names of their files, and reading them.

Of ours it imports `core` and `files`.  Source: docs/spec/README.md.
"""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from typing import BinaryIO, Final, Literal

from counterfoil.cli.files import FileKind
from counterfoil.core.dispute import DISPUTE_TYPE, Dispute, dispute_from
from counterfoil.core.encoding import read_json
from counterfoil.core.pack.stream import GZIP_MAGIC, split_lines
from counterfoil.core.receipt import RECEIPT_TYPE, Receipt, receipt_from
from counterfoil.core.report import REPORT_START
from counterfoil.core.statement import STATEMENT_TYPE, Statement, statement_from
from counterfoil.core.table import delta_table
from counterfoil.core.tlog_proof import PROOF_HEADER
from counterfoil.errors import MalformedError, TooLargeError
from counterfoil.limits import (
    DISPUTE_BYTES_MAX,
    FULL_STATEMENT_BYTES_MAX,
    PACK_LINE_BYTES_MAX,
    RECEIPT_BYTES_MAX,
    REPORT_BYTES_MAX,
)

Kind = Literal["json", "report", "tlog-proof", "consistency file", "checkpoint", "unknown"]

# No document of ours is larger, but for full statements, and disputes that hold one.
DOCUMENT_BYTES_MAX: Final = RECEIPT_BYTES_MAX
# What is read to be verified: a page with a full statement in it.
VERIFIED_BYTES_MAX: Final = REPORT_BYTES_MAX

# A proof has the record that it proves beside it.
PROOF_SUFFIX: Final = ".tlog-proof"
RECORD_SUFFIX: Final = ".entry"

# The first line of an evidence pack is within these bytes, newline included.
HEAD_BYTES: Final = PACK_LINE_BYTES_MAX + 1

# What tells a page of ours from other people's is within these bytes, also where a program that saved the page again
# wrote something in front.
REPORT_HEAD_BYTES: Final = 1_024

# The type of a document, which ends it, is within these bytes; so is the newline that a pipe adds.
_TAIL_BYTES: Final = 128

_REPORT_START: Final = b"<!doctype html>"
_REPORT_MARK: Final = b"counterfoil/report@"
# What is left of such a page, wherever it stands, by whatever program saved it: a browser keeps the element of the
# document, and need not keep the remark before it.
_PAGE_LEFT: Final = re.compile(rb"counterfoil/(?:report@|statement@v1|receipt@v1)|counterfoil-document")
_PAGE_LEFT_BYTES: Final = 32
_CHUNK_BYTES: Final = 262_144
# By these names a viewer takes a file for something to show, and looks for it anywhere: in a text of a sender, or in the
# name of a signature line that nobody signed.  So what is named like this is a page of ours, of which every byte is
# compared, or it is refused.  What has another name, or none, viewers take for such a thing by its first bytes: ours are
# those of JSON and of plain text.
_SHOWN_SUFFIXES: Final = (
    *(".html", ".htm", ".shtml", ".xhtml", ".xht", ".svg", ".mht", ".mhtml"),
    *(".md", ".pdf"),
)
_STARTS: Final[tuple[tuple[bytes, Kind], ...]] = (
    (_REPORT_START, "report"),
    (PROOF_HEADER.encode("ascii"), "tlog-proof"),
    (b"old ", "consistency file"),
)
# An origin, and a size below it, with the ends of lines of any editor: what goes on otherwise is a checkpoint gone wrong.
_CHECKPOINT_START: Final = re.compile(rb"[!-~]+\r?\n[0-9]+(?:\r?\n|\Z)")
# Of whatever version: the reader of its format says which one it knows.
_PACK_TYPE: Final = "counterfoil/pack@"


def kind_of(data: bytes, name: str) -> Kind:
    """Return what a document claims to be; whether it is, the reader of its format says.

    Args:
        data: its bytes; a byte order mark and an array, which no format has, count as JSON that went wrong.
        name: of its file, which decides where the bytes do not, and where other programs go by it.
    """
    if name.lower().endswith(_SHOWN_SUFFIXES):
        return "report"
    if data.removeprefix(BOM_UTF8).lstrip().startswith((b"{", b"[")):
        return "json"
    for start, kind in _STARTS:
        if data.startswith(start):
            return kind
    if name.endswith(".json"):
        return "json"
    return "checkpoint" if _CHECKPOINT_START.match(data) else "unknown"


def read_rest(head: bytes, stream: BinaryIO, name: str) -> bytes:
    """Return the whole of a file of which the beginning was read.

    Raises:
        TooLargeError: where it has over `VERIFIED_BYTES_MAX` bytes; no more than these are read.
        OSError: where the system refuses.
    """
    data = head + stream.read(VERIFIED_BYTES_MAX + 1 - len(head))
    if len(data) > VERIFIED_BYTES_MAX:
        raise TooLargeError(f"{name} has over {VERIFIED_BYTES_MAX} bytes")
    return data


def is_report(head: bytes) -> bool:
    """Return whether a file claims to be a page of ours, of whatever version.

    Args:
        head: its first `REPORT_HEAD_BYTES`, or all where it has fewer.
    """
    return _REPORT_MARK in head


def is_left_of_page(stream: BinaryIO) -> bool:
    """Return whether a file holds what stands in a page of ours only: it is one, or was before it was saved again.

    It is read as far as that needs, a piece at a time.

    Raises:
        OSError: where the system refuses.
    """
    before = b""
    while chunk := stream.read(_CHUNK_BYTES):
        piece = before + chunk
        if _PAGE_LEFT.search(piece):
            return True
        before = piece[-_PAGE_LEFT_BYTES:]
    return False


def is_pack(head: bytes) -> bool:
    """Return whether a file claims to be an evidence pack: it is gzip, or its first line is that of one.

    Args:
        head: its first `HEAD_BYTES`, or all where it has fewer.
    """
    if head.startswith(GZIP_MAGIC):
        return True
    try:
        value = read_json(head.partition(b"\n")[0], bytes_max=PACK_LINE_BYTES_MAX, what="line")
    except MalformedError:
        return False
    kind = value.get("type") if isinstance(value, dict) else None
    return isinstance(kind, str) and kind.startswith(_PACK_TYPE)


def _is_pack_file(stream: BinaryIO) -> bool:
    """Return whether a file is a pack: unlike `is_pack`, of what is gzip the first line is looked at."""
    try:
        return is_pack(next(split_lines([stream.read(HEAD_BYTES)]), b""))
    except (MalformedError, TooLargeError):
        return False


def _is_table(stream: BinaryIO) -> bool:
    header = next(delta_table(())).encode("ascii")
    return stream.read(len(header)) == header


def _json_kind(what: str, kind: str) -> FileKind:
    """Return the kind of a JSON document of ours: in canonical form its type is the last member."""
    family = kind.partition("@")[0]
    end = re.compile(rf'[{{,]"type":"{re.escape(family)}@[^"]{{1,16}}"\}}\s*\Z'.encode("ascii"))

    def is_ours(stream: BinaryIO) -> bool:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - _TAIL_BYTES, 0))
        return end.search(stream.read(_TAIL_BYTES)) is not None

    return FileKind(what, is_ours)


RECEIPT_FILE: Final = _json_kind("a receipt", RECEIPT_TYPE)
STATEMENT_FILE: Final = _json_kind("a statement", STATEMENT_TYPE)
DISPUTE_FILE: Final = _json_kind("a dispute packet", DISPUTE_TYPE)
PACK_FILE: Final = FileKind("an evidence pack", _is_pack_file)
TABLE_FILE: Final = FileKind("a table of deltas", _is_table)
# Narrower than what is read as a page, and then refused: what is written over is one as it was made.
PAGE_FILE: Final = FileKind(
    "a page of a receipt or statement", lambda stream: stream.read(len(REPORT_START)) == REPORT_START
)


def _spelled(text: str) -> re.Pattern[bytes]:
    r"""Return a pattern of a JSON string in any spelling: each character as it is, or escaped as in `\u0074` and `\/`."""
    characters = [rf"(?:\\?{re.escape(each)}|\\u00(?i:{ord(each):02x}))" for each in text]
    return re.compile(f'"{"".join(characters)}"'.encode("ascii"))


_SPELLED_DISPUTE: Final = _spelled(DISPUTE_TYPE)
_SPELLED_STATEMENT: Final = _spelled(STATEMENT_TYPE)


def _bytes_max(data: bytes) -> int:
    """Return the bound of a document of the largest type that is named anywhere in it.

    What is larger is not parsed: values take thirty times the memory of their bytes.
    """
    if len(data) <= DOCUMENT_BYTES_MAX:
        return DOCUMENT_BYTES_MAX
    if _SPELLED_DISPUTE.search(data):
        return DISPUTE_BYTES_MAX
    return FULL_STATEMENT_BYTES_MAX if _SPELLED_STATEMENT.search(data) else DOCUMENT_BYTES_MAX


def read_document(data: bytes) -> Receipt | Statement | Dispute:
    """Read a receipt, a statement or a dispute packet, whichever its type says it is.

    Raises:
        TooLargeError: where the bound of its type is passed.
        MalformedError: where it is none of them.
        VerificationError: `unknown-type`.
    """
    value = read_json(data, bytes_max=_bytes_max(data), what="document")
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == DISPUTE_TYPE:
        return dispute_from(value)
    if kind == STATEMENT_TYPE:
        if len(data) > FULL_STATEMENT_BYTES_MAX:
            raise TooLargeError(f"statement has over {FULL_STATEMENT_BYTES_MAX} bytes")
        return statement_from(value, len(data))
    if len(data) > DOCUMENT_BYTES_MAX:
        raise TooLargeError(
            f"document has over {DOCUMENT_BYTES_MAX} bytes, and is neither a statement nor a dispute"
        )
    return receipt_from(value)
