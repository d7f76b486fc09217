"""Every bound, with its unit and its reason.

A bound is checked before the thing that it bounds is parsed, so that hostile input costs little.

Source: docs/spec/conventions.md.
"""

from __future__ import annotations

from typing import Final

# RFC 6962 sizes and indices; the largest integer that every common database and language holds.
INTEGER_MAX: Final = 2**63 - 1
# Digits of INTEGER_MAX: checked before int(), whose cost grows with the square of the length.
INTEGER_DIGITS_MAX: Final = 19
# A tree of 2^63 - 1 leaves has audit paths of 63 hashes.  A consistency proof beyond 2^62 leaves may have one more,
# which C2SP tlog-witness does not allow either.
PROOF_HASHES_MAX: Final = 63

# Characters of an amount as a sender may write it, exponent included; checked before any conversion.
AMOUNT_INPUT_CHARACTERS_MAX: Final = 40
AMOUNT_INTEGER_DIGITS_MAX: Final = 18
# 29 digits hold 10^11 of the largest amounts.
TOTAL_INTEGER_DIGITS_MAX: Final = 29
AMOUNT_FRACTION_DIGITS_MAX: Final = 9
# Characters of a time as a sender may write it: RFC 3339 with nine decimals and an offset is 35.
TIME_INPUT_CHARACTERS_MAX: Final = 40

OPERATOR_CHARACTERS_MAX: Final = 100
TENANT_CHARACTERS_MAX: Final = 63
CUSTOMER_ID_CHARACTERS_MAX: Final = 128
UNIT_CHARACTERS_MAX: Final = 32
IDEMPOTENCY_KEY_CHARACTERS_MAX: Final = 255
REFERENCE_KEY_BYTES: Final = 32

# The longest entry that keeps to the member rules is under 1,000 bytes; the rest is room for later types.
ENTRY_BYTES_MAX: Final = 2_048
DETAILS_BYTES_MAX: Final = 16_384
# The value object is level 1.
DETAILS_NESTING_MAX: Final = 8
# I-JSON (RFC 7493): beyond this two readers of a number may disagree.
JSON_INTEGER_MAX: Final = 2**53 - 1
# A number token as a sender may write it; the shortest form of any double is within 25 characters.
JSON_NUMBER_CHARACTERS_MAX: Final = 40
SALT_BYTES: Final = 32

# Receipts, notes, consistency files: room for 64 signature lines of the largest kind in use (ML-DSA-44, 3.3 kB).
RECEIPT_BYTES_MAX: Final = 262_144
NOTE_BYTES_MAX: Final = 262_144
# A light statement is four items, an open entry and a checkpoint; each of these is within the bounds of a receipt.
LIGHT_STATEMENT_BYTES_MAX: Final = 262_144
# A full statement is read whole; beyond this a pack, which is read line by line.
FULL_STATEMENT_BYTES_MAX: Final = 33_554_432
STATEMENT_ITEMS_MAX: Final = 10_000
# A line of an evidence pack: an entry with its details, or a checkpoint.
PACK_LINE_BYTES_MAX: Final = 262_144
# Of a delta's line at most 17,100 bytes can be compressed away, and 96 are random: salt, commitment and key.
PACK_EXPANSION_MAX: Final = 200
# Lines of a pack that say nothing: a file that has more of them was not damaged, it is none.  Each takes a few
# microseconds, and compressed they cost nothing to send.
PACK_STRAY_LINES_MAX: Final = 1_000
# A dispute is read whole: the largest full statement, and as much again for rows, differences and receipts.
DISPUTE_BYTES_MAX: Final = 67_108_864
# Ten rows of the other party for each entry of the largest statement; matching them takes seconds.
DISPUTE_ROWS_MAX: Final = 100_000
# Entries outside the period that the maker of a dispute proves: a list of another year would name one for each row.
DISPUTE_ELSEWHERE_MAX: Final = 1_000
# How far apart two charges may be that are one: a year.
COMPARISON_TOLERANCE_SECONDS_MAX: Final = 31_622_400
# A page that shows the largest full statement: a third more for base64, and at most 4,800 bytes for each row of its table.
REPORT_BYTES_MAX: Final = 100_663_296
SIGNATURE_LINES_MAX: Final = 64
# Ed25519: 4 bytes of key id and 64 of signature; ML-DSA-44 with a time: 2,432.  A line beyond this is no signature.
SIGNATURE_BYTES_MAX: Final = 8_192
ORIGIN_CHARACTERS_MAX: Final = 255
VERIFIER_KEY_CHARACTERS_MAX: Final = 4_096
KEY_FILE_BYTES_MAX: Final = 65_536

# A clock that lies further back than this stops recording: it would hand out times that contradict the past.
CLOCK_REGRESSION_SECONDS_MAX: Final = 5
# Rows of one recorded batch: bounds how long one transaction holds the heads that it locks.
BATCH_ITEMS_MAX: Final = 10_000
# Rows of an import that one transaction records: nearly as fast as 10,000, and a batch that is cut off loses less.
IMPORT_BATCH_ITEMS: Final = 2_000
# One row of an import file.
IMPORT_LINE_BYTES_MAX: Final = 65_536
# How long a writer waits for another before it answers `store-unavailable`.
LOCK_WAIT_SECONDS: Final = 30

# Months of a window that is asked for in one request: what a panel of two years shows.  It bounds how many places of a
# log a breakdown looks up; their cost does not grow with the history.
SCOPE_MONTHS_MAX: Final = 24
# Days of a breakdown by days.
SCOPE_DAYS_MAX: Final = 366
# Items of one page of a list.
PAGE_ITEMS_MAX: Final = 1_000

# What an operator calls an API key.
API_KEY_LABEL_CHARACTERS_MAX: Final = 100
# A request to the server, whole: a batch of 1,000 deltas with a reason and some metadata each fits.
REQUEST_BYTES_MAX: Final = 1_048_576
# From the headers of a request to the end of its body.
REQUEST_SECONDS_MAX: Final = 10
# Deltas of one batch over HTTP.
REQUEST_DELTAS_MAX: Final = 1_000
# Newest entries of a log that are searched for a referenceId, or the nearest on either side of a period; a second at
# the most.
REFERENCE_SEARCH_ENTRIES_MAX: Final = 65_536

# Webhooks of a tenant: each is one more delivery an event.
WEBHOOKS_MAX: Final = 16
WEBHOOK_URL_CHARACTERS_MAX: Final = 2_048
