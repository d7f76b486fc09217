"""Reports: a receipt or a statement as a page for people, with the proof inside.

    <!doctype html>
    <!-- counterfoil/report@v1 -->                      the version of the template
    ...                                                 what people see
    <template id="counterfoil-document">
    eyJkZXRhaWxzIjp7InNhbHQiOi...                       the document in base64, 76 characters a line
    </template>
    ...

The page is one HTML file that runs nothing and loads nothing.  What it shows is a function of the document: whoever
verifies a page verifies the document, makes the page again, and compares every byte.  So nobody can edit what is seen and
leave the proof alone.

`markup`, `chart`, `issuer` and `pages` are the template, `style` its style.  Another byte of it is another version.

Source: docs/spec/report.md, whose step numbers stand in the code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.encoding import decode_base64, encode_base64, read_json
from counterfoil.core.receipt import RECEIPT_TYPE, Receipt, Verified, receipt_from, verify_receipt
from counterfoil.core.reference import operator_of
from counterfoil.core.report.markup import frame
from counterfoil.core.report.pages import (
    receipt_content,
    receipt_title,
    statement_content,
    statement_title,
)
from counterfoil.core.statement import Statement, statement_from
from counterfoil.core.statement_verify import VerifiedStatement, verify_statement
from counterfoil.errors import MalformedError, TooLargeError, VerificationError
from counterfoil.limits import FULL_STATEMENT_BYTES_MAX, RECEIPT_BYTES_MAX, REPORT_BYTES_MAX

REPORT_VERSION: Final = 1
REPORT_START: Final = b"<!doctype html>\n<!-- counterfoil/report@v"

_HEAD: Final = re.compile(REPORT_START + rb"([1-9][0-9]{0,8}) -->\n")
_ELEMENT: Final = b"<template"
_DOCUMENT_START: Final = b"\n" + _ELEMENT + b' id="counterfoil-document">\n'
_DOCUMENT_END: Final = b"\n</template>\n"
_LINE_CHARACTERS: Final = 76
# What is left of a page whose first lines are gone.
_LEFT: Final = re.compile(rb"counterfoil/(?:report@|statement@v1|receipt@v1)|counterfoil-document")
_ALTERED: Final = "the page is not as it was made: it was edited, or saved again by a program"
# Four characters for three bytes, and the ends of lines.
_ENCODED_CHARACTERS_MAX: Final = (
    (FULL_STATEMENT_BYTES_MAX + 2) // 3 * 4 * (_LINE_CHARACTERS + 1) // _LINE_CHARACTERS
)


class Report(NamedTuple):
    """A page that was read, not verified.

    Attributes:
        version: of the template that it says it was made with.
        document: the bytes that are embedded.
    """

    version: int
    document: bytes


@dataclass(frozen=True, slots=True)
class VerifiedReport:
    """What a page proves: what its document does, and that it shows that and nothing else.

    Attributes:
        document: that is embedded, as it was read.
        verified: what it proves.
    """

    document: Receipt | Statement
    verified: Verified | VerifiedStatement


def format_report(document: bytes, keys: KeySet, *, allow_provisional: bool = False) -> bytes:
    """Write the page of a receipt or a statement, which is verified first: the page shows what was verified.

    Args:
        document: its bytes; they are embedded as they are.
        keys: the keys that the caller trusts.  The page is the same whichever of them verify it.
        allow_provisional: whether the period of a statement may still be open; the page says so.

    Raises:
        MalformedError, VerificationError: as the verification of the document.
        TooLargeError: where the page would be larger than any reader takes.
    """
    read = _read(document)
    page = _page(document, _verify(read, keys, None, None, allow_provisional=allow_provisional))
    if len(page) > REPORT_BYTES_MAX:
        raise TooLargeError(f"report has over {REPORT_BYTES_MAX} bytes")
    return page


def parse_report(page: bytes) -> Report:
    """Read a page of any version (step 1).  Nothing is verified.

    Raises:
        TooLargeError: beyond 100,663,296 bytes, or where the document has over 33,554,432.
        MalformedError: where it is no page of ours, or does not embed exactly one document.
    """
    if len(page) > REPORT_BYTES_MAX:
        raise TooLargeError(f"report has over {REPORT_BYTES_MAX} bytes")
    head = _HEAD.match(page)
    if head is None:
        if _LEFT.search(page):
            raise MalformedError(_ALTERED)
        raise MalformedError(
            "not a page of a receipt or a statement: it does not begin with the lines of one"
        )
    # However it is spelled: a second one might be what some other reader takes.  No text of a sender holds a "<".
    if page.lower().count(_ELEMENT) != 1:
        raise MalformedError("report does not hold exactly one document")
    _, _, behind = page.partition(_DOCUMENT_START)
    encoded, end, _ = behind.partition(_DOCUMENT_END)
    if not end:
        raise MalformedError("report does not hold its document as an element of its own")
    if len(encoded) > _ENCODED_CHARACTERS_MAX:
        raise TooLargeError(f"document of a report has over {FULL_STATEMENT_BYTES_MAX} bytes")
    try:
        document = decode_base64(encoded.replace(b"\n", b"").decode("ascii"))
    except UnicodeDecodeError as error:
        raise MalformedError("document of a report is not base64") from error
    if _encoded(document) != encoded:
        raise MalformedError("base64 of a report is not in lines of 76 characters")
    return Report(int(head[1]), document)


def extract_document(page: bytes) -> bytes:
    """Return the document that a page embeds; otherwise as `parse_report`."""
    return parse_report(page).document


def verify_report(
    page: bytes,
    keys: KeySet,
    *,
    origin: str | None = None,
    customer_id: str | None = None,
    allow_provisional: bool = False,
) -> VerifiedReport:
    """Verify a page offline: the document in it, and that it shows what the document proves.

    Args:
        page: its bytes, as they came.
        keys: the keys that the caller trusts.
        origin: the log that the caller expects the document from, where one is named.
        customer_id: the customer that the caller expects it to name.
        allow_provisional: whether the period of a statement may still be open.

    Raises:
        MalformedError, VerificationError: with the code of the first step that fails; `unknown-type`, where the template
            is of a version that this program does not know: nobody can tell then whether the page shows its document.
    """
    # Step 1: form.
    report = parse_report(page)
    # Step 2: the document.
    document = _read(report.document)
    verified = _verify(document, keys, origin, customer_id, allow_provisional=allow_provisional)
    # Step 3: the page is that of the document.
    _require_shown(page, report, verified)
    return VerifiedReport(document, verified)


def _require_shown(page: bytes, report: Report, verified: Verified | VerifiedStatement) -> None:
    # Whoever edits a page may write any version into it: without this it would pass with whatever it shows.
    if report.version != REPORT_VERSION:
        raise VerificationError(
            "unknown-type",
            f"page of template version {report.version}, want {REPORT_VERSION}: the document in it verifies, what it "
            "shows was not checked",
        )
    # A page is read like every other text format: it is written again and compared.  What differs is not called
    # `details-mismatch`: what was proven stands, and an editor, a mail program or a browser changes a page without
    # anybody's intent.
    if _page(report.document, verified) != page:
        raise MalformedError(_ALTERED)


def _read(document: bytes) -> Receipt | Statement:
    value = read_json(document, bytes_max=FULL_STATEMENT_BYTES_MAX, what="document")
    if not isinstance(value, dict) or value.get("type") != RECEIPT_TYPE:
        return statement_from(value, len(document))
    if len(document) > RECEIPT_BYTES_MAX:
        raise TooLargeError(f"receipt has over {RECEIPT_BYTES_MAX} bytes")
    return receipt_from(value)


def _verify(
    document: Receipt | Statement,
    keys: KeySet,
    origin: str | None,
    customer_id: str | None,
    *,
    allow_provisional: bool,
) -> Verified | VerifiedStatement:
    if isinstance(document, Receipt):
        return verify_receipt(document, keys, origin=origin, customer_id=customer_id)
    return verify_statement(
        document, keys, origin=origin, customer_id=customer_id, allow_provisional=allow_provisional
    )


def _page(document: bytes, verified: Verified | VerifiedStatement) -> bytes:
    if isinstance(verified, Verified):
        title, content = receipt_title(verified), receipt_content(verified)
    else:
        title, content = statement_title(verified), statement_content(verified)
    issuer = operator_of(verified.checkpoint.origin)
    embedded = (_DOCUMENT_START + _encoded(document) + _DOCUMENT_END).decode("ascii")
    start = REPORT_START + f"{REPORT_VERSION} -->\n".encode("ascii")
    return start + frame(title, issuer, content, embedded.removeprefix("\n")).encode("utf-8")


def _encoded(document: bytes) -> bytes:
    text = encode_base64(document)
    lines = [text[start : start + _LINE_CHARACTERS] for start in range(0, len(text), _LINE_CHARACTERS)]
    return "\n".join(lines).encode("ascii")
