"""What documents a little over their bound are made of: padding, so that nothing else is wrong with them."""

from __future__ import annotations

from generator.signing import signature_line

# Of a receipt, a light statement, a note, a consistency file, and a line of a pack.
DOCUMENT_BYTES = 262_144
# Of a signature, without its key id.
SIGNATURE_BYTES = 8_192


def strangers(size: int) -> str:
    """Return signature lines of strangers, none of which is wrong, of this many bytes or up to 50 fewer."""
    lines = ""
    while True:
        number = lines.count("\n")
        name, identifier = f"w{number}", number.to_bytes(4, "big")
        # Three bytes of a signature are four of base64.
        room = size - len((lines + signature_line(name, identifier, b"")).encode())
        if room < 4:  # noqa: PLR2004
            return lines
        lines += signature_line(name, identifier, bytes(min(SIGNATURE_BYTES, room // 4 * 3)))


def padded(text: str) -> str:
    """Return JSON text with so many spaces behind it that it has a byte more than a document may have."""
    return text + " " * (DOCUMENT_BYTES + 1 - len(text.encode()))
