"""The forms of ids and values, as the description of the API says them: patterns of JSON Schema (ECMA-262).

What is sent is read by the engine, which says in words why it refuses; these say beforehand what it will.  What no
pattern says, the days of a month and the largest index, is left to it.

Source: docs/spec/conventions.md, docs/spec/reference.md.
"""

from __future__ import annotations

from typing import Any, Final

from counterfoil.core.reference import REFERENCE_PATTERN
from counterfoil.limits import (
    AMOUNT_INPUT_CHARACTERS_MAX,
    CUSTOMER_ID_CHARACTERS_MAX,
    IDEMPOTENCY_KEY_CHARACTERS_MAX,
    UNIT_CHARACTERS_MAX,
)

_NUMBER: Final = "(0|[1-9][0-9]{0,17})"
_ROOT: Final = "(0x)?[0-9a-fA-F]{64}"
_RECORD: Final = f"{REFERENCE_PATTERN}\\.{_NUMBER}"
_DATE: Final = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = "([01][0-9]|2[0-3]):[0-5][0-9]"

CUSTOMER_ID: Final = f"^[A-Za-z0-9][A-Za-z0-9_.:-]{{0,{CUSTOMER_ID_CHARACTERS_MAX - 1}}}$"
REFERENCE: Final = f"^{REFERENCE_PATTERN}$"
RECORD_ID: Final = f"^{_RECORD}$"
# In base64 too, of either alphabet.
PROOF_ROOT: Final = f"^({_ROOT}|[A-Za-z0-9+/_-]{{42}}[AEIMQUYcgkosw048]=?)$"
STARTING_CHECKPOINT: Final = f"^({_ROOT}|(chk_)?{_RECORD})$"
EVENT_ID: Final = f"^(customer\\.created\\.{REFERENCE_PATTERN}|(delta|checkpoint)\\.verified\\.{_RECORD})$"
MONTH: Final = "^[0-9]{4}-(0[1-9]|1[0-2])$"
TIME: Final = f"^{_DATE}([Tt ]{_CLOCK}:[0-5][0-9](\\.[0-9]{{1,6}})?([Zz]|[+-]{_CLOCK}))?$"
DECIMAL: Final = "^[+-]?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$"
DECIMAL_CHARACTERS_MAX: Final = AMOUNT_INPUT_CHARACTERS_MAX
IDEMPOTENCY_KEY: Final = f"^[!-~]{{1,{IDEMPOTENCY_KEY_CHARACTERS_MAX}}}$"
UNIT: Final = f"^[!-~]{{1,{UNIT_CHARACTERS_MAX}}}$"


def pattern(form: str) -> dict[str, Any]:
    """Return what a parameter says of its form, for its `json_schema_extra`."""
    return {"pattern": form}


def one_of(*values: str) -> dict[str, Any]:
    """Return what a parameter says of its values, for its `json_schema_extra`."""
    return {"enum": [*values]}
