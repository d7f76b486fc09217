"""What receipt cases are made of: the receipt of the example, taken apart and put together again."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from generator.example import EXAMPLE, KEY, VKEY, WITNESS, WITNESS_KEY
from generator.ledger import jcs, tlog_proof
from generator.model import Case, Maker
from generator.signing import b64, checkpoint_text, key_id, note, signature_line

if TYPE_CHECKING:
    from collections.abc import Callable

MAKER = Maker("receipt", "receipt.md")
ORIGIN = EXAMPLE.origin
SIZE = 4
PATH = EXAMPLE.path(2, SIZE)
ROOT = EXAMPLE.root(SIZE)
TEXT = EXAMPLE.text(SIZE)
CHECKPOINT = EXAMPLE.checkpoint(SIZE)
# The signature line of the checkpoint and its parts, and one of a witness: 8 bytes of time before the signature.
LINE = KEY.line(ORIGIN, TEXT)
KEY_ID = key_id(ORIGIN, KEY.public)
SIGNATURE = KEY.sign(TEXT)
WITNESS_LINE = signature_line(WITNESS, key_id(WITNESS, WITNESS_KEY.public), bytes(8) + WITNESS_KEY.sign(TEXT))

Receipt = dict[str, Any]


def plain() -> Receipt:
    """Return the receipt of index 2 of the worked example, a new one each time."""
    return copy.deepcopy(EXAMPLE.receipt(2, SIZE))


def named() -> Receipt:
    """Return the same receipt with `open`, so that it names its customer."""
    return copy.deepcopy(EXAMPLE.receipt(2, SIZE, with_open=True))


def proof(*, index: int | str = 2, path: list[bytes] | None = None, checkpoint: str = CHECKPOINT) -> str:
    """Write the tlog-proof of the receipt; what is not named is right."""
    return tlog_proof(index, PATH if path is None else path, checkpoint)


def signed(text: str, origin: str = ORIGIN) -> str:
    """Return a text that the operator signed under an origin, whatever it says."""
    return note(text, KEY.line(origin, text))


def signed_checkpoint(origin: str = ORIGIN, size: int | str = SIZE, root: bytes = ROOT) -> str:
    """Return a checkpoint that the operator signed, true or not."""
    return signed(checkpoint_text(origin, size, root), origin)


def paths_as_text(path: list[bytes]) -> list[str]:
    """Write a path as `open` has it."""
    return [b64(item) for item in path]


def changed(make: Callable[[], Receipt], *where: str | int, to: object) -> Receipt:
    """Return a new receipt in which one member, named by the way to it, has another value."""
    receipt = make()
    place: Any = receipt
    for name in where[:-1]:
        place = place[name]
    place[where[-1]] = to
    return receipt


def without(make: Callable[[], Receipt], *where: str) -> Receipt:
    """Return a new receipt that lacks one member, named by the way to it."""
    receipt = make()
    place: Any = receipt
    for name in where[:-1]:
        place = place[name]
    del place[where[-1]]
    return receipt


def text(receipt: Receipt) -> str:
    """Write a receipt in canonical form."""
    return jcs(receipt).decode()


def request(
    receipt: Receipt | str,
    *,
    keys: list[str] | None = None,
    origin: str | None = None,
    customer: str | None = None,
) -> dict[str, Any]:
    """Return the request for a receipt; the operator's key is given if no other is."""
    asked: dict[str, Any] = {
        "receipt": receipt if isinstance(receipt, str) else text(receipt),
        "keys": [VKEY] if keys is None else keys,
    }
    if origin is not None:
        asked["origin"] = origin
    if customer is not None:
        asked["customer"] = customer
    return asked


def refuse_form(cases: list[tuple[str, str, Receipt | str]], code: str = "malformed") -> list[Case]:
    """Return cases that step 1 refuses, each named by slug, comment and receipt."""
    return [MAKER.refuse(slug, comment, "step-1", request(receipt), code) for slug, comment, receipt in cases]
